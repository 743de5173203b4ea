// Backups of a server that serves, and looks at what lies on a disk.
#include <atomic>
#include <fstream>
#include <optional>
#include <sstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "space/server/verify.h"
#include "tests/space/server/conversation.h"

namespace linden::server {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class BackupTest : public ::testing::Test {
 protected:
  void start(const std::string& directory) {
    ServerOptions options;
    options.directory = directory;
    server_.emplace(options);
    peer_.emplace(server_->unix_path());
    greet(*peer_);
  }
  void greet(Peer& peer) {
    peer.hello(session(++sessions_));
    peer.open("jobs");
  }
  std::variant<Answer, wire::ServerAnswer> back_up(const std::string& directory) {
    return peer_->ask_server(wire::BackupOp{directory});
  }
  std::string refusal(const std::string& directory, ErrorCode code = ErrorCode::kInvalidArgument) {
    const Refused refused = as<Refused>(back_up(directory));
    EXPECT_EQ(refused.code, code);
    EXPECT_FALSE(std::filesystem::exists(directory + ".partial"));
    return refused.message;
  }
  // The words of `verify`, or why it failed.
  static std::string verified(const std::string& directory) {
    std::ostringstream out;
    const Result<void> result = verify(directory, out);
    return result ? out.str() : result.error().message;
  }

  Scratch scratch_;
  const std::string data_ = scratch_.path("data");
  const std::string copy_ = scratch_.path("copy");
  std::optional<RunningServer> server_;
  std::optional<Peer> peer_;
  std::uint64_t sessions_ = 0;
};

// P31: what was answered before the backup was asked for is in it, and its order too; a server that
// is started on it goes on from there.
TEST_F(BackupTest, UnderLoadHasEverythingThatWasAnsweredBefore) {
  start(data_);
  std::atomic<int> answered{0};
  std::atomic<bool> enough{false};
  Peer other(server_->unix_path());
  greet(other);
  std::thread load([&] {
    for (int number = 1; !enough; ++number) {
      as<PutDone>(other.ask(put(number)));
      answered = number;
    }
  });
  while (answered < 1000) std::this_thread::yield();
  const int before = answered;
  as<Done>(back_up(copy_));
  const int after = answered;
  enough = true;
  load.join();
  EXPECT_EQ(as<Counted>(peer_->ask(CountOp{any_task()})).count,
            static_cast<std::uint64_t>(answered));
  EXPECT_THAT(verified(copy_),
              AllOf(HasSubstr("space=\"jobs\" durability=process"), HasSubstr("sound spaces=1")));

  server_.reset();
  start(copy_);
  const auto count = static_cast<int>(as<Counted>(peer_->ask(CountOp{any_task()})).count);
  EXPECT_GE(count, before);
  EXPECT_LE(count, after + 1);
  for (int number = 1; number <= count; ++number) {
    ASSERT_EQ(as<Found>(peer_->ask(take())).tuples.at(0).tuple, (Tuple{"task", number}));
  }
  as<PutDone>(peer_->ask(put(1)));
}

TEST_F(BackupTest, IsRefusedWhereSomethingIsAndHasNoEffectThen) {
  start(data_);
  std::filesystem::create_directory(copy_);
  EXPECT_THAT(refusal(copy_), HasSubstr("is there already"));
  EXPECT_TRUE(std::filesystem::is_empty(copy_));
  EXPECT_THAT(refusal("copy"), HasSubstr("absolute"));
  EXPECT_THAT(refusal(data_ + "/copy"), HasSubstr("own directory"));
  EXPECT_THAT(refusal("/proc/linden/copy", ErrorCode::kStorageFailed), HasSubstr("/proc"));
  as<PutDone>(peer_->ask(put(1)));  // and the next request works (P38)
}

// Half a backup, as a crash leaves it, is not taken for a whole one and not written over.
TEST_F(BackupTest, IsRefusedWhereHalfOfOneIs) {
  start(data_);
  std::filesystem::create_directory(copy_ + ".partial");
  EXPECT_THAT(as<Refused>(back_up(copy_)).message, HasSubstr("copy.partial' is there already"));
}

TEST_F(BackupTest, NeedsADirectoryToCopy) {
  server_.emplace();
  peer_.emplace(server_->unix_path());
  peer_->hello(session(1));
  EXPECT_THAT(refusal(copy_), HasSubstr("memory"));
}

// P36: the client was away when it was done and says the same request again.
TEST_F(BackupTest, IsMadeOnceHoweverOftenItIsAskedFor) {
  start(data_);
  const RequestId request = peer_->request_server(wire::BackupOp{copy_});
  as<Done>(std::get<Answer>(peer_->reply_to(request).answer));
  peer_->set_next_request(request.value);
  as<Done>(back_up(copy_));
}

TEST_F(BackupTest, VerifyLooksAtAStoppedServerOnly) {
  start(data_);
  for (int i = 1; i <= 3; ++i) as<PutDone>(peer_->ask(put(i)));
  as<Found>(peer_->ask(take(Duration{0}, TakeMode::kReserve)));
  EXPECT_THAT(verified(data_), HasSubstr("in use by process"));
  server_.reset();
  EXPECT_THAT(verified(data_), HasSubstr("tuples=3 ready=2 reserved=1 dead=0"));
  EXPECT_THAT(verified(copy_), HasSubstr("not there"));
}

// P34
TEST_F(BackupTest, VerifyNamesTheDamagedFile) {
  start(data_);
  for (int i = 1; i <= 1000; ++i) peer_->request(put(i));
  as<PutDone>(peer_->ask(put(0)));
  as<Done>(back_up(copy_));
  for (const auto& entry : std::filesystem::directory_iterator(copy_ + "/db")) {
    if (entry.path().extension() != ".log" || entry.file_size() < 10'000) continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(5'000);
    file.write("damage to several bytes of it", 29);
    file.close();
    EXPECT_THAT(verified(copy_),
                AllOf(HasSubstr("damaged"), HasSubstr(entry.path().filename().string())));
    return;
  }
  FAIL() << "no log to damage";
}

}  // namespace
}  // namespace linden::server

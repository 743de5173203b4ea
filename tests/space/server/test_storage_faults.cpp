// What becomes of a server whose disk fails or is full (P33).
#include <optional>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>

#include "tests/space/server/conversation.h"
#include "tests/space/storage/faulty_file_system.h"

namespace linden::server {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Fault = storage::FaultyFileSystem::Fault;

// A server on a disk that can be made to fail.
class StorageFaults : public ::testing::Test {
 protected:
  void start(storage::Durability durability = storage::Durability::kProcess,
             ServerOptions options = {}) {
    options.directory = scratch_.path("data");
    options.durability = durability;
    options.storage.env = disk_.env();
    auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(log_);
    server_.emplace(options, std::make_shared<Log>("test", std::move(sink)));
    peer_.emplace(server_->unix_path());
    peer_->hello(session(++sessions_));
    peer_->open("jobs");
  }

  // How many tuples; the space may forget them then.
  std::size_t take_and_acknowledge(const TakeOp& op) {
    const RequestId request = peer_->request(op);
    const Found found = as<Found>(peer_->reply_to(request).answer);
    as<Done>(peer_->ask(AckOp{{}, 0, {request}}));
    return found.tuples.size();
  }

  Scratch scratch_;
  storage::FaultyFileSystem disk_;
  std::ostringstream log_;
  std::optional<RunningServer> server_;
  std::optional<Peer> peer_;
  std::uint64_t sessions_ = 0;
};

TEST_F(StorageFaults, P33AFailedSyncStopsTheServerAndAnswersNobody) {
  start(storage::Durability::kSync);
  as<PutDone>(peer_->ask(put(1)));
  disk_.fail_after(Fault::kSync, 0);
  peer_->request(put(2));
  EXPECT_EQ(server_->wait(), kExitStorage);
  server_.reset();
  EXPECT_FALSE(peer_->receive());
  EXPECT_THAT(log_.str(), AllOf(HasSubstr("server_failed code=STORAGE_FAILED"), HasSubstr("jobs"),
                                HasSubstr(scratch_.path("data")), HasSubstr("start again")));

  disk_.heal();
  start(storage::Durability::kSync);
  EXPECT_GE(as<Counted>(peer_->ask(CountOp{any_task()})).count, 1U);
  as<PutDone>(peer_->ask(put(3)));
}

// P32: one takes, another finds nothing because of that; neither is told, for the take is not
// durable, and after a restart the tuple is there.
TEST_F(StorageFaults, P32ANoneThatATakeHasCausedWaitsForItsCommit) {
  start();
  as<PutDone>(peer_->ask(put(1)));
  Peer other(server_->unix_path());
  other.hello(session(++sessions_));
  other.open("jobs");
  disk_.fail_after(Fault::kAppend, 0, ".log");
  peer_->request(take());
  other.request(TakeOp{TakeMode::kTake, {any_task()}});
  EXPECT_EQ(server_->wait(), kExitStorage);
  server_.reset();
  EXPECT_FALSE(peer_->receive());
  EXPECT_FALSE(other.receive());

  disk_.heal();
  start();
  EXPECT_EQ(as<Found>(peer_->ask(take())).tuples.size(), 1U);
}

TEST_F(StorageFaults, P33AFailedWriteStopsTheServerAndAnswersNobody) {
  start();
  as<PutDone>(peer_->ask(put(1)));
  disk_.fail_after(Fault::kAppend, 0, ".log");
  peer_->request(take());
  EXPECT_EQ(server_->wait(), kExitStorage);
  server_.reset();
  EXPECT_FALSE(peer_->receive());

  disk_.heal();
  start();
  EXPECT_EQ(as<Found>(peer_->ask(take())).tuples.size(), 1U);  // P32: it was told to nobody
}

FinishOp finish(const Handout& handout, Tuple result) {
  FinishOp op;
  op.items.push_back(
      FinishItem{Token{handout.id, handout.attempt}, {NewTuple{std::move(result), {}}}});
  return op;
}

TEST_F(StorageFaults, P33ALowDiskRefusesPutsAndLetsEverythingElseWork) {
  start();
  for (int i = 1; i <= 3; ++i) as<PutDone>(peer_->ask(put(i)));
  server_.reset();

  ServerOptions low;
  low.disk_reserve_bytes = std::uint64_t{1} << 60;
  start(storage::Durability::kProcess, low);
  const Refused refused = as<Refused>(peer_->ask(put(4)));
  EXPECT_EQ(refused.code, ErrorCode::kOverloaded);
  EXPECT_THAT(refused.message, AllOf(HasSubstr("nearly full"), HasSubstr("--disk-reserve")));

  const Found held = as<Found>(peer_->ask(take(Duration{0}, TakeMode::kReserve)));
  ReleaseOp release;
  release.items.push_back({Token{held.tuples[0].id, held.tuples[0].attempt}, true});
  EXPECT_EQ(as<FinishDone>(peer_->ask(release)).codes, std::vector{ErrorCode::kOk});
  const Found again = as<Found>(peer_->ask(take(Duration{0}, TakeMode::kReserve)));
  EXPECT_EQ(as<FinishDone>(peer_->ask(finish(again.tuples[0], Tuple{"result", 1}))).codes,
            std::vector{ErrorCode::kOk});
  EXPECT_EQ(as<Found>(peer_->ask(take())).tuples[0].tuple, (Tuple{"task", 2}));

  // A space can be made, but not with tuples in it; what is kept in memory has nothing to fear.
  wire::OpenSpaceOp open{"more", true, {}, {task(1)}};
  EXPECT_EQ(as<Refused>(peer_->ask_server(open)).code, ErrorCode::kOverloaded);
  peer_->open("scratch", {}, storage::Durability::kMemory);
  as<PutDone>(peer_->ask(put(1)));
}

// A disk of 24 MiB: puts fill it up to the reserve, takes empty the space, and then puts find room
// again, because what was taken does not keep it.
TEST_F(StorageFaults, P33ASpaceThatFilledItsDiskCanBeEmptiedAndFilledAgain) {
  ServerOptions options;
  options.storage.segment_bytes = std::size_t{64} << 10;
  options.disk_reserve_bytes = std::size_t{8} << 20;
  options.limits.reclaim_interval = Duration{0};
  disk_.fill_after(std::uint64_t{24} << 20);
  start(storage::Durability::kProcess, options);
  const PutOp large{{NewTuple{Tuple{"task", 1, std::string(10'000, 'x')}, {}}}};
  TakeOp take_large = take();
  take_large.templates = {Template{"task", kInt, kText}};
  take_large.count_max = 100;
  for (int round = 1; round <= 2; ++round) {
    std::size_t stored = 0;
    Answer answer;
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    do {  // room comes back little by little
      answer = peer_->ask(large);
      for (; !std::holds_alternative<Refused>(answer); answer = peer_->ask(large)) ++stored;
    } while (stored <= 100U && std::chrono::steady_clock::now() < until);
    EXPECT_EQ(as<Refused>(answer).code, ErrorCode::kOverloaded);
    EXPECT_GT(stored, 100U) << "round " << round;

    std::size_t taken = 0;
    while (taken < stored) taken += take_and_acknowledge(take_large);
    EXPECT_EQ(taken, stored);
    // It is looked at once a second.
    while (std::holds_alternative<Refused>(answer)) answer = peer_->ask(large);
    as<PutDone>(answer);
    EXPECT_EQ(take_and_acknowledge(take_large), 1U);
  }
  EXPECT_EQ(server_->stop(), kExitClean);
}

TEST_F(StorageFaults, P33AQuotaHoldsForEachSpace) {
  ServerOptions options;
  options.space_limits.bytes_max = 100'000;
  start(storage::Durability::kProcess, options);
  const PutOp large{{NewTuple{Tuple{"task", 1, std::string(40'000, 'x')}, {}}}};
  as<PutDone>(peer_->ask(large));
  as<PutDone>(peer_->ask(large));
  const Refused refused = as<Refused>(peer_->ask(large));
  EXPECT_EQ(refused.code, ErrorCode::kOverloaded);
  EXPECT_THAT(refused.message, HasSubstr("--space-mebibytes-max"));
  peer_->open("other");
  as<PutDone>(peer_->ask(large));
}

}  // namespace
}  // namespace linden::server

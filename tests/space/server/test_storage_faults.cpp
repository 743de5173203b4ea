// What becomes of a server whose disk fails (P33).
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
  void start(storage::Durability durability = storage::Durability::kProcess) {
    ServerOptions options;
    options.directory = scratch_.path("data");
    options.durability = durability;
    options.storage.env = disk_.env();
    auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(log_);
    server_.emplace(options, std::make_shared<Log>("test", std::move(sink)));
    peer_.emplace(server_->unix_path());
    peer_->hello(session(++sessions_));
    peer_->open("jobs");
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

}  // namespace
}  // namespace linden::server

// What the log says of leases whose holders are not heard of (P18).
#include <condition_variable>
#include <mutex>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/base_sink.h>

#include "conversation.h"
#include "space/server/log.h"

namespace linden::server {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// Keeps what is logged.
class Lines final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  // The first line with that word, once it is there.
  std::string wait_for(std::string_view word) {
    std::unique_lock lock(kept_mutex_);
    const auto found = [&] {
      return std::find_if(kept_.begin(), kept_.end(), [&](const std::string& line) {
        return line.find(word) != std::string::npos;
      });
    };
    changed_.wait_for(lock, 20s, [&] { return found() != kept_.end(); });
    return found() == kept_.end() ? "" : *found();
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    const std::scoped_lock lock(kept_mutex_);
    kept_.emplace_back(message.payload.data(), message.payload.size());
    changed_.notify_all();
  }
  void flush_() override {}

 private:
  std::mutex kept_mutex_;
  std::condition_variable changed_;
  std::vector<std::string> kept_;
};

TEST(LeaseLogP18, NamesTheTupleWhoseLeaseEndsInSilence) {
  const auto lines = std::make_shared<Lines>();
  RunningServer server({}, std::make_shared<Log>("test", lines));
  Peer peer(server.unix_path());
  peer.hello(session(1));
  peer.open("jobs");
  peer.ask(PutOp{{NewTuple{Tuple{"task", "what users compute"}, {}}}});
  TakeOp op = take(Duration{0}, TakeMode::kReserve);
  op.templates = {Template{"task", kText}};
  op.lease = 1s;
  as<Found>(peer.ask(op));
  const auto names_it =
      AllOf(HasSubstr("space=\"jobs\""), HasSubstr(" tuple=1 attempt=1 "),
            HasSubstr("session=" + to_string(session(1))), Not(HasSubstr("what users compute")));
  EXPECT_THAT(lines->wait_for("lease_ending"), names_it);
  EXPECT_THAT(lines->wait_for("lease_ended"), AllOf(names_it, HasSubstr(" left_ms=0 ")));
}

TEST(LogPace, LeavesOutWhatComesTooQuicklyAndCountsIt) {
  LogPace pace;
  const Time start = Time{} + 5s;
  for (std::uint32_t line = 0; line < LogPace::kLinesMax; ++line) EXPECT_TRUE(pace.may_log(start));
  EXPECT_FALSE(pace.may_log(start + 1ms));
  EXPECT_FALSE(pace.may_log(start + 999ms));
  EXPECT_TRUE(pace.may_log(start + 1s));
  EXPECT_EQ(pace.take_left_out(), 2u);
  EXPECT_EQ(pace.take_left_out(), 0u);
}

}  // namespace
}  // namespace linden::server

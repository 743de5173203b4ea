#include "space/server/busy_poll.h"

#include <gtest/gtest.h>

namespace linden::server {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

// A thread in virtual time: messages come after the given gaps.
class Thread {
 public:
  explicit Thread(Duration gap_max) : poll_(gap_max) {}

  // Idle for so long until the next message; returns for how much of that it was awake.
  Duration idle(Duration gap) {
    const Time began = now_;
    const Time message_at = now_ + gap;
    while (now_ < message_at && poll_.look_again(now_)) {
      poll_.offered(now_, now_);
      now_ += microseconds(1);
    }
    const Duration awake = now_ - began;
    now_ = message_at;
    poll_.found(now_);
    return awake;
  }
  void share_core_for(Duration time) {
    poll_.offered(now_, now_ + time);
    now_ += time;
  }

 private:
  BusyPoll poll_;
  Time now_{milliseconds(1)};
};

TEST(BusyPoll, WaitsAwakeForMessagesThatComeSoon) {
  Thread thread(microseconds(200));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(thread.idle(microseconds(60)), microseconds(60));
}

TEST(BusyPoll, SleepsWhenMessagesAreRare) {
  Thread thread(microseconds(200));
  for (int i = 0; i < 20; ++i) thread.idle(milliseconds(5));
  EXPECT_EQ(thread.idle(milliseconds(5)), microseconds(0));
}

// An idle server costs nothing: it gives up after the longest gap that it waits out.
TEST(BusyPoll, StaysAwakeForAShortTimeOnly) {
  Thread thread(microseconds(200));
  thread.idle(microseconds(60));
  EXPECT_LE(thread.idle(std::chrono::hours(1)), microseconds(202));
}

TEST(BusyPoll, ComesBackAfterAPause) {
  Thread thread(microseconds(200));
  for (int i = 0; i < 20; ++i) thread.idle(milliseconds(5));
  for (int i = 0; i < 30; ++i) thread.idle(microseconds(60));
  EXPECT_EQ(thread.idle(microseconds(60)), microseconds(60));
}

// One pause among short gaps changes nothing.
TEST(BusyPoll, ForgivesOneLongGap) {
  Thread thread(microseconds(200));
  for (int i = 0; i < 20; ++i) thread.idle(microseconds(60));
  thread.idle(std::chrono::seconds(10));
  EXPECT_EQ(thread.idle(microseconds(60)), microseconds(60));
}

// It takes no core from anyone: who offers the core and does not get it back at once sleeps for a
// while, so that its wake-up is urgent to the scheduler again.
TEST(BusyPoll, SleepsWhileOthersWantTheCore) {
  Thread thread(microseconds(200));
  for (int i = 0; i < 20; ++i) thread.idle(microseconds(60));
  thread.share_core_for(milliseconds(3));
  EXPECT_EQ(thread.idle(microseconds(60)), microseconds(0));
  for (int i = 0; i < 200; ++i) thread.idle(microseconds(60));
  EXPECT_EQ(thread.idle(microseconds(60)), microseconds(60));
}

TEST(BusyPoll, CanBeSwitchedOff) {
  Thread thread(microseconds(0));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(thread.idle(microseconds(0)), microseconds(0));
  EXPECT_EQ(thread.idle(microseconds(10)), microseconds(0));
}

}  // namespace
}  // namespace linden::server

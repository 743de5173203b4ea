// tests/api/client/test_bell.cpp: a thread that waits for several things is woken by each.
#include <linden/bell.h>

#include <unistd.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <thread>

namespace linden {
namespace {

using namespace std::chrono_literals;

TEST(Bell, EndsOneWaitHoweverOftenItWasRungBefore) {
  const Bell bell;
  EXPECT_FALSE(bell.wait(0us));
  bell.ring();
  bell.ring();
  EXPECT_TRUE(bell.wait(kForever));
  EXPECT_FALSE(bell.wait(0us));
}

TEST(Bell, WakesWhoWaitsFromAnotherThread) {
  const Bell bell;
  const std::jthread other([copy = bell] { copy.ring(); });
  EXPECT_TRUE(bell.wait(kForever));
}

// The earliest moment counts, and a later one is forgotten when that has come.
TEST(Bell, RingsLaterByItself) {
  const Bell bell;
  bell.ring_within(10h);
  bell.ring_within(1ms);
  bell.ring_within(kForever);
  EXPECT_TRUE(bell.wait(kForever));
  EXPECT_FALSE(bell.wait(0us));
  bell.ring_within(1ms);
  EXPECT_TRUE(bell.wait(kForever));
}

TEST(Bell, LooksAtADescriptorToo) {
  const Bell bell;
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  EXPECT_FALSE(bell.wait(0us, ends[0]));
  ::close(ends[1]);
  EXPECT_TRUE(bell.wait(kForever, ends[0])) << "the other end has gone";
  ::close(ends[0]);
}

}  // namespace
}  // namespace linden

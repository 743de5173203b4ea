// tests/api/client/test_subscription_state.cpp: a subscription as the client sees it (P30).
#include "api/client/subscription_state.h"

#include <gtest/gtest.h>

namespace linden::client {
namespace {

SubscriptionState subscription(std::uint32_t credit = 8) {
  SubscriptionState state;
  state.id = {7};
  state.form.credit = credit;
  return state;
}

std::vector<Handout> told(std::uint64_t first, std::uint64_t count, std::size_t bytes = 1) {
  std::vector<Handout> tuples(count);
  for (Handout& one : tuples) {
    one.id = {first++};
    one.tuple = Tuple{Value(std::string(bytes, 'x'))};
  }
  return tuples;
}

std::uint64_t number(const Subscription::Item& item) {
  return std::get<Notification>(item).number;
}

TEST(SubscriptionStateP30, CountsWhatIsTold) {
  auto state = subscription();
  state.deliver(told(10, 2));
  state.miss({3, 4});
  state.deliver(told(20, 1));
  EXPECT_EQ(number(state.pop()), 1U);
  EXPECT_EQ(number(state.pop()), 2U);
  EXPECT_EQ(std::get<Gap>(state.pop()), (Gap{3, 4}));
  EXPECT_EQ(number(state.pop()), 7U);
}

// A request per notification would cost more than the notification.
TEST(SubscriptionStateP30, AcknowledgesAQuarterOfTheCredit) {
  auto state = subscription(8);
  state.deliver(told(1, 3));
  state.pop();
  EXPECT_FALSE(state.acknowledgement());
  state.pop();
  const auto acknowledgement = state.acknowledgement();
  ASSERT_TRUE(acknowledgement);
  EXPECT_EQ(acknowledgement->stream, RequestId{7});
  EXPECT_EQ(acknowledgement->delivered, 2U);
  EXPECT_FALSE(state.acknowledgement());
}

// The space waits for acknowledgements of bytes too, so few large tuples must not wait for many.
TEST(SubscriptionStateP30, AcknowledgesLargeTuplesSooner) {
  auto state = subscription(1000);
  state.deliver(told(1, 2, 1 << 20));
  state.pop();
  EXPECT_TRUE(state.acknowledgement());
}

TEST(SubscriptionStateP30, AcknowledgesAGapThatWasSeen) {
  auto state = subscription(4);
  state.miss({1, 9});
  state.pop();
  const auto acknowledgement = state.acknowledgement();
  ASSERT_TRUE(acknowledgement);
  EXPECT_EQ(acknowledgement->delivered, 9U);
}

// Over a new connection it goes on behind what has come, whether it was given out or not.
TEST(SubscriptionStateP30, GoesOnBehindWhatHasCome) {
  auto state = subscription();
  EXPECT_FALSE(state.resumed().resume);
  state.begun(0);
  state.deliver(told(1, 3));
  state.pop();
  EXPECT_TRUE(state.resumed().resume);
  EXPECT_EQ(state.resumed().received, 3U);
}

// The server was started again: the gap takes a number, so that the space knows whether it arrived.
TEST(SubscriptionStateP30, KeepsItsCountOverAGapOfUnknownSize) {
  auto state = subscription();
  state.deliver(told(1, 3));
  state.miss({4, 0});
  state.deliver(told(9, 1));
  for (int i = 0; i < 4; ++i) state.pop();
  EXPECT_EQ(number(state.pop()), 5U);
  EXPECT_EQ(state.resumed().received, 5U);
}

// P29: who reads a snapshot must not take the count of a later instant for that of the tuples that
// it has: the new one holds once the gap between them has been seen.
TEST(SubscriptionStateP30, TakesOverTheNewCountAtTheGap) {
  auto state = subscription();
  state.begun(5);
  state.deliver(told(1, 2));
  state.begun(1);
  state.miss({3, 0});
  state.deliver(told(7, 1));
  state.pop();
  state.pop();
  EXPECT_EQ(state.initial_count, 5U);
  state.pop();
  EXPECT_EQ(state.initial_count, 1U);
}

}  // namespace
}  // namespace linden::client

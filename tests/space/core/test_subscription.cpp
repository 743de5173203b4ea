// One subscription by itself: P30.
#include "space/core/subscription.h"

#include <gtest/gtest.h>

namespace linden::core {
namespace {

using Item = Subscription::Item;

Tuple number(std::int64_t value) {
  return Tuple{Value(value)};
}

Limits small(std::size_t backlog, std::size_t bytes = 1 << 20) {
  Limits limits;
  limits.subscription_backlog_max = backlog;
  limits.subscription_bytes_max = bytes;
  return limits;
}

void add(Subscription& subscription, std::uint64_t first, std::uint64_t last,
         const Limits& limits = {}) {
  for (std::uint64_t id = first; id <= last; ++id) {
    subscription.add(TupleId{id}, 0, number(static_cast<std::int64_t>(id)));
    subscription.trim(limits);
  }
}

// What is told now: numbers, and gaps as (first, count).
struct Told {
  std::vector<std::uint64_t> numbers;
  std::vector<Gap> gaps;
  friend bool operator==(const Told&, const Told&) = default;
};
Told told(Subscription& subscription, std::uint32_t credit, const Limits& limits = {}) {
  Told all;
  while (auto next = subscription.next(credit, limits)) {
    if (const auto* gap = std::get_if<Gap>(&*next)) {
      all.gaps.push_back(*gap);
    } else {
      all.numbers.push_back(std::get<Item>(*next).number);
    }
  }
  return all;
}

TEST(SubscriptionP30, TellsUpToItsCredit) {
  Subscription subscription;
  add(subscription, 1, 5);
  EXPECT_EQ(told(subscription, 2), (Told{{1, 2}, {}}));
  EXPECT_EQ(told(subscription, 2), (Told{}));
  subscription.acknowledge(1);
  EXPECT_EQ(told(subscription, 2), (Told{{3}, {}}));
  subscription.acknowledge(3);
  EXPECT_EQ(told(subscription, 2), (Told{{4, 5}, {}}));
}

// The newest are kept, and the gap stands where the lost ones would have been.
TEST(SubscriptionP30, StatesWhatAFullBacklogLost) {
  const Limits limits = small(3);
  Subscription subscription;
  add(subscription, 1, 2, limits);
  EXPECT_EQ(told(subscription, 2, limits), (Told{{1, 2}, {}}));
  add(subscription, 3, 10, limits);
  subscription.acknowledge(2);
  EXPECT_EQ(told(subscription, 9, limits), (Told{{8, 9, 10}, {{3, 5}}}));
  add(subscription, 11, 11, limits);
  EXPECT_EQ(told(subscription, 9, limits), (Told{{11}, {}}));
}

TEST(SubscriptionP30, IsBoundedInBytesToo) {
  const Limits limits = small(100, 3 * number(1).byte_size());
  Subscription subscription;
  add(subscription, 1, 10, limits);
  EXPECT_EQ(told(subscription, 1, limits), (Told{{8}, {{1, 7}}}));
  // One that is larger than the bound is told all the same.
  subscription.acknowledge(8);
  subscription.add(TupleId{11}, 0, Tuple{Value(std::string(1000, 'x'))});
  subscription.trim(limits);
  EXPECT_EQ(told(subscription, 1, limits), (Told{{11}, {{9, 2}}}));
}

// What is on its way is bounded in bytes, whatever the credit says.
TEST(SubscriptionP30, SendsNoMoreBytesThanItsBound) {
  const Limits limits = small(100, 3 * number(1).byte_size());
  Subscription subscription;
  for (std::uint64_t id = 1; id <= 5; ++id) subscription.add_initial(TupleId{id}, 0, number(1));
  EXPECT_EQ(told(subscription, 100, limits), (Told{{1, 2, 3}, {}}));
  subscription.acknowledge(3);
  EXPECT_EQ(told(subscription, 100, limits), (Told{{4, 5}, {}}));
}

// What was there is part of the answer and is never dropped, however slow the client is.
TEST(SubscriptionP30, NeverDropsWhatWasThere) {
  const Limits limits = small(2);
  Subscription subscription;
  for (std::uint64_t id = 1; id <= 5; ++id) subscription.add_initial(TupleId{id}, 0, number(1));
  add(subscription, 6, 10, limits);
  EXPECT_EQ(subscription.initial_count(), 5u);
  EXPECT_EQ(told(subscription, 100, limits), (Told{{1, 2, 3, 4, 5, 9, 10}, {{6, 3}}}));
}

TEST(SubscriptionP30, GoesOnFromWhatArrived) {
  Subscription subscription;
  add(subscription, 1, 6);
  EXPECT_EQ(told(subscription, 4), (Told{{1, 2, 3, 4}, {}}));
  subscription.acknowledge(1);
  add(subscription, 7, 7);
  subscription.resume(2);
  EXPECT_EQ(told(subscription, 100), (Told{{3, 4, 5, 6, 7}, {}}));
}

// A gap that was told over a connection that broke is told again, in its place.
TEST(SubscriptionP30, StatesAGapAgainThatDidNotArrive) {
  const Limits limits = small(2);
  Subscription subscription;
  add(subscription, 1, 5, limits);
  const Told all{{4, 5}, {{1, 3}}};
  EXPECT_EQ(told(subscription, 9, limits), all);
  subscription.resume(0);
  EXPECT_EQ(told(subscription, 9, limits), all);
  subscription.resume(3);  // the gap arrived, what follows it did not
  EXPECT_EQ(told(subscription, 9, limits), (Told{{4, 5}, {}}));
}

// A subscription that the space forgot states that once, however often the connection breaks before
// the client has heard of it.
TEST(SubscriptionP30, StatesThatItWasForgottenUntilThatArrives) {
  Subscription subscription(7);
  subscription.add_initial(TupleId{1}, 0, number(1));
  const Told all{{9}, {{8, 0}}};
  EXPECT_EQ(told(subscription, 9), all);
  subscription.resume(7);
  EXPECT_EQ(told(subscription, 9), all);
  subscription.resume(8);
  EXPECT_EQ(told(subscription, 9), (Told{{9}, {}}));
}

// What was acknowledged has arrived, whatever a confused client says later.
TEST(SubscriptionP30, StatesAnAcknowledgedGapNoMore) {
  Subscription subscription(7);
  EXPECT_EQ(told(subscription, 9), (Told{{}, {{8, 0}}}));
  subscription.acknowledge(8);
  subscription.resume(7);
  EXPECT_EQ(told(subscription, 9), Told{});
}

}  // namespace
}  // namespace linden::core

// tests/api/client/test_pending_requests.cpp: what is said again after a reconnect (P36).
#include "api/client/pending_requests.h"

#include <gtest/gtest.h>

namespace linden::client {
namespace {

PendingRequest some_request(bool quick = true) {
  PendingRequest request{SpaceNumber{1}, Operation(CountOp{}), AnswerTo::kWaiter, SteadyTime::max(),
                         quick};
  return request;
}

std::vector<std::uint64_t> ids_of(const PendingRequests& pending) {
  std::vector<std::uint64_t> ids;
  pending.for_each([&](RequestId id, const PendingRequest&) { ids.push_back(id.value); });
  return ids;
}

TEST(PendingRequests, CountsUpFromOne) {
  PendingRequests pending;
  EXPECT_EQ(pending.add(some_request()).value, 1U);
  EXPECT_EQ(pending.add(some_request()).value, 2U);
}

// P36: after a reconnect exactly what was not answered is said again, in the order in which it was
// asked (P9).
TEST(PendingRequests, KeepsWhatIsNotAnsweredInOrder) {
  PendingRequests pending;
  for (int i = 0; i < 5; ++i) pending.add(some_request());
  EXPECT_TRUE(pending.finish({2}));
  EXPECT_TRUE(pending.finish({4}));
  EXPECT_EQ(ids_of(pending), (std::vector<std::uint64_t>{1, 3, 5}));
}

// The server forgets answers below the watermark, so it must never pass a request that is still
// open.
TEST(PendingRequests, AcknowledgesOnlyUpToTheOldestOpenRequest) {
  PendingRequests pending;
  for (int i = 0; i < 4; ++i) pending.add(some_request());
  EXPECT_EQ(pending.acknowledged().value, 1U);
  pending.finish({2});
  pending.finish({3});
  EXPECT_EQ(pending.acknowledged().value, 1U);
  pending.finish({1});
  EXPECT_EQ(pending.acknowledged().value, 4U);
  pending.finish({4});
  EXPECT_EQ(pending.acknowledged().value, 5U);
}

// A repeated request may be answered twice; the second answer belongs to nobody.
TEST(PendingRequests, IgnoresSecondAnswersAndUnknownIds) {
  PendingRequests pending;
  pending.add(some_request());
  EXPECT_TRUE(pending.finish({1}));
  EXPECT_FALSE(pending.finish({1}));
  EXPECT_FALSE(pending.finish({9}));
  EXPECT_FALSE(pending.finish({0}));
  EXPECT_EQ(pending.find({1}), nullptr);
}

// A take may wait for hours beside a million puts: the space must be able to forget their answers.
TEST(PendingRequests, WaitingOnesDoNotHoldBackTheWatermark) {
  PendingRequests pending;
  const auto waiting = pending.add(some_request(false));
  const auto put = pending.add(some_request());
  pending.add(some_request(false));
  EXPECT_EQ(pending.acknowledged(), put);
  pending.finish(put);
  EXPECT_EQ(pending.acknowledged().value, 4U);
  EXPECT_EQ(ids_of(pending), (std::vector<std::uint64_t>{1, 3}));
  EXPECT_EQ(pending.add(some_request()).value, 4U);
  EXPECT_TRUE(pending.finish(waiting));
  EXPECT_EQ(ids_of(pending), (std::vector<std::uint64_t>{3, 4}));
}

TEST(PendingRequests, CountsOnlyQuickOnesAsAPipeline) {
  PendingRequests pending;
  pending.add(some_request(false));
  pending.add(some_request(true));
  EXPECT_EQ(pending.urgent_count(), 1U);
  pending.finish({2});
  pending.finish({1});
  EXPECT_EQ(pending.urgent_count(), 0U);
}

}  // namespace
}  // namespace linden::client

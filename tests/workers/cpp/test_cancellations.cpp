// tests/workers/cpp/test_cancellations.cpp: which tasks were cancelled, before, while and after
// they run (F6).
#include "workers/cpp/cancellations.h"

#include <gtest/gtest.h>

namespace linden {
namespace {

const TaskKey kTask{"c0ffee", 5};
const TaskKey kOther{"c0ffee", 6};

TEST(CancellationsF6, ATaskThatRunsHearsOfIt) {
  Cancellations cancellations;
  const auto token = cancellations.begin(kTask);
  const auto other = cancellations.begin(kOther);
  EXPECT_FALSE(token.stop_requested());
  cancellations.cancel(kTask);
  EXPECT_TRUE(token.stop_requested());
  EXPECT_FALSE(other.stop_requested());
  EXPECT_TRUE(cancellations.end(kTask));
  EXPECT_FALSE(cancellations.end(kOther));
}

TEST(CancellationsF6, ATaskThatWaitsHereDoesNotBegin) {
  Cancellations cancellations;
  cancellations.cancel(kTask);
  cancellations.cancel(kTask);
  EXPECT_TRUE(cancellations.begin(kTask).stop_requested());
  EXPECT_TRUE(cancellations.end(kTask));
  EXPECT_FALSE(cancellations.begin(kTask).stop_requested()) << "a wish is for one run";
  EXPECT_FALSE(cancellations.end(kTask));
}

TEST(CancellationsF6, ForgetsTheOldestWishesThatMetNoTask) {
  Cancellations cancellations;
  for (std::int64_t number = 0; number < 2'000; ++number) cancellations.cancel({"c0ffee", number});
  EXPECT_FALSE(cancellations.begin({"c0ffee", 0}).stop_requested());
  EXPECT_TRUE(cancellations.begin({"c0ffee", 1'999}).stop_requested());
}

}  // namespace
}  // namespace linden

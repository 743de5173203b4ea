// tests/api/client/test_retry_policy.cpp
#include "api/client/retry_policy.h"

#include <gtest/gtest.h>

namespace linden::client {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

TEST(RetryPolicy, DoublesUpToHalfASecond) {
  EXPECT_EQ(retry_delay(0, 0), milliseconds(5));
  EXPECT_EQ(retry_delay(1, 0), milliseconds(10));
  EXPECT_EQ(retry_delay(6, 0), milliseconds(320));
  EXPECT_EQ(retry_delay(7, 0), milliseconds(500));
  EXPECT_EQ(retry_delay(1000, 0), milliseconds(500));
}

// 256 engines that lose their server at once must not come back in step.
TEST(RetryPolicy, SpreadsByUpToAQuarter) {
  for (unsigned attempt : {0U, 3U, 9U}) {
    const auto longest = retry_delay(attempt, 0);
    for (std::uint64_t random : {1ULL, 77ULL, 123'456'789ULL, ~0ULL}) {
      EXPECT_LE(retry_delay(attempt, random), longest);
      EXPECT_GT(retry_delay(attempt, random), longest * 3 / 4 - microseconds(1));
    }
  }
}

}  // namespace
}  // namespace linden::client

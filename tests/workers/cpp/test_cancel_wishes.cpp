// tests/workers/cpp/test_cancel_wishes.cpp: wishes to cancel what is not here yet (F6).
#include "workers/cpp/cancel_wishes.h"

#include <gtest/gtest.h>

namespace linden {
namespace {

const farm::TaskId kTask{"c0ffee", 5};
const farm::TaskId kOther{"c0ffee", 6};

TEST(CancelWishesF6, AWishIsForOneRunOfOneTask) {
  CancelWishes wishes;
  EXPECT_FALSE(wishes.take(kTask));
  wishes.add(kTask);
  wishes.add(kTask);
  EXPECT_FALSE(wishes.take(kOther));
  EXPECT_TRUE(wishes.take(kTask));
  EXPECT_FALSE(wishes.take(kTask));
}

TEST(CancelWishesF6, ForgetsTheOldestWishesThatMetNoTask) {
  CancelWishes wishes;
  for (std::int64_t number = 0; number < 2'000; ++number) wishes.add({"c0ffee", number});
  EXPECT_FALSE(wishes.take({"c0ffee", 0}));
  EXPECT_TRUE(wishes.take({"c0ffee", 1'999}));
}

}  // namespace
}  // namespace linden

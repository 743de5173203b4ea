// tests/workers/cpp/test_prefetch.cpp: how many tasks a thread holds follows from how long they
// take.
#include "workers/cpp/prefetch.h"

#include <gtest/gtest.h>

namespace linden {
namespace {

void observe(Prefetch& prefetch, double seconds, int times) {
  for (int i = 0; i < times; ++i) (void)prefetch.observe(seconds);
}

TEST(Prefetch, BeginsWithTheNextTaskAndNoMore) {
  EXPECT_EQ(Prefetch(256).credit(), 2U);
}

TEST(Prefetch, HoldsManyShortTasksAndFewLongOnes) {
  Prefetch prefetch(256);
  observe(prefetch, 1e-6, 100);
  EXPECT_EQ(prefetch.credit(), 256U);
  observe(prefetch, 0.0001, 100);
  EXPECT_LE(prefetch.credit(), 120U);
  EXPECT_GE(prefetch.credit(), 50U);
}

TEST(Prefetch, HoldsMoreThanWhatResultsAreGatheredFor) {
  Prefetch prefetch(256);
  observe(prefetch, 0.001, 50);
  EXPECT_LE(prefetch.credit(), 8U);
  EXPECT_GE(prefetch.credit(), 6U);
}

TEST(Prefetch, OneLongTaskIsEnoughToHoldNoMore) {
  Prefetch prefetch(256);
  observe(prefetch, 1e-6, 100);
  EXPECT_TRUE(prefetch.observe(1.0));
  EXPECT_EQ(prefetch.credit(), 2U);
  EXPECT_FALSE(prefetch.observe(1.0)) << "nothing has changed";
}

TEST(Prefetch, KeepsToItsBound) {
  Prefetch prefetch(8);
  observe(prefetch, 1e-9, 100);
  EXPECT_EQ(prefetch.credit(), 8U);
}

}  // namespace
}  // namespace linden

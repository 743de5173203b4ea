// tests/workers/cpp/test_running_task.cpp: what runs hears that it is cancelled (F6).
#include "workers/cpp/running_task.h"

#include <gtest/gtest.h>

namespace linden {
namespace {

const farm::TaskId kTask{"c0ffee", 5};
const farm::TaskId kOther{"c0ffee", 6};

TEST(RunningTaskF6, HearsOfItWhetherItAskedBeforeOrAfter) {
  RunningTask running;
  running.begin(kTask.client, kTask.number);
  const auto before = running.token();
  EXPECT_FALSE(before.stop_requested());
  EXPECT_FALSE(running.cancel(kOther));
  EXPECT_FALSE(running.is_cancelled());
  EXPECT_TRUE(running.cancel(kTask));
  EXPECT_TRUE(before.stop_requested());
  EXPECT_TRUE(running.token().stop_requested());
  EXPECT_TRUE(running.is_cancelled());
  EXPECT_TRUE(running.end());
}

TEST(RunningTaskF6, AWishBeforeTheFunctionAsksIsKept) {
  RunningTask running;
  running.begin(kTask.client, kTask.number);
  running.cancel();  // whatever runs
  EXPECT_TRUE(running.token().stop_requested());
  EXPECT_TRUE(running.end());
}

TEST(RunningTaskF6, TheNextTaskIsNotMeant) {
  RunningTask running;
  running.begin(kTask.client, kTask.number);
  const auto token = running.token();
  EXPECT_FALSE(running.end());
  EXPECT_FALSE(running.cancel(kTask)) << "it has ended";
  running.cancel();
  running.begin(kOther.client, kOther.number);
  EXPECT_FALSE(running.token().stop_requested());
  EXPECT_TRUE(running.cancel(kOther));
  EXPECT_FALSE(token.stop_requested()) << "a token is that of one run";
  EXPECT_TRUE(running.end());
  EXPECT_FALSE(running.token().stop_possible()) << "nothing runs";
}

TEST(RunningTaskF6, WhatIsCalledThenMayAskAgain) {
  RunningTask running;
  running.begin(kTask.client, kTask.number);
  bool asked = false;
  const std::stop_callback callback(running.token(), [&] { asked = running.is_cancelled(); });
  EXPECT_TRUE(running.cancel(kTask));
  EXPECT_TRUE(asked);
}

}  // namespace
}  // namespace linden

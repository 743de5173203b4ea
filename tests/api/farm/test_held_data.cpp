// tests/api/farm/test_held_data.cpp: what is held for tasks, until somebody says that they ended.
#include "api/farm/held_data.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>

namespace linden::client {
namespace {

using namespace std::chrono_literals;

DataRef data_with(const std::shared_ptr<const void>& use, const std::string& store = "here") {
  return {"name", store, use};
}

TEST(HeldData, HoldsUntilTheTaskHasEnded) {
  HeldData held;
  const auto use = std::make_shared<int>(1);
  EXPECT_TRUE(held.is_empty());
  held.hold(7, {data_with(use)});
  EXPECT_FALSE(held.is_empty());
  held.ended(8);  // a task without large arguments
  EXPECT_FALSE(held.first_ended());
  EXPECT_EQ(use.use_count(), 2);
  held.ended(7);
  EXPECT_TRUE(held.is_empty());
  const auto ended = held.first_ended();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->number, 7);
  EXPECT_EQ(ended->refs.size(), 1U);
  EXPECT_EQ(use.use_count(), 1) << "the tuples keep it still";
}

// A server that is away does not make us forget what we owe it.
TEST(HeldData, WhatEndedFirstStaysUntilItIsDropped) {
  HeldData held;
  held.hold(1, {data_with(nullptr)});
  held.hold(2, {data_with(nullptr)});
  held.ended(2);
  held.ended(1);
  EXPECT_EQ(held.first_ended()->number, 2);
  EXPECT_EQ(held.first_ended()->number, 2);
  held.drop_first_ended();
  EXPECT_EQ(held.first_ended()->number, 1);
  held.drop_first_ended();
  EXPECT_FALSE(held.first_ended());
}

TEST(HeldData, WakesWhoLooksAfterIt) {
  HeldData held;
  EXPECT_FALSE(held.wait(0ms));
  held.hold(1, {data_with(nullptr)});
  std::jthread reader([&] { held.ended(1); });
  EXPECT_TRUE(held.wait(20s));
  EXPECT_FALSE(held.wait(0ms)) << "told once";
  held.nudge();
  EXPECT_TRUE(held.wait(20s));
}

TEST(HeldData, LetsGoOfAllWhenNothingIsHeardAnyMore) {
  HeldData held;
  const auto use = std::make_shared<int>(1);
  held.hold(1, {data_with(use)});
  held.hold(2, {data_with(use)});
  held.ended(2);
  held.end();
  EXPECT_TRUE(held.is_over());
  EXPECT_TRUE(held.wait(20s));
  held.clear();
  EXPECT_EQ(use.use_count(), 1);
  EXPECT_TRUE(held.is_empty());
  EXPECT_FALSE(held.first_ended());
}

}  // namespace
}  // namespace linden::client

// tests/api/client/test_interrupt_pace.cpp: how often a call that waits looks for an interrupt.
#include "api/client/interrupt_pace.h"

#include <gtest/gtest.h>

namespace linden::client {
namespace {

using namespace std::chrono_literals;

const InterruptPace::Time kBegin{1h};

TEST(InterruptPace, IsSteadyWhereNothingElseWasAskedFor) {
  InterruptPace pace(kBegin, 100ms);
  EXPECT_EQ(pace.due(true), kBegin + 100ms);
  pace.asked(kBegin + 100ms);
  EXPECT_EQ(pace.due(true), kBegin + 200ms);
  EXPECT_EQ(pace.due(false), kBegin + 200ms);
}

// A signal that came between the last look and the wait has woken nobody.
TEST(InterruptPace, BecomesSlowerForWhoIsWokenBySignals) {
  InterruptPace pace(kBegin, 500ms);
  EXPECT_EQ(pace.due(true), kBegin + 100ms);
  pace.asked(kBegin);
  EXPECT_EQ(pace.due(true), kBegin + 200ms);
  pace.asked(kBegin);
  pace.asked(kBegin);
  EXPECT_EQ(pace.due(true), kBegin + 500ms);
  pace.asked(kBegin);
  EXPECT_EQ(pace.due(true), kBegin + 500ms);
  EXPECT_EQ(pace.due(false), kBegin + 100ms) << "nobody wakes who waits for another's reading";
}

TEST(InterruptPace, IsNeverFasterThanTheFirstLook) {
  InterruptPace pace(kBegin, 0us);
  pace.asked(kBegin);
  EXPECT_EQ(pace.due(true), kBegin + 100ms);
}

}  // namespace
}  // namespace linden::client

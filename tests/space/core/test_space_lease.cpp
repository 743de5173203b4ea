// Leases that end, or are about to end, because nothing is heard of their holder (P18).
#include "tests/space/core/scenario.h"

namespace linden::core {
namespace {

TEST(SpaceLeaseP18, ALeaseThatEndsSoonIsToldOfOnce) {
  Scenario s;
  s.put(kAlice, task(7));
  s.reserve(kBob, any_task(), 0s, 30s);
  s.at(19'999ms);
  EXPECT_TRUE(s.warnings().empty());
  s.at(29s);
  ASSERT_EQ(s.warnings().size(), 1u);
  const LeaseWarning& warning = s.warnings()[0];
  EXPECT_EQ(warning.session, kBob);
  EXPECT_EQ(warning.session_name, "test");
  EXPECT_EQ(warning.tuple, TupleId{1});
  EXPECT_EQ(warning.attempt, 1u);
  EXPECT_EQ(warning.silent_for, 20s);
  EXPECT_EQ(warning.left, 10s);
  EXPECT_EQ(warning.others, 0u);
  s.at(30s);
  ASSERT_EQ(s.warnings().size(), 2u);
  EXPECT_EQ(s.warnings()[1].left, 0s) << "it has ended";
}

TEST(SpaceLeaseP18, WhoIsHeardIsNotWarnedOf) {
  Scenario s;
  s.put(kAlice, task(1));
  s.reserve(kBob, any_task(), 0s, 30s);
  for (int second = 15; second < 300; second += 15) {
    s.at(std::chrono::seconds(second));
    s.hear(kBob);
  }
  EXPECT_TRUE(s.warnings().empty());
  s.at(305s);
  EXPECT_EQ(s.warnings().size(), 1u) << "a new silence is a new warning";
}

TEST(SpaceLeaseP18, EachLeaseIsToldOfInItsLastThird) {
  Scenario s;
  s.put(kAlice, task(1));
  s.put(kAlice, task(2));
  s.reserve(kBob, any_task(), 0s, 3s);
  s.reserve(kBob, any_task(), 0s, 30s);
  s.at(2s);
  ASSERT_EQ(s.warnings().size(), 1u);
  EXPECT_EQ(s.warnings()[0].tuple, TupleId{1});
  s.at(3s);
  ASSERT_EQ(s.warnings().size(), 2u) << "the first has ended";
  s.at(20s);
  ASSERT_EQ(s.warnings().size(), 3u);
  EXPECT_EQ(s.warnings()[2].tuple, TupleId{2});
  EXPECT_EQ(s.warnings()[2].left, 10s);
}

TEST(SpaceLeaseP18, ALeaseOfLessThanASecondIsNotWarnedOf) {
  Scenario s;
  s.put(kAlice, task(1));
  s.reserve(kBob, any_task(), 0s, 900ms);
  s.at(899ms);
  EXPECT_TRUE(s.warnings().empty());
  s.at(900ms);
  EXPECT_EQ(s.warnings().size(), 1u) << "that it has ended is told";
}

TEST(SpaceLeaseP18, ALostConnectionIsToldOfWhenItsHoldTimeEnds) {
  Scenario s;
  s.put(kAlice, task(1));
  s.reserve(kBob, any_task(), 0s, 30s);
  s.lose(kBob);
  s.at(4'999ms);
  EXPECT_TRUE(s.warnings().empty());
  s.at(5s);
  ASSERT_EQ(s.warnings().size(), 1u);
  EXPECT_EQ(s.warnings()[0].left, 0s);
}

TEST(SpaceLeaseP18, WhoSaysGoodbyeIsNotToldOf) {
  Scenario s;
  s.put(kAlice, task(1));
  s.reserve(kBob, any_task(), 0s, 30s);
  s.close(kBob);
  EXPECT_TRUE(s.warnings().empty());
}

TEST(SpaceLeaseP18, NamesAFewAndCountsTheOthers) {
  Limits limits;
  limits.lease_warnings_max = 2;
  Scenario s(limits);
  for (int number = 0; number < 5; ++number) s.put(kAlice, task(number));
  for (int number = 0; number < 5; ++number) s.reserve(kBob, any_task(), 0s, 30s);
  s.at(20s);
  ASSERT_EQ(s.warnings().size(), 2u);
  EXPECT_EQ(s.warnings()[0].tuple, TupleId{1});
  EXPECT_EQ(s.warnings()[0].others, 0u);
  EXPECT_EQ(s.warnings()[1].tuple, TupleId{2});
  EXPECT_EQ(s.warnings()[1].others, 3u);
}

TEST(SpaceLeaseP18, ListsSayHowMuchIsLeft) {
  Scenario s;
  s.put(kAlice, task(1));
  s.put(kAlice, task(2));
  s.reserve(kBob, any_task(), 0s, 30s);
  s.reserve(kBob, any_task(), 0s, 60s);
  s.at(10s);
  const auto listed = s.list();
  EXPECT_EQ(listed[0].lease_left, 20s);
  EXPECT_EQ(listed[1].lease_left, 50s);
  const auto sessions = s.answer_as<SessionsListed>(kAlice, s.ask(kAlice, ListSessionsOp{}));
  EXPECT_EQ(sessions.sessions[0].lease_left, std::nullopt);
  EXPECT_EQ(sessions.sessions[1].lease_left, 20s);
  s.lose(kBob);
  EXPECT_EQ(s.list()[1].lease_left, 5s) << "its hold time";
}

}  // namespace
}  // namespace linden::core

// Dead tuples come back (P19).
#include "tests/space/core/scenario.h"

namespace linden::core {
namespace {

using Codes = std::vector<ErrorCode>;

Attributes attempts(std::uint32_t most) {
  Attributes attributes;
  attributes.max_attempts = most;
  return attributes;
}

NewTuple in_group(Tuple tuple) {
  NewTuple put{std::move(tuple), attempts(1)};
  put.attributes.rare = RareAttributes{.group = "g"};
  return put;
}

// Bob begins with the next task and fails.
Token fail(Scenario& s) {
  const Token token = s.token(kBob, s.reserve(kBob, any_task()));
  s.release(kBob, token);
  return token;
}

Codes revive(Scenario& s, std::vector<TupleId> ids) {
  return s.answer_as<FinishDone>(kAlice, s.ask(kAlice, ReviveOp{std::move(ids)})).codes;
}

std::size_t revive_all(Scenario& s, std::optional<Template> form = {}) {
  ReviveOp op;
  op.all = true;
  op.form = std::move(form);
  return s.answer_as<FinishDone>(kAlice, s.ask(kAlice, op)).codes.size();
}

TEST(SpaceReviveP19, ADeadTupleIsFreeAgainWithItsAge) {
  Scenario s;
  s.put(kAlice, task(1), attempts(2));
  s.put(kAlice, task(2));
  fail(s);
  fail(s);
  EXPECT_EQ(s.state().counters().dead, 1u);
  EXPECT_EQ(revive(s, {TupleId{1}}), Codes{ErrorCode::kOk});
  EXPECT_EQ(s.state().counters().dead, 0u);
  // As if it had never been handed out: it has both attempts again.
  EXPECT_EQ(fail(s).tuple, TupleId{1});
  EXPECT_EQ(s.state().counters().dead, 0u);
  fail(s);
  EXPECT_EQ(s.state().counters().dead, 1u);
}

// A token is never given twice, so the former holder cannot finish what somebody else holds now.
TEST(SpaceReviveP19, AttemptsGoOnRising) {
  Scenario s;
  s.put(kAlice, task(1), attempts(1));
  const Token before = fail(s);
  revive(s, {TupleId{1}});
  const Token after = s.token(kBob, s.reserve(kBob, any_task()));
  EXPECT_EQ(before.attempt, 1u);
  EXPECT_EQ(after.attempt, 2u);
  EXPECT_EQ(s.finish(kBob, before), ErrorCode::kStaleLease);
  EXPECT_EQ(s.finish(kBob, after), ErrorCode::kOk);
}

TEST(SpaceReviveP19, OnlyDeadOnesAreRevived) {
  Scenario s;
  s.put(kAlice, task(1));
  EXPECT_EQ(revive(s, {TupleId{1}, TupleId{7}}), (Codes{ErrorCode::kNoMatch, ErrorCode::kNoMatch}));
}

TEST(SpaceReviveP19, ATemplateChoosesTheOldest) {
  Scenario s;
  for (int number = 1; number <= 4; ++number) s.put(kAlice, task(number), attempts(1));
  for (int number = 1; number <= 4; ++number) fail(s);
  EXPECT_EQ(revive_all(s, Template{"task", Between{2, 3}}), 2u);
  EXPECT_EQ(s.count(any_task()), 2u);
  ReviveOp one;
  one.all = true;
  one.limit = 1;
  s.ask(kAlice, one);
  EXPECT_EQ(s.count(Template{"task", 1}), 1u);
  EXPECT_EQ(revive_all(s), 1u);
}

// P7: whoever waits is served, reads first.
TEST(SpaceReviveP19, ServesThoseWhoWait) {
  Scenario s;
  s.put(kAlice, task(1), attempts(1));
  fail(s);
  const RequestId take = s.take(kBob, any_task());
  const RequestId read = s.read(kCarol, any_task());
  revive_all(s);
  EXPECT_EQ(s.got(kCarol, read), Tuples{task(1)});
  EXPECT_EQ(s.got(kBob, take), Tuples{task(1)});
}

TEST(SpaceReviveP19, IsDoneOnceHoweverOftenItIsSaid) {
  Scenario s;
  s.put(kAlice, task(1), attempts(1));
  fail(s);
  const RequestId request = s.ask(kAlice, ReviveOp{{TupleId{1}}});
  fail(s);
  s.ask(kAlice, ReviveOp{{TupleId{1}}}, request);
  EXPECT_EQ(s.state().counters().dead, 1u) << "repeated after a reconnect, it was done already";
}

// P35
TEST(SpaceReviveP19, SurvivesARestart) {
  Scenario s;
  s.put(kAlice, task(1), attempts(2));
  fail(s);
  fail(s);
  revive_all(s);
  s.restart();
  s.attach(kBob);
  EXPECT_EQ(s.state().counters().dead, 0u);
  EXPECT_EQ(fail(s).attempt, 3u);
  EXPECT_EQ(s.state().counters().dead, 0u) << "its attempts were counted anew";
}

// ---- Groups (P22)

TEST(SpaceReviveP19, StandsInItsGroupByItsId) {
  Scenario s;
  s.put_all(kAlice, {in_group(task(1)), in_group(task(2)), in_group(task(3))});
  fail(s);
  const Token second = s.token(kBob, s.reserve(kBob, any_task()));
  EXPECT_EQ(second.tuple, TupleId{2});
  revive(s, {TupleId{1}});
  EXPECT_EQ(s.count(any_task()), 0u) << "one of the group is out";
  s.finish(kBob, second);
  EXPECT_EQ(s.got(kBob, s.take(kBob, any_task())), Tuples{task(1)});
  EXPECT_EQ(s.got(kBob, s.take(kBob, any_task())), Tuples{task(3)});
}

TEST(SpaceReviveP19, GoesBeforeALaterOneThatIsGivenBack) {
  Scenario s;
  s.put_all(kAlice, {in_group(task(1)), in_group(task(2))});
  fail(s);
  const Token second = s.token(kBob, s.reserve(kBob, any_task()));
  revive(s, {TupleId{1}});
  s.release(kBob, second, false);
  EXPECT_EQ(s.got(kBob, s.take(kBob, any_task())), Tuples{task(1)});
  EXPECT_EQ(s.got(kBob, s.take(kBob, any_task())), Tuples{task(2)});
}

// P35: what is out stays the only one of its group that is, also over a restart.
TEST(SpaceReviveP19, StaysBehindWhatIsOutOverARestart) {
  Scenario s;
  s.put_all(kAlice, {in_group(task(1)), in_group(task(2))});
  fail(s);
  const Token second = s.token(kBob, s.reserve(kBob, any_task()));
  revive(s, {TupleId{1}});
  s.restart();
  s.attach(kBob);
  s.attach(kCarol);
  EXPECT_EQ(s.count(any_task()), 0u);
  EXPECT_EQ(s.finish(kBob, second), ErrorCode::kOk);
  EXPECT_EQ(s.count(Template{"task", 1}), 1u);
}

// ---- Looking

TEST(SpaceReviveP19, TheDeadAreListed) {
  Scenario s;
  for (int number = 1; number <= 3; ++number) s.put(kAlice, task(number), attempts(1));
  for (int number = 1; number <= 3; ++number) fail(s);
  s.put(kAlice, task(4));
  ListOp op;
  op.state = TupleState::kDead;
  op.limit = 2;
  const auto first = s.answer_as<Listed>(kAlice, s.ask(kAlice, op));
  ASSERT_EQ(first.tuples.size(), 2u);
  EXPECT_TRUE(first.more);
  op.after = first.tuples.back().id;
  const auto second = s.answer_as<Listed>(kAlice, s.ask(kAlice, op));
  ASSERT_EQ(second.tuples.size(), 1u);
  EXPECT_EQ(second.tuples[0].tuple, task(3));
  EXPECT_FALSE(second.more);
  op.after = {};
  op.form = Template{"task", 2};
  EXPECT_EQ(s.answer_as<Listed>(kAlice, s.ask(kAlice, op)).tuples.size(), 1u);
}

// P38
TEST(SpaceReviveP19, RefusesMoreThanItsBound) {
  Limits limits;
  limits.put_tuples_max = 2;
  Scenario s(limits);
  const RequestId request = s.ask(kAlice, ReviveOp{std::vector<TupleId>(3)});
  EXPECT_EQ(s.code(kAlice, request), ErrorCode::kLimitExceeded);
}

}  // namespace
}  // namespace linden::core

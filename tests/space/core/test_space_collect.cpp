// From one space into another: P28.
#include "tests/space/core/scenario.h"

namespace linden::core {
namespace {

constexpr SpaceNumber kOther{2};

RequestId move(Scenario& s, Scenario& other, Template form, std::optional<RequestId> as = {}) {
  return s.collect(kAlice, other, CollectOp{std::move(form), kOther, false}, as);
}

RequestId copy(Scenario& s, Scenario& other, Template form) {
  return s.collect(kAlice, other, CollectOp{std::move(form), kOther, true});
}

std::uint32_t collected(const Scenario& s, RequestId request) {
  return s.answer_as<PutDone>(kAlice, request).count;
}

TEST(SpaceCollectP28, MovesAllMatches) {
  Scenario s, other;
  s.put_all(kAlice, {{task(1), {}}, {result(1), {}}, {task(2), {}}});
  other.put(kBob, task(0));
  const RequestId request = move(s, other, any_task());
  EXPECT_EQ(collected(s, request), 2u);
  EXPECT_EQ(s.answer_as<PutDone>(kAlice, request).first, TupleId{2});
  EXPECT_EQ(s.count(any_task()), 0u);
  EXPECT_EQ(s.count(any_result()), 1u);
  // They are as young as the step, among themselves as old as before.
  for (std::int64_t number : {0, 1, 2}) {
    EXPECT_EQ(other.got(kBob, other.take(kBob, any_task())), Tuples{task(number)});
  }
}

TEST(SpaceCollectP28, CopiesAllMatches) {
  Scenario s, other;
  s.put_all(kAlice, {{task(1), {}}, {task(2), {}}});
  EXPECT_EQ(collected(s, copy(s, other, any_task())), 2u);
  EXPECT_EQ(s.count(any_task()), 2u);
  EXPECT_EQ(other.count(any_task()), 2u);
}

TEST(SpaceCollectP28, SaysThatNothingMatched) {
  Scenario s, other;
  EXPECT_EQ(collected(s, move(s, other, any_task())), 0u);
}

TEST(SpaceCollectP28, ServesThoseWhoWaitInTheOtherSpace) {
  Scenario s, other;
  const RequestId waiting = other.take(kBob, any_task());
  s.put(kAlice, task(1));
  EXPECT_EQ(collected(s, move(s, other, any_task())), 1u);
  EXPECT_EQ(other.got(kBob, waiting), Tuples{task(1)});
  EXPECT_EQ(other.count(any_task()), 0u);
}

// Attributes travel: urgency, the rest of the life, attempts that may fail, the line of a group.
TEST(SpaceCollectP28, KeepsWhatAPutSaid) {
  Scenario s, other;
  Attributes mortal;
  mortal.ttl = 10s;
  mortal.priority = 3;
  mortal.max_attempts = 1;
  mortal.will = result(9);
  s.put(kAlice, task(1), mortal);
  s.at(6s);
  other.at(6s);
  EXPECT_EQ(collected(s, move(s, other, any_task())), 1u);
  const auto listed = other.list();
  ASSERT_EQ(listed.size(), 1u);
  EXPECT_EQ(listed[0].priority, 3);
  const Token token = other.token(kBob, other.reserve(kBob, any_task()));
  other.started(kBob, token);
  EXPECT_EQ(other.release(kBob, token), ErrorCode::kOk);
  EXPECT_EQ(other.count(any_result()), 1u);

  s.put(kAlice, task(2), mortal);
  s.at(9s);
  other.at(9s);
  move(s, other, any_task());
  other.at(15s);
  EXPECT_EQ(other.count(any_task()), 1u);
  other.at(16s);
  EXPECT_EQ(other.count(any_task()), 0u);
}

TEST(SpaceCollectP28, MovesTheFirstOfAGroupOnly) {
  Scenario s, other;
  RareAttributes rare;
  rare.group = "account";
  Attributes attributes;
  attributes.rare = Rare(std::move(rare));
  s.put_all(kAlice, {{task(1), attributes}, {task(2), attributes}});
  EXPECT_EQ(collected(s, move(s, other, any_task())), 1u);
  EXPECT_EQ(s.count(any_task()), 1u);  // the second has come forward
  EXPECT_EQ(collected(s, move(s, other, any_task())), 1u);
  EXPECT_EQ(other.count(any_task()), 1u);  // and stands behind the first there
}

TEST(SpaceCollectP28, LeavesWhatIsHeldBoundOrReliedOn) {
  Scenario s, other;
  s.put_all(kAlice, {{task(1), {}}, {task(2), {}}, {task(3), {}}});
  Attributes bound;
  bound.lives_with = kAlice;
  s.put(kAlice, task(4), bound);
  s.reserve(kBob, any_task());
  const RequestId open = s.ask(kCarol, BeginOp{});
  TakeOp read{TakeMode::kRead, {any_task()}};
  read.transaction = open;
  s.ask(kCarol, read);  // locks task(2)
  EXPECT_EQ(collected(s, move(s, other, any_task())), 1u);
  EXPECT_EQ(other.got(kBob, other.take(kBob, any_task())), Tuples{task(3)});
  EXPECT_EQ(collected(s, copy(s, other, any_task())), 1u);
  EXPECT_EQ(other.got(kBob, other.take(kBob, any_task())), Tuples{task(2)});
  EXPECT_EQ(s.code(kCarol, s.ask(kCarol, EndOp{open, true})), ErrorCode::kOk);
}

// P33: the other space is full, and nothing has happened in either.
TEST(SpaceCollectP28, DoesNothingIfTheOtherSpaceIsFull) {
  Limits small;
  small.bytes_max = task(1).byte_size();
  Scenario s, other(small);
  s.put_all(kAlice, {{task(1), {}}, {task(2), {}}});
  EXPECT_EQ(s.code(kAlice, move(s, other, any_task())), ErrorCode::kLimitExceeded);
  EXPECT_EQ(s.count(any_task()), 2u);
  other.put(kBob, task(0));
  EXPECT_EQ(s.code(kAlice, move(s, other, Template{"task", 1})), ErrorCode::kOverloaded);
  EXPECT_EQ(s.count(any_task()), 2u);
  EXPECT_EQ(other.count(any_task()), 1u);
  other.take(kBob, any_task());
  EXPECT_EQ(collected(s, move(s, other, Template{"task", 1})), 1u);
}

TEST(SpaceCollectP28, HasBounds) {
  Limits small;
  small.collect_tuples_max = 1;
  Scenario s(small), other;
  s.put_all(kAlice, {{task(1), {}}, {task(2), {}}});
  EXPECT_EQ(s.code(kAlice, move(s, other, any_task())), ErrorCode::kLimitExceeded);
  EXPECT_EQ(s.count(any_task()), 2u);
  EXPECT_EQ(collected(s, move(s, other, Template{"task", 2})), 1u);
}

TEST(SpaceCollectP28, NamesASpaceThatIsNotThere) {
  Scenario s;
  s.put(kAlice, task(1));
  const RequestId request = s.ask(kAlice, CollectOp{any_task(), kOther, false});
  EXPECT_EQ(s.code(kAlice, request), ErrorCode::kNoSuchSpace);
  EXPECT_EQ(s.count(any_task()), 1u);
}

// P36: said again after a lost connection, also after a restart, it does not happen again.
TEST(SpaceCollectP28, IsAnsweredAgainWithoutHappeningAgain) {
  Scenario s, other;
  s.put(kAlice, task(1));
  const RequestId request = move(s, other, any_task());
  s.restart();
  other.restart();
  s.attach(kAlice);
  s.put(kAlice, task(2));
  move(s, other, any_task(), request);
  EXPECT_EQ(collected(s, request), 1u);
  EXPECT_EQ(s.count(any_task()), 1u);
  other.attach(kBob);
  EXPECT_EQ(other.got(kBob, other.take(kBob, any_task())), Tuples{task(1)});
  EXPECT_EQ(other.count(any_task()), 0u);
}

}  // namespace
}  // namespace linden::core

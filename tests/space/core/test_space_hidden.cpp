// Tuples that are not visible yet: delays (P18, P22), groups (P22); and new times to live (P21).
#include "tests/space/core/scenario.h"

namespace linden::core {
namespace {

NewTuple delayed(Tuple tuple, Duration delay) {
  NewTuple put{std::move(tuple), {}};
  put.attributes.rare = RareAttributes{.delay = delay};
  return put;
}

NewTuple in_group(Tuple tuple, std::string group = "g") {
  NewTuple put{std::move(tuple), {}};
  put.attributes.rare = RareAttributes{.group = std::move(group)};
  return put;
}

std::vector<TupleState> states(Scenario& s) {
  std::vector<TupleState> states;
  for (const ListedTuple& item : s.list()) states.push_back(item.state);
  return states;
}

// ---- delay

// P22: nobody finds it before; then it is as old as its put.
TEST(SpaceDelayP22, HidesATupleUntilItsTime) {
  Scenario s;
  s.put_all(kAlice, {delayed(task(1), 5s), {task(2), {}}});
  EXPECT_EQ(s.count(any_task()), 1u);
  EXPECT_EQ(states(s), (std::vector{TupleState::kDelayed, TupleState::kReady}));
  EXPECT_EQ(s.state().counters().delayed, 1u);
  s.at(4'999ms);
  EXPECT_EQ(s.code(kBob, s.take(kBob, Template{"task", 1}, 0s)), ErrorCode::kNoMatch);
  s.at(5s);
  EXPECT_EQ(s.got(kBob, s.take(kBob, any_task())), Tuples{task(1)});
}

// P22: whoever waits for it is served when its time comes, reads before the take (P7).
TEST(SpaceDelayP22, ServesThoseWhoWait) {
  Scenario s;
  const RequestId read = s.read(kBob, any_task());
  const RequestId stream = s.stream(kCarol, TakeMode::kRead, any_task(), 10);
  const RequestId take = s.take(kBob, any_task());
  s.put_all(kAlice, {delayed(task(1), 5s)});
  EXPECT_TRUE(s.waiting(kBob, read));
  s.at(5s);
  EXPECT_EQ(s.got(kBob, read), Tuples{task(1)});
  EXPECT_EQ(s.got(kCarol, stream), Tuples{task(1)});
  EXPECT_EQ(s.got(kBob, take), Tuples{task(1)});
}

// P21: its time to live counts from the put, and may end before it was ever seen.
TEST(SpaceDelayP22, MayExpireUnseen) {
  Scenario s;
  NewTuple put = delayed(task(1), 5s);
  put.attributes.ttl = 2s;
  s.put_all(kAlice, {put});
  s.at(2s);
  EXPECT_TRUE(s.list().empty());
  s.at(6s);
  EXPECT_EQ(s.count(any_task()), 0u);
}

// P18: given back with a delay it is hidden, keeps its age, and its attempts go on.
TEST(SpaceDelayP18, HoldsForAReleaseToo) {
  Scenario s;
  s.put(kAlice, task(1));
  s.put(kAlice, task(2));
  const Token token = s.token(kBob, s.reserve(kBob, any_task()));
  const RequestId release = s.ask(kBob, ReleaseOp{{{token, true, 3s}}});
  EXPECT_EQ(s.answer_as<FinishDone>(kBob, release).codes.at(0), ErrorCode::kOk);
  EXPECT_EQ(s.finish(kBob, token), ErrorCode::kStaleLease);
  EXPECT_EQ(s.count(any_task()), 1u);
  s.at(3s);
  const RequestId again = s.reserve(kCarol, any_task());
  EXPECT_EQ(s.got(kCarol, again), Tuples{task(1)});
  EXPECT_EQ(s.token(kCarol, again).attempt, token.attempt + 1);
}

// P35: over a restart, before and after its time.
TEST(SpaceDelayP22, SurvivesARestart) {
  Scenario s;
  s.put_all(kAlice, {delayed(task(1), 5s), delayed(task(2), 1s)});
  s.at(2s).restart();
  EXPECT_EQ(states(s), (std::vector{TupleState::kDelayed, TupleState::kReady}));
  EXPECT_EQ(s.state().counters().delayed, 1u);
  s.at(5s);
  EXPECT_EQ(s.count(any_task()), 2u);
}

// P38: 10 ms is the shortest delay, of a put and of a release.
TEST(SpaceDelayP22, HasAShortest) {
  Scenario s;
  for (const Duration bad : {Duration(9ms), Duration(-1)}) {
    EXPECT_EQ(s.code(kAlice, s.put_all(kAlice, {delayed(task(1), bad)})),
              ErrorCode::kInvalidArgument);
    s.put(kAlice, task(1));
    const Token token = s.token(kBob, s.reserve(kBob, any_task()));
    EXPECT_EQ(s.code(kBob, s.ask(kBob, ReleaseOp{{{token, true, bad}}})),
              ErrorCode::kInvalidArgument);
    EXPECT_EQ(s.finish(kBob, token), ErrorCode::kOk);
  }
}

// ---- group

// P22: only the first can be found; the next comes forward when it is finished.
TEST(SpaceGroupP22, LetsOutOneAtATime) {
  Scenario s;
  s.put_all(kAlice, {in_group(task(1)), in_group(task(2)), in_group(task(3)), {task(4), {}}});
  EXPECT_EQ(s.count(any_task()), 2u);
  EXPECT_EQ(s.state().counters().behind, 2u);
  const Token first = s.token(kBob, s.reserve(kBob, any_task()));
  EXPECT_EQ(s.code(kCarol, s.take(kCarol, Template{"task", 2}, 0s)), ErrorCode::kNoMatch);
  const RequestId waiting = s.reserve(kCarol, Template{"task", 2});
  EXPECT_TRUE(s.waiting(kCarol, waiting));
  s.finish(kBob, first);
  EXPECT_EQ(s.got(kCarol, waiting), Tuples{task(2)});
}

// P22: a bulk take gets one of each group, a stream one after the other.
TEST(SpaceGroupP22, HoldsForBulkTakesAndStreams) {
  Scenario s;
  s.put_all(kAlice, {in_group(task(1), "a"), in_group(task(2), "a"), in_group(task(3), "b"),
                     in_group(task(4), "b")});
  const RequestId bulk = s.ask(kBob, TakeOp{TakeMode::kReserve, {any_task()}, 10});
  EXPECT_EQ(s.got(kBob, bulk), (Tuples{task(1), task(3)}));
  const RequestId stream = s.stream(kCarol, TakeMode::kTake, any_task(), 10);
  EXPECT_TRUE(s.got(kCarol, stream).empty());
  s.finish(kBob, {TupleId{3}, 1});
  EXPECT_EQ(s.got(kCarol, stream), Tuples{task(4)});
}

// P22: a released or delayed one is still first; a dead or expired one is gone.
TEST(SpaceGroupP22, AdvancesWhenTheFirstIsGone) {
  Scenario s;
  NewTuple mortal = in_group(task(1));
  mortal.attributes.ttl = 10s;
  NewTuple weak = in_group(task(2));
  weak.attributes.max_attempts = 1;
  s.put_all(kAlice, {mortal, weak, in_group(task(3))});
  s.release(kBob, s.token(kBob, s.reserve(kBob, any_task())));
  EXPECT_EQ(s.got(kCarol, s.read(kCarol, any_task())), Tuples{task(1)});
  s.at(10s);
  const RequestId second = s.reserve(kBob, any_task());
  EXPECT_EQ(s.got(kBob, second), Tuples{task(2)});
  s.release(kBob, s.token(kBob, second));
  EXPECT_EQ(states(s), (std::vector{TupleState::kDead, TupleState::kReady}));
  EXPECT_EQ(s.got(kCarol, s.take(kCarol, any_task())), Tuples{task(3)});
  EXPECT_EQ(s.state().counters().behind, 0u);
}

// P22, P25: one that leaves from the middle of the line leaves no gap.
TEST(SpaceGroupP22, ClosesUpWhenOneInTheMiddleGoes) {
  Scenario s;
  NewTuple bound = in_group(task(2));
  bound.attributes.lives_with = kCarol;
  s.put_all(kAlice, {in_group(task(1)), bound, in_group(task(3))});
  s.close(kCarol);
  EXPECT_EQ(s.got(kBob, s.take(kBob, any_task())), Tuples{task(1)});
  EXPECT_EQ(s.got(kBob, s.take(kBob, any_task())), Tuples{task(3)});
}

// P22: an earlier one that is not visible yet keeps its turn.
TEST(SpaceGroupP22, WaitsForADelayedOne) {
  Scenario s;
  NewTuple first = delayed(task(1), 5s);
  first.attributes.rare = RareAttributes{.delay = 5s, .group = "g"};
  s.put_all(kAlice, {first, in_group(task(2))});
  EXPECT_EQ(states(s), (std::vector{TupleState::kDelayed, TupleState::kBehind}));
  s.at(5s);
  EXPECT_EQ(s.got(kBob, s.take(kBob, any_task())), Tuples{task(1)});
  EXPECT_EQ(s.got(kBob, s.take(kBob, any_task())), Tuples{task(2)});
}

// P35: order and turns survive a restart, in whatever state the first is.
// P27: what an open transaction has taken may come back.
TEST(SpaceGroupP22, WaitsForATransaction) {
  Scenario s;
  s.put_all(kAlice, {in_group(task(1)), in_group(task(2))});
  const auto take_inside = [&] {
    const RequestId open = s.ask(kBob, BeginOp{});
    TakeOp take{TakeMode::kTake, {any_task()}};
    take.transaction = open;
    EXPECT_EQ(s.got(kBob, s.ask(kBob, take)), Tuples{task(1)});
    EXPECT_EQ(s.count(any_task()), 0u);
    return open;
  };
  s.ask(kBob, EndOp{take_inside(), false});
  EXPECT_EQ(s.count(any_task()), 1u);
  s.ask(kBob, EndOp{take_inside(), true});
  EXPECT_EQ(s.got(kCarol, s.take(kCarol, any_task())), Tuples{task(2)});
}

TEST(SpaceGroupP22, SurvivesARestart) {
  Scenario s;
  s.put_all(kAlice, {in_group(task(1)), in_group(task(2)), in_group(task(3))});
  s.finish(kBob, s.token(kBob, s.reserve(kBob, any_task())));
  const Token second = s.token(kBob, s.reserve(kBob, any_task()));
  s.restart();
  s.attach(kBob);
  s.attach(kCarol);
  EXPECT_EQ(s.count(any_task()), 0u);
  s.finish(kBob, second);
  EXPECT_EQ(s.got(kCarol, s.take(kCarol, any_task())), Tuples{task(3)});
}

// ---- renewal

// P21: from now on, whoever holds it; none is for ever.
TEST(SpaceRenewP21, GivesANewTimeToLive) {
  Scenario s;
  s.put(kAlice, task(1), {.ttl = 10s});
  s.put(kAlice, task(2), {.ttl = 10s});
  s.put(kAlice, task(3));
  const Token held = s.token(kBob, s.reserve(kBob, Template{"task", 2}));
  s.at(9s);
  const RequestId renew =
      s.ask(kCarol, RenewOp{{{TupleId{1}, 10s}, {held.tuple, std::nullopt}, {TupleId{3}, 1s}}});
  EXPECT_EQ(s.answer_as<FinishDone>(kCarol, renew).codes,
            std::vector<ErrorCode>(3, ErrorCode::kOk));
  s.at(11s);
  EXPECT_EQ(s.list().size(), 2u);
  s.restart();
  s.at(18'999ms);
  EXPECT_EQ(s.list().size(), 2u);
  s.at(19s);
  ASSERT_EQ(s.list().size(), 1u);
  EXPECT_EQ(s.list()[0].expires_in, std::nullopt);
}

// P21, P38: who is gone cannot be renewed; too short a life is refused.
TEST(SpaceRenewP21, RefusesWhatIsGone) {
  Scenario s;
  s.put(kAlice, task(1), {.ttl = 1s});
  s.put(kAlice, task(2));
  s.take(kBob, Template{"task", 2});
  s.at(1s);
  const RequestId gone =
      s.ask(kAlice, RenewOp{{{TupleId{1}, 1s}, {TupleId{2}, 1s}, {TupleId{99}, 1s}}});
  EXPECT_EQ(s.answer_as<FinishDone>(kAlice, gone).codes,
            std::vector<ErrorCode>(3, ErrorCode::kNoMatch));
  EXPECT_EQ(s.code(kAlice, s.ask(kAlice, RenewOp{{{TupleId{1}, 9ms}}})),
            ErrorCode::kInvalidArgument);
}

// P36: said again it is not done again.
TEST(SpaceRenewP21, IsDoneOnce) {
  Scenario s;
  s.put(kAlice, task(1), {.ttl = 10s});
  const RenewOp renew{{{TupleId{1}, 10s}}};
  const RequestId request = s.ask(kAlice, renew);
  s.at(5s).attach(kAlice);
  s.ask(kAlice, renew, request);
  s.at(10s);
  EXPECT_TRUE(s.list().empty());
}

}  // namespace
}  // namespace linden::core

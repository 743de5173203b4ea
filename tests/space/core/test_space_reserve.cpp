// Taking work under a lease: P16 to P19, F2.
#include "tests/space/core/scenario.h"

namespace linden::core {
namespace {

// P16: reserved is hidden; the attempt rises at each hand-out.
TEST(SpaceReserve, HidesTheTupleAndCountsAttempts) {
  Scenario s;
  s.put(kAlice, task(1));
  const Token first = s.token(kBob, s.reserve(kBob, any_task()));
  EXPECT_EQ(first.attempt, 1u);
  EXPECT_EQ(s.count(any_task()), 0u);
  EXPECT_EQ(s.code(kAlice, s.read(kAlice, any_task(), 0s)), ErrorCode::kNoMatch);
  s.release(kBob, first);
  EXPECT_EQ(s.token(kAlice, s.reserve(kAlice, any_task())).attempt, 2u);
}

// P16: the attempt rises over restarts, so that no token is given twice.
TEST(SpaceReserve, CountsAttemptsOverRestarts) {
  Scenario s;
  s.put(kAlice, task(1));
  Token last;
  for (std::uint32_t attempt = 1; attempt <= 3; ++attempt) {
    const Token token = s.token(kBob, s.reserve(kBob, any_task()));
    EXPECT_EQ(token.attempt, attempt);
    EXPECT_EQ(s.finish(kBob, last), ErrorCode::kStaleLease);
    EXPECT_EQ(s.release(kBob, token), ErrorCode::kOk);
    last = token;
    s.restart();
    s.attach(kBob);
  }
}

// P17: after a crash there is the task or its result, whatever was committed last.
TEST(SpaceReserve, FinishesInOneStepOnTheDiskToo) {
  Scenario s;
  s.put(kAlice, task(1));
  const Token token = s.token(kBob, s.reserve(kBob, any_task()));
  s.restart();
  s.attach(kBob);
  ASSERT_EQ(s.list().size(), 1u);
  EXPECT_EQ(s.list()[0].tuple, task(1));
  EXPECT_EQ(s.finish(kBob, token, {result(1)}), ErrorCode::kOk);
  s.restart();
  s.attach(kBob);
  ASSERT_EQ(s.list().size(), 1u);
  EXPECT_EQ(s.list()[0].tuple, result(1));
}

// P17: task out and result in happen in one step.
TEST(SpaceReserve, FinishesAndPutsInOneStep) {
  Scenario s;
  const RequestId waiting = s.take(kCarol, any_result());
  s.put(kAlice, task(1));
  const Token token = s.token(kBob, s.reserve(kBob, any_task()));
  EXPECT_EQ(s.finish(kBob, token, {result(1)}), ErrorCode::kOk);
  EXPECT_EQ(s.got(kCarol, waiting), Tuples{result(1)});
  EXPECT_EQ(s.list().size(), 0u);
}

// P17: with a token that is not the latest, or of somebody else, nothing happens.
TEST(SpaceReserve, RefusesAStaleToken) {
  Scenario s;
  s.put(kAlice, task(1));
  const Token old = s.token(kBob, s.reserve(kBob, any_task()));
  s.release(kBob, old);
  EXPECT_EQ(s.finish(kBob, old, {result(1)}), ErrorCode::kStaleLease);
  const Token current = s.token(kAlice, s.reserve(kAlice, any_task()));
  EXPECT_EQ(s.finish(kBob, old, {result(1)}), ErrorCode::kStaleLease);
  EXPECT_EQ(s.finish(kBob, current, {result(1)}), ErrorCode::kStaleLease);
  EXPECT_EQ(s.release(kBob, current), ErrorCode::kStaleLease);
  EXPECT_EQ(s.count(any_result()), 0u);
  EXPECT_EQ(s.finish(kAlice, current, {result(1)}), ErrorCode::kOk);
  EXPECT_EQ(s.finish(kAlice, current, {result(1)}), ErrorCode::kStaleLease);
  EXPECT_EQ(s.count(any_result()), 1u);
  EXPECT_EQ(s.state().counters().stale, 5u);
}

// Results may travel along without a token, such as output.
TEST(SpaceReserve, PutsWhatTravelsAlong) {
  Scenario s;
  FinishOp op;
  op.items.push_back({std::nullopt, {{result(1), {}}}});
  op.items.push_back({Token{TupleId{99}, 1}, {{result(2), {}}}});
  const RequestId request = s.ask(kBob, op);
  EXPECT_EQ(s.answer_as<FinishDone>(kBob, request),
            (FinishDone{{ErrorCode::kOk, ErrorCode::kStaleLease}}));
  EXPECT_EQ(s.count(any_result()), 1u);
}

// P18: a silent session loses its leases when they are over, and not before.
TEST(SpaceReserve, ReleasesAfterASilenceOfTheLease) {
  Scenario s;
  s.put(kAlice, task(1));
  const RequestId held = s.reserve(kBob, any_task(), 0s, 10s);
  s.at(9s).hear(kBob);
  s.at(18s);
  EXPECT_EQ(s.count(any_task()), 0u);
  s.at(19s);
  EXPECT_EQ(s.count(any_task()), 1u);
  EXPECT_EQ(s.finish(kBob, s.token(kBob, held)), ErrorCode::kStaleLease);
}

// P18: a timer that comes late ends no lease of a session that is heard at that moment.
TEST(SpaceReserve, KeepsTheLeaseOfWhoIsHeardWhenTheTimerIsLate) {
  Scenario s;
  s.put(kAlice, task(1));
  const RequestId held = s.reserve(kBob, any_task(), 0s, 10s);
  Effects effects;
  s.state().apply(SessionHeard{kBob, {}}, Time{} + 15s, effects);
  s.at(20s);
  EXPECT_EQ(s.finish(kBob, s.token(kBob, held)), ErrorCode::kOk);
}

// P18: whoever is silent is handed nothing more until it is heard again.
TEST(SpaceReserve, FeedsNoSilentStream) {
  Scenario s;
  s.put(kAlice, task(1));
  const RequestId stream = s.stream(kBob, TakeMode::kReserve, any_task(), 1, 10s);
  s.at(11s);
  EXPECT_EQ(s.count(any_task()), 1u);
  s.put(kAlice, task(2));
  EXPECT_EQ(s.count(any_task()), 2u);
  s.forget();
  s.hear(kBob);
  EXPECT_EQ(s.got(kBob, stream), Tuples{task(1)});
}

// P18: after a broken connection everything stays for the hold time.
TEST(SpaceReserve, HoldsForAClientThatIsBackInTime) {
  Scenario s;
  s.put_all(kAlice, {{task(1), {}}, {task(2), {}}});
  const RequestId bob = s.reserve(kBob, any_task());
  s.reserve(kAlice, any_task());
  s.at(1s).lose(kBob);
  s.lose(kAlice);
  s.at(5s).attach(kBob);
  s.at(6s);
  EXPECT_EQ(s.count(any_task()), 1u);
  EXPECT_EQ(s.finish(kBob, s.token(kBob, bob)), ErrorCode::kOk);
}

// P18: a clean goodbye gives everything back at once.
TEST(SpaceReserve, ReleasesAtOnceOnGoodbye) {
  Scenario s;
  s.put(kAlice, task(1));
  s.reserve(kBob, any_task());
  const RequestId waiting = s.take(kAlice, any_task());
  s.close(kBob);
  EXPECT_EQ(s.got(kAlice, waiting), Tuples{task(1)});
}

// P19: handed out that often and never finished, the tuple leaves and its will is put.
TEST(SpaceReserve, PutsTheWillWhenTheAttemptsAreUsedUp) {
  Scenario s;
  const RequestId waiting = s.take(kCarol, any_result());
  s.put(kAlice, task(1), {.max_attempts = 2, .will = result(-1)});
  s.reserve(kBob, any_task());
  s.close(kBob);
  EXPECT_TRUE(s.waiting(kCarol, waiting));
  EXPECT_EQ(s.release(kAlice, s.token(kAlice, s.reserve(kAlice, any_task()))), ErrorCode::kOk);
  EXPECT_EQ(s.got(kCarol, waiting), Tuples{result(-1)});
  EXPECT_EQ(s.list().size(), 0u);
}

// P19: without a will it is kept as dead, where nobody takes it but everybody can see it.
TEST(SpaceReserve, KeepsADeadTuple) {
  Scenario s;
  s.put(kAlice, task(1), {.max_attempts = 1});
  s.release(kBob, s.token(kBob, s.reserve(kBob, any_task())));
  EXPECT_EQ(s.count(any_task()), 0u);
  ASSERT_EQ(s.list().size(), 1u);
  EXPECT_EQ(s.list()[0].state, TupleState::kDead);
  EXPECT_EQ(s.state().counters().dead, 1u);
}

// P19, F2: what had not begun does not count, and is not blamed.
TEST(SpaceReserve, CountsOnlyStartedAttempts) {
  Scenario s;
  for (int i = 1; i <= 2; ++i) s.put(kAlice, task(i), {.max_attempts = 2, .will = result(i)});
  for (int i = 0; i < 5; ++i) {
    s.attach(kBob);
    const RequestId stream = s.stream(kBob, TakeMode::kReserve, any_task(), 2);
    ASSERT_EQ(s.got(kBob, stream), (Tuples{task(1), task(2)}));
    EXPECT_TRUE(s.handouts(kBob, stream)[0].started);
    EXPECT_FALSE(s.handouts(kBob, stream)[1].started);
    s.release(kBob, {s.handouts(kBob, stream)[0].id, s.handouts(kBob, stream)[0].attempt}, false);
    s.close(kBob);
    s.forget();
  }
  EXPECT_EQ(s.count(any_task()), 2u);
  EXPECT_EQ(s.count(any_result()), 0u);
}

// F1: what must not start twice is never handed out ahead of need.
TEST(SpaceReserve, HandsOutNothingAheadThatMustNotStartTwice) {
  Scenario s;
  s.put(kAlice, task(1), {.max_attempts = 1});
  s.put(kAlice, task(2), {.max_attempts = 1});
  s.put(kAlice, task(3));
  const RequestId stream = s.stream(kBob, TakeMode::kReserve, any_task(), 2);
  EXPECT_EQ(s.got(kBob, stream), (Tuples{task(1), task(3)}));
  EXPECT_TRUE(s.handouts(kBob, stream)[0].started);
  s.put(kAlice, task(4), {.max_attempts = 1});
  EXPECT_EQ(s.count(any_task()), 2u);
  EXPECT_EQ(s.got(kCarol, s.take(kCarol, any_task())), Tuples{task(2)});
  s.finish(kBob, {TupleId{1}, 1});
  s.finish(kBob, {TupleId{3}, 1});
  EXPECT_EQ(s.got(kBob, stream), (Tuples{task(1), task(3), task(4)}));
}

// P25: the tuple vanishes with its owner, also from under a lease, and its will is put.
TEST(SpaceReserve, EndsWhatLivesWithASession) {
  Scenario s;
  s.put(kAlice, task(1), {.will = result(1), .lives_with = kAlice});
  s.put(kAlice, task(2), {.lives_with = kAlice});
  const Token token = s.token(kBob, s.reserve(kBob, any_task()));
  s.at(1s).lose(kAlice);
  s.at(5'999ms).hear(kBob);
  EXPECT_EQ(s.list().size(), 2u);
  s.at(6s);
  EXPECT_EQ(s.finish(kBob, token), ErrorCode::kStaleLease);
  ASSERT_EQ(s.list().size(), 1u);
  EXPECT_EQ(s.list()[0].tuple, result(1));
}

// P25: a put that should live with a session that is gone ends in the same step.
TEST(SpaceReserve, EndsAtOnceWhatLivesWithNobody) {
  Scenario s;
  const RequestId read = s.read(kBob, any_task());
  s.put(kAlice, task(1), {.will = result(1), .lives_with = SessionId{9, 9}});
  EXPECT_TRUE(s.waiting(kBob, read));
  ASSERT_EQ(s.list().size(), 1u);
  EXPECT_EQ(s.list()[0].tuple, result(1));
}

}  // namespace
}  // namespace linden::core

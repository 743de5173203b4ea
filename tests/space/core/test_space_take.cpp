// Putting, taking and reading: P1 to P14, P21, P22, P38.
#include "tests/space/core/scenario.h"

namespace linden::core {
namespace {

// P1, P2: arity, type and value decide, and nothing is converted.
TEST(SpaceTake, MatchesByArityTypeAndValue) {
  Scenario s;
  s.put(kAlice, Tuple{Value(1), Value(2), Value(3)});
  EXPECT_EQ(s.code(kBob, s.take(kBob, Template{1, 2}, 0s)), ErrorCode::kNoMatch);
  EXPECT_EQ(s.code(kBob, s.take(kBob, Template{1.0, 2, 3}, 0s)), ErrorCode::kNoMatch);
  EXPECT_EQ(s.code(kBob, s.take(kBob, Template{true, 2, 3}, 0s)), ErrorCode::kNoMatch);
  EXPECT_EQ(s.code(kBob, s.take(kBob, Template{1, kText, 3}, 0s)), ErrorCode::kNoMatch);
  EXPECT_EQ(s.code(kBob, s.take(kBob, Template{1, kInt, kAny}, 0s)), ErrorCode::kOk);
}

// The tuple without fields is a tuple too.
TEST(SpaceTake, FindsTheEmptyTuple) {
  Scenario s;
  const RequestId waiting = s.take(kBob, Template{});
  s.put(kAlice, Tuple{});
  EXPECT_EQ(s.got(kBob, waiting), Tuples{Tuple{}});
  s.put(kAlice, Tuple{});
  EXPECT_EQ(s.got(kBob, s.take(kBob, Template{}, 0s)), Tuples{Tuple{}});
}

// P4: two equal puts are two tuples.
TEST(SpaceTake, TreatsTheSpaceAsABag) {
  Scenario s;
  s.put(kAlice, task(7));
  s.put(kAlice, task(7));
  EXPECT_EQ(s.count(any_task()), 2u);
  EXPECT_EQ(s.code(kBob, s.take(kBob, any_task(), 0s)), ErrorCode::kOk);
  EXPECT_EQ(s.code(kBob, s.take(kBob, any_task(), 0s)), ErrorCode::kOk);
  EXPECT_EQ(s.code(kBob, s.take(kBob, any_task(), 0s)), ErrorCode::kNoMatch);
}

// P5, P22: highest priority first, then the oldest, whichever template finds it.
TEST(SpaceTake, ReturnsTheMostUrgentThenTheOldest) {
  Scenario s;
  s.put(kAlice, task(1));
  s.put(kAlice, task(2), {.priority = 5});
  s.put(kAlice, result(3), {.priority = 5});
  s.put(kAlice, task(4), {.priority = -1});
  const auto next = [&] {
    TakeOp op{TakeMode::kTake, {any_result(), any_task()}};
    return s.got(kBob, s.ask(kBob, op)).at(0);
  };
  EXPECT_EQ(next(), task(2));
  EXPECT_EQ(next(), result(3));
  EXPECT_EQ(next(), task(1));
  EXPECT_EQ(next(), task(4));
}

// P5: a released tuple keeps its age.
TEST(SpaceTake, FindsAReleasedTupleAtItsOldPlace) {
  Scenario s;
  for (int i = 1; i <= 5; ++i) s.put(kAlice, task(i));
  const RequestId first = s.reserve(kBob, any_task());
  const RequestId second = s.reserve(kBob, any_task());
  EXPECT_EQ(s.release(kBob, s.token(kBob, second)), ErrorCode::kOk);
  EXPECT_EQ(s.release(kBob, s.token(kBob, first)), ErrorCode::kOk);
  for (int i = 1; i <= 5; ++i) {
    EXPECT_EQ(s.got(kBob, s.take(kBob, any_task(), 0s)), Tuples{task(i)});
  }
}

// P7: one put, two blocked takes and two blocked reads: both reads and exactly one take get it.
TEST(SpaceTake, ServesAllBlockedReadsThenOneTake) {
  Scenario s;
  const RequestId first_take = s.take(kAlice, any_task());
  const RequestId second_take = s.take(kBob, any_task());
  const RequestId first_read = s.read(kAlice, any_task());
  const RequestId second_read = s.read(kBob, Template{kAny, 7});
  s.put(kCarol, task(7));
  EXPECT_EQ(s.got(kAlice, first_take), Tuples{task(7)});
  EXPECT_TRUE(s.waiting(kBob, second_take));
  EXPECT_EQ(s.got(kAlice, first_read), Tuples{task(7)});
  EXPECT_EQ(s.got(kBob, second_read), Tuples{task(7)});
}

// P8: whoever asks after a put was answered sees it, unless it was taken; "nothing" was true then.
TEST(SpaceTake, ShowsEachPutToWhoeverAsksNext) {
  Scenario s;
  for (const SessionId& other : {kBob, kCarol}) {
    EXPECT_EQ(s.code(other, s.read(other, any_task(), 0s)), ErrorCode::kNoMatch);
    s.put(kAlice, task(1));
    EXPECT_EQ(s.got(other, s.read(other, any_task(), 0s)), Tuples{task(1)});
    EXPECT_EQ(s.got(other, s.take(other, any_task(), 0s)), Tuples{task(1)});
    EXPECT_EQ(s.code(kAlice, s.read(kAlice, any_task(), 0s)), ErrorCode::kNoMatch);
  }
}

// P10: whatever makes a tuple free wakes who waits for it: a release, the end of a hold time, of a
// lease, or of a session.
TEST(SpaceTake, WakesAWaiterHoweverATupleComesFree) {
  const auto freed_by = [](auto&& free_it) {
    Scenario s;
    s.put(kAlice, task(7));
    const Token held = s.token(kBob, s.reserve(kBob, any_task(), 0s, 2s));
    const RequestId waiting = s.take(kCarol, any_task());
    EXPECT_TRUE(s.waiting(kCarol, waiting));
    free_it(s, held);
    EXPECT_EQ(s.got(kCarol, waiting), Tuples{task(7)});
  };
  freed_by([](Scenario& s, Token held) { s.release(kBob, held); });
  freed_by([](Scenario& s, Token) { s.close(kBob); });
  freed_by([](Scenario& s, Token) {
    s.lose(kBob);
    s.at(5s);
  });
  freed_by([](Scenario& s, Token) {
    s.at(1s).hear(kCarol);
    s.at(3s);
  });
}

// P10: no wait ends but by a match, its timeout, its cancel, or its session.
TEST(SpaceTake, EndsNoWaitWithoutAReason) {
  Scenario s;
  const RequestId waiting = s.take(kBob, Template{"task", 7});
  const RequestId other = s.take(kCarol, Template{"task", 7});
  s.put(kAlice, task(8));
  s.put(kAlice, task(7), {.ttl = 1s, .lives_with = SessionId{9, 9}});
  s.ask(kCarol, CancelOp{other});
  s.close(kAlice);
  s.lose(kCarol);
  s.at(50s).hear(kBob);
  EXPECT_TRUE(s.waiting(kBob, waiting));
}

// P10: a waiter whose client is gone is never given a tuple.
TEST(SpaceTake, GivesNothingToALostClient) {
  Scenario s;
  const RequestId gone = s.take(kAlice, any_task());
  s.lose(kAlice);
  s.put(kCarol, task(7));
  EXPECT_TRUE(s.waiting(kAlice, gone));
  EXPECT_EQ(s.count(any_task()), 1u);
}

// P11: a take that was cancelled or timed out removed nothing.
TEST(SpaceTake, RemovesNothingWhenCancelledOrTimedOut) {
  Scenario s;
  const RequestId cancelled = s.take(kAlice, any_task());
  const RequestId timed_out = s.take(kBob, any_task(), 5s);
  const RequestId cancel = s.ask(kAlice, CancelOp{cancelled});
  EXPECT_EQ(s.code(kAlice, cancelled), ErrorCode::kCancelled);
  EXPECT_EQ(s.answer_as<Done>(kAlice, cancel), Done{});
  s.at(4'999ms);
  EXPECT_TRUE(s.waiting(kBob, timed_out));
  s.at(5s);
  EXPECT_EQ(s.code(kBob, timed_out), ErrorCode::kNoMatch);
  s.put(kCarol, task(1));
  EXPECT_EQ(s.count(any_task()), 1u);
}

// P12: 0 does not wait, a negative timeout is an error.
TEST(SpaceTake, RefusesANegativeTimeout) {
  Scenario s;
  EXPECT_EQ(s.code(kBob, s.take(kBob, any_task(), 0s)), ErrorCode::kNoMatch);
  EXPECT_EQ(s.code(kBob, s.take(kBob, any_task(), -1s)), ErrorCode::kInvalidArgument);
}

// P12: a wait without a timeout does not end in a hundred years.
TEST(SpaceTake, WaitsForEver) {
  Scenario s;
  const RequestId waiting = s.take(kBob, any_task());
  EXPECT_EQ(s.state().next_deadline(), kNever);
  s.at(std::chrono::hours(24 * 365 * 100)).put(kAlice, task(1));
  EXPECT_EQ(s.got(kBob, waiting), Tuples{task(1)});
}

// P13: the first wait is served first, however near the other's deadline is.
TEST(SpaceTake, GivesTheTupleToTheOldestWaiter) {
  Scenario s;
  const RequestId alice = s.at(1s).take(kAlice, any_task(), 90s);
  const RequestId bob = s.at(2s).take(kBob, any_task(), 3s);
  s.at(2s).put(kCarol, task(7));
  EXPECT_EQ(s.got(kAlice, alice), Tuples{task(7)});
  s.at(5s);
  EXPECT_EQ(s.code(kBob, bob), ErrorCode::kNoMatch);
}

// P13: a wide template that came first does not hide later tuples from a narrow one.
TEST(SpaceTake, TakesTurnsBetweenWideAndNarrowTemplates) {
  Scenario s;
  const RequestId wide = s.take(kAlice, Template{kAny, kAny});
  const RequestId narrow = s.take(kBob, Template{"task", 7});
  s.put(kCarol, task(7));
  s.put(kCarol, task(7));
  EXPECT_EQ(s.got(kAlice, wide), Tuples{task(7)});
  EXPECT_EQ(s.got(kBob, narrow), Tuples{task(7)});
}

// P14: a take of several templates returns one match, once, and says of which.
TEST(SpaceTake, SaysWhichTemplateMatched) {
  Scenario s;
  const RequestId waiting = s.ask(
      kBob, TakeOp{TakeMode::kTake, {any_result(), Template{"task", 1}, any_task()}, 1, kForever});
  s.put_all(kAlice, {{task(2), {}}, {task(1), {}}});
  ASSERT_EQ(s.got(kBob, waiting), Tuples{task(2)});
  EXPECT_EQ(s.handouts(kBob, waiting)[0].template_index, 2u);
  EXPECT_EQ(s.count(any_task()), 1u);
}

// P15: a bulk take gives at least one and never more than asked for, in the order of P5.
TEST(SpaceTake, TakesManyAtOnce) {
  Scenario s;
  for (int i = 1; i <= 3; ++i) s.put(kAlice, task(i), {.priority = i == 3});
  const TakeOp two{TakeMode::kTake, {any_task(), Template{"task", 3}}, 2};
  EXPECT_EQ(s.got(kBob, s.ask(kBob, two)), (Tuples{task(3), task(1)}));
  EXPECT_EQ(s.got(kBob, s.ask(kBob, two)), Tuples{task(2)});
  EXPECT_EQ(s.code(kBob, s.ask(kBob, two)), ErrorCode::kNoMatch);
}

// P21: after its ttl nobody sees the tuple, even if no timer came by.
TEST(SpaceTake, HidesWhatHasExpired) {
  Scenario s;
  s.put(kAlice, task(1), {.ttl = 1s});
  s.at(999ms);
  EXPECT_EQ(s.count(any_task()), 1u);
  s.at(1s);
  EXPECT_EQ(s.count(any_task()), 0u);
  EXPECT_EQ(s.code(kBob, s.take(kBob, any_task(), 0s)), ErrorCode::kNoMatch);
  EXPECT_EQ(s.state().counters().expired, 1u);
  EXPECT_EQ(s.state().next_deadline(), kNever);
}

// P21: neither shows any other way of looking.
TEST(SpaceTake, HidesWhatHasExpiredFromReadsListsAndStreams) {
  Scenario s;
  s.put(kAlice, task(1), {.ttl = 1s});
  s.put(kAlice, task(2));
  s.at(1s);
  EXPECT_EQ(s.got(kBob, s.read(kBob, any_task(), 0s)), Tuples{task(2)});
  ASSERT_EQ(s.list().size(), 1u);
  EXPECT_EQ(s.list()[0].tuple, task(2));
  EXPECT_EQ(s.got(kBob, s.stream(kBob, TakeMode::kRead, any_task(), 10)), Tuples{task(2)});
}

// P21: of an expiry and a take exactly one wins, whichever comes first.
TEST(SpaceTake, LetsEitherTheExpiryOrTheTakeWin) {
  for (const Duration taken_at : {Duration(999ms), Duration(1s)}) {
    Scenario s;
    s.put(kAlice, task(1), {.ttl = 1s});
    const bool took = s.at(taken_at).code(kBob, s.take(kBob, any_task(), 0s)) == ErrorCode::kOk;
    s.at(2s);
    EXPECT_EQ(took, taken_at < 1s);
    EXPECT_EQ(s.state().counters().expired, took ? 0u : 1u);
    EXPECT_EQ(s.list().size(), 0u);
  }
}

// P21: a tuple that expires while it is reserved is the holder's; it ends when it comes back.
TEST(SpaceTake, LetsTheHolderFinishWhatExpiresMeanwhile) {
  Scenario s;
  s.put_all(kAlice, {{task(1), {.ttl = 1s}}, {task(2), {.ttl = 1s}}});
  const RequestId first = s.reserve(kBob, any_task());
  const RequestId second = s.reserve(kBob, any_task());
  s.at(2s);
  EXPECT_EQ(s.finish(kBob, s.token(kBob, first)), ErrorCode::kOk);
  EXPECT_EQ(s.release(kBob, s.token(kBob, second)), ErrorCode::kOk);
  EXPECT_EQ(s.list().size(), 0u);
}

// P38: what is refused has no effect, and the next request works.
TEST(SpaceTake, RefusesWithoutEffect) {
  Limits limits;
  limits.put_tuples_max = 2;
  limits.tuple_bytes_max = 100;
  limits.templates_max = 1;
  limits.waiters_per_session_max = 1;
  Scenario s(limits);
  EXPECT_EQ(s.code(kAlice, s.put_all(kAlice, {{task(1), {}}, {task(2), {.ttl = 1ms}}})),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(s.code(kAlice, s.put_all(kAlice, std::vector<NewTuple>(3))), ErrorCode::kLimitExceeded);
  EXPECT_EQ(s.code(kAlice, s.put(kAlice, Tuple{Value(std::string(200, 'x'))})),
            ErrorCode::kLimitExceeded);
  EXPECT_EQ(s.code(kAlice, s.ask(kAlice, TakeOp{TakeMode::kTake, {}})),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(s.code(kAlice, s.ask(kAlice, TakeOp{TakeMode::kTake, {any_task(), any_result()}})),
            ErrorCode::kLimitExceeded);
  EXPECT_EQ(s.code(kAlice, s.reserve(kAlice, any_task(), 0s, 1ms)), ErrorCode::kInvalidArgument);
  const RequestId waits = s.take(kAlice, any_task());
  EXPECT_EQ(s.code(kAlice, s.take(kAlice, any_task())), ErrorCode::kOverloaded);
  EXPECT_TRUE(s.waiting(kAlice, waits));
  EXPECT_EQ(s.list().size(), 0u);
  EXPECT_EQ(s.code(kAlice, s.put(kAlice, task(1))), ErrorCode::kOk);
}

// A bulk answer ends before it grows too large, but holds at least one tuple.
TEST(SpaceTake, EndsABulkAnswerBeforeItGrowsTooLarge) {
  Limits limits;
  limits.answer_bytes_max = 2 * task(0).byte_size() + 1;
  Scenario s(limits);
  for (int i = 0; i < 4; ++i) s.put(kAlice, task(i));
  EXPECT_EQ(s.got(kBob, s.ask(kBob, TakeOp{TakeMode::kTake, {any_task()}, 4})).size(), 2u);
}

}  // namespace
}  // namespace linden::core

// Transactions: P27.
#include "tests/space/core/scenario.h"

namespace linden::core {
namespace {

// A scenario with what a transaction does.
class Transactions : public Scenario {
 public:
  using Scenario::Scenario;
  RequestId begin(SessionId who, Duration lease = 30s) { return ask(who, BeginOp{lease}); }
  RequestId put_in(SessionId who, RequestId in, Tuple tuple, Attributes attributes = {}) {
    return ask(who, PutOp{{{std::move(tuple), std::move(attributes)}}, in});
  }
  RequestId take_in(SessionId who, RequestId in, Template form, Duration timeout = 0s,
                    std::optional<RequestId> as = {}) {
    return ask(who, TakeOp{TakeMode::kTake, {std::move(form)}, 1, timeout, {}, in}, as);
  }
  RequestId read_in(SessionId who, RequestId in, Template form, Duration timeout = 0s) {
    return ask(who, TakeOp{TakeMode::kRead, {std::move(form)}, 1, timeout, {}, in});
  }
  RequestId end(SessionId who, RequestId in, bool commit, std::optional<RequestId> as = {}) {
    return ask(who, EndOp{in, commit}, as);
  }
  std::uint64_t count_in(SessionId who, RequestId in, Template form) {
    return answer_as<Counted>(who, ask(who, CountOp{std::move(form), in})).count;
  }
};

// P27: its puts are visible inside at once and outside at the commit.
TEST(SpaceTransactionP27, ShowsItsPutsOutsideWhenItCommits) {
  Transactions s;
  const RequestId waiting = s.take(kBob, any_result());
  const RequestId open = s.begin(kAlice);
  s.put_in(kAlice, open, result(1));
  s.put_in(kAlice, open, result(2));
  EXPECT_EQ(s.count_in(kAlice, open, any_result()), 2u);
  EXPECT_EQ(s.got(kAlice, s.read_in(kAlice, open, any_result())), Tuples{result(1)});
  EXPECT_EQ(s.count(any_result()), 0u);
  EXPECT_TRUE(s.waiting(kBob, waiting));
  const PutDone done = s.answer_as<PutDone>(kAlice, s.end(kAlice, open, true));
  EXPECT_EQ(done.count, 2u);
  EXPECT_EQ(s.got(kBob, waiting), Tuples{result(1)});
  EXPECT_EQ(s.count(any_result()), 1u);
}

// P27: what it took is hidden from others until the commit, and then gone.
TEST(SpaceTransactionP27, HidesWhatItTook) {
  Transactions s;
  s.put(kAlice, task(1));
  const RequestId open = s.begin(kAlice);
  EXPECT_EQ(s.got(kAlice, s.take_in(kAlice, open, any_task())), Tuples{task(1)});
  EXPECT_EQ(s.code(kBob, s.read(kBob, any_task(), 0s)), ErrorCode::kNoMatch);
  EXPECT_EQ(s.count(any_task()), 0u);
  ASSERT_EQ(s.list().size(), 1u);
  EXPECT_EQ(s.list()[0].state, TupleState::kReserved);
  EXPECT_EQ(s.list()[0].holder, kAlice);
  s.end(kAlice, open, true);
  EXPECT_TRUE(s.list().empty());
  s.restart();
  s.attach(kCarol);
  EXPECT_TRUE(s.list().empty());
}

// P27, P5: after an abort all is as it was, and what was taken is the oldest again.
TEST(SpaceTransactionP27, GivesAllBackWithItsAge) {
  Transactions s;
  s.put(kAlice, task(1));
  s.put(kAlice, task(2));
  const RequestId open = s.begin(kAlice);
  s.put_in(kAlice, open, result(1));
  s.take_in(kAlice, open, any_task());
  const RequestId waiting = s.take(kBob, Template{"task", 1});
  s.end(kAlice, open, false);
  EXPECT_EQ(s.got(kBob, waiting), Tuples{task(1)});
  EXPECT_EQ(s.count(any_result()), 0u);
  EXPECT_EQ(s.got(kBob, s.take(kBob, any_task())), Tuples{task(2)});
}

TEST(SpaceTransactionP27, TakesWhatIsOldestOutsideBeforeWhatItPut) {
  Transactions s;
  s.put(kAlice, task(1));
  const RequestId open = s.begin(kAlice);
  s.put_in(kAlice, open, task(2));
  Attributes urgent;
  urgent.priority = 1;
  s.put_in(kAlice, open, task(3), urgent);
  for (const int expected : {3, 1, 2}) {
    EXPECT_EQ(s.got(kAlice, s.take_in(kAlice, open, any_task())), Tuples{task(expected)});
  }
  EXPECT_EQ(s.answer_as<PutDone>(kAlice, s.end(kAlice, open, true)).count, 0u);
  EXPECT_TRUE(s.list().empty());
}

// P27: what it read may be read by others but not taken, until it ends.
TEST(SpaceTransactionP27, KeepsOthersFromTakingWhatItRead) {
  Transactions s;
  s.put(kAlice, task(1));
  const RequestId open = s.begin(kAlice);
  s.read_in(kAlice, open, any_task());
  EXPECT_EQ(s.got(kBob, s.read(kBob, any_task(), 0s)), Tuples{task(1)});
  EXPECT_EQ(s.count(any_task()), 1u);
  EXPECT_EQ(s.code(kBob, s.take(kBob, any_task(), 0s)), ErrorCode::kNoMatch);
  const RequestId waiting = s.reserve(kBob, any_task());
  EXPECT_TRUE(s.waiting(kBob, waiting));
  s.end(kAlice, open, true);
  EXPECT_EQ(s.got(kBob, waiting), Tuples{task(1)});
}

// Others find the next one; the reader itself may take it, unless somebody else has read it too.
TEST(SpaceTransactionP27, PassesOverWhatWasReadAndLetsTheReaderTakeIt) {
  Transactions s;
  s.put(kAlice, task(1));
  s.put(kAlice, task(2));
  const RequestId alice = s.begin(kAlice);
  const RequestId bob = s.begin(kBob);
  s.read_in(kAlice, alice, Template{"task", 1});
  s.read_in(kBob, bob, Template{"task", 1});
  EXPECT_EQ(s.got(kCarol, s.take(kCarol, any_task(), 0s)), Tuples{task(2)});
  const RequestId upgrade = s.take_in(kAlice, alice, any_task(), kForever);
  EXPECT_TRUE(s.waiting(kAlice, upgrade));
  s.end(kBob, bob, true);
  EXPECT_EQ(s.got(kAlice, upgrade), Tuples{task(1)});
  EXPECT_EQ(s.code(kAlice, s.end(kAlice, alice, true)), ErrorCode::kOk);
}

// P27: a "none" that it relied on is looked at again.
TEST(SpaceTransactionP27, ConflictsIfSomethingHasComeWhereItFoundNone) {
  Transactions s;
  s.put(kAlice, task(1));
  const RequestId open = s.begin(kAlice);
  EXPECT_EQ(s.code(kAlice, s.read_in(kAlice, open, Template{"leader"})), ErrorCode::kNoMatch);
  s.put_in(kAlice, open, Tuple{"leader"});
  s.take_in(kAlice, open, any_task());
  s.put(kBob, Tuple{"leader"});
  EXPECT_EQ(s.code(kAlice, s.end(kAlice, open, true)), ErrorCode::kTransactionConflict);
  EXPECT_EQ(s.count(Template{"leader"}), 1u);  // Bob's
  EXPECT_EQ(s.count(any_task()), 1u);
}

TEST(SpaceTransactionP27, CommitsIfStillNothingIsThere) {
  Transactions s;
  const RequestId open = s.begin(kAlice);
  const RequestId late = s.take_in(kAlice, open, Template{"leader"}, 1s);
  s.at(2s);
  EXPECT_EQ(s.code(kAlice, late), ErrorCode::kNoMatch);
  EXPECT_EQ(s.count_in(kAlice, open, Template{"leader"}), 0u);
  s.put_in(kAlice, open, Tuple{"leader"});  // its own is no conflict
  s.put(kBob, Tuple{"leader"});
  s.take(kBob, Template{"leader"});  // came and went
  EXPECT_EQ(s.code(kAlice, s.end(kAlice, open, true)), ErrorCode::kOk);
  EXPECT_EQ(s.count(Template{"leader"}), 1u);
}

// A tuple that it read or took and that has left the space for a reason of its own.
TEST(SpaceTransactionP27, ConflictsIfWhatItReliedOnHasGone) {
  Transactions s;
  Attributes fleeting;
  fleeting.ttl = 1s;
  s.put(kAlice, task(1), fleeting);
  Attributes bound;
  bound.lives_with = kBob;
  s.put(kBob, result(1), bound);
  const RequestId reader = s.begin(kAlice);
  s.read_in(kAlice, reader, any_task());
  const RequestId taker = s.begin(kAlice);
  const RequestId took = s.take_in(kAlice, taker, any_result());
  EXPECT_EQ(s.got(kAlice, took), Tuples{result(1)});
  s.at(2s).close(kBob);
  EXPECT_EQ(s.code(kAlice, s.end(kAlice, reader, true)), ErrorCode::kTransactionConflict);
  EXPECT_EQ(s.code(kAlice, s.end(kAlice, taker, true)), ErrorCode::kTransactionConflict);
  EXPECT_TRUE(s.list().empty());
  s.restart();
}

// P27, P18: its lease is renewed by whatever the session says, and ends with its silence.
TEST(SpaceTransactionP27, IsAbortedWhenItsLeaseEnds) {
  Transactions s;
  s.put(kAlice, task(1));
  const RequestId open = s.begin(kAlice, 10s);
  s.take_in(kAlice, open, any_task());
  s.at(8s).hear(kAlice);
  s.at(17s);
  s.hear(kBob);
  EXPECT_EQ(s.code(kBob, s.read(kBob, any_task(), 0s)), ErrorCode::kNoMatch);
  s.at(19s);
  EXPECT_EQ(s.got(kBob, s.take(kBob, any_task(), 0s)), Tuples{task(1)});
  EXPECT_EQ(s.code(kAlice, s.end(kAlice, open, true)), ErrorCode::kStaleLease);
}

// P27: it outlives a lost connection by the session's hold time, and nothing else of the session.
TEST(SpaceTransactionP27, OutlivesTheConnectionForTheHoldTime) {
  Transactions s;
  s.put(kAlice, task(1));
  s.put(kAlice, task(2));
  const RequestId kept = s.begin(kAlice);
  const RequestId took = s.take_in(kAlice, kept, any_task());
  const RequestId lost = s.begin(kBob);
  s.take_in(kBob, lost, any_task());
  s.lose(kAlice);
  s.lose(kBob);
  s.at(4s).attach(kAlice);
  s.forget();
  s.take_in(kAlice, kept, any_task(), 0s, took);  // said again: the same tuple (P36)
  EXPECT_EQ(s.got(kAlice, took), Tuples{task(1)});
  s.at(6s);
  EXPECT_EQ(s.count(any_task()), 1u);
  EXPECT_EQ(s.code(kAlice, s.end(kAlice, kept, true)), ErrorCode::kOk);
  s.attach(kBob);
  EXPECT_EQ(s.code(kBob, s.end(kBob, lost, true)), ErrorCode::kStaleLease);
}

// P27, P31: nothing is on disk before the commit, so a killed server knows nothing of it.
TEST(SpaceTransactionP27, IsDurableAtItsCommitOnly) {
  Transactions s;
  s.put(kAlice, task(1));
  const RequestId open = s.begin(kAlice);
  const std::size_t before = s.mutations().size();
  s.take_in(kAlice, open, any_task());
  s.put_in(kAlice, open, result(1));
  EXPECT_EQ(s.mutations().size(), before);
  s.restart();
  s.attach(kAlice);
  s.attach(kCarol);
  EXPECT_EQ(s.count(any_task()), 1u);
  EXPECT_EQ(s.count(any_result()), 0u);
  EXPECT_EQ(s.code(kAlice, s.end(kAlice, open, true)), ErrorCode::kStaleLease);
}

// P36: whatever was not answered before the server was killed is answered as if nothing had been.
TEST(SpaceTransactionP27, IsAnsweredAgainAfterItsCommit) {
  Transactions s;
  s.put(kAlice, task(1));
  const RequestId open = s.begin(kAlice);
  const RequestId put = s.put_in(kAlice, open, result(1));
  const RequestId took = s.take_in(kAlice, open, any_task());
  const RequestId own = s.put_in(kAlice, open, task(7));
  const RequestId took_own = s.take_in(kAlice, open, any_task());
  const RequestId committed = s.end(kAlice, open, true);
  const PutDone done = s.answer_as<PutDone>(kAlice, committed);
  s.restart();
  s.attach(kAlice);
  s.attach(kCarol);
  s.ask(kAlice, BeginOp{}, open);
  s.ask(kAlice, PutOp{{{result(1), {}}}, open}, put);
  s.take_in(kAlice, open, any_task(), 0s, took);
  s.ask(kAlice, PutOp{{{task(7), {}}}, open}, own);
  s.take_in(kAlice, open, any_task(), 0s, took_own);
  s.end(kAlice, open, true, committed);
  EXPECT_EQ(s.answer_as<PutDone>(kAlice, put).count, 1u);
  EXPECT_EQ(s.got(kAlice, took), Tuples{task(1)});
  EXPECT_EQ(s.got(kAlice, took_own), Tuples{task(7)});
  EXPECT_EQ(s.answer_as<PutDone>(kAlice, committed), done);
  EXPECT_EQ(s.count(any_result()), 1u);
  EXPECT_EQ(s.count(any_task()), 0u);
  // The BeginOp that was said again has not begun it anew.
  EXPECT_EQ(s.code(kAlice, s.put_in(kAlice, open, task(8))), ErrorCode::kStaleLease);
}

// P7, P10: a take that waits inside is served by others' puts and by its own, and ends with it.
TEST(SpaceTransactionP27, LetsItsTakesWait) {
  Transactions s;
  const RequestId open = s.begin(kAlice);
  const RequestId from_bob = s.take_in(kAlice, open, any_task(), kForever);
  s.put(kBob, task(1));
  EXPECT_EQ(s.got(kAlice, from_bob), Tuples{task(1)});
  const RequestId reading = s.read_in(kAlice, open, any_task(), kForever);
  const RequestId taking = s.take_in(kAlice, open, any_task(), kForever);
  const RequestId outside = s.take(kBob, any_task());
  s.put_in(kAlice, open, task(2));
  EXPECT_EQ(s.got(kAlice, reading), Tuples{task(2)});
  EXPECT_EQ(s.got(kAlice, taking), Tuples{task(2)});
  EXPECT_TRUE(s.waiting(kBob, outside));
  const RequestId last = s.take_in(kAlice, open, any_result(), kForever);
  s.end(kAlice, open, true);
  EXPECT_EQ(s.code(kAlice, last), ErrorCode::kCancelled);
  s.put(kCarol, result(1));
  EXPECT_EQ(s.count(any_result()), 1u);
}

// P38: each with a clear answer and no effect.
TEST(SpaceTransactionP27, RefusesWhatMakesNoSense) {
  Limits limits;
  limits.transactions_per_session_max = 2;
  limits.transaction_items_max = 4;
  Transactions s(limits);
  EXPECT_EQ(s.code(kAlice, s.begin(kAlice, 1ms)), ErrorCode::kInvalidArgument);
  EXPECT_EQ(s.code(kAlice, s.put_in(kAlice, {77}, task(1))), ErrorCode::kStaleLease);
  EXPECT_EQ(s.code(kAlice, s.end(kAlice, {77}, true)), ErrorCode::kStaleLease);
  EXPECT_EQ(s.code(kAlice, s.end(kAlice, {77}, false)), ErrorCode::kOk);
  const RequestId open = s.begin(kAlice);
  EXPECT_EQ(s.code(kBob, s.put_in(kBob, open, task(1))), ErrorCode::kStaleLease);
  TakeOp reserve{TakeMode::kReserve, {any_task()}};
  reserve.transaction = open;
  EXPECT_EQ(s.code(kAlice, s.ask(kAlice, reserve)), ErrorCode::kInvalidArgument);
  s.begin(kAlice);
  EXPECT_EQ(s.code(kAlice, s.begin(kAlice)), ErrorCode::kOverloaded);
  s.put_in(kAlice, open, task(1));
  s.put_in(kAlice, open, task(2));
  EXPECT_EQ(s.code(kAlice, s.put_in(kAlice, open, task(3))), ErrorCode::kLimitExceeded);
  EXPECT_EQ(s.code(kAlice, s.end(kAlice, open, true)), ErrorCode::kOk);
  EXPECT_EQ(s.count(any_task()), 2u);
}

}  // namespace
}  // namespace linden::core

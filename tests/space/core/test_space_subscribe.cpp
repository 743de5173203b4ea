// Subscriptions and snapshots: P29, P30.
#include "tests/space/core/scenario.h"

namespace linden::core {
namespace {

SubscribeOp all_tasks(std::uint32_t credit = 100) {
  SubscribeOp op;
  op.templates = {any_task()};
  op.credit = credit;
  return op;
}

// P30: it begins with the next put, and shows each matching one once, in order.
TEST(SpaceSubscribeP30, TellsEveryMatchingPutOnce) {
  Scenario s;
  s.put(kAlice, task(1));
  const RequestId told = s.ask(kBob, all_tasks());
  EXPECT_EQ(s.answer_as<Counted>(kBob, told), Counted{0});
  s.put(kAlice, task(2));
  s.put_all(kAlice, {{task(3), {}}, {result(1), {}}, {task(4), {}}});
  EXPECT_EQ(s.got(kBob, told), (Tuples{task(2), task(3), task(4)}));
  EXPECT_EQ(s.count(any_task()), 4u);
}

// P30: also a put whose tuple a waiting take is given in the same step, and a will, and a result.
TEST(SpaceSubscribeP30, TellsWhatIsTakenInTheStepThatPutsIt) {
  Scenario s;
  const RequestId told = s.ask(kBob, all_tasks());
  const RequestId take = s.take(kAlice, any_task());
  s.put(kCarol, task(1));
  EXPECT_EQ(s.got(kAlice, take), Tuples{task(1)});
  EXPECT_EQ(s.got(kBob, told), Tuples{task(1)});

  Attributes fragile;
  fragile.max_attempts = 1;
  fragile.will = task(3);
  s.put(kCarol, task(2), fragile);
  const RequestId reserve = s.reserve(kAlice, any_task());
  s.release(kAlice, s.token(kAlice, reserve));
  EXPECT_EQ(s.got(kBob, told), (Tuples{task(1), task(2), task(3)}));
  const RequestId again = s.reserve(kAlice, any_task());
  s.finish(kAlice, s.token(kAlice, again), {task(4)});
  EXPECT_EQ(s.got(kBob, told).back(), task(4));
}

// A tuple that comes back was put once.
TEST(SpaceSubscribeP30, IsNotToldOfReturns) {
  Scenario s;
  const RequestId told = s.ask(kBob, all_tasks());
  s.put(kAlice, task(1));
  const RequestId reserve = s.reserve(kAlice, any_task());
  s.release(kAlice, s.token(kAlice, reserve));
  EXPECT_EQ(s.got(kBob, told), Tuples{task(1)});
}

// P30: first what is there, with no gap and no double between it and what is put.
TEST(SpaceSubscribeP30, ShowsFirstWhatIsThere) {
  Scenario s;
  Attributes urgent;
  urgent.priority = 5;
  s.put(kAlice, task(1));
  s.put(kAlice, task(2), urgent);
  s.put(kAlice, task(3));
  s.take(kAlice, Template{"task", std::int64_t{1}});
  SubscribeOp op = all_tasks(1);
  op.initial = true;
  const RequestId told = s.ask(kBob, op);
  EXPECT_EQ(s.answer_as<Counted>(kBob, told), Counted{2});
  s.put(kAlice, task(4));
  s.take(kAlice, Template{"task", std::int64_t{3}});  // it was there when the subscription began
  EXPECT_EQ(s.got(kBob, told), Tuples{task(2)});
  for (std::uint64_t number = 1; number <= 3; ++number) s.ask(kBob, AckOp{told, number, {}});
  EXPECT_EQ(s.got(kBob, told), (Tuples{task(2), task(3), task(4)}));
}

// P30: who is slow is told what it missed, and the puts do not wait.
TEST(SpaceSubscribeP30, StatesWhatASlowSubscriberMissed) {
  Limits limits;
  limits.subscription_backlog_max = 2;
  Scenario s(limits);
  const RequestId told = s.ask(kBob, all_tasks(1));
  for (int i = 1; i <= 6; ++i) {
    const RequestId put = s.put(kAlice, task(i));
    EXPECT_EQ(s.code(kAlice, put), ErrorCode::kOk);
  }
  EXPECT_EQ(s.got(kBob, told), Tuples{task(1)});
  s.ask(kBob, AckOp{told, 1, {}});
  EXPECT_EQ(s.gaps(kBob, told), (std::vector<Gap>{{2, 3}}));
  EXPECT_EQ(s.got(kBob, told), (Tuples{task(1), task(5)}));
  s.ask(kBob, CreditOp{told, 2});
  EXPECT_EQ(s.got(kBob, told), (Tuples{task(1), task(5), task(6)}));
}

// P30: what is put while the connection is away is told over the next one.
TEST(SpaceSubscribeP30, GoesOnAfterAReconnect) {
  Scenario s;
  SubscribeOp op = all_tasks();
  const RequestId told = s.ask(kBob, op);
  for (int i = 1; i <= 3; ++i) s.put(kAlice, task(i));
  s.lose(kBob);
  s.put(kAlice, task(4));
  s.attach(kBob);
  s.put(kAlice, task(5));
  s.forget();
  op.resume = true;
  op.received = 2;
  s.ask(kBob, op, told);
  EXPECT_EQ(s.got(kBob, told), (Tuples{task(3), task(4), task(5)}));
  EXPECT_TRUE(s.gaps(kBob, told).empty());
}

// P30: a connection whose loss nobody noticed is given nothing more.
TEST(SpaceSubscribeP30, WaitsToBeAskedAgain) {
  Scenario s;
  const RequestId told = s.ask(kBob, all_tasks());
  s.attach(kBob);
  s.put(kAlice, task(1));
  EXPECT_TRUE(s.got(kBob, told).empty());
}

// P30: a server that was started again says plainly that it does not know what was put meanwhile.
TEST(SpaceSubscribeP30, StatesAGapOfUnknownSizeAfterARestart) {
  Scenario s;
  SubscribeOp op = all_tasks();
  op.initial = true;
  const RequestId told = s.ask(kBob, op);
  s.put(kAlice, task(1));
  s.put(kAlice, task(2));
  s.restart();
  s.attach(kAlice);
  s.attach(kBob);
  op.resume = true;
  op.received = 2;
  s.ask(kBob, op, told);
  EXPECT_EQ(s.gaps(kBob, told), (std::vector<Gap>{{3, 0}}));
  EXPECT_EQ(s.got(kBob, told), (Tuples{task(1), task(2)}));  // anew, as it was asked for at first
  s.put(kAlice, task(3));
  EXPECT_EQ(s.got(kBob, told).size(), 3u);
}

// P38: neither needs memory for ever.
TEST(SpaceSubscribeP30, EndsWithCancelAndWithItsSession) {
  Scenario s;
  const RequestId told = s.ask(kBob, all_tasks());
  s.ask(kBob, all_tasks());
  EXPECT_EQ(s.state().counters().subscriptions, 2u);
  s.ask(kBob, CancelOp{told});
  EXPECT_EQ(s.state().counters().subscriptions, 1u);
  s.put(kAlice, task(1));
  EXPECT_TRUE(s.got(kBob, told).empty());
  s.lose(kBob);
  s.at(61s);
  EXPECT_EQ(s.state().counters().subscriptions, 0u);
}

// P38
TEST(SpaceSubscribeP30, RefusesWhatIsBeyondItsBounds) {
  Limits limits;
  limits.subscription_backlog_max = 10;
  limits.subscriptions_per_session_max = 2;
  limits.subscriptions_max = 3;
  limits.snapshot_tuples_max = 4;
  Scenario s(limits);
  EXPECT_EQ(s.code(kBob, s.ask(kBob, all_tasks(11))), ErrorCode::kLimitExceeded);
  EXPECT_EQ(s.code(kBob, s.ask(kBob, SubscribeOp{})), ErrorCode::kInvalidArgument);
  SubscribeOp nothing = all_tasks(1);
  nothing.follow = false;
  EXPECT_EQ(s.code(kBob, s.ask(kBob, nothing)), ErrorCode::kInvalidArgument);
  for (int i = 1; i <= 5; ++i) s.put(kAlice, task(i));
  SubscribeOp initial = all_tasks(1);
  initial.initial = true;
  EXPECT_EQ(s.code(kBob, s.ask(kBob, initial)), ErrorCode::kLimitExceeded);
  EXPECT_EQ(s.state().counters().subscriptions, 0u);
  const RequestId first = s.ask(kBob, all_tasks(1));
  s.ask(kBob, all_tasks(1));
  EXPECT_EQ(s.code(kBob, s.ask(kBob, all_tasks(1))), ErrorCode::kOverloaded);
  s.ask(kAlice, all_tasks(1));
  EXPECT_EQ(s.code(kCarol, s.ask(kCarol, all_tasks(1))), ErrorCode::kOverloaded);
  EXPECT_EQ(s.code(kBob, s.ask(kBob, CreditOp{first, 11})), ErrorCode::kLimitExceeded);
}

// P29: a snapshot has what count counts, all of one instant, whatever happens while it is read.
TEST(SpaceSubscribeP29, SnapshotAgreesWithCount) {
  Scenario s;
  for (int i = 1; i <= 10; ++i) s.put(kAlice, task(i));
  s.reserve(kAlice, any_task());
  const std::uint64_t count = s.count(any_task());
  SubscribeOp op = all_tasks(3);
  op.initial = true;
  op.follow = false;
  const RequestId snapshot = s.ask(kBob, op);
  EXPECT_EQ(s.answer_as<Counted>(kBob, snapshot), Counted{count});
  for (int i = 1; i <= 9; ++i) s.take(kCarol, any_task(), 0s);
  s.put(kCarol, task(11));
  for (std::uint64_t number = 1; number <= count; ++number)
    s.ask(kBob, AckOp{snapshot, number, {}});
  Tuples expected;
  for (int i = 2; i <= 10; ++i) expected.push_back(task(i));
  EXPECT_EQ(s.got(kBob, snapshot), expected);
}

// P29: pages of ids show what lived throughout once, whatever comes, goes and comes back meanwhile.
TEST(SpaceListP29, PagesShowWhatLivedThroughoutExactlyOnce) {
  Scenario s;
  for (int i = 1; i <= 20; ++i) s.put(kAlice, task(i));
  Tuples seen;
  ListOp page{any_task(), {}, 3, false};
  for (bool more = true; more;) {
    const auto listed = s.answer_as<Listed>(kBob, s.ask(kBob, page));
    for (const ListedTuple& one : listed.tuples) seen.push_back(one.tuple);
    more = listed.more;
    if (more) page.after = listed.tuples.back().id;
    // Some leave, some come back with their age, some are new.
    s.take(kAlice, Template{"task", static_cast<std::int64_t>(seen.size())}, 0s);
    const RequestId held =
        s.reserve(kAlice, Template{"task", static_cast<std::int64_t>(seen.size() - 1)}, 0s);
    if (s.code(kAlice, held) == ErrorCode::kOk) s.release(kAlice, s.token(kAlice, held), false);
    if (seen.size() < 12) s.put(kAlice, task(100 + static_cast<std::int64_t>(seen.size())));
  }
  for (int i = 1; i <= 20; ++i) EXPECT_EQ(std::count(seen.begin(), seen.end(), task(i)), 1) << i;
}

// P15: at least one and at most so many, in the order of P5, and they stay.
TEST(SpaceTakeP15, ReadsManyAtOnce) {
  Scenario s;
  for (int i = 1; i <= 5; ++i) s.put(kAlice, task(i));
  TakeOp read{TakeMode::kRead, {any_task()}, 3};
  EXPECT_EQ(s.got(kBob, s.ask(kBob, read)), (Tuples{task(1), task(2), task(3)}));
  EXPECT_EQ(s.count(any_task()), 5u);
}

}  // namespace
}  // namespace linden::core

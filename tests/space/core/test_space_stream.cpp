// Streams: P15, F2, F4.
#include "tests/space/core/scenario.h"

namespace linden::core {
namespace {

// P15: at most as many un-acknowledged as the credit says; what comes back makes room.
TEST(SpaceStream, HandsOutUpToItsCredit) {
  Scenario s;
  for (int i = 1; i <= 4; ++i) s.put(kAlice, task(i));
  const RequestId stream = s.stream(kBob, TakeMode::kReserve, any_task(), 2);
  EXPECT_EQ(s.answer_as<Done>(kBob, stream), Done{});
  EXPECT_EQ(s.got(kBob, stream), (Tuples{task(1), task(2)}));
  s.finish(kBob, {TupleId{1}, 1});
  EXPECT_EQ(s.got(kBob, stream), (Tuples{task(1), task(2), task(3)}));
  s.ask(kBob, CreditOp{stream, 3});
  EXPECT_EQ(s.got(kBob, stream).size(), 4u);
  s.put(kAlice, task(5));
  EXPECT_EQ(s.count(any_task()), 1u);
}

// Everything that one step hands to a stream travels in one event.
TEST(SpaceStream, DeliversInBulk) {
  Scenario s;
  s.put_all(kAlice, std::vector<NewTuple>(100, {task(1), {}}));
  Effects effects;
  s.state().apply(Perform{{kBob, {1}}, StreamOp{TakeMode::kReserve, {any_task()}, 100}}, Time{},
                  effects);
  ASSERT_EQ(effects.messages.size(), 2u);
  const auto& notice = std::get<Notice>(effects.messages[1]);
  EXPECT_EQ(std::get<Delivered>(notice.event).tuples.size(), 100u);
}

// P13: puts go to whoever holds least, and equals take turns.
TEST(SpaceStream, BalancesByWhatIsHeld) {
  Scenario s;
  const RequestId alice = s.stream(kAlice, TakeMode::kReserve, any_task(), 4);
  const RequestId bob = s.stream(kBob, TakeMode::kReserve, any_task(), 4);
  for (int i = 1; i <= 4; ++i) s.put(kCarol, task(i));
  EXPECT_EQ(s.got(kAlice, alice), (Tuples{task(1), task(3)}));
  EXPECT_EQ(s.got(kBob, bob), (Tuples{task(2), task(4)}));
  s.finish(kBob, {TupleId{2}, 1});
  s.put(kCarol, task(5));
  EXPECT_EQ(s.got(kBob, bob).back(), task(5));
}

// The client counts what it names, also that which the space has forgotten because the client has
// acknowledged it without hearing so: its next acknowledgement is not one of tuples that it does
// not have yet.
TEST(SpaceStream, CountsWhatTheClientNamesThoughItWasAcknowledged) {
  Scenario s;
  for (int i = 1; i <= 4; ++i) s.put(kAlice, task(i));
  const RequestId stream = s.stream(kBob, TakeMode::kTake, any_task(), 2);
  s.ask(kBob, AckOp{stream, 1, {}});
  EXPECT_EQ(s.got(kBob, stream).size(), 3u);
  s.lose(kBob);
  s.attach(kBob);
  s.forget();
  s.ask(kBob,
        StreamOp{TakeMode::kTake, {any_task()}, 2, 30s, {}, {TupleId{1}, TupleId{2}, TupleId{3}}},
        stream);
  s.ask(kBob, AckOp{stream, 1, {}});
  EXPECT_EQ(s.count(any_task()), 1u) << "two of two are not acknowledged";
  s.ask(kBob, AckOp{stream, 2, {}});
  EXPECT_EQ(s.got(kBob, stream), Tuples{task(4)});
}

// P36: a taken tuple is delivered again after a reconnect unless the client has it.
TEST(SpaceStream, DeliversAgainWhatTheClientDoesNotHave) {
  for (const TakeMode mode : {TakeMode::kTake, TakeMode::kReserve}) {
    Scenario s;
    const RequestId stream = s.stream(kBob, mode, any_task(), 3);
    for (int i = 1; i <= 4; ++i) s.put(kAlice, task(i));
    s.lose(kBob);
    s.attach(kBob);
    s.forget();
    s.ask(kBob, StreamOp{mode, {any_task()}, 3, 30s, {}, {TupleId{2}}}, stream);
    EXPECT_EQ(s.got(kBob, stream), (Tuples{task(1), task(3)}));
    EXPECT_EQ(s.count(any_task()), 1u);
  }
}

// P15: a taking stream goes on when deliveries are acknowledged, and they are gone for good.
TEST(SpaceStream, TakesMoreWhenAcknowledged) {
  Scenario s;
  for (int i = 1; i <= 5; ++i) s.put(kAlice, task(i));
  const RequestId stream = s.stream(kBob, TakeMode::kTake, any_task(), 2);
  s.ask(kBob, AckOp{stream, 2, {}});
  EXPECT_EQ(s.got(kBob, stream), (Tuples{task(1), task(2), task(3), task(4)}));
  std::vector<Mutation> described;
  EXPECT_FALSE(s.state().describe(TupleId{1}, described));
  EXPECT_TRUE(s.state().describe(TupleId{3}, described));
}

// The watermark of the session does not forget what a stream was given, only AckOp does.
TEST(SpaceStream, KeepsDeliveriesThatOnlyTheWatermarkPassed) {
  Scenario s;
  s.put(kAlice, task(1));
  const RequestId stream = s.stream(kBob, TakeMode::kTake, any_task(), 2);
  s.hear(kBob, RequestId{100});
  s.restart();
  s.attach(kBob);
  s.ask(kBob, StreamOp{TakeMode::kTake, {any_task()}, 2}, stream);
  EXPECT_EQ(s.got(kBob, stream), Tuples{task(1)});
}

// A read stream shows what is there in order of put, then each put, and nothing twice.
TEST(SpaceStream, ShowsWhatIsThereAndThenEachPut) {
  Scenario s;
  s.put(kAlice, task(1));
  s.put(kAlice, task(2), {.priority = 9});
  const RequestId stream = s.stream(kBob, TakeMode::kRead, any_task(), 100);
  s.put(kAlice, task(3));
  EXPECT_EQ(s.got(kBob, stream), (Tuples{task(1), task(2), task(3)}));
  s.release(kCarol, s.token(kCarol, s.reserve(kCarol, any_task())));
  EXPECT_EQ(s.got(kBob, stream).size(), 3u);
  EXPECT_EQ(s.count(any_task()), 3u);
}

// P7: a put that a waiting take gets at once was shown before.
TEST(SpaceStream, ShowsAPutThatIsTakenAtOnce) {
  Scenario s;
  const RequestId take = s.take(kAlice, any_task());
  const RequestId stream = s.stream(kBob, TakeMode::kRead, any_task(), 1);
  s.put(kCarol, task(1));
  EXPECT_EQ(s.got(kBob, stream), Tuples{task(1)});
  EXPECT_EQ(s.got(kAlice, take), Tuples{task(1)});
}

// Without credit a read stream falls behind, and goes on where it was.
TEST(SpaceStream, GoesOnReadingWhenCreditReturns) {
  Scenario s;
  for (int i = 1; i <= 10; ++i) s.put(kAlice, i % 2 == 0 ? task(i) : result(i));
  StreamOp op{TakeMode::kRead, {any_task(), Template{"result", 7}}, 2};
  op.after = TupleId{2};
  const RequestId stream = s.ask(kBob, op);
  Tuples expected{task(4), task(6)};
  EXPECT_EQ(s.got(kBob, stream), expected);
  s.ask(kBob, AckOp{stream, 1, {}});
  expected.push_back(result(7));
  EXPECT_EQ(s.got(kBob, stream), expected);
  s.take(kCarol, Template{"task", 8}, 0s);
  s.put(kAlice, task(11));
  s.ask(kBob, AckOp{stream, 3, {}});
  expected.insert(expected.end(), {task(10), task(11)});
  EXPECT_EQ(s.got(kBob, stream), expected);
  s.ask(kBob, AckOp{stream, 5, {}});
  s.put(kAlice, task(12));
  expected.push_back(task(12));
  EXPECT_EQ(s.got(kBob, stream), expected);
}

// A cancelled stream gets nothing more; what it holds stays reserved.
TEST(SpaceStream, EndsWhenCancelled) {
  Scenario s;
  s.put(kAlice, task(1));
  const RequestId stream = s.stream(kBob, TakeMode::kReserve, any_task(), 2);
  s.ask(kBob, CancelOp{stream});
  s.put(kAlice, task(2));
  EXPECT_EQ(s.got(kBob, stream), Tuples{task(1)});
  EXPECT_EQ(s.count(any_task()), 1u);
  EXPECT_EQ(s.finish(kBob, {TupleId{1}, 1}), ErrorCode::kOk);
}

// P36: opening and cancelling a taking stream, both said again because their answers were lost.
TEST(SpaceStream, MayBeOpenedAndCancelledAgain) {
  Scenario s;
  s.put(kAlice, task(1));
  const RequestId stream = s.stream(kBob, TakeMode::kTake, any_task(), 2);
  const RequestId cancel = s.ask(kBob, CancelOp{stream});
  s.attach(kBob);
  s.forget();
  s.ask(kBob, StreamOp{TakeMode::kTake, {any_task()}, 2}, stream);
  EXPECT_EQ(s.got(kBob, stream), Tuples{task(1)});
  s.ask(kBob, CancelOp{stream}, cancel);
  s.close(kBob);
  EXPECT_EQ(s.count(any_task()), 1u);
}

// P32: what a taking stream has not given out is there again as it was, also if the stream went
// with its connection before it was cancelled; what it names is gone.
TEST(SpaceStream, PutsBackWhatItHasNotGivenOut) {
  for (const bool reconnects : {false, true}) {
    Scenario s;
    s.put(kAlice, task(1));
    Attributes attributes;
    attributes.priority = 3;
    attributes.ttl = 60s;
    attributes.lives_with = kAlice;
    s.put(kAlice, task(2), attributes);
    s.put(kAlice, task(3));
    const RequestId told = s.ask(kCarol, SubscribeOp{{any_task()}, 10});
    const RequestId stream = s.stream(kBob, TakeMode::kTake, any_task(), 3);
    ASSERT_EQ(s.got(kBob, stream), (Tuples{task(2), task(1), task(3)}));
    EXPECT_EQ(s.count(any_task()), 0u);
    if (reconnects) s.attach(kBob);
    s.ask(kBob, CancelOp{stream, {TupleId{1}}});
    EXPECT_EQ(s.got(kCarol, s.take(kCarol, any_task(), 0s)), Tuples{task(2)});
    EXPECT_EQ(s.list().size(), 1u);
    EXPECT_TRUE(s.got(kCarol, told).empty());
    EXPECT_EQ(s.got(kCarol, s.read(kCarol, any_task(), 0s)), Tuples{task(3)});
  }
}

TEST(SpaceStream, PutsBackOnlyWhatMayStillLive) {
  Scenario s;
  Attributes brief;
  brief.ttl = 1s;
  s.put(kAlice, task(1), brief);
  Attributes bound;
  bound.lives_with = kAlice;
  bound.will = task(9);
  s.put(kAlice, task(2), bound);
  const RequestId stream = s.stream(kBob, TakeMode::kTake, any_task(), 2);
  s.at(2s);
  s.close(kAlice);
  s.ask(kBob, CancelOp{stream});
  EXPECT_EQ(s.got(kCarol, s.take(kCarol, any_task(), 0s)), Tuples{task(9)});
  EXPECT_EQ(s.count(any_task()), 0u);
}

// P22: its group has gone on meanwhile; it is the next one now, not a second one beside it.
TEST(SpaceStream, PutsBackBehindWhatItsGroupShows) {
  Scenario s;
  RareAttributes rare;
  rare.group = "g";
  Attributes grouped;
  grouped.rare = rare;
  for (int i = 1; i <= 3; ++i) s.put(kAlice, task(i), grouped);
  const RequestId stream = s.stream(kBob, TakeMode::kTake, any_task(), 1);
  EXPECT_EQ(s.count(any_task()), 1u);
  s.ask(kBob, CancelOp{stream});
  EXPECT_EQ(s.count(any_task()), 1u);
  EXPECT_EQ(s.got(kCarol, s.take(kCarol, any_task(), 0s)), Tuples{task(2)});
  EXPECT_EQ(s.got(kCarol, s.take(kCarol, any_task(), 0s)), Tuples{task(1)});
  EXPECT_EQ(s.got(kCarol, s.take(kCarol, any_task(), 0s)), Tuples{task(3)});
}

// P38: a client that uses a number twice harms nobody but itself.
TEST(SpaceStream, SurvivesANumberThatIsUsedTwice) {
  Scenario s;
  for (int i = 1; i <= 4; ++i) s.put(kAlice, task(i));
  const RequestId stream = s.stream(kBob, TakeMode::kReserve, any_task(), 3);
  s.ask(kBob, TakeOp{TakeMode::kTake, {any_result()}, 1, kForever}, stream);
  s.put(kAlice, result(1));
  s.ask(kBob, PutOp{{{task(5), {}}}}, stream);
  const RequestId taking = s.stream(kBob, TakeMode::kTake, any_task(), 1);
  const RequestId cancel = s.ask(kBob, CancelOp{taking});
  s.ask(kBob, TakeOp{TakeMode::kTake, {any_task()}}, cancel);
  EXPECT_EQ(s.got(kBob, cancel), Tuples{task(4)});
  s.close(kBob);
  EXPECT_EQ(s.count(any_task()), 3u);
}

// F4: whoever is idle is given what somebody else holds but has not begun.
TEST(SpaceRecall, AsksForTheNewestOfTheFullestHolder) {
  Scenario s;
  const RequestId alice = s.stream(kAlice, TakeMode::kReserve, any_task(), 2);
  const RequestId bob = s.stream(kBob, TakeMode::kReserve, any_task(), 3);
  for (int i = 1; i <= 5; ++i) s.put(kCarol, task(i));
  EXPECT_EQ(s.got(kBob, bob), (Tuples{task(2), task(4), task(5)}));
  const RequestId carol = s.reserve(kCarol, any_task());
  EXPECT_EQ(s.recalled(kBob, bob), (Tokens{{TupleId{5}, 1}}));
  EXPECT_EQ(s.recalled(kAlice, alice), Tokens{});
  s.release(kBob, {TupleId{5}, 1}, false);
  EXPECT_EQ(s.got(kCarol, carol), Tuples{task(5)});
  EXPECT_EQ(s.handouts(kCarol, carol)[0].attempt, 2u);
}

// F4: if it has begun meanwhile, the next one is asked for.
TEST(SpaceRecall, TriesTheNextWhenTheFirstHasBegun) {
  Scenario s;
  const RequestId alice = s.stream(kAlice, TakeMode::kReserve, any_task(), 3);
  for (int i = 1; i <= 3; ++i) s.put(kCarol, task(i));
  const RequestId carol = s.reserve(kCarol, any_task());
  EXPECT_EQ(s.recalled(kAlice, alice), (Tokens{{TupleId{3}, 1}}));
  s.started(kAlice, {TupleId{3}, 1});
  EXPECT_EQ(s.recalled(kAlice, alice), (Tokens{{TupleId{3}, 1}, {TupleId{2}, 1}}));
  s.finish(kAlice, {TupleId{2}, 1});
  EXPECT_EQ(s.recalled(kAlice, alice).size(), 2u);  // nothing that could be asked for is left
  EXPECT_TRUE(s.waiting(kCarol, carol));
}

// F4: an engine in C++ has a stream for each of its threads.
TEST(SpaceRecall, IsMadeForAnotherThreadOfTheSameSession) {
  Scenario s;
  const RequestId busy = s.stream(kAlice, TakeMode::kReserve, any_task(), 3);
  for (int i = 1; i <= 3; ++i) s.put(kCarol, task(i));
  const RequestId idle = s.stream(kAlice, TakeMode::kReserve, any_task(), 3);
  EXPECT_EQ(s.recalled(kAlice, busy), (Tokens{{TupleId{3}, 1}}));
  s.release(kAlice, {TupleId{3}, 1}, false);
  EXPECT_EQ(s.got(kAlice, idle), Tuples{task(3)});
}

// F4: only what matches is asked for.
TEST(SpaceRecall, AsksForNothingInVain) {
  Scenario s;
  const RequestId alice = s.stream(kAlice, TakeMode::kReserve, any_task(), 3);
  for (int i = 1; i <= 3; ++i) s.put(kCarol, task(i));
  s.reserve(kCarol, any_result());
  s.take(kCarol, any_task());
  EXPECT_EQ(s.recalled(kAlice, alice), Tokens{});
  s.reserve(kBob, Template{"task", 2});
  EXPECT_EQ(s.recalled(kAlice, alice), (Tokens{{TupleId{2}, 1}}));
}

// F4: a stream that becomes idle asks too, for one at a time.
TEST(SpaceRecall, IsMadeForAnIdleStream) {
  Scenario s;
  const RequestId alice = s.stream(kAlice, TakeMode::kReserve, any_task(), 4);
  for (int i = 1; i <= 4; ++i) s.put(kCarol, task(i));
  const RequestId bob = s.stream(kBob, TakeMode::kReserve, any_task(), 4);
  EXPECT_EQ(s.recalled(kAlice, alice), (Tokens{{TupleId{4}, 1}}));
  s.release(kAlice, {TupleId{4}, 1}, false);
  EXPECT_EQ(s.got(kBob, bob), Tuples{task(4)});
  EXPECT_EQ(s.recalled(kAlice, alice).size(), 1u);
  s.finish(kBob, {TupleId{4}, 2});
  EXPECT_EQ(s.recalled(kAlice, alice).size(), 2u);
}

// F4: when the asked one vanishes, others are asked; when it comes back, it is asked again.
TEST(SpaceRecall, SurvivesALostConnection) {
  Scenario s;
  const RequestId alice = s.stream(kAlice, TakeMode::kReserve, any_task(), 2);
  for (int i = 1; i <= 2; ++i) s.put(kCarol, task(i));
  const RequestId carol = s.reserve(kCarol, any_task());
  ASSERT_EQ(s.recalled(kAlice, alice).size(), 1u);
  s.lose(kAlice);
  s.attach(kAlice);
  s.forget();
  s.ask(kAlice, StreamOp{TakeMode::kReserve, {any_task()}, 2, 30s, {}, {{1}, {2}}}, alice);
  EXPECT_EQ(s.recalled(kAlice, alice), (Tokens{{TupleId{2}, 1}}));
  s.release(kAlice, {TupleId{2}, 1}, false);
  EXPECT_EQ(s.got(kCarol, carol), Tuples{task(2)});
}

}  // namespace
}  // namespace linden::core

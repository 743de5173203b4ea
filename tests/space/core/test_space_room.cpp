// tests/space/core/test_space_room.cpp: a full space or disk refuses what adds tuples and nothing
// else (P33).
#include "scenario.h"

namespace linden::core {
namespace {

// Room for `count` tasks.
Limits room_for(std::uint64_t count) {
  Limits limits;
  limits.bytes_max = count * task(1).byte_size();
  return limits;
}

// A put is answered PutDone or refused; which.
ErrorCode put(Scenario& s, const Tuple& tuple) {
  return s.code(kAlice, s.put(kAlice, tuple));
}

TEST(SpaceRoomP33, PutsBeyondTheQuotaAreRefusedAndHaveNoEffect) {
  Scenario s(room_for(3));
  EXPECT_EQ(put(s, task(1)), ErrorCode::kOk);
  EXPECT_EQ(put(s, task(2)), ErrorCode::kOk);
  const RequestId two = s.put_all(kAlice, {{task(3), {}}, {task(4), {}}});
  EXPECT_EQ(s.code(kAlice, two), ErrorCode::kOverloaded);
  EXPECT_EQ(s.count(any_task()), 2u) << "all or none";
  EXPECT_EQ(put(s, task(3)), ErrorCode::kOk);
  const RequestId refused = s.put(kAlice, task(4));
  EXPECT_EQ(s.code(kAlice, refused), ErrorCode::kOverloaded);
  // A refusal is not remembered: said again when there is room, it happens.
  s.take(kBob, any_task());
  s.ask(kAlice, PutOp{{NewTuple{task(4), {}}}}, refused);
  EXPECT_EQ(s.count(any_task()), 3u);
}

TEST(SpaceRoomP33, APutThatCanNeverFitSaysSo) {
  Scenario s(room_for(1));
  const RequestId request = s.put_all(kAlice, {{task(1), {}}, {task(2), {}}});
  EXPECT_EQ(s.code(kAlice, request), ErrorCode::kLimitExceeded);
}

// What was answered before the space was full is answered again (P36).
TEST(SpaceRoomP33, ARepeatedPutIsAnsweredAlthoughTheSpaceIsFull) {
  Scenario s(room_for(1));
  const RequestId request = s.put(kAlice, task(1));
  s.ask(kAlice, PutOp{{NewTuple{task(1), {}}}}, request);
  EXPECT_EQ(s.answer_as<PutDone>(kAlice, request), (PutDone{TupleId{1}, 1}));
  EXPECT_EQ(s.count(any_task()), 1u);
}

TEST(SpaceRoomP33, TakesFinishesAndReleasesWorkInAFullSpace) {
  Scenario s(room_for(2));
  put(s, task(1));
  put(s, task(2));
  const RequestId first = s.reserve(kBob, any_task());
  EXPECT_EQ(s.release(kBob, s.token(kBob, first)), ErrorCode::kOk);
  const RequestId again = s.reserve(kBob, any_task());
  // The result comes in although it is larger than its task: work that is done is kept.
  EXPECT_EQ(s.finish(kBob, s.token(kBob, again), {Tuple{"result", std::string(1000, 'x')}}),
            ErrorCode::kOk);
  EXPECT_EQ(put(s, task(3)), ErrorCode::kOverloaded);
  EXPECT_EQ(s.got(kBob, s.take(kBob, any_task())), Tuples{task(2)});
  s.take(kBob, Template{"result", kText});
  EXPECT_EQ(put(s, task(3)), ErrorCode::kOk);
}

TEST(SpaceRoomP33, AFinishThatFinishesNothingIsAPut) {
  Scenario s(room_for(1));
  put(s, task(1));
  FinishOp op;
  op.items.push_back(FinishItem{std::nullopt, {NewTuple{task(2), {}}}});
  EXPECT_EQ(s.code(kAlice, s.ask(kAlice, op)), ErrorCode::kOverloaded);
  op.items[0].puts.clear();
  EXPECT_EQ(s.code(kAlice, s.ask(kAlice, op)), ErrorCode::kOk);
}

// What removes something may put something, in a commit and in a transaction alike.
TEST(SpaceRoomP33, ACommitThatOnlyPutsIsAPut) {
  Scenario s(room_for(1));
  put(s, task(1));
  CommitOp op;
  op.puts = {NewTuple{task(2), {}}};
  EXPECT_EQ(s.code(kAlice, s.ask(kAlice, op)), ErrorCode::kOverloaded);
  op.takes = {TupleId{1}};
  EXPECT_EQ(s.code(kAlice, s.ask(kAlice, op)), ErrorCode::kOk);
  EXPECT_EQ(s.count(any_task()), 1u);
}

TEST(SpaceRoomP33, ATransactionThatOnlyPutsIsAPutAndIsAborted) {
  Scenario s(room_for(1));
  put(s, task(1));
  const auto put_in_transaction = [&](bool takes) {
    const RequestId open = s.ask(kAlice, BeginOp{});
    PutOp inside{{NewTuple{task(2), {}}}};
    inside.transaction = open;
    s.ask(kAlice, inside);
    TakeOp take;
    take.templates = {any_task()};
    take.transaction = open;
    if (takes) s.ask(kAlice, take);
    return s.code(kAlice, s.ask(kAlice, EndOp{open, true}));
  };
  EXPECT_EQ(put_in_transaction(false), ErrorCode::kOverloaded);
  EXPECT_EQ(s.count(any_task()), 1u);
  EXPECT_EQ(put_in_transaction(true), ErrorCode::kOk);
}

TEST(SpaceRoomP33, ALowDiskRefusesPutsUntilItHasRoomAgain) {
  Scenario s;
  put(s, task(1));
  const RequestId held = s.reserve(kBob, any_task());
  s.set_disk_low(true);
  EXPECT_EQ(put(s, task(2)), ErrorCode::kOverloaded);
  EXPECT_EQ(s.finish(kBob, s.token(kBob, held), {result(1)}), ErrorCode::kOk);
  EXPECT_EQ(s.got(kBob, s.take(kBob, any_result())), Tuples{result(1)});
  s.set_disk_low(false);
  EXPECT_EQ(put(s, task(2)), ErrorCode::kOk);
}

// After a restart the quota counts what is there.
TEST(SpaceRoomP33, TheQuotaHoldsOverARestart) {
  Scenario s(room_for(2));
  put(s, task(1));
  put(s, task(2));
  s.restart();
  EXPECT_EQ(put(s, task(3)), ErrorCode::kOverloaded);
}

}  // namespace
}  // namespace linden::core

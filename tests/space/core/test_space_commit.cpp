// Several operations as one: P26.
#include "tests/space/core/scenario.h"

namespace linden::core {
namespace {

RequestId commit(Scenario& s, SessionId who, Tuples puts, Tokens finishes = {},
                 std::vector<TupleId> takes = {}, std::optional<RequestId> as = {}) {
  CommitOp op{{}, std::move(finishes), std::move(takes)};
  for (Tuple& tuple : puts) op.puts.push_back({std::move(tuple), {}});
  return s.ask(who, std::move(op), as);
}

TupleId put_one(Scenario& s, Tuple tuple) {
  return s.answer_as<PutDone>(kAlice, s.put(kAlice, std::move(tuple))).first;
}

// P26: whoever waits for one of the puts sees that the rest has happened too.
TEST(SpaceCommitP26, PutsFinishesAndTakesInOneStep) {
  Scenario s;
  put_one(s, task(1));
  const TupleId old = put_one(s, Tuple{"counter", 1});
  const Token token = s.token(kBob, s.reserve(kBob, any_task()));
  const std::size_t before = s.mutations().size();
  const RequestId waiting = s.take(kCarol, any_result());
  const RequestId request = commit(s, kBob, {result(1), Tuple{"counter", 2}}, {token}, {old});
  EXPECT_EQ(s.answer_as<PutDone>(kBob, request).count, 2u);
  EXPECT_EQ(s.got(kCarol, waiting), Tuples{result(1)});
  const auto left = s.list();
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left[0].tuple, (Tuple{"counter", 2}));
  // Two removed, two added, one of them taken at once, one answer remembered: one commit on disk.
  EXPECT_EQ(s.mutations().size(), before + 6);
  s.restart();
  s.attach(kCarol);
  EXPECT_EQ(s.count(Template{"counter", kInt}), 1u);
}

// P26: an update is a take by id and a put.
TEST(SpaceCommitP26, ChangesATuple) {
  Scenario s;
  const TupleId id = put_one(s, Tuple{"counter", 1});
  commit(s, kBob, {Tuple{"counter", 2}}, {}, {id});
  const RequestId late = commit(s, kCarol, {Tuple{"counter", 3}}, {}, {id});
  EXPECT_EQ(s.code(kCarol, late), ErrorCode::kTransactionConflict);
  EXPECT_EQ(s.got(kBob, s.read(kBob, Template{"counter", kInt})), (Tuples{Tuple{"counter", 2}}));
}

// P26, P38: if one item is not possible nothing happens, and the answer says which and why.
TEST(SpaceCommitP26, DoesNothingIfATokenIsStale) {
  Scenario s;
  const TupleId other = put_one(s, Tuple{"other"});
  put_one(s, task(1));
  const Token stale = s.token(kBob, s.reserve(kBob, any_task()));
  s.release(kBob, stale);
  const std::size_t before = s.mutations().size();
  const RequestId request = commit(s, kBob, {result(1)}, {stale}, {other});
  EXPECT_EQ(s.code(kBob, request), ErrorCode::kStaleLease);
  const std::string& message = s.answer_as<Refused>(kBob, request).message;
  EXPECT_NE(message.find("tuple 2, attempt 1"), std::string::npos) << message;
  EXPECT_EQ(s.mutations().size(), before);
  EXPECT_EQ(s.count(any_task()), 1u);
  EXPECT_EQ(s.count(any_result()), 0u);
}

TEST(SpaceCommitP26, DoesNothingIfATupleIsNotFree) {
  Scenario s;
  const TupleId reserved = put_one(s, task(1));
  s.reserve(kBob, any_task());
  const TupleId taken = put_one(s, task(2));
  s.take(kBob, any_task());
  const TupleId free = put_one(s, task(3));
  for (const auto& [id, why] :
       std::vector<std::pair<TupleId, std::string>>{{reserved, "tuple 1 is reserved"},
                                                    {taken, "tuple 2 is gone"},
                                                    {TupleId{99}, "tuple 99 is gone"}}) {
    const RequestId request = commit(s, kCarol, {result(1)}, {}, {free, id});
    EXPECT_EQ(s.code(kCarol, request), ErrorCode::kTransactionConflict);
    const std::string& message = s.answer_as<Refused>(kCarol, request).message;
    EXPECT_NE(message.find(why), std::string::npos) << message;
  }
  EXPECT_EQ(s.count(any_task()), 1u);
  EXPECT_EQ(s.count(any_result()), 0u);
}

// P36: said again after a lost connection, also to a server that was killed, it happens once.
TEST(SpaceCommitP26, IsAnsweredAgainWithoutHappeningAgain) {
  Scenario s;
  const TupleId id = put_one(s, Tuple{"counter", 1});
  const RequestId request = commit(s, kBob, {Tuple{"counter", 2}}, {}, {id});
  const PutDone done = s.answer_as<PutDone>(kBob, request);
  s.restart();
  s.attach(kBob);
  s.attach(kCarol);
  commit(s, kBob, {Tuple{"counter", 2}}, {}, {id}, request);
  EXPECT_EQ(s.answer_as<PutDone>(kBob, request), done);
  EXPECT_EQ(s.count(Template{"counter", kInt}), 1u);
}

TEST(SpaceCommitP26, RefusesWhatMakesNoSense) {
  Limits limits;
  limits.commit_tuples_max = 2;
  Scenario s(limits);
  const TupleId id = put_one(s, task(1));
  EXPECT_EQ(s.code(kBob, commit(s, kBob, {}, {}, {id, id})), ErrorCode::kInvalidArgument);
  EXPECT_EQ(s.code(kBob, commit(s, kBob, {}, {}, {id, {8}, {9}})), ErrorCode::kLimitExceeded);
  CommitOp op;
  op.puts.push_back({result(1), {}});
  op.puts[0].attributes.ttl = 1ms;
  op.takes = {id};
  EXPECT_EQ(s.code(kBob, s.ask(kBob, op)), ErrorCode::kInvalidArgument);
  EXPECT_EQ(s.count(any_task()), 1u);
  EXPECT_EQ(s.answer_as<PutDone>(kBob, commit(s, kBob, {})).count, 0u);
}

// A tuple that others may not take for a moment is no free tuple.
TEST(SpaceCommitP26, LeavesAloneWhatATransactionReliesOn) {
  Scenario s;
  const TupleId read = put_one(s, task(1));
  const TupleId taken = put_one(s, result(1));
  const RequestId open = s.ask(kBob, BeginOp{});
  s.ask(kBob, TakeOp{TakeMode::kRead, {any_task()}, 1, {}, {}, open});
  s.ask(kBob, TakeOp{TakeMode::kTake, {any_result()}, 1, {}, {}, open});
  for (const TupleId id : {read, taken}) {
    EXPECT_EQ(s.code(kAlice, commit(s, kAlice, {}, {}, {id})), ErrorCode::kTransactionConflict);
  }
  s.ask(kBob, EndOp{open, false});
  EXPECT_EQ(s.code(kAlice, commit(s, kAlice, {}, {}, {read, taken})), ErrorCode::kOk);
}

}  // namespace
}  // namespace linden::core

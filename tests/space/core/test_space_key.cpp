// Idempotency keys: P23, their recovery: P35, their bounds: P38.
#include "space/core/key_table.h"
#include "tests/space/core/scenario.h"

namespace linden::core {
namespace {

NewTuple keyed(Tuple tuple, std::string key, Duration window = 1h) {
  NewTuple put{std::move(tuple), {}};
  put.attributes.rare = RareAttributes{.key = std::move(key), .key_window = window};
  return put;
}

std::vector<TupleId> ids(Scenario& s, RequestId put) {
  return s.answer_as<KeyedPutDone>(kAlice, put).ids;
}

std::size_t keys_on_disk(const Scenario& s) {
  std::size_t count = 0;
  for (const Mutation& mutation : s.mutations()) {
    count += std::holds_alternative<KeyRemembered>(mutation);
    count -= std::holds_alternative<KeyForgotten>(mutation);
  }
  return count;
}

// P23: whoever says it, the same key stores once and is answered with the first id.
TEST(SpaceKeyP23, StoresOnce) {
  Scenario s;
  const RequestId first = s.put_all(kAlice, {keyed(task(1), "a")});
  const RequestId again = s.put_all(kAlice, {keyed(task(1), "a")});
  EXPECT_EQ(ids(s, again), ids(s, first));
  const RequestId other = s.ask(kBob, PutOp{{keyed(task(1), "a")}});
  EXPECT_EQ(s.answer_as<KeyedPutDone>(kBob, other).ids, ids(s, first));
  EXPECT_EQ(s.count(any_task()), 1u);
}

// P23: another tuple or another attribute is another content; a refusal puts nothing.
TEST(SpaceKeyP23, RefusesAnotherContent) {
  Scenario s;
  s.put_all(kAlice, {keyed(task(1), "a")});
  std::vector<NewTuple> others(7, keyed(task(1), "a"));
  others[0].tuple = task(2);
  others[1].attributes.priority = 1;
  others[2].attributes.ttl = 10s;
  others[3].attributes.max_attempts = 1;
  others[4].attributes.will = result(1);
  others[5].attributes.lives_with = kBob;
  others[6].attributes.rare = RareAttributes{.key = "a", .group = "g"};
  for (const NewTuple& other : others) {
    const RequestId put = s.put_all(kAlice, {keyed(result(9), "b"), other});
    EXPECT_EQ(s.code(kAlice, put), ErrorCode::kKeyConflict);
  }
  EXPECT_EQ(s.list().size(), 1u);
  EXPECT_EQ(s.state().counters().keys, 1u);
}

// P23: how long the key is to be remembered is no content; what the first put said holds.
TEST(SpaceKeyP23, IsRememberedForTheWindowOfTheFirstPut) {
  Scenario s;
  const RequestId first = s.put_all(kAlice, {keyed(task(1), "a", 10s)});
  s.at(9'999ms);
  EXPECT_EQ(ids(s, s.put_all(kAlice, {keyed(task(1), "a", 1h)})), ids(s, first));
  s.at(10s);
  const RequestId later = s.put_all(kAlice, {keyed(task(2), "a")});
  EXPECT_GT(ids(s, later), ids(s, first));
  EXPECT_EQ(s.count(any_task()), 2u);
}

// P23: also after the tuple was taken, or has expired.
TEST(SpaceKeyP23, OutlivesItsTuple) {
  Scenario s;
  NewTuple mortal = keyed(task(2), "b");
  mortal.attributes.ttl = 1s;
  const RequestId first = s.put_all(kAlice, {keyed(task(1), "a"), mortal});
  s.take(kBob, Template{"task", 1});
  s.at(2s);
  EXPECT_EQ(ids(s, s.put_all(kAlice, {keyed(task(1), "a"), mortal})), ids(s, first));
  EXPECT_EQ(s.count(any_task()), 0u);
}

// P23: within one put, too; ids come in the order of the tuples.
TEST(SpaceKeyP23, HoldsWithinOnePut) {
  Scenario s;
  const RequestId put =
      s.put_all(kAlice, {keyed(task(1), "a"), {task(2), {}}, keyed(task(1), "a"), {task(3), {}}});
  EXPECT_EQ(ids(s, put), (std::vector{TupleId{1}, TupleId{2}, TupleId{1}, TupleId{3}}));
  const RequestId bad = s.put_all(kAlice, {keyed(task(4), "b"), keyed(task(5), "b")});
  EXPECT_EQ(s.code(kAlice, bad), ErrorCode::kKeyConflict);
  EXPECT_EQ(s.count(any_task()), 3u);
}

// P17, P23: a finish whose result has a used key does nothing at all; its holder still holds.
TEST(SpaceKeyP23, FinishesAllOrNothing) {
  Scenario s;
  s.put(kAlice, task(1));
  s.put_all(kAlice, {keyed(result(1), "r")});
  const Token token = s.token(kBob, s.reserve(kBob, any_task()));
  const auto finish = [&](NewTuple put) {
    const RequestId request = s.ask(kBob, FinishOp{{{token, {std::move(put)}}}, {}});
    return s.answer_as<FinishDone>(kBob, request).codes.at(0);
  };
  EXPECT_EQ(finish(keyed(result(2), "r")), ErrorCode::kKeyConflict);
  EXPECT_EQ(s.list().size(), 2u);
  EXPECT_EQ(finish(keyed(result(1), "r")), ErrorCode::kOk);
  EXPECT_EQ(s.list().size(), 1u);
}

// P35: keys survive a restart with their time, also those of tuples that are gone.
TEST(SpaceKeyP23, SurvivesARestart) {
  Scenario s;
  const RequestId first = s.put_all(kAlice, {keyed(task(1), "a", 10s)});
  const std::vector<TupleId> before = ids(s, first);
  s.take(kBob, any_task());
  s.at(9s).restart();
  s.attach(kAlice);
  EXPECT_EQ(ids(s, s.put_all(kAlice, {keyed(task(1), "a", 10s)})), before);
  s.at(10s);
  EXPECT_EQ(keys_on_disk(s), 0u);
  EXPECT_GT(ids(s, s.put_all(kAlice, {keyed(task(1), "a")})), before);
}

// P35: the table describes a key by its tuple's id, with or without the tuple.
TEST(SpaceKeyP23, IsDescribedWithoutItsTuple) {
  Scenario s;
  s.put_all(kAlice, {keyed(task(1), "a")});
  const RequestId take = s.take(kBob, any_task());
  s.ask(kBob, AckOp{{}, 0, {take}});
  std::vector<Mutation> described;
  ASSERT_TRUE(s.state().describe(TupleId{1}, described));
  ASSERT_EQ(described.size(), 1u);
  EXPECT_EQ(std::get<KeyRemembered>(described[0]).key, "a");
  std::vector<TupleId> visited;
  s.state().visit_ids([&](TupleId id) { visited.push_back(id); });
  EXPECT_EQ(visited, std::vector{TupleId{1}});
}

// P36: the answer to a put with keys is remembered like any other.
TEST(SpaceKeyP23, RemembersTheAnswer) {
  Scenario s;
  const RequestId put = s.put_all(kAlice, {keyed(task(1), "a", 10ms)});
  const std::vector<TupleId> first = ids(s, put);
  s.at(1s).restart();
  s.attach(kAlice);
  s.ask(kAlice, PutOp{{keyed(task(1), "a", 10ms)}}, put);
  EXPECT_EQ(ids(s, put), first);
  EXPECT_EQ(s.state().counters().ready, 1u);
}

// P26: a commit looks at keys before it does anything.
TEST(SpaceKeyP23, HoldsForACommit) {
  Scenario s;
  const TupleId known = ids(s, s.put_all(kAlice, {keyed(task(1), "a")})).at(0);
  const TupleId free = s.answer_as<PutDone>(kAlice, s.put(kAlice, result(0))).first;
  CommitOp op{{keyed(task(2), "a")}, {}, {free}};
  EXPECT_EQ(s.code(kAlice, s.ask(kAlice, op)), ErrorCode::kKeyConflict);
  EXPECT_EQ(s.count(any_result()), 1u);
  op.puts = {keyed(task(1), "a"), keyed(task(2), "b")};
  const std::vector<TupleId> put = ids(s, s.ask(kAlice, op));
  ASSERT_EQ(put.size(), 2u);
  EXPECT_EQ(put[0], known);
  EXPECT_EQ(s.count(any_task()), 2u);
  EXPECT_EQ(s.count(any_result()), 0u);
}

// P27: a transaction's keys are looked at when it commits; one that was used for something else
// aborts it.
TEST(SpaceKeyP23, HoldsForATransaction) {
  Scenario s;
  s.put_all(kAlice, {keyed(task(1), "a")});
  s.put(kAlice, result(0));
  const auto commit_with = [&](NewTuple put) {
    const RequestId open = s.ask(kBob, BeginOp{});
    PutOp inside{{std::move(put)}};
    inside.transaction = open;
    EXPECT_EQ(s.code(kBob, s.ask(kBob, inside)), ErrorCode::kOk);
    TakeOp take{TakeMode::kTake, {any_result()}};
    take.transaction = open;
    EXPECT_EQ(s.code(kBob, s.ask(kBob, take)), ErrorCode::kOk);
    return s.ask(kBob, EndOp{open, true});
  };
  EXPECT_EQ(s.code(kBob, commit_with(keyed(task(2), "a"))), ErrorCode::kKeyConflict);
  EXPECT_EQ(s.count(any_result()), 1u);  // it was aborted
  const RequestId again = commit_with(keyed(task(1), "a"));
  EXPECT_EQ(s.answer_as<KeyedPutDone>(kBob, again).ids, std::vector<TupleId>{TupleId{1}});
  EXPECT_EQ(s.count(any_task()), 1u);
  EXPECT_EQ(s.count(any_result()), 0u);
}

// P38: bad keys and too many of them are refused without effect; a known key always has an answer.
TEST(SpaceKeyP23, IsBounded) {
  Limits limits;
  limits.keys_max = 2;
  Scenario s(limits);
  s.put_all(kAlice, {keyed(task(1), "a"), keyed(task(2), "b", 1s)});
  EXPECT_EQ(s.code(kAlice, s.put_all(kAlice, {keyed(task(3), "c")})), ErrorCode::kOverloaded);
  EXPECT_EQ(s.code(kAlice, s.put_all(kAlice, {keyed(task(1), "a")})), ErrorCode::kOk);
  const RequestId finish = s.ask(kAlice, FinishOp{{{{}, {keyed(task(3), "c")}}}, {}});
  EXPECT_EQ(s.code(kAlice, finish), ErrorCode::kOverloaded);
  EXPECT_EQ(s.code(kAlice, s.put_all(kAlice, {keyed(task(3), std::string(1025, 'c'))})),
            ErrorCode::kLimitExceeded);
  EXPECT_EQ(s.code(kAlice, s.put_all(kAlice, {keyed(task(3), "c", 9ms)})),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(s.count(any_task()), 2u);
  s.at(1s);
  EXPECT_EQ(s.code(kAlice, s.put_all(kAlice, {keyed(task(3), "c")})), ErrorCode::kOk);
}

// Digests lie in people's directories: if this fails, right repetitions count as conflicts after an
// update of the server.  Do not change the number but the code.
TEST(SpaceKeyP23, DigestsStayWhatTheyAre) {
  NewTuple full{Tuple{"task", 1, Bytes::adopt(std::string(5000, 'x'))}, {}};
  full.attributes = {-2, Duration(10), 3, Tuple{7}, SessionId{1, 2}, {}};
  full.attributes.rare = RareAttributes{.key = "k", .delay = 1s, .group = "g"};
  EXPECT_EQ(content_digest(full), 3390800096287003806u);
  EXPECT_EQ(content_digest({Tuple{}, {}}), 2599325479582289830u);
}

}  // namespace
}  // namespace linden::core

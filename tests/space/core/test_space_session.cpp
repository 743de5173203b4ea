// Sessions and remembered answers: P18, P25, P36, and their recovery: P20, P35.
#include "tests/space/core/scenario.h"

namespace linden::core {
namespace {

// P36: a put that is said again has no second effect and the same answer.
TEST(SpaceSession, RemembersAPut) {
  Scenario s;
  const RequestId put = s.put(kAlice, task(1));
  const PutDone first = s.answer_as<PutDone>(kAlice, put);
  for (const bool crash : {false, true}) {
    if (crash) s.restart();
    s.attach(kAlice);
    s.forget();
    s.ask(kAlice, PutOp{{{task(1), {}}}}, put);
    EXPECT_EQ(s.answer_as<PutDone>(kAlice, put), first);
    EXPECT_EQ(s.state().counters().ready, 1u);
  }
}

// P36: so has a finish, although its token is stale by then.
TEST(SpaceSession, RemembersAFinish) {
  Scenario s;
  s.put(kAlice, task(1));
  const Token token = s.token(kBob, s.reserve(kBob, any_task()));
  const FinishOp finish{{{token, {{result(1), {}}}}}, {}};
  const RequestId request = s.ask(kBob, finish);
  const FinishDone first = s.answer_as<FinishDone>(kBob, request);
  for (const bool crash : {false, true}) {
    if (crash) s.restart();
    s.attach(kBob);
    s.forget();
    s.ask(kBob, finish, request);
    EXPECT_EQ(s.answer_as<FinishDone>(kBob, request), first);
    EXPECT_EQ(s.state().counters().ready, 1u);
  }
}

// P36: a take that is said again is given the same tuples, a reservation the same tokens.
TEST(SpaceSession, GivesTheSameTuplesAgain) {
  for (const TakeMode mode : {TakeMode::kTake, TakeMode::kReserve}) {
    Scenario s;
    s.put(kAlice, task(1));
    s.put(kAlice, task(2), {.priority = 1});
    s.put(kAlice, task(3));
    const TakeOp take{mode, {any_result(), any_task()}, 2};
    const RequestId request = s.ask(kBob, take);
    const Found first = s.answer_as<Found>(kBob, request);
    ASSERT_EQ(s.got(kBob, request), (Tuples{task(2), task(1)}));
    for (const bool crash : {false, true}) {
      if (crash) s.restart();
      s.attach(kBob);
      s.forget();
      s.ask(kBob, take, request);
      EXPECT_EQ(s.answer_as<Found>(kBob, request), first);
      EXPECT_EQ(s.state().counters().ready, 1u);
    }
  }
}

// P36: a take's answer is forgotten when it is acknowledged by name, also on disk; the watermark
// does not reach it, because a take may wait for longer than the requests around it.
TEST(SpaceSession, ForgetsATakeThatWasAcknowledged) {
  Scenario s;
  s.put(kAlice, task(1));
  const RequestId take = s.take(kAlice, any_task());
  s.hear(kAlice, RequestId{take.value + 1});
  std::vector<Mutation> described;
  ASSERT_TRUE(s.state().describe(TupleId{1}, described));
  EXPECT_TRUE(std::holds_alternative<TupleTaken>(described.back()));
  s.ask(kAlice, AckOp{{}, 0, {take}});
  EXPECT_FALSE(s.state().describe(TupleId{1}, described));
  EXPECT_TRUE(std::holds_alternative<TupleRemoved>(s.mutations().back()));
}

// P36: an answer that the client has acknowledged is forgotten; its number is used up.
TEST(SpaceSession, ForgetsWhatTheWatermarkPassed) {
  Scenario s;
  const RequestId put = s.put(kAlice, task(1));
  s.hear(kAlice, RequestId{put.value + 1});
  std::vector<Mutation> rest;
  s.state().describe_rest(rest);
  for (const Mutation& mutation : rest) {
    EXPECT_FALSE(std::holds_alternative<RequestAnswered>(mutation));
  }
  s.forget();
  s.ask(kAlice, PutOp{{{task(1), {}}}}, put);
  EXPECT_EQ(s.code(kAlice, put), ErrorCode::kInvalidArgument);
}

// P36: a blocked request that is said again after a reconnect waits again, once.
TEST(SpaceSession, WaitsAgainAfterAReconnect) {
  Scenario s;
  const RequestId take = s.take(kBob, any_task());
  s.lose(kBob);
  s.attach(kBob);
  s.ask(kBob, TakeOp{TakeMode::kTake, {any_task()}, 1, kForever}, take);
  EXPECT_EQ(s.state().counters().waiters, 1u);
  s.put(kAlice, task(1));
  s.put(kAlice, task(2));
  EXPECT_EQ(s.got(kBob, take), Tuples{task(1)});
}

// P36: a session is remembered for so long, and then all of it ends.
TEST(SpaceSession, EndsAfterItsMemory) {
  Scenario s;
  s.put(kAlice, task(1));
  s.take(kBob, any_task());
  s.at(1s).lose(kBob);
  s.at(60'999ms);
  EXPECT_TRUE(s.state().knows_session(kBob));
  s.at(61s);
  EXPECT_FALSE(s.state().knows_session(kBob));
  std::vector<Mutation> described;
  EXPECT_FALSE(s.state().describe(TupleId{1}, described));
}

// P18, P36: later than hold but within memory the answers are there, the reservations are not.
TEST(SpaceSession, KeepsAnswersLongerThanReservations) {
  Scenario s;
  const RequestId put = s.put(kBob, task(1));
  s.put(kBob, task(2), {.lives_with = kBob});
  const RequestId held = s.reserve(kBob, Template{"task", 1});
  const Token token = s.token(kBob, held);
  s.lose(kBob);
  s.at(30s).attach(kBob);
  EXPECT_EQ(s.finish(kBob, token), ErrorCode::kStaleLease);
  EXPECT_EQ(s.list().size(), 1u);
  s.ask(kBob, PutOp{{{task(1), {}}}}, put);
  EXPECT_EQ(s.list().size(), 1u);
}

// P20: after a restart leases run in full, longer than the hold time, and holders can finish.
TEST(SpaceSession, RearmsLeasesAfterARestart) {
  Scenario s;
  s.put_all(kAlice, {{task(1), {}}, {task(2), {}}});
  const RequestId first = s.reserve(kBob, any_task(), 0s, 30s);
  const RequestId second = s.reserve(kCarol, any_task(), 0s, 30s);
  const Token bob = s.token(kBob, first);
  const Token carol = s.token(kCarol, second);
  s.at(29s).restart();
  s.at(58s).attach(kBob);
  EXPECT_EQ(s.finish(kBob, bob), ErrorCode::kOk);
  s.at(59s).attach(kCarol);
  EXPECT_EQ(s.finish(kCarol, carol), ErrorCode::kStaleLease);
  const Token again = s.token(kBob, s.reserve(kBob, any_task()));
  EXPECT_EQ(again.attempt, carol.attempt + 1);
}

// P35: a restart keeps order, priorities, attempts, deaths, wills, times and ids.
TEST(SpaceSession, KeepsEverythingOverARestart) {
  Scenario s;
  s.put(kAlice, task(1), {.max_attempts = 2, .will = result(1)});
  s.put(kAlice, task(2), {.priority = 3});
  s.put(kAlice, task(3), {.ttl = 10s});
  s.put(kAlice, task(4), {.max_attempts = 1});
  s.release(kBob, s.token(kBob, s.reserve(kBob, Template{"task", 4})));
  s.release(kBob, s.token(kBob, s.reserve(kBob, Template{"task", 1})));
  s.take(kBob, Template{"task", 2});
  s.restart();
  for (const SessionId& who : {kAlice, kBob, kCarol}) s.attach(who);
  const auto tuples = s.list();
  ASSERT_EQ(tuples.size(), 3u);
  EXPECT_EQ(tuples[0].attempt, 1u);
  EXPECT_EQ(tuples[1].expires_in, Duration(10s));
  EXPECT_EQ(tuples[2].state, TupleState::kDead);
  s.release(kBob, s.token(kBob, s.reserve(kBob, Template{"task", 1})));
  EXPECT_EQ(s.count(any_result()), 1u);
  EXPECT_EQ(s.list().back().id, TupleId{5});
  s.at(10s);
  EXPECT_EQ(s.count(any_task()), 0u);
}

// Recovery reads an old state of a tuple and then later mutations, some of them twice.
TEST(SpaceSession, RestoresFromOverlappingMutations) {
  Scenario s;
  s.put(kAlice, task(1));
  s.put(kAlice, task(2));
  s.finish(kBob, s.token(kBob, s.reserve(kBob, any_task())));
  s.release(kBob, s.token(kBob, s.reserve(kBob, any_task())));
  std::vector<Mutation> rest;
  s.state().describe_rest(rest);
  std::vector<Mutation> described;
  ASSERT_TRUE(s.state().describe(TupleId{2}, described));
  const Token token = s.token(kBob, s.reserve(kBob, any_task()));
  SpaceState state;
  for (const Mutation& mutation : rest) state.restore(Mutation(mutation));
  for (const Mutation& mutation : described) state.restore(Mutation(mutation));
  for (const Mutation& mutation : s.mutations()) state.restore(Mutation(mutation));
  state.restored(Time{});
  std::vector<TupleId> ids;
  state.visit_ids([&](TupleId id) { ids.push_back(id); });
  EXPECT_EQ(ids, std::vector<TupleId>{TupleId{2}});
  Effects effects;
  state.apply(SessionAttached{kBob, "test", 5s, 60s, {}}, Time{}, effects);
  state.apply(Perform{{kBob, {99}}, FinishOp{{{token, {}}}, {}}}, Time{}, effects);
  EXPECT_EQ(std::get<FinishDone>(std::get<Reply>(effects.messages.back()).answer),
            FinishDone{{ErrorCode::kOk}});
}

// For space-admin: who is there, since when silent, with how much.
TEST(SpaceSession, ListsSessions) {
  Scenario s;
  s.put(kAlice, task(1));
  s.reserve(kBob, any_task());
  s.take(kBob, any_task());
  s.at(3s).lose(kAlice);
  const auto listed = std::get<SessionsListed>(s.answer(kCarol, s.ask(kCarol, ListSessionsOp{})));
  ASSERT_EQ(listed.sessions.size(), 3u);
  EXPECT_FALSE(listed.sessions[0].connected);
  EXPECT_EQ(listed.sessions[1].held, 1u);
  EXPECT_EQ(listed.sessions[1].waiting, 1u);
  EXPECT_EQ(listed.sessions[1].silent_for, Duration(3s));
}

// Counts by state and first fields, in a stable order; objects are not looked into.
TEST(SpaceSession, Summarizes) {
  Scenario s;
  s.put(kAlice, task(2));
  s.put(kAlice, task(-1));
  s.put(kAlice, task(-1));
  s.put(kAlice, Tuple{Value("data"), Value(Object{"pickle", {Bytes::copy_of("x")}})});
  s.reserve(kBob, Template{"task", 2});
  const auto summary = std::get<Summary>(s.answer(kCarol, s.ask(kCarol, SummarizeOp{2, 1000})));
  EXPECT_EQ(summary.tuples, 4u);
  ASSERT_EQ(summary.groups.size(), 3u);
  EXPECT_EQ(summary.groups[0].first_fields, (std::vector<Value>{"data", "<object>"}));
  EXPECT_EQ(summary.groups[1].first_fields, (std::vector<Value>{"task", -1}));
  EXPECT_EQ(summary.groups[1].ready, 2u);
  EXPECT_EQ(summary.groups[2].started, 1u);
  const auto cut = std::get<Summary>(s.answer(kCarol, s.ask(kCarol, SummarizeOp{1, 1})));
  EXPECT_EQ(cut.groups.size(), 1u);
  EXPECT_TRUE(cut.more);
}

TEST(SpaceSession, SummarizesWhatMatchesOnlyIfToldTo) {
  Scenario s;
  s.put(kAlice, task(1));
  s.put(kAlice, task(2));
  s.put(kAlice, result(1));
  s.reserve(kBob, Template{"task", 2});
  const auto summary =
      std::get<Summary>(s.answer(kCarol, s.ask(kCarol, SummarizeOp{1, 1000, any_task()})));
  EXPECT_EQ(summary.tuples, 2u);
  ASSERT_EQ(summary.groups.size(), 1u);
  EXPECT_EQ(summary.groups[0].first_fields, (std::vector<Value>{"task"}));
  EXPECT_EQ(summary.groups[0].ready, 1u);
  EXPECT_EQ(summary.groups[0].started, 1u);
}

TEST(SpaceSession, ListsWhatThePutHasSaid) {
  Scenario s;
  RareAttributes rare;
  rare.key = "key";
  rare.group = "group";
  rare.delay = 5s;
  s.at(1s).put(kAlice, task(1), {0, {}, 3, result(0), kAlice, rare});
  s.put(kAlice, task(2));
  s.at(2s);
  const auto listed = s.list();
  ASSERT_EQ(listed.size(), 2u);
  EXPECT_EQ(listed[0].state, TupleState::kDelayed);
  EXPECT_EQ(listed[0].visible_in, Duration(4s));
  EXPECT_EQ(listed[0].max_attempts, 3u);
  EXPECT_TRUE(listed[0].has_will);
  EXPECT_EQ(listed[0].lives_with, kAlice);
  EXPECT_EQ(listed[0].key, "key");
  EXPECT_EQ(listed[0].group, "group");
  EXPECT_EQ(listed[1].visible_in, std::nullopt);
  EXPECT_EQ(listed[1].key, "");
  EXPECT_TRUE(listed[1].lives_with.is_none());
}

TEST(SpaceSession, ListsHowManyGuardsHaveStillToBeMet) {
  Scenario s;
  RareAttributes rare;
  rare.when = {{any_task(), {}}, {any_result(), {}}};
  s.put(kAlice, Tuple{Value("guarded")}, {0, {}, 0, {}, {}, rare});
  EXPECT_EQ(s.list()[0].open_guards, 2u);
  s.put(kAlice, task(1));
  EXPECT_EQ(s.list()[0].open_guards, 1u);
}

// After a restart nobody knows any more.
TEST(SpaceSession, ListsForHowLongATupleIsHeld) {
  Scenario s;
  s.at(1s).put(kAlice, task(1));
  EXPECT_EQ(s.list()[0].held_for, std::nullopt);
  s.at(2s).reserve(kBob, any_task());
  s.at(5s);
  EXPECT_EQ(s.list()[0].held_for, Duration(3s));
  s.restart();
  s.attach(kCarol);
  EXPECT_EQ(s.list()[0].held_for, std::nullopt);
}

}  // namespace
}  // namespace linden::core

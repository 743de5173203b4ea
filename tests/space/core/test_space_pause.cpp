// Pauses and drains of a space or of a template.
#include "tests/space/core/scenario.h"

namespace linden::core {
namespace {

using Codes = std::vector<ErrorCode>;

Codes pause(Scenario& s, std::optional<Template> form = {}) {
  return s.answer_as<FinishDone>(kCarol, s.ask(kCarol, PauseOp{PauseKind::kPause, form})).codes;
}

Codes drain(Scenario& s, std::optional<Template> form = {}) {
  return s.answer_as<FinishDone>(kCarol, s.ask(kCarol, PauseOp{PauseKind::kDrain, form})).codes;
}

std::size_t resume(Scenario& s, std::optional<Template> form = {}) {
  return s.answer_as<FinishDone>(kCarol, s.ask(kCarol, ResumeOp{form, false})).codes.size();
}

std::vector<PauseInfo> pauses(Scenario& s) {
  return s.answer_as<PausesListed>(kCarol, s.ask(kCarol, ListPausesOp{})).pauses;
}

ErrorCode try_take(Scenario& s, Template form) {
  return s.code(kBob, s.take(kBob, std::move(form), 0s));
}

// ---- Pauses

TEST(SpacePause, HandsOutNothingThatMatches) {
  Scenario s;
  s.put(kAlice, task(1));
  s.put(kAlice, result(1));
  EXPECT_EQ(pause(s, any_task()), Codes{ErrorCode::kOk});
  s.put(kAlice, task(2));
  EXPECT_EQ(try_take(s, any_task()), ErrorCode::kNoMatch);
  EXPECT_EQ(s.code(kBob, s.reserve(kBob, any_task(), 0s)), ErrorCode::kNoMatch);
  TakeOp many{TakeMode::kTake, {any_task(), any_result()}, 10, 0s};
  EXPECT_EQ(s.got(kBob, s.ask(kBob, many)), Tuples{result(1)});
  EXPECT_EQ(s.got(kBob, s.stream(kBob, TakeMode::kReserve, any_task(), 5)), Tuples{});
}

TEST(SpacePause, IsSeenByWhoeverLooks) {
  Scenario s;
  s.put_all(kAlice, {{task(1), {}}, {task(2), {}}});
  pause(s, any_task());
  s.put(kAlice, task(3));
  EXPECT_EQ(s.count(any_task()), 3u);
  EXPECT_EQ(s.got(kBob, s.read(kBob, any_task(), 0s)), Tuples{task(1)});
  EXPECT_EQ(s.got(kBob, s.stream(kBob, TakeMode::kRead, any_task(), 5)),
            (Tuples{task(1), task(2), task(3)}));
  const SpaceCounters counters = s.state().counters();
  EXPECT_EQ(counters.ready, 0u);
  EXPECT_EQ(counters.paused, 3u);
  EXPECT_EQ(counters.pauses, 1u);
  for (const ListedTuple& item : s.list()) EXPECT_EQ(item.state, TupleState::kPaused);
}

// P24: they are there, so guards are met by them.
TEST(SpacePause, MeetsGuards) {
  Scenario s;
  s.put(kAlice, task(1));
  pause(s, any_task());
  NewTuple put{result(1), {}};
  put.attributes.rare = RareAttributes{.when = {{any_task(), {}}, {Template{"task", 2}, {}}}};
  s.put_all(kAlice, {put});
  s.put(kAlice, task(2));
  EXPECT_EQ(s.count(any_result()), 1u);
}

// P7, P10: who waited is served, the oldest tuple to the oldest waiter; nobody is woken for
// nothing.
TEST(SpacePause, ServesThoseWhoWaitWhenItEnds) {
  Scenario s;
  s.put(kAlice, task(1));
  pause(s, any_task());
  const RequestId first = s.take(kAlice, any_task());
  const RequestId second = s.reserve(kBob, any_task());
  s.put(kAlice, task(2));
  EXPECT_TRUE(s.waiting(kAlice, first));
  EXPECT_TRUE(s.waiting(kBob, second));
  EXPECT_EQ(resume(s, any_task()), 1u);
  EXPECT_EQ(s.got(kAlice, first), Tuples{task(1)});
  EXPECT_EQ(s.got(kBob, second), Tuples{task(2)});
  EXPECT_EQ(s.state().counters().paused, 0u);
}

TEST(SpacePause, KeepsTheOrderOfPriorities) {
  Scenario s;
  pause(s, any_task());
  s.put(kAlice, task(1));
  Attributes urgent;
  urgent.priority = 5;
  s.put(kAlice, task(2), urgent);
  const RequestId waiting = s.take(kBob, any_task());
  resume(s, any_task());
  EXPECT_EQ(s.got(kBob, waiting), Tuples{task(2)});
}

TEST(SpacePause, EndsWhenTheLastThatMatchesEnds) {
  Scenario s;
  s.put(kAlice, task(1));
  pause(s, any_task());
  pause(s, Template{"task", 1});
  pause(s);
  EXPECT_EQ(resume(s), 1u);
  EXPECT_EQ(resume(s, any_task()), 1u);
  EXPECT_EQ(try_take(s, any_task()), ErrorCode::kNoMatch);
  EXPECT_EQ(resume(s, any_task()), 0u) << "it has ended already";
  EXPECT_EQ(resume(s, Template{"task", 1}), 1u);
  EXPECT_EQ(try_take(s, any_task()), ErrorCode::kOk);
}

TEST(SpacePause, AllMayEndAtOnce) {
  Scenario s;
  s.put(kAlice, task(1));
  pause(s, any_task());
  drain(s, any_task());
  pause(s);
  const RequestId request = s.ask(kCarol, ResumeOp{{}, true});
  EXPECT_EQ(s.answer_as<FinishDone>(kCarol, request).codes.size(), 3u);
  EXPECT_EQ(try_take(s, any_task()), ErrorCode::kOk);
}

// What is out when it begins stays with its holder, who may finish it; what comes back stays here.
TEST(SpacePause, LeavesHandOutsAlone) {
  Scenario s;
  s.put_all(kAlice, {{task(1), {}}, {task(2), {}}});
  const Token first = s.token(kBob, s.reserve(kBob, any_task()));
  const Token second = s.token(kBob, s.reserve(kBob, any_task()));
  pause(s);
  EXPECT_EQ(s.finish(kBob, first, {result(1)}), ErrorCode::kOk);
  EXPECT_EQ(s.release(kBob, second), ErrorCode::kOk);
  EXPECT_EQ(try_take(s, any_task()), ErrorCode::kNoMatch);
  EXPECT_EQ(try_take(s, any_result()), ErrorCode::kNoMatch);
  resume(s);
  EXPECT_EQ(s.got(kBob, s.take(kBob, any_task())), Tuples{task(2)});
}

// P26, P27
TEST(SpacePause, HoldsInTransactionsAndCommits) {
  Scenario s;
  s.put(kAlice, task(1));
  pause(s, any_task());
  const RequestId open = s.ask(kBob, BeginOp{});
  TakeOp take{TakeMode::kTake, {any_task()}, 1, 0s};
  take.transaction = open;
  EXPECT_EQ(s.code(kBob, s.ask(kBob, take)), ErrorCode::kNoMatch);
  take.mode = TakeMode::kRead;
  EXPECT_EQ(s.got(kBob, s.ask(kBob, take)), Tuples{task(1)});
  const RequestId commit = s.ask(kAlice, CommitOp{{}, {}, {TupleId{1}}});
  EXPECT_EQ(s.code(kAlice, commit), ErrorCode::kTransactionConflict);
}

// What it took before goes back to where it is paused when it aborts.
TEST(SpacePause, GetsBackWhatATransactionTook) {
  Scenario s;
  s.put(kAlice, task(1));
  const RequestId open = s.ask(kBob, BeginOp{});
  TakeOp take{TakeMode::kTake, {any_task()}, 1, 0s};
  take.transaction = open;
  s.ask(kBob, take);
  pause(s, any_task());
  s.ask(kBob, EndOp{open, false});
  EXPECT_EQ(s.state().counters().paused, 1u);
  EXPECT_EQ(try_take(s, any_task()), ErrorCode::kNoMatch);
}

// P6: a take never walks over what is paused.
TEST(SpacePause, CostsTakesNothing) {
  Scenario s;
  for (int number = 0; number < 1'000; ++number) s.put(kAlice, task(number));
  pause(s, Template{"task", Between{0, 1'000}});
  s.put(kAlice, task(5'000));
  const std::uint64_t before = s.state().counters().candidates_looked_at;
  EXPECT_EQ(s.got(kBob, s.take(kBob, any_task())), Tuples{task(5'000)});
  EXPECT_LE(s.state().counters().candidates_looked_at - before, 2u);
}

TEST(SpacePause, EndsWithItsTuples) {
  Scenario s;
  Attributes brief;
  brief.ttl = 5s;
  s.put(kAlice, task(1), brief);
  pause(s);
  s.at(5s);
  EXPECT_EQ(s.state().counters().paused, 0u);
  EXPECT_EQ(s.state().counters().tuples, 0u);
}

// ---- Drains

TEST(SpaceDrain, RefusesPutsAndLetsTakesGoOn) {
  Scenario s;
  s.put(kAlice, task(1));
  drain(s, any_task());
  const RequestId refused = s.put_all(kAlice, {{result(1), {}}, {task(2), {}}});
  EXPECT_EQ(s.code(kAlice, refused), ErrorCode::kOverloaded);
  const std::string& message = s.answer_as<Refused>(kAlice, refused).message;
  EXPECT_NE(message.find("drained, set by 'test'"), std::string::npos) << message;
  EXPECT_EQ(s.count(any_result()), 0u) << "all or none";
  s.put(kAlice, result(1));
  EXPECT_EQ(s.got(kBob, s.take(kBob, any_task())), Tuples{task(1)});
  resume(s, any_task());
  EXPECT_EQ(s.code(kAlice, s.put(kAlice, task(2))), ErrorCode::kOk);
}

// P17: work that is under way is not thrown away, as in a full space (P33).
TEST(SpaceDrain, LetsWorkBeFinished) {
  Scenario s;
  s.put_all(kAlice, {{task(1), {}}, {task(2), {}}});
  drain(s);
  EXPECT_EQ(s.finish(kBob, s.token(kBob, s.reserve(kBob, any_task())), {result(1)}),
            ErrorCode::kOk);
  EXPECT_EQ(s.code(kAlice, s.ask(kAlice, CommitOp{{{task(3), {}}}, {}, {TupleId{2}}})),
            ErrorCode::kOk);
  EXPECT_EQ(s.code(kAlice, s.ask(kAlice, CommitOp{{{task(4), {}}}, {}, {}})),
            ErrorCode::kOverloaded);
  FinishOp nothing;
  nothing.items.push_back(FinishItem{std::nullopt, {NewTuple{task(5), {}}}});
  EXPECT_EQ(s.code(kAlice, s.ask(kAlice, nothing)), ErrorCode::kOverloaded);
}

// P27: a transaction that only puts is a put.
TEST(SpaceDrain, RefusesATransactionThatOnlyPuts) {
  Scenario s;
  drain(s, any_task());
  const RequestId open = s.ask(kBob, BeginOp{});
  s.ask(kBob, PutOp{{NewTuple{task(1), {}}}, open});
  EXPECT_EQ(s.code(kBob, s.ask(kBob, EndOp{open})), ErrorCode::kOverloaded);
  EXPECT_EQ(s.count(any_task()), 0u);
}

// ---- What is set

TEST(SpacePause, IsListedWithWhoSetItAndSinceWhen) {
  Scenario s;
  s.put(kAlice, task(1));
  s.at(1s);
  pause(s, any_task());
  s.at(2s);
  drain(s);
  EXPECT_EQ(drain(s), Codes{ErrorCode::kNoMatch}) << "it stands already";
  s.at(5s);
  const std::vector<PauseInfo> set = pauses(s);
  ASSERT_EQ(set.size(), 2u);
  EXPECT_EQ(set[0].kind, PauseKind::kPause);
  EXPECT_EQ(to_string(*set[0].form), to_string(any_task()));
  EXPECT_EQ(set[0].set_by, "test");
  EXPECT_EQ(set[0].set_for, 4s);
  EXPECT_EQ(set[0].tuples, 1u);
  EXPECT_EQ(set[1].kind, PauseKind::kDrain);
  EXPECT_FALSE(set[1].form);
  EXPECT_EQ(set[1].set_for, 3s);
}

// P35
TEST(SpacePause, SurvivesARestart) {
  Scenario s;
  s.put(kAlice, task(1));
  pause(s, any_task());
  pause(s, any_result());
  drain(s, any_result());
  resume(s, Template{"task", 7});
  s.restart();
  for (const SessionId& who : {kAlice, kBob, kCarol}) s.attach(who);
  EXPECT_EQ(pauses(s).size(), 3u);
  EXPECT_EQ(try_take(s, any_task()), ErrorCode::kNoMatch);
  EXPECT_EQ(s.code(kAlice, s.put(kAlice, result(1))), ErrorCode::kOverloaded);
  EXPECT_EQ(resume(s, any_result()), 2u);
  EXPECT_EQ(resume(s, any_task()), 1u);
  s.restart();
  for (const SessionId& who : {kAlice, kBob, kCarol}) s.attach(who);
  EXPECT_EQ(pauses(s).size(), 0u);
  EXPECT_EQ(try_take(s, any_task()), ErrorCode::kOk);
}

// P36: said again after somebody else has ended it, it does not begin anew.
TEST(SpacePause, IsDoneOnceHoweverOftenItIsSaid) {
  Scenario s;
  const RequestId request = s.ask(kAlice, PauseOp{});
  resume(s);
  s.ask(kAlice, PauseOp{}, request);
  EXPECT_EQ(pauses(s).size(), 0u);
}

// P38
TEST(SpacePause, RefusesMoreThanItsBound) {
  Limits limits;
  limits.pauses_max = 2;
  Scenario s(limits);
  pause(s, any_task());
  drain(s, any_task());
  const RequestId refused = s.ask(kAlice, PauseOp{PauseKind::kDrain, any_result()});
  EXPECT_EQ(s.code(kAlice, refused), ErrorCode::kOverloaded);
  EXPECT_EQ(pauses(s).size(), 2u);
  EXPECT_EQ(pause(s, any_task()), Codes{ErrorCode::kNoMatch}) << "what stands stands";
}

}  // namespace
}  // namespace linden::core

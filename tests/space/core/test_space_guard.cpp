// Guarded tuples: P24, their recovery: P35, their bounds: P38.
#include "tests/space/core/scenario.h"

namespace linden::core {
namespace {

NewTuple guarded(Tuple tuple, std::vector<Guard> when) {
  NewTuple put{std::move(tuple), {}};
  RareAttributes rare;
  rare.when = std::move(when);
  put.attributes.rare = std::move(rare);
  return put;
}

Guard result_of(std::int64_t number) {
  return {Template{"result", number}, {}};
}

std::vector<TupleState> states(Scenario& s) {
  std::vector<TupleState> states;
  for (const ListedTuple& item : s.list()) states.push_back(item.state);
  return states;
}

// P24: hidden until each guard was met, by what is there or by what comes.
TEST(SpaceGuardP24, HidesATupleUntilItsGuardsAreMet) {
  Scenario s;
  s.put(kAlice, result(1));
  s.put_all(kAlice, {guarded(task(1), {result_of(1), result_of(2)})});
  EXPECT_EQ(s.count(any_task()), 0u);
  EXPECT_EQ(states(s), (std::vector{TupleState::kReady, TupleState::kGuarded}));
  EXPECT_EQ(s.state().counters().guarded, 1u);
  const RequestId take = s.take(kBob, any_task());
  s.put(kAlice, result(2));
  EXPECT_EQ(s.got(kBob, take), Tuples{task(1)});
  EXPECT_EQ(s.count(any_result()), 2u);
  EXPECT_EQ(s.state().counters().guarded, 0u);
}

// P24: one put may meet all the guards of many; a guard that is met at once hides nothing.
TEST(SpaceGuardP24, MayBeMetAtOnce) {
  Scenario s;
  s.put_all(kAlice, {guarded(task(1), {{any_result(), {}}, {any_result(), {}}}),
                     guarded(task(2), {{any_result(), {}}})});
  s.put(kAlice, result(1));
  s.put_all(kAlice, {guarded(task(3), {{any_result(), {}}}), guarded(task(4), {})});
  EXPECT_EQ(s.count(any_task()), 4u);
  EXPECT_EQ(s.got(kBob, s.take(kBob, any_task())), Tuples{task(1)});
}

// P24: what a guard has seen it has seen for good, even if it was taken at once by a blocked take.
TEST(SpaceGuardP24, IsMetByWhatIsTakenAtOnce) {
  Scenario s;
  s.put_all(kAlice, {guarded(task(1), {result_of(1), result_of(2)})});
  s.take(kBob, any_result());
  s.put(kAlice, result(1));
  EXPECT_EQ(s.count(any_result()), 0u);
  s.put(kAlice, result(2));
  EXPECT_EQ(s.count(any_task()), 1u);
}

// P24: hidden tuples meet no guard: one that is out does when it comes back, a delayed or guarded
// one when it becomes visible.
TEST(SpaceGuardP24, IsMetByVisibleTuplesOnly) {
  Scenario s;
  s.put(kAlice, result(1));
  const Token token = s.token(kBob, s.reserve(kBob, any_result()));
  NewTuple late{result(2), {}};
  late.attributes.rare = RareAttributes{.delay = 5s};
  s.put_all(kAlice, {late, guarded(task(1), {result_of(1)}), guarded(task(2), {result_of(2)}),
                     guarded(task(3), {{Template{"task", 2}, {}}})});
  EXPECT_EQ(s.count(any_task()), 0u);
  s.release(kBob, token);
  EXPECT_EQ(s.count(any_task()), 1u);
  s.at(5s);
  EXPECT_EQ(s.count(any_task()), 3u);
}

// P24: a guard fills fields with what it has seen: the most urgent and oldest match.
TEST(SpaceGuardP24, FillsFields) {
  Scenario s;
  s.put(kAlice, result(7));
  s.put(kAlice, result(8), {.priority = 1});
  const Guard seen{any_result(), {{1, 1}, {0, 2}}};
  const Guard coming{Template{"more", kAny}, {{1, 3}}};
  s.put_all(kAlice, {guarded(Tuple{"sum", nullptr, nullptr, nullptr}, {seen, coming})});
  s.put(kAlice, Tuple{"more", List{1, 2}});
  const RequestId take = s.take(kBob, Template{"sum", 8, kAny, kList});
  EXPECT_EQ(s.got(kBob, take), (Tuples{Tuple{"sum", 8, "result", List{1, 2}}}));
}

// P24: filled in fields are matched like any other; who waits for them is served.
TEST(SpaceGuardP24, ServesThoseWhoWaitForFilledFields) {
  Scenario s;
  const RequestId wrong = s.take(kBob, Template{"next", 8});
  const RequestId right = s.take(kCarol, Template{"next", 7});
  s.put_all(kAlice, {guarded(Tuple{"next", nullptr}, {{any_result(), {{1, 1}}}})});
  s.put(kAlice, result(7));
  EXPECT_TRUE(s.waiting(kBob, wrong));
  EXPECT_EQ(s.got(kCarol, right), (Tuples{Tuple{"next", 7}}));
}

// P21, P25: a guarded tuple ends like any other, and its guards with it.
TEST(SpaceGuardP24, EndsWithItsTimeOrItsSession) {
  Scenario s;
  NewTuple mortal = guarded(task(1), {result_of(1)});
  mortal.attributes.ttl = 1s;
  NewTuple bound = guarded(task(2), {result_of(1)});
  bound.attributes.lives_with = kCarol;
  bound.attributes.will = Tuple{"gone"};
  s.put_all(kAlice, {mortal, bound});
  s.at(1s).close(kCarol);
  s.attach(kCarol);
  EXPECT_EQ(s.count(Template{"gone"}), 1u);
  s.put(kAlice, result(1));
  EXPECT_EQ(s.count(any_task()), 0u);
  EXPECT_EQ(s.state().counters().tuples, 2u);
}

// P22, P24: guards, delay and group all have to let it go; its place in the group is that of its
// put.
TEST(SpaceGuardP24, GoesTogetherWithDelayAndGroup) {
  Scenario s;
  NewTuple first = guarded(task(1), {result_of(1)});
  RareAttributes rare = *first.attributes.rare;
  rare.delay = 5s;
  rare.group = "g";
  first.attributes.rare = rare;
  NewTuple second{task(2), {}};
  second.attributes.rare = RareAttributes{.group = "g"};
  s.put_all(kAlice, {first, second});
  EXPECT_EQ(states(s), (std::vector{TupleState::kGuarded, TupleState::kBehind}));
  s.put(kAlice, result(1));
  EXPECT_EQ(s.list()[0].state, TupleState::kDelayed);
  s.at(5s);
  EXPECT_EQ(s.got(kBob, s.take(kBob, any_task())), Tuples{task(1)});
  EXPECT_EQ(s.got(kBob, s.take(kBob, any_task())), Tuples{task(2)});
}

// P35: guards, those that were met and what they have filled in, survive a restart.
TEST(SpaceGuardP24, SurvivesARestart) {
  Scenario s;
  s.put_all(kAlice, {guarded(Tuple{"sum", nullptr, nullptr},
                             {{Template{"a", kInt}, {{1, 1}}}, {Template{"b", kInt}, {{1, 2}}}})});
  s.put(kAlice, Tuple{"a", 1});
  s.take(kBob, Template{"a", kInt});
  s.restart();
  s.attach(kAlice);
  EXPECT_EQ(states(s), (std::vector{TupleState::kGuarded}));
  s.put(kAlice, Tuple{"b", 2});
  s.restart();
  s.attach(kBob);
  EXPECT_EQ(s.got(kBob, s.take(kBob, Template{"sum", kInt, kInt})), (Tuples{Tuple{"sum", 1, 2}}));
}

// P35: the table describes a guarded tuple with what was filled in; older mutations after it change
// nothing.
TEST(SpaceGuardP24, IsRestoredFromOverlappingMutations) {
  Scenario s;
  s.put_all(kAlice, {guarded(Tuple{"sum", nullptr, nullptr},
                             {{Template{"a", kInt}, {{1, 1}}}, {Template{"b", kInt}, {{1, 2}}}})});
  for (const Tuple& tuple : {Tuple{"a", 1}, Tuple{"b", 2}}) {
    s.put(kAlice, tuple);
    SpaceState state;
    std::vector<Mutation> described;
    s.state().describe_rest(described);
    ASSERT_TRUE(s.state().describe(TupleId{1}, described));
    for (const Mutation& mutation : described) state.restore(Mutation(mutation));
    for (const Mutation& mutation : s.mutations()) {
      if (!std::holds_alternative<TupleAdded>(mutation)) state.restore(Mutation(mutation));
    }
    state.restored(Time{});
    std::vector<Mutation> again;
    ASSERT_TRUE(state.describe(TupleId{1}, again));
    std::vector<Mutation> expected;
    ASSERT_TRUE(s.state().describe(TupleId{1}, expected));
    ASSERT_EQ(again.size(), expected.size());
    EXPECT_EQ(std::get<TupleAdded>(again[0]).tuple, std::get<TupleAdded>(expected[0]).tuple);
    EXPECT_EQ(std::get<TupleAdded>(again[0]).attributes,
              std::get<TupleAdded>(expected[0]).attributes);
  }
}

// P24, P6: a graph resolves in time linear in its size, a chain as well as a fan.
TEST(SpaceGuardP24, ResolvesAGraphInLinearTime) {
  constexpr std::int64_t kTuples = 100'000;
  Scenario s;
  std::vector<NewTuple> chain;
  for (std::int64_t i = 1; i <= kTuples; ++i) {
    chain.push_back(
        guarded(Tuple{"node", i, nullptr}, {{Template{"node", i - 1, kAny}, {{1, 2}}}}));
  }
  s.put_all(kAlice, std::move(chain));
  EXPECT_EQ(s.state().counters().guarded, static_cast<std::uint64_t>(kTuples));
  const std::uint64_t before = s.state().counters().candidates_looked_at;
  s.put(kAlice, Tuple{"node", 0, nullptr});
  EXPECT_EQ(s.state().counters().ready, static_cast<std::uint64_t>(kTuples) + 1);
  EXPECT_LE(s.state().counters().candidates_looked_at - before,
            static_cast<std::uint64_t>(2 * kTuples));
  EXPECT_EQ(s.got(kBob, s.take(kBob, Template{"node", kTuples, kInt})),
            (Tuples{Tuple{"node", kTuples, kTuples - 1}}));
}

// P38: bad and too many guards are refused without effect.
TEST(SpaceGuardP24, IsBounded) {
  Limits limits;
  limits.guards_per_tuple_max = 2;
  limits.guards_max = 3;
  Scenario s(limits);
  const auto code = [&](NewTuple put) { return s.code(kAlice, s.put_all(kAlice, {put})); };
  EXPECT_EQ(code(guarded(task(1), {{any_result(), {{2, 0}}}})), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(guarded(task(1), {{any_result(), {{0, 2}}}})), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(guarded(task(1), std::vector<Guard>(3, result_of(1)))), ErrorCode::kLimitExceeded);
  EXPECT_EQ(code(guarded(task(1), std::vector<Guard>(2, result_of(1)))), ErrorCode::kOk);
  EXPECT_EQ(code(guarded(task(2), std::vector<Guard>(2, result_of(1)))), ErrorCode::kOverloaded);
  const RequestId finish = s.ask(kAlice, FinishOp{{{{}, {guarded(task(2), {result_of(1)})}},
                                                   {{}, {guarded(task(3), {result_of(1)})}}},
                                                  {}});
  EXPECT_EQ(s.code(kAlice, finish), ErrorCode::kOverloaded);
  EXPECT_EQ(s.list().size(), 1u);
  s.put(kAlice, result(1));
  EXPECT_EQ(code(guarded(task(2), std::vector<Guard>(2, result_of(2)))), ErrorCode::kOk);
}

// P38: what would grow beyond the limit when it is filled in leaves its will, or is kept as dead.
TEST(SpaceGuardP24, GivesUpWhatBecomesTooLarge) {
  Limits limits;
  limits.tuple_bytes_max = 90;
  Scenario s(limits);
  const Guard guard{Template{"body", kText}, {{1, 1}}};
  NewTuple with_will = guarded(Tuple{"task", nullptr}, {guard, result_of(1)});
  with_will.attributes.will = Tuple{"too large"};
  s.put_all(kAlice, {with_will, guarded(Tuple{"task", nullptr}, {guard, result_of(1)})});
  s.put(kAlice, Tuple{"body", std::string(80, 'x')});
  EXPECT_EQ(s.count(Template{"too large"}), 1u);
  EXPECT_EQ(s.list()[0].state, TupleState::kDead);
  s.put(kAlice, result(1));
  EXPECT_EQ(s.count(Template{"task", kAny}), 0u);
  s.restart();
  EXPECT_EQ(s.state().counters().dead, 1u);
  s.put(kAlice, result(1));
  EXPECT_EQ(s.state().counters().dead, 1u);
}

}  // namespace
}  // namespace linden::core

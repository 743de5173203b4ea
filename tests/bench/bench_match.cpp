// tests/bench/bench_match.cpp: what the core costs, without server, sockets and disk.
//
// One item is a task's whole life: put, handed out under a lease, finished with a result that is
// taken.  `waiting` tuples of the same shape lie in the space meanwhile, and `waiters` requests
// that match nothing (P6).  take_by_field takes one of many by the value of one of its fields and
// puts it back; beside_waiters puts and takes while requests with five sets of actual fields wait
// for something else.  bytes_per_tuple is what a small waiting tuple costs in memory, its own
// bytes and an index in use included.
#include <malloc.h>

#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "space/core/space_state.h"

namespace {

using namespace linden;        // NOLINT(google-build-using-namespace)
using namespace linden::core;  // NOLINT(google-build-using-namespace)

constexpr SessionId kClient{1, 1};
constexpr SessionId kEngine{1, 2};

class Space {
 public:
  Space() {
    for (const SessionId& session : {kClient, kEngine}) {
      state_.apply(SessionAttached{session, "bench", {}, {}, {}}, now_, effects_);
    }
  }
  // Says that everything before was acknowledged, as clients do.
  RequestId ask(SessionId session, Operation operation) {
    const RequestId request{++request_};
    state_.apply(Perform{{session, request}, std::move(operation)}, now_, effects_);
    return request;
  }
  void end_batch() {
    state_.apply(SessionHeard{kClient, {request_}}, now_, effects_);
    state_.apply(SessionHeard{kEngine, {request_}}, now_, effects_);
    effects_.clear();
  }
  void fill(std::int64_t tuples, std::int64_t waiters) {
    for (std::int64_t i = 0; i < tuples; ++i) {
      ask(kClient, PutOp{{{Tuple{"task", "other", i, Bytes::copy_of("sixteen bytes ok")}, {}}}});
      if (i % 1000 == 0) end_batch();
    }
    for (std::int64_t i = 0; i < waiters; ++i) {
      TakeOp op{TakeMode::kTake, {Template{"result", i, kAny}}};
      op.timeout = kForever;
      ask(kClient, op);
    }
    end_batch();
  }
  [[nodiscard]] Effects& effects() { return effects_; }

 private:
  SpaceState state_;
  Time now_{};
  Effects effects_;
  std::uint64_t request_ = 0;
};

NewTuple some_task(std::int64_t number) {
  return {Tuple{"task", "any", number, Bytes::copy_of("sixteen bytes ok")}, {}};
}

const Template& task_form() {
  static const Template form{"task", "any", kInt, kAny};
  return form;
}

// Each step is a request of its own.
void one_by_one(benchmark::State& state) {
  Space space;
  space.fill(state.range(0), state.range(1));
  std::int64_t number = 0;
  for (auto _ : state) {
    space.ask(kClient, PutOp{{some_task(++number)}});
    space.effects().messages.clear();
    space.ask(kEngine, TakeOp{TakeMode::kReserve, {task_form()}});
    const auto& reply = std::get<Reply>(space.effects().messages.back());
    const Handout& handout = std::get<Found>(reply.answer).tuples[0];
    FinishOp finish;
    finish.items.push_back({Token{handout.id, handout.attempt}, {}});
    space.ask(kEngine, std::move(finish));
    if (number % 100 == 0) space.end_batch();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(one_by_one)
    ->ArgNames({"waiting", "waiters"})
    ->Args({0, 0})
    ->Args({1'000'000, 0})
    ->Args({0, 100'000});

// Tasks stream to an engine with a credit of four; it finishes each with a result.
void streamed(benchmark::State& state) {
  Space space;
  space.fill(state.range(0), state.range(1));
  space.ask(kEngine, StreamOp{TakeMode::kReserve, {task_form()}, 4});
  space.effects().clear();
  std::int64_t number = 0;
  for (auto _ : state) {
    ++number;
    space.effects().messages.clear();
    space.ask(kClient, PutOp{{some_task(number)}});
    const auto& notice = std::get<Notice>(space.effects().messages.front());
    const Handout& handout = std::get<Delivered>(notice.event).tuples[0];
    FinishOp finish;
    finish.items.push_back({Token{handout.id, handout.attempt}, {}});
    finish.items[0].puts.push_back({Tuple{"result", number, "ok"}, {}});
    space.ask(kEngine, std::move(finish));
    const RequestId take =
        space.ask(kClient, TakeOp{TakeMode::kTake, {Template{"result", number, kAny}}});
    space.ask(kClient, AckOp{{}, 0, {take}});
    if (number % 100 == 0) space.end_batch();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(streamed)
    ->ArgNames({"waiting", "waiters"})
    ->Args({0, 0})
    ->Args({1'000'000, 0})
    ->Args({0, 100'000});

// Field 0 is the same in all, so that the oldest is taken; the others are unique.
Tuple numbered(std::int64_t number) {
  return Tuple{"task", number, "name-" + std::to_string(number)};
}

Template form_by_field(std::int64_t field, std::int64_t number) {
  if (field == 0) return Template{"task", kInt, kText};
  if (field == 1) return Template{kText, number, kText};
  return Template{kText, kInt, "name-" + std::to_string(number)};
}

// Takes by `field` and puts back, anywhere in the space.
void take_by_field(benchmark::State& state) {
  const std::int64_t waiting = state.range(0);
  Space space;
  for (std::int64_t i = 0; i < waiting; ++i) {
    space.ask(kClient, PutOp{{{numbered(i), {}}}});
    if (i % 1000 == 0) space.end_batch();
  }
  space.end_batch();
  std::uint64_t random = 1;
  const auto take_and_put_back = [&] {
    random = random * 6364136223846793005U + 1442695040888963407U;
    const std::uint64_t number = (random >> 33) % static_cast<std::uint64_t>(waiting);
    space.effects().messages.clear();
    const Template form = form_by_field(state.range(1), static_cast<std::int64_t>(number));
    const RequestId take = space.ask(kEngine, TakeOp{TakeMode::kTake, {form}});
    const auto& reply = std::get<Reply>(space.effects().messages.back());
    const Tuple taken = std::get<Found>(reply.answer).tuples[0].tuple;
    space.ask(kEngine, AckOp{{}, 0, {take}});
    space.ask(kClient, PutOp{{{taken, {}}}});
    if (take.value % 100 == 0) space.end_batch();
  };
  take_and_put_back();  // the space learns how it is asked
  for (auto _ : state) take_and_put_back();
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(take_by_field)
    ->ArgNames({"waiting", "field"})
    ->ArgsProduct({{10, 100'000, 10'000'000}, {0, 1, 2}})
    ->Iterations(200'000);

void beside_waiters(benchmark::State& state) {
  Space space;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    const std::string name = "other-" + std::to_string(i);
    const Template forms[] = {{"other", i, kText},
                              {"other", kInt, name},
                              {kText, -1 - i, kText},
                              {kText, kInt, name},
                              {kText, -1 - i, name}};
    TakeOp op{TakeMode::kTake, {forms[i % 5]}};
    op.timeout = kForever;
    space.ask(kClient, op);
  }
  space.end_batch();
  std::int64_t number = 0;
  for (auto _ : state) {
    space.effects().messages.clear();
    space.ask(kClient, PutOp{{{numbered(++number), {}}}});
    const RequestId take = space.ask(kEngine, TakeOp{TakeMode::kTake, {form_by_field(0, 0)}});
    space.ask(kEngine, AckOp{{}, 0, {take}});
    if (number % 100 == 0) space.end_batch();
  }
  state.SetItemsProcessed(state.iterations());
}
// Five waiters already have all the sets of fields that a hundred thousand have.
BENCHMARK(beside_waiters)->ArgNames({"waiters"})->Arg(0)->Arg(5)->Arg(100'000);

void memory(benchmark::State& state) {
  for (auto _ : state) {
    const std::size_t before = mallinfo2().uordblks;
    Space space;
    TakeOp learn{TakeMode::kTake, {Template{"task", "any", kInt, kAny}}};
    space.ask(kEngine, learn);
    space.fill(state.range(0), 0);
    space.effects() = Effects{};
    const std::size_t after = mallinfo2().uordblks;
    state.counters["bytes_per_tuple"] =
        static_cast<double>(after - before) / static_cast<double>(state.range(0));
  }
}
BENCHMARK(memory)->Arg(100'000)->Iterations(1)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();

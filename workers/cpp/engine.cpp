// workers/cpp/engine.cpp
#include "workers/cpp/engine.h"

#include <unistd.h>
#include <tbb/global_control.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

#include <semaphore>
#include <thread>

namespace linden {

namespace {

// Positions in a task tuple.
constexpr std::size_t kClient = 2;
constexpr std::size_t kNumber = 3;
constexpr std::size_t kFunction = 6;
constexpr std::size_t kPayload = 8;

constexpr Duration kStopCheck = std::chrono::milliseconds(100);
constexpr std::uint32_t kWishesAtOnce = 64;

double wall_clock_s() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

Template tasks_of(const FunctionRegistry& functions) {
  OneOf names;
  for (const auto& name : functions.names()) names.values.emplace_back(name);
  return Template{"task", "native", kText, kInt, kText, "call", names, kAny, kList};
}

// What clients say to this engine alone: cancel this task.
Template cancels_for(const std::string& session) {
  return Template{"control", session, "cancel", kList};
}

TaskKey key_of(const Tuple& task) {
  return {task[kClient].as_text(), task[kNumber].as_int()};
}

thread_local std::stop_token running_task;

// One error as the farm writes it: item, name, value, traceback, pickled exception.
Value error_payload(const std::string& name, const std::string& message) {
  const List row{0, name, message, name + ": " + message, nullptr};
  return List{List{Value(row)}, nullptr};
}

}  // namespace

std::stop_token this_task() noexcept {
  return running_task;
}

Tuple native_task(const std::string& client, std::int64_t number, const std::string& function,
                  List arguments) {
  return Tuple{
      "task", "native", client, number, function, "call", function, nullptr, std::move(arguments)};
}

Outcome run_call(const FunctionRegistry& functions, const Tuple& task) {
  try {
    return {"ok", functions.call(task[kFunction].as_text(), task[kPayload].as_list())};
  } catch (const Error& error) {
    return {"error", error_payload("linden::Error", error.what())};
  } catch (const std::exception& error) {
    return {"error", error_payload("std::exception", error.what())};
  } catch (...) {  // The border to functions that are not ours.
    return {"error",
            error_payload("unknown", "the function threw something that is no std::exception")};
  }
}

Tuple result_of(const Tuple& task, Outcome outcome, List meta) {
  return Tuple{"result",        task[kClient],
               task[kNumber],   std::move(outcome.status),
               std::move(meta), std::move(outcome.payload)};
}

Engine::Engine(Space space, FunctionRegistry functions, EngineOptions options)
    : space_(std::move(space)), functions_(std::move(functions)), options_(std::move(options)) {
  if (functions_.names().empty()) {
    throw Error(ErrorCode::kInvalidArgument,
                "an engine needs at least one function; add it to the registry first");
  }
}

// Visible to space-admin; ("engine", ...) is for engines that run Python.
void Engine::register_engine() {
  List names;
  for (const auto& name : functions_.names()) names.emplace_back(name);
  Attributes attributes;
  attributes.lives_with = space_.client().session();
  space_.put(Tuple{"native_engine", to_string(space_.client().session()), options_.name, ::getpid(),
                   names},
             attributes);
}

void Engine::run_task(Stream& stream, const Handout& task) {
  const auto started = wall_clock_s();
  const TaskKey key = key_of(task.tuple);
  // It may have been cancelled at an engine that has died since.
  if (task.attempt > 1 && space_.try_read(Template{"cancelled", key.client, key.number})) {
    cancellations_.cancel(key);
  }
  running_task = cancellations_.begin(key);
  Outcome outcome;
  if (!running_task.stop_requested()) outcome = run_call(functions_, task.tuple);
  running_task = {};
  if (cancellations_.end(key)) outcome = {"cancelled", nullptr};
  List meta{nullptr, to_string(space_.client().session()), started, wall_clock_s()};
  NewTuple put{result_of(task.tuple, std::move(outcome), std::move(meta)), {}};
  stream.finish({task.id, task.attempt}, {std::move(put)}, stream.queued() == 0);
  ++done_;
}

void Engine::listen(Stream& control, const std::stop_token& ended) {
  try {
    while (!ended.stop_requested()) {
      const auto wish = control.next(kStopCheck);
      if (!wish) continue;
      const List task = wish->tuple[3].as_list();
      const bool names_one = task.size() == 2 && task[0].type() == FieldType::kText &&
                             task[1].type() == FieldType::kInt;
      if (names_one) cancellations_.cancel({task[0].as_text(), task[1].as_int()});
    }
  } catch (const Error&) {
    // The session has ended; run() hears of it, too.
  }
}

void Engine::run() {
  register_engine();
  const int threads =
      options_.threads > 0 ? options_.threads : tbb::this_task_arena::max_concurrency();
  // This thread only hands tasks out, so no place is kept for it, and there must be as many workers
  // as may run tasks, however few cores there are.
  const tbb::global_control workers(tbb::global_control::max_allowed_parallelism,
                                    static_cast<std::size_t>(threads) + 1);
  tbb::task_arena arena(threads, 0);
  StreamOp form;
  form.mode = TakeMode::kReserve;
  form.templates = {tasks_of(functions_)};
  form.credit = static_cast<std::uint32_t>(threads) + options_.prefetch;
  form.lease = options_.lease;
  auto stream = space_.open_stream(std::move(form));
  StreamOp wishes;
  wishes.mode = TakeMode::kTake;
  wishes.templates = {cancels_for(to_string(space_.client().session()))};
  wishes.credit = kWishesAtOnce;
  auto control = space_.open_stream(std::move(wishes));
  std::jthread listener([&](const std::stop_token& ended) { listen(control, ended); });

  // At most `threads` run at once, so that what waits here still counts as un-started and can be
  // recalled.
  std::counting_semaphore<> free_threads(threads);
  tbb::task_group running;
  const auto wait_for_all = [&] { arena.execute([&] { running.wait(); }); };
  try {
    while (!stopping_.load()) {
      if (!free_threads.try_acquire_for(kStopCheck)) continue;
      auto task = stream.next(kStopCheck);
      if (!task) {
        free_threads.release();
        continue;
      }
      arena.enqueue(running.defer([this, &stream, &free_threads, task = std::move(*task)] {
        try {
          run_task(stream, task);
        } catch (const Error&) {
          // The session has ended: the task is handed to somebody else, and next() tells run().
        }
        free_threads.release();
      }));
    }
  } catch (...) {
    wait_for_all();
    throw;
  }
  wait_for_all();
  stream.flush();
  stream.close();
  listener.request_stop();
  listener.join();
  control.close();
}

}  // namespace linden

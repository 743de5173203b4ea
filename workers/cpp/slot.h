// workers/cpp/slot.h: one thread of an engine: takes, runs and finishes one task after another.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <iosfwd>
#include <stop_token>

#include <linden/bell.h>
#include <linden/engine.h>
#include <linden/stream.h>

#include "workers/cpp/cancel_wishes.h"
#include "workers/cpp/engine_data.h"
#include "workers/cpp/prefetch.h"
#include "workers/cpp/running_task.h"
#include "workers/cpp/task_output.h"
#include "workers/cpp/task_view.h"

namespace linden {

// What the threads of an engine have in common.
struct Shared {
  Space space;
  const FunctionRegistry& functions;
  farm::EngineRef engine;
  EngineData data;
  CancelWishes wishes;
  Bell bell;  // wakes the thread that looks after the others
  std::atomic<std::uint64_t> done{0};
};

// Each slot has a stream of its own, so that a task that must not wait behind another (with
// max_attempts 1 the space hands nothing out ahead) goes to whichever thread is free.
class Slot {
 public:
  Slot(Shared& shared, StreamOp form, std::uint32_t prefetch_max);

  // Serves until the stream is closed (by close()) or the session ends: then `failure` says why.
  // The calling thread is one of the engine's.
  void serve() noexcept;
  [[nodiscard]] std::exception_ptr failure() const noexcept { return failure_; }
  [[nodiscard]] bool has_ended() const noexcept { return ended_.load(); }

  // From any thread.
  void close();  // what has begun goes on
  bool cancel(const farm::TaskId& task) { return running_.cancel(task); }
  void cancel() { running_.cancel(); }  // whatever runs
  void send_old_output(TaskOutput::Clock::time_point now) { output_.send_old(now); }

  // Of the calling thread, while it runs a task; null otherwise.
  [[nodiscard]] static Slot* current() noexcept;
  [[nodiscard]] std::stop_token token() { return running_.token(); }
  [[nodiscard]] TaskOutput& output() noexcept { return output_; }

 private:
  void run(const Handout& task);
  farm::Outcome outcome_of(const TaskView& task);
  [[nodiscard]] bool was_cancelled(const Handout& task, const TaskView& view);
  void finish(const Handout& task, const TaskView& view, farm::Outcome outcome, double started,
              double ended);

  Shared& shared_;
  Prefetch prefetch_;
  Stream stream_;
  TaskOutput output_;
  RunningTask running_;
  std::atomic<bool> closed_{false};
  std::atomic<bool> ended_{false};
  std::exception_ptr failure_;
};

}  // namespace linden

// workers/cpp/engine.h: serves tasks with C++ functions on a oneTBB arena.
//
// The tasks are those of the farm (docs/reference/farm-schema.md) with queue "native" and kind
// "call": the function is a registered name, and arguments and result are plain values, so that any
// client in any language can call.
#pragma once

#include <atomic>
#include <cstdint>
#include <stop_token>
#include <string>

#include <linden/space.h>

#include "workers/cpp/cancellations.h"
#include "workers/cpp/function_registry.h"

namespace linden {

struct EngineOptions {
  int threads = 0;  // of the arena; 0: one per core
  std::uint32_t prefetch =
      2;  // tasks held beyond those that run; recalled when others are idle (F4)
  Duration lease =
      std::chrono::seconds(30);       // how long it may be silent before its tasks go elsewhere
  std::string name = "space-worker";  // for people
};

// For functions that take long: whether the task that this thread runs was cancelled (F6).  A
// function that returns soon then, with whatever it likes, makes room for others; its result is
// "cancelled" anyway.  Outside of tasks, and in threads that a function started itself, nothing
// stops: hand the token on to these.
[[nodiscard]] std::stop_token this_task() noexcept;

// Takes tasks whose function it has, runs them, and finishes each together with its result in one
// step (P17).  Listens to clients meanwhile that cancel tasks.
class Engine {
 public:
  // `space` and `functions` are copied; the engine registers when run() is called.
  Engine(Space space, FunctionRegistry functions, EngineOptions options = {});

  // Serves until stop() is called, and then until what it has begun is done; un-started tasks are
  // given back.  Throws Error when the session ends (kConnectionLost, kSessionExpired, ...): what
  // was begun is then done elsewhere.
  void run();

  // May be called from any thread and from a signal handler.
  void stop() noexcept { stopping_.store(true); }

  // Tasks that were run.
  [[nodiscard]] std::uint64_t done() const noexcept { return done_.load(); }

 private:
  void run_task(Stream& stream, const Handout& task);
  void register_engine();
  void listen(Stream& control, const std::stop_token& ended);

  Space space_;
  FunctionRegistry functions_;
  EngineOptions options_;
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> done_{0};
  Cancellations cancellations_;
};

// The farm's tuples as C++ makes them; pure.
[[nodiscard]] Tuple native_task(const std::string& client, std::int64_t number,
                                const std::string& function, List arguments);

// How a call ended: status "ok" with the value, or "error" with what was thrown.
struct Outcome {
  std::string status;
  Value payload;
};
[[nodiscard]] Outcome run_call(const FunctionRegistry& functions, const Tuple& task);
[[nodiscard]] Tuple result_of(const Tuple& task, Outcome outcome, List meta);

}  // namespace linden

// linden/engine.h: serves tasks of a farm with C++ functions, on a oneTBB arena.
//
// An engine in C++ is an engine like any other: it has an id of the farm's counter, takes the same
// task tuples under leases, and finishes each with its result in one step (P17).  It runs tasks of
// the kinds "call" and "call_map", whose function is a registered name and whose arguments and
// results are plain values (docs/reference/farm-schema.md), so any client in any language can call.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <linden/farm.h>
#include <linden/function_registry.h>
#include <linden/space.h>
#include <linden/task_context.h>

namespace linden {

struct EngineOptions {
  // Tasks that run at a time; 0: one per core.
  int threads = 0;
  // Nesting: how many threads oneTBB's parallel loops inside of a task may use, that of the task
  // included; 0: as many as `threads`.  Loops of several tasks share them.
  int concurrency = 0;
  // Most tasks that a thread holds, that which runs included.  How many it does hold follows from
  // how long they take; those that have not begun are given back when others are idle (F4).
  std::uint32_t prefetch_max = 256;
  Duration lease =
      std::chrono::seconds(30);       // how long it may be silent before its tasks go elsewhere
  std::string name = "space-worker";  // for people
  std::vector<std::string> tags;      // tasks that ask for these come here, too
  // Says on stderr which function ran when the process crashes; takes over the process's handlers
  // of SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT.
  bool report_crashes = false;
};

enum class EngineEnd : std::uint8_t {
  kStopped,  // by stop(), or by a client's shutdown()
  kRestart,  // a client wants the process to start over
};

class Engine {
 public:
  // `space` is that of a farm; `functions` and `space` are copied.  Throws Error kInvalidArgument:
  // no functions, or options out of range.
  Engine(const Space& space, FunctionRegistry functions, EngineOptions options = {});
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Joins the farm and serves until stop() is called or a client shuts it down, and then until what
  // it has begun is done; what has not begun is given back.  Throws Error when the session ends
  // (kConnectionLost, kSessionExpired, ...): what was begun is then done elsewhere. kSessionExpired
  // also when it was away for longer than its hold time, so that the farm has taken it for dead.
  // Once only.
  EngineEnd run();

  // May be called from any thread and from a signal handler.
  void stop() noexcept;

  // Its id in the farm; -1 until it has joined.
  [[nodiscard]] std::int64_t id() const noexcept;
  // Tasks that were finished.
  [[nodiscard]] std::uint64_t done() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace linden

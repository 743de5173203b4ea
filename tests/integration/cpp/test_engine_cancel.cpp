// tests/integration/cpp/test_engine_cancel.cpp: tasks of an engine in C++ are cancelled (F6), with
// a real server.
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <semaphore>

#include <gtest/gtest.h>

#include "tests/integration/cpp/farm_helpers.h"

namespace linden {
namespace {

using testing::connect_to;
using testing::kLong;

// An engine of one thread whose one function runs until its task is cancelled, or until all are to
// end.
class RunningEngine {
 public:
  explicit RunningEngine(const testing::ServerProcess& server) : engine_(server, functions()) {}
  ~RunningEngine() { end_tasks(); }
  RunningEngine(const RunningEngine&) = delete;
  RunningEngine& operator=(const RunningEngine&) = delete;

  [[nodiscard]] std::string session() const { return engine_.session(); }
  // Waits until another task has begun.
  [[nodiscard]] bool begins() { return begun_.try_acquire_for(kLong); }
  [[nodiscard]] int count() const { return count_; }
  void end_tasks() {
    const std::scoped_lock lock(mutex_);
    end_tasks_ = true;
    ends_.notify_all();
  }

 private:
  FunctionRegistry functions() {
    FunctionRegistry functions;
    functions.add("run", [this]() -> bool {
      ++count_;
      begun_.release();
      std::unique_lock lock(mutex_);
      return ends_.wait(lock, this_task(), [this] { return end_tasks_; });
    });
    return functions;
  }

  std::mutex mutex_;
  std::condition_variable_any ends_;
  bool end_tasks_ = false;
  std::counting_semaphore<> begun_{0};
  std::atomic<int> count_{0};
  testing::EngineThread engine_;  // ends before what its functions use
};

NewTuple a_task(std::int64_t number) {
  farm::Call call;
  call.task = {"me", number};
  call.queue = farm::kNativeQueue;
  call.function = "run";
  call.payload = List{};
  return farm::new_task(call);
}
void put_task(Space& space, std::int64_t number) {
  space.put_many({a_task(number)});
}

std::string status_of(Space& space, std::int64_t number) {
  return space.take({"result", "me", number, kText, kAny, kAny}, kLong).tuple[3].as_text();
}

void cancel(Space& space, const RunningEngine& engine, std::int64_t number) {
  space.put({"control", engine.session(), "cancel", List{"me", number}});
}

// The one that runs hears of it; the one that the engine holds ahead does not begin, and a third
// runs as ever.
TEST(EngineCancelF6, WhatRunsAndWhatWaitsAtTheEngineEndsAsCancelled) {
  testing::ServerProcess server;
  auto space = Farm(connect_to(server)).space();
  RunningEngine engine(server);
  for (const std::int64_t number : {1, 2, 3}) put_task(space, number);
  ASSERT_TRUE(engine.begins());
  cancel(space, engine, 2);  // heard before the next one, for they are taken in order
  cancel(space, engine, 1);
  EXPECT_EQ(status_of(space, 1), "cancelled");
  EXPECT_EQ(status_of(space, 2), "cancelled");
  ASSERT_TRUE(engine.begins());
  engine.end_tasks();
  EXPECT_EQ(status_of(space, 3), "ok");
  EXPECT_EQ(engine.count(), 2) << "the second never began";
}

// What makes no sense is passed over, and the engine goes on listening.
TEST(EngineCancelF6, AWishThatNamesNoTaskHarmsNobody) {
  testing::ServerProcess server;
  auto space = Farm(connect_to(server)).space();
  RunningEngine engine(server);
  space.put({"control", engine.session(), "cancel", List{}});
  space.put({"control", engine.session(), "cancel", List{1, "me"}});
  put_task(space, 1);
  ASSERT_TRUE(engine.begins());
  cancel(space, engine, 1);
  EXPECT_EQ(status_of(space, 1), "cancelled");
}

// Another engine had it, was told, and died: nobody starts it again.
TEST(EngineCancelF6, WhatWasCancelledElsewhereIsNotStartedAgain) {
  testing::ServerProcess server;
  auto space = Farm(connect_to(server)).space();
  put_task(space, 7);
  {
    auto died = space.reserve({"task", "native", kText, kInt, kText, "call", kText, kAny, kList});
    space.put({"cancelled", "me", 7});
    died.release();
  }
  RunningEngine engine(server);
  EXPECT_EQ(status_of(space, 7), "cancelled");
  EXPECT_EQ(engine.count(), 0);
}

}  // namespace
}  // namespace linden

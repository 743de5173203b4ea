// tests/integration/cpp/test_engine_cancel.cpp: tasks of an engine in C++ are cancelled (F6), with
// a real server.
#include <atomic>
#include <chrono>
#include <thread>

#include <gtest/gtest.h>

#include <linden/client.h>
#include <linden/space.h>

#include "server_process.h"
#include "workers/cpp/engine.h"

namespace linden {
namespace {

using namespace std::chrono_literals;

// An engine of one thread whose one function runs until its task is cancelled, or until it is told
// to end.
class RunningEngine {
 public:
  explicit RunningEngine(const std::string& address)
      : client_(connect(address)), space_(open(client_)), engine_(space_, functions(), {1}) {
    thread_ = std::thread([this] { engine_.run(); });
  }
  ~RunningEngine() {
    end_tasks_ = true;
    engine_.stop();
    thread_.join();
  }
  RunningEngine(const RunningEngine&) = delete;
  RunningEngine& operator=(const RunningEngine&) = delete;

  [[nodiscard]] std::string session() const { return to_string(client_.session()); }
  [[nodiscard]] int begun() const { return begun_; }
  void end_tasks() { end_tasks_ = true; }

  static Client connect(const std::string& address) {
    ConnectOptions options;
    options.address = address;
    return Client::connect(options);
  }
  static Space open(Client client) {
    SpaceOptions options;
    options.create = true;
    return client.open_space("farm", options);
  }

 private:
  FunctionRegistry functions() {
    FunctionRegistry functions;
    functions.add("run", [this]() -> bool {
      ++begun_;
      while (!end_tasks_ && !this_task().stop_requested()) std::this_thread::sleep_for(1ms);
      return true;
    });
    return functions;
  }

  std::atomic<bool> end_tasks_{false};
  std::atomic<int> begun_{0};
  Client client_;
  Space space_;
  Engine engine_;
  std::thread thread_;
};

std::string status_of(Space& space, std::int64_t number) {
  return space.take({"result", "me", number, kText, kAny, kAny}, 20s).tuple[3].as_text();
}

void cancel(Space& space, const RunningEngine& engine, std::int64_t number) {
  space.put({"control", engine.session(), "cancel", List{"me", number}});
}

// The one that runs hears of it; the one that the engine holds ahead does not begin; a third runs
// as ever.
TEST(EngineCancelF6, WhatRunsAndWhatWaitsAtTheEngineEndsAsCancelled) {
  testing::ServerProcess server;
  auto space = RunningEngine::open(RunningEngine::connect(server.address()));
  RunningEngine engine(server.address());
  for (const std::int64_t number : {1, 2, 3}) space.put(native_task("me", number, "run", {}));
  space.read({"native_engine", engine.session(), kText, kInt, kList}, 20s);
  const auto until = std::chrono::steady_clock::now() + 20s;
  while (engine.begun() == 0 && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(1ms);
  }
  ASSERT_EQ(engine.begun(), 1);
  cancel(space, engine, 2);
  while (space.count({"control", kText, kText, kAny}) > 0) std::this_thread::sleep_for(1ms);
  cancel(space, engine, 1);
  EXPECT_EQ(status_of(space, 1), "cancelled");
  EXPECT_EQ(status_of(space, 2), "cancelled");
  engine.end_tasks();
  EXPECT_EQ(status_of(space, 3), "ok");
  EXPECT_EQ(engine.begun(), 2) << "the second never began";
}

// Another engine had it, was told, and died: nobody starts it again.
TEST(EngineCancelF6, WhatWasCancelledElsewhereIsNotStartedAgain) {
  testing::ServerProcess server;
  auto space = RunningEngine::open(RunningEngine::connect(server.address()));
  space.put(native_task("me", 7, "run", {}));
  {
    auto died = space.reserve({"task", "native", kText, kInt, kText, "call", kText, kAny, kList});
    space.put({"cancelled", "me", 7});
    died.release();
  }
  RunningEngine engine(server.address());
  EXPECT_EQ(status_of(space, 7), "cancelled");
  EXPECT_EQ(engine.begun(), 0);
}

}  // namespace
}  // namespace linden

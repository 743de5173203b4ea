// tests/integration/cpp/test_engine.cpp: engines in C++ with a real server: many threads, stops in
// the middle of it, and other ends.
#include <linden/engine.h>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <ostream>
#include <set>
#include <thread>

#include <linden/client.h>
#include <linden/space.h>

#include "server_process.h"

namespace linden {
namespace {

using namespace std::chrono_literals;

constexpr Duration kSoon = 30s;

Client connect(const std::string& address, Duration reconnect = 60s) {
  ConnectOptions options;
  options.address = address;
  options.reconnect = reconnect;
  return Client::connect(options);
}

Space open(Client client) {
  SpaceOptions options;
  options.create = true;
  options.initial = farm::initial_tuples();
  return client.open_space("farm", options);
}

NewTuple task(std::int64_t number, const std::string& function, List arguments) {
  farm::Call call;
  call.task = {"me", number};
  call.queue = farm::kNativeQueue;
  call.function = function;
  call.payload = std::move(arguments);
  return farm::new_task(call);
}

// An engine in a thread of its own.
class Served {
 public:
  Served(const std::string& address, FunctionRegistry functions, EngineOptions options,
         Duration reconnect = 60s)
      : client_(connect(address, reconnect)),
        engine_(open(client_), std::move(functions), std::move(options)) {
    thread_ = std::thread([this] {
      try {
        end_ = engine_.run();
      } catch (const Error& error) {
        failure_ = error.code();
      }
    });
  }
  ~Served() { stop(); }
  Served(const Served&) = delete;
  Served& operator=(const Served&) = delete;

  void stop() {
    engine_.stop();
    join();
  }
  void join() {
    if (thread_.joinable()) thread_.join();
  }
  [[nodiscard]] Engine& engine() { return engine_; }
  [[nodiscard]] EngineEnd end() const { return end_; }
  [[nodiscard]] ErrorCode failure() const { return failure_; }
  [[nodiscard]] std::string session() const { return to_string(client_.session()); }

 private:
  Client client_;
  Engine engine_;
  EngineEnd end_ = EngineEnd::kStopped;
  ErrorCode failure_ = ErrorCode::kOk;
  std::thread thread_;
};

EngineOptions with_threads(int threads) {
  EngineOptions options;
  options.threads = threads;
  return options;
}

FunctionRegistry some_functions() {
  FunctionRegistry functions;
  functions.add("twice", [](std::int64_t n) {
    task_output() << n;
    return 2 * n;
  });
  return functions;
}

std::set<std::int64_t> results(Space& space, std::size_t count) {
  std::set<std::int64_t> numbers;
  for (std::size_t i = 0; i < count; ++i) {
    const auto result = farm::parse_result(space.take(farm::results_form("me"), kSoon).tuple);
    EXPECT_EQ(result.status, "ok");
    EXPECT_EQ(result.payload, Value(2 * result.task.number));
    EXPECT_TRUE(numbers.insert(result.task.number).second) << "two results of one task";
  }
  return numbers;
}

// F1, F4: engines come and go in the middle of it, and each task has one result.
TEST(EngineWithServer, EachTaskHasOneResultWhoeverLeaves) {
  testing::ServerProcess server;
  auto space = open(connect(server.address()));
  constexpr std::int64_t kTasks = 2'000;
  Served stays(server.address(), some_functions(), with_threads(4));
  for (int round = 0; round < 4; ++round) {
    Served leaves(server.address(), some_functions(), with_threads(2));
    std::vector<NewTuple> tasks;
    for (std::int64_t n = 0; n < kTasks; ++n)
      tasks.push_back(task(round * kTasks + n, "twice", {round * kTasks + n}));
    space.put_many(std::move(tasks));
    leaves.stop();
    EXPECT_EQ(results(space, kTasks).size(), static_cast<std::size_t>(kTasks));
  }
  EXPECT_EQ(space.count(farm::outputs_form("me")), 4U * kTasks) << "F5: and all of its output";
}

TEST(EngineWithServer, AMapIsOneTask) {
  testing::ServerProcess server;
  auto space = open(connect(server.address()));
  Served engine(server.address(), some_functions(), with_threads(1));
  farm::Call call;
  call.task = {"me", 1};
  call.queue = farm::kNativeQueue;
  call.function = "twice";
  call.payload = List{List{1}, List{"x"}, List{3}};
  call.is_map = true;
  space.put_many({farm::new_task(call)});
  const auto result = farm::parse_result(space.take(farm::results_form("me"), kSoon).tuple);
  EXPECT_EQ(result.payload, Value(List{2, nullptr, 6}));
  ASSERT_EQ(result.errors.size(), 1U);
  EXPECT_EQ(result.errors[0].item, 1);
  EXPECT_EQ(result.errors[0].type, "TypeError");
  EXPECT_EQ(result.engine, engine.engine().id());
}

TEST(EngineWithServer, AClientShutsItDownOrStartsItOver) {
  testing::ServerProcess server;
  auto space = open(connect(server.address()));
  for (const auto& [argument, end] : {std::pair{Value(), EngineEnd::kStopped},
                                      std::pair{Value("restart"), EngineEnd::kRestart}}) {
    Served engine(server.address(), some_functions(), with_threads(2));
    (void)space.read(Template{"engine", kInt, engine.session(), kText}, kSoon);
    space.put({"control", engine.session(), "shutdown", argument});
    engine.join();
    EXPECT_EQ(engine.end(), end);
    EXPECT_EQ(engine.failure(), ErrorCode::kOk);
  }
}

TEST(EngineWithServer, AServerThatStaysAwayIsAnError) {
  testing::ServerProcess server;
  auto space = open(connect(server.address()));
  Served engine(server.address(), some_functions(), with_threads(2), 200ms);
  (void)space.read(Template{"engine", kInt, engine.session(), kText}, kSoon);
  server.kill();
  engine.join();
  EXPECT_EQ(engine.failure(), ErrorCode::kConnectionLost);
}

TEST(EngineWithServer, OptionsOutOfRangeAreRefused) {
  testing::ServerProcess server;
  auto space = open(connect(server.address()));
  EXPECT_THROW(Engine(space, FunctionRegistry()), Error);
  EXPECT_THROW(Engine(space, some_functions(), with_threads(-1)), Error);
  EngineOptions options;
  options.tags = {"no tag"};
  EXPECT_THROW(Engine(space, some_functions(), options), Error);
}

}  // namespace
}  // namespace linden

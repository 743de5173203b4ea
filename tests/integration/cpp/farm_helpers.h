// tests/integration/cpp/farm_helpers.h: what tests of a farm share: clients of a real server, an
// engine in a thread, and waits that end.
#pragma once

#include <chrono>
#include <string>
#include <thread>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <linden/engine.h>
#include <linden/linden.h>

#include "tests/integration/cpp/server_process.h"

namespace linden::testing {

// No test waits so long unless it fails.
inline constexpr Duration kLong = std::chrono::seconds(20);

inline Client connect_to(const ServerProcess& server) {
  ConnectOptions options;
  options.address = server.address();
  options.name = "test";
  return Client::connect(options);
}

// For what other threads do and nobody tells.
template <class Condition>
bool soon(const Condition& condition) {
  const auto deadline = std::chrono::steady_clock::now() + kLong;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

// Of the Error that it throws, whose message has this part; kOk: it throws none.
template <class Call>
ErrorCode code_of(Call&& call, const std::string& part = "") {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr(part));
    return error.code();
  }
  return ErrorCode::kOk;
}

// An engine that serves in a thread of this process.  Who owns it lets its functions end before it
// is destroyed.
class EngineThread {
 public:
  EngineThread(const ServerProcess& server, FunctionRegistry functions, int threads = 1)
      : client_(connect_to(server)),
        engine_(Farm(client_).space(), std::move(functions), options(threads)),
        thread_([this] { engine_.run(); }) {
    Farm(client_).wait_for_engines(1, kLong);
  }
  ~EngineThread() {
    engine_.stop();
    thread_.join();
  }
  EngineThread(const EngineThread&) = delete;
  EngineThread& operator=(const EngineThread&) = delete;

  [[nodiscard]] std::int64_t id() const { return engine_.id(); }
  [[nodiscard]] std::string session() const { return to_string(client_.session()); }

 private:
  static EngineOptions options(int threads) {
    EngineOptions options;
    options.threads = threads;
    options.name = "tested";
    return options;
  }

  Client client_;
  Engine engine_;
  std::thread thread_;
};

}  // namespace linden::testing

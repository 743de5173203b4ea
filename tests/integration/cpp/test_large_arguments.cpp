// tests/integration/cpp/test_large_arguments.cpp: large arguments of calls from C++ go by
// reference, and what is held for a call is given back, whatever becomes of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <semaphore>
#include <thread>

#include "tests/integration/cpp/farm_helpers.h"

namespace linden {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using linden::testing::connect_to;
using linden::testing::EngineThread;
using linden::testing::kLong;
using linden::testing::ServerProcess;
using linden::testing::soon;

constexpr std::size_t kLarge = std::size_t{3} << 20;

// An engine in a thread of this process.
class RunningEngine {
 public:
  explicit RunningEngine(const ServerProcess& server) : engine_(server, functions()) {}
  ~RunningEngine() { go_on_.release(1000); }
  RunningEngine(const RunningEngine&) = delete;
  RunningEngine& operator=(const RunningEngine&) = delete;

  // Until a "held" has begun, and so that one ends.
  bool begun() { return begun_.try_acquire_for(kLong); }
  void go_on() { go_on_.release(); }

 private:
  FunctionRegistry functions() {
    FunctionRegistry registry;
    registry.add("size",
                 [](const Bytes& bytes) { return static_cast<std::int64_t>(bytes.size()); });
    registry.add("same", [](const Bytes& bytes) { return bytes; });
    registry.add("last", [](const Array& array, std::int64_t n) {
      return array.as<double>().back() + static_cast<double>(n);
    });
    registry.add("held", [this](const Bytes& bytes) {
      begun_.release();
      while (!go_on_.try_acquire_for(10ms)) {
        if (this_task().stop_requested()) break;
      }
      return static_cast<std::int64_t>(bytes.size());
    });
    return registry;
  }

  std::counting_semaphore<> begun_{0};
  std::counting_semaphore<> go_on_{0};
  EngineThread engine_;  // ends before what its functions use
};

Bytes large(char fill = 'x') {
  return Bytes::adopt(std::string(kLarge, fill));
}

Array ramp() {
  std::vector<double> numbers(kLarge / sizeof(double), 0.5);
  return Array::adopt(std::move(numbers));
}

class LargeArguments : public ::testing::Test {
 protected:
  static std::uint64_t uses(const Farm& farm) {
    return farm.space().count(Template{"data", kText, kText, kInt, "argument"});
  }
  static std::uint64_t parts(const Farm& farm) {
    return farm.space().count(Template{"data_part", kText, kText, kInt, kInt, kBytes});
  }
  static std::uint64_t bytes_in(const Farm& farm) {
    for (const auto& space : farm.space().client().spaces()) {
      if (space.name == "farm") return space.bytes;
    }
    return 0;
  }
  // The files in all stores of this "host".
  static std::size_t stored() {
    std::size_t count = 0;
    std::error_code gone;  // stores come and go meanwhile
    fs::recursive_directory_iterator at(std::getenv("LINDEN_DATA_DIRECTORY"), gone);
    for (; !gone && at != fs::recursive_directory_iterator(); at.increment(gone)) {
      if (at->path().parent_path().filename() == "kept") ++count;
    }
    return count;
  }
  static bool all_given_back(const Farm& farm) {
    return soon([&] { return uses(farm) == 0 && parts(farm) == 0 && stored() == 0; });
  }
};

TEST_F(LargeArguments, GoByReferenceAndAreGivenBackWithTheResult) {
  const ServerProcess server;
  RunningEngine engine(server);
  const Farm farm(connect_to(server));
  auto held = farm.view().apply<std::int64_t>("held", large());
  ASSERT_TRUE(engine.begun());
  EXPECT_EQ(uses(farm), 1U);
  EXPECT_EQ(stored(), 1U);
  EXPECT_LT(bytes_in(farm), 100'000U) << "the server sees names only";
  engine.go_on();
  EXPECT_EQ(held.get(kLong), static_cast<std::int64_t>(kLarge));
  EXPECT_EQ(farm.view().apply<double>("last", ramp(), 1).get(kLong), 1.5);
  EXPECT_TRUE(all_given_back(farm));
}

TEST_F(LargeArguments, SmallOnesOpenNoStore) {
  const ServerProcess server;
  const RunningEngine engine(server);
  const Farm farm(connect_to(server));
  const auto small = Bytes::adopt(std::string(1000, 'x'));
  EXPECT_EQ(farm.view().apply<int>("size", small).get(kLong), 1000);
  // Many that are large together only.
  EXPECT_EQ(farm.view().map<int>("size", std::vector(9000, small)).get(kLong).size(), 9000U);
  EXPECT_TRUE(fs::is_empty(std::getenv("LINDEN_DATA_DIRECTORY")));
}

// As in Python (python/linden/plain.py).
TEST_F(LargeArguments, TextsStayInTheTask) {
  const ServerProcess server;
  const Farm farm(connect_to(server));
  const auto task = farm.view().apply("size", std::string(kLarge, 'x'));
  ASSERT_TRUE(soon([&] { return bytes_in(farm) > kLarge; }));
  EXPECT_EQ(uses(farm), 0U);
  EXPECT_TRUE(fs::is_empty(std::getenv("LINDEN_DATA_DIRECTORY")));
}

TEST_F(LargeArguments, AMapOverTheSameBytesStoresThemOnce) {
  const ServerProcess server;
  const RunningEngine engine(server);
  const Farm farm(connect_to(server));
  std::vector<std::pair<Array, int>> rows;
  rows.reserve(8);
  const Array array = ramp();
  for (int n = 0; n < 8; ++n) rows.emplace_back(n < 6 ? array : ramp(), n);
  TaskOptions options;
  options.chunk = 2;
  const auto values = farm.view().with(options).map<double>("last", rows).get(kLong);
  EXPECT_THAT(values, ::testing::ElementsAre(0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5));
  EXPECT_TRUE(all_given_back(farm));
}

// Before an engine has come nobody knows that it is going to be on this host.
TEST_F(LargeArguments, GoThroughTheSpaceWhereNoEngineSharesTheStore) {
  const ServerProcess server;
  const Farm farm(connect_to(server));
  auto one = farm.view().apply<std::int64_t>("size", large());
  ASSERT_TRUE(soon([&] { return parts(farm) == 1; }));
  EXPECT_EQ(stored(), 0U);
  auto other = farm.view().apply<std::int64_t>("size", large());
  EXPECT_EQ(parts(farm), 1U) << "equal bytes, once";
  EXPECT_TRUE(one.cancel());
  EXPECT_THROW(one.get(kLong), TaskCancelled);
  ASSERT_TRUE(soon([&] { return uses(farm) == 1; }));
  EXPECT_EQ(parts(farm), 1U) << "the other task has them still";
  {
    const RunningEngine engine(server);
    EXPECT_EQ(other.get(kLong), static_cast<std::int64_t>(kLarge));
    EXPECT_TRUE(soon([&] { return uses(farm) == 0 && parts(farm) == 0; }));
  }
}

TEST_F(LargeArguments, EqualBytesStayForTheLastCall) {
  const ServerProcess server;
  RunningEngine engine(server);
  const Farm farm(connect_to(server));
  auto one = farm.view().apply<std::int64_t>("held", large());
  auto other = farm.view().apply<std::int64_t>("held", large());
  ASSERT_TRUE(engine.begun());
  EXPECT_EQ(stored(), 1U);
  engine.go_on();
  EXPECT_EQ(one.get(kLong), static_cast<std::int64_t>(kLarge));
  ASSERT_TRUE(engine.begun());
  ASSERT_TRUE(soon([&] { return uses(farm) == 1; }));
  EXPECT_EQ(stored(), 1U);
  engine.go_on();
  EXPECT_EQ(other.get(kLong), static_cast<std::int64_t>(kLarge));
  EXPECT_TRUE(all_given_back(farm));
}

TEST_F(LargeArguments, OfCallsThatAreCancelledOrForgottenAreGivenBack) {
  const ServerProcess server;
  RunningEngine engine(server);
  const Farm farm(connect_to(server));
  auto runs = farm.view().apply<std::int64_t>("held", large('1'));
  ASSERT_TRUE(engine.begun());
  auto waits = farm.view().apply<std::int64_t>("held", large('2'));
  { const auto nobody_asks = farm.view().apply("size", large('3')); }
  EXPECT_EQ(uses(farm), 3U);
  EXPECT_TRUE(waits.cancel());
  EXPECT_TRUE(soon([&] { return uses(farm) == 2 && stored() == 2; }));
  EXPECT_TRUE(runs.cancel());
  EXPECT_TRUE(all_given_back(farm));
}

TEST_F(LargeArguments, OfCallsThatCannotBePutAreGivenBack) {
  const ServerProcess server;
  const RunningEngine engine(server);
  const Farm farm(connect_to(server));
  farm.space().drain(Template{"task", kAny, kAny, kAny, kAny, kAny, kAny, kAny, kAny});
  auto refused = farm.view().apply("size", large());
  EXPECT_THROW(refused.get(kLong), Error);
  EXPECT_TRUE(all_given_back(farm));
}

// Its task goes on, and is run; then whoever purges the result gives back what it had.
TEST_F(LargeArguments, StayForTheTasksOfAClientThatHasGone) {
  const ServerProcess server;
  RunningEngine engine(server);
  const Farm farm(connect_to(server));
  EXPECT_EQ(farm.view().apply<int>("size", large('y')).get(kLong), static_cast<int>(kLarge));
  std::string runs;
  std::string waits;
  {
    const Farm going(connect_to(server));
    runs = going.view().apply("held", large()).id();
    ASSERT_TRUE(engine.begun());
    waits = going.view().apply("held", large()).id();
  }
  engine.go_on();
  ASSERT_TRUE(engine.begun());
  engine.go_on();
  EXPECT_EQ(farm.result<int>(runs).get(kLong), static_cast<int>(kLarge));
  EXPECT_EQ(farm.result<int>(waits).get(kLong), static_cast<int>(kLarge));
  EXPECT_TRUE(soon([&] { return uses(farm) == 2; })) << "of the two that have ended";
  EXPECT_TRUE(farm.purge(runs));
  EXPECT_TRUE(farm.purge(waits));
  EXPECT_EQ(uses(farm), 0U);
  EXPECT_TRUE(all_given_back(farm));
}

// A program that ends as soon as it has its result leaves nothing behind.
TEST_F(LargeArguments, AreGivenBackBeforeTheFarmIsClosed) {
  const ServerProcess server;
  const RunningEngine engine(server);
  const Farm other(connect_to(server));
  {
    const Farm farm(connect_to(server));
    EXPECT_EQ(farm.view().apply<int>("size", large()).get(kLong), static_cast<int>(kLarge));
  }
  EXPECT_EQ(uses(other), 0U);
  EXPECT_TRUE(soon([] { return stored() == 0; }));
}

TEST_F(LargeArguments, AndLargeResultsAreGivenBackWhenTheyArePurged) {
  const ServerProcess server;
  const RunningEngine engine(server);
  const Farm farm(connect_to(server));
  auto result = farm.view().apply<Bytes>("same", large());
  const std::string id = result.id();
  EXPECT_EQ(result.get(kLong), large());
  auto space = farm.space();
  EXPECT_EQ(space.count(Template{"data", kText, kText, kInt, "result"}), 1U);
  EXPECT_TRUE(farm.purge(id));
  EXPECT_EQ(space.count(Template{"data", kText, kText, kInt, "result"}), 0U);
  EXPECT_TRUE(all_given_back(farm));
}

// One variable for as long as a scope.
class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) {
    const char* before = std::getenv(name);
    if (before != nullptr) before_ = before;
    ::setenv(name, value, 1);
  }
  ~Environment() {
    if (before_) {
      ::setenv(name_, before_->c_str(), 1);
    } else {
      ::unsetenv(name_);
    }
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
  std::optional<std::string> before_;
};

TEST_F(LargeArguments, TravelAsSmallOnesDoWhereTheStoreIsFull) {
  const ServerProcess server;
  const Environment memory("LINDEN_DATA_MEMORY", "1");
  const Environment disk("LINDEN_DATA_DISK", "1");
  RunningEngine engine(server);
  const Farm farm(connect_to(server));
  auto held = farm.view().apply<std::int64_t>("held", large());
  ASSERT_TRUE(engine.begun());
  EXPECT_EQ(uses(farm), 0U);
  EXPECT_GT(bytes_in(farm), kLarge);
  engine.go_on();
  EXPECT_EQ(held.get(kLong), static_cast<std::int64_t>(kLarge));
  EXPECT_EQ(farm.view().apply<double>("last", ramp(), 1).get(kLong), 1.5);
  EXPECT_TRUE(all_given_back(farm));
}

TEST_F(LargeArguments, TravelAsSmallOnesDoWhereThereIsNoStore) {
  const ServerProcess server;
  const Environment memory("LINDEN_DATA_DIRECTORY", "/proc/nowhere");
  const RunningEngine engine(server);
  const Farm farm(connect_to(server));
  EXPECT_EQ(farm.view().apply<int>("size", large()).get(kLong), static_cast<int>(kLarge));
  EXPECT_EQ(uses(farm), 0U);
}

// kill -9 of the server: what was to be given back meanwhile is given back later.
TEST_F(LargeArguments, OutliveTheServersDeath) {
  ServerProcess server;
  RunningEngine engine(server);
  const Farm farm(connect_to(server));
  auto held = farm.view().apply<std::int64_t>("held", large());
  ASSERT_TRUE(engine.begun());
  server.kill();
  engine.go_on();
  server.start();
  EXPECT_EQ(held.get(kLong), static_cast<std::int64_t>(kLarge));
  EXPECT_TRUE(all_given_back(farm));
}

// Two farms in one process: that one's result is looked for, and no store of the other is opened.
TEST_F(LargeArguments, OfOneFarmOpenNoStoreOfAnother) {
  const ServerProcess other_server;
  const Farm other(connect_to(other_server));
  const ServerProcess server;
  const RunningEngine engine(server);
  const Farm farm(connect_to(server));
  EXPECT_EQ(farm.view().apply<Bytes>("same", large()).get(kLong), large());
  EXPECT_EQ(other.space().count(Template{"data_farm", kText, kBytes}), 0U);
}

}  // namespace
}  // namespace linden

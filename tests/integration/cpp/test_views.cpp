// tests/integration/cpp/test_views.cpp: tasks and results of a farm from C++, with a real server
// and engines in C++.  Engines in Python: tests/package.
#include <linden/views.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <memory>
#include <numeric>
#include <semaphore>
#include <thread>

#include <linden/data.h>

#include "tests/integration/cpp/farm_helpers.h"

namespace linden {
namespace {

using namespace std::chrono_literals;
using linden::testing::code_of;
using linden::testing::connect_to;
using linden::testing::EngineThread;
using linden::testing::kLong;
using linden::testing::ServerProcess;
using linden::testing::soon;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr std::int64_t kManyNumbers = 300'000;  // that go by reference

// An engine in a thread of this process.
class RunningEngine {
 public:
  explicit RunningEngine(const ServerProcess& server, int threads = 1)
      : engine_(server, functions(), threads) {}
  ~RunningEngine() { go_on(); }
  RunningEngine(const RunningEngine&) = delete;
  RunningEngine& operator=(const RunningEngine&) = delete;

  // Until "wait" has begun, and so that it ends.
  bool begun() { return begun_.try_acquire_for(kLong); }
  void go_on() { end_.store(true); }
  [[nodiscard]] std::int64_t id() const { return engine_.id(); }
  // How often "ramp" was called.
  [[nodiscard]] int ramps() const { return ramps_; }

 private:
  FunctionRegistry functions() {
    FunctionRegistry registry;
    registry.add("mul", [](std::int64_t a, std::int64_t b) { return a * b; });
    registry.add("join", [](const std::vector<std::string>& words) {
      return std::accumulate(words.begin(), words.end(), std::string());
    });
    registry.add("half", [](std::int64_t n) {
      if (n % 2 != 0) throw std::domain_error(std::to_string(n) + " is odd");
      return n / 2;
    });
    registry.add("ramp", [this](std::int64_t count) {
      ++ramps_;
      std::vector<double> numbers(static_cast<std::size_t>(count));
      std::iota(numbers.begin(), numbers.end(), 0.0);
      return Array::adopt(std::move(numbers));
    });
    registry.add("wait", [this] {
      begun_.release();
      while (!end_.load() && !this_task().stop_requested()) std::this_thread::yield();
    });
    return registry;
  }

  std::counting_semaphore<> begun_{0};
  std::atomic<bool> end_{false};
  std::atomic<int> ramps_{0};
  EngineThread engine_;  // ends before what its functions use
};

TEST(Views, CallsFunctionsByName) {
  ServerProcess server;
  const RunningEngine engine(server);
  const Farm farm(connect_to(server));
  const auto view = farm.view();
  EXPECT_EQ(view.apply<std::int64_t>("mul", 6, 7).get(kLong), 42);
  EXPECT_EQ(view.apply<std::string>("join", std::vector<std::string>{"a", "b"}).get(kLong), "ab");
  EXPECT_EQ(view.apply("mul", 2, 3).get(kLong), Value(6));
  EXPECT_EQ(farm.engine(engine.id()).apply<int>("mul", 3, 4).get(kLong), 12);
  auto chained =
      view.apply<int>("mul", 2, 2).then([view](int n) { return view.apply<int>("mul", n, 10); });
  EXPECT_EQ(chained.get(kLong), 40);
  const auto engines = farm.engines();
  ASSERT_THAT(engines, SizeIs(1));
  EXPECT_EQ(engines[0].language, "C++");
  EXPECT_EQ(engines[0].name, "tested");
  EXPECT_THAT(engines[0].functions, ElementsAre("half", "join", "mul", "ramp", "wait"));
}

TEST(Views, MapsInChunksAndKeepsTheOrder) {
  ServerProcess server;
  const RunningEngine engine(server, 2);
  const Farm farm(connect_to(server));
  std::vector<std::pair<int, int>> pairs;
  pairs.reserve(1000);
  for (int i = 0; i < 1000; ++i) pairs.emplace_back(i, 2);
  TaskOptions options;
  for (const std::size_t chunk : {0, 1, 7, 5000}) {
    options.chunk = chunk;
    auto result = farm.view().with(options).map<int>("mul", pairs);
    EXPECT_EQ(result.size(), 1000U);
    EXPECT_TRUE(result.wait(kLong));
    EXPECT_EQ(result.progress(), result.ids().size());
    const auto values = result.get(kLong);
    ASSERT_THAT(values, SizeIs(1000));
    for (int i = 0; i < 1000; ++i) EXPECT_EQ(values[static_cast<std::size_t>(i)], 2 * i);
  }
  auto none = farm.view().map<int>("mul", std::vector<std::pair<int, int>>());
  EXPECT_TRUE(none.ready());
  EXPECT_THAT(none.get(), SizeIs(0));
}

TEST(Views, WhatAFunctionThrowsIsAnException) {
  ServerProcess server;
  const RunningEngine engine(server);
  const Farm farm(connect_to(server));
  auto odd = farm.view().apply<int>("half", 3);
  const std::string id = odd.id();
  try {
    odd.get(kLong);
    FAIL();
  } catch (const RemoteError& error) {
    EXPECT_THAT(error.name(), HasSubstr("domain_error"));
    EXPECT_EQ(error.message(), "3 is odd");
    EXPECT_THAT(error.what(), HasSubstr("3 is odd"));
    EXPECT_EQ(error.task(), id);
  }
  TaskOptions options;
  options.chunk = 3;
  auto some = farm.view().with(options).map<int>("half", std::vector{0, 2, 4, 6, 7, 8});
  try {
    some.get(kLong);
    FAIL();
  } catch (const RemoteError& error) {
    EXPECT_EQ(error.item(), 4U) << "of all items, not of its chunk";
    EXPECT_EQ(error.message(), "7 is odd");
  }
  EXPECT_EQ(code_of([&] { farm.view().apply<std::string>("mul", 1, 2).get(kLong); },
                    "wanted text, found 2"),
            ErrorCode::kInvalidArgument);
}

TEST(Views, RefusesWhatMakesNoSense) {
  ServerProcess server;
  const RunningEngine engine(server);
  const Farm farm(connect_to(server));
  const auto view = farm.view();
  EXPECT_EQ(code_of([&] { (void)view.apply("div", 1); }, "there are: half, join, mul, ramp, wait"),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of([&] { (void)view.call_python("mul", 1); }, "package.module:function"),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of([&] { (void)view.apply("mul", UINT64_MAX, 1); }, "18446744073709551615"),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of([&] { (void)farm.engine(77); }, "no engine 77"), ErrorCode::kNoMatch);
  EXPECT_EQ(code_of([&] { (void)farm.result("nonsense"); }, "no id of a task"),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of([&] { farm.wait_for_engines(2, 1ms); }, "found 1"), ErrorCode::kNoMatch);
  TaskOptions options;
  options.retries = -1;
  EXPECT_EQ(code_of([&] { (void)view.with(options).apply("mul", 1, 2); }, "retries"),
            ErrorCode::kInvalidArgument);
}

// Whoever knows the id finds it, until it is purged.
TEST(Views, LargeArraysComeByReference) {
  const ServerProcess server;
  RunningEngine engine(server);
  const Farm farm(connect_to(server));
  const auto ramp = farm.view().apply<Array>("ramp", kManyNumbers).get(kLong);
  ASSERT_EQ(ramp.size(), static_cast<std::size_t>(kManyNumbers));
  EXPECT_EQ(ramp.as<double>().back(), static_cast<double>(kManyNumbers - 1));
  auto space = farm.space();
  EXPECT_EQ(space.count(Template{"data", kText, kText, kInt, "result"}), 1U);
}

// As if the host that had them were gone; nobody has them mapped.
void lose_data(const Farm& farm) {
  const auto id = DataNode::join(farm.space()).farm_id();
  std::size_t lost = 0;
  const char* memory = std::getenv("LINDEN_DATA_DIRECTORY");  // ServerProcess says which
  for (const auto& store : std::filesystem::directory_iterator(memory)) {
    if (!store.path().filename().string().ends_with("-" + id)) continue;
    for (const auto& file : std::filesystem::directory_iterator(store.path() / "kept"))
      lost += std::filesystem::remove(file.path());
  }
  ASSERT_GT(lost, 0U);
}

// python/linden/remaking.py does the same.
TEST(Views, AResultWhoseDataAreLostIsMadeAgainOnce) {
  const ServerProcess server;
  RunningEngine engine(server);
  const Farm farm(connect_to(server));
  auto result = farm.view().apply<Array>("ramp", kManyNumbers);
  auto chained = farm.result<Array>(result.id()).then([](const Array& array) {
    return array.as<double>().back();
  });
  ASSERT_EQ(chained.get(kLong), kManyNumbers - 1.0);
  lose_data(farm);
  EXPECT_EQ(result.get(kLong).as<double>().back(), kManyNumbers - 1.0);
  EXPECT_EQ(farm.result<Array>(result.id()).get(kLong).size(), kManyNumbers);
  EXPECT_EQ(engine.ramps(), 2) << "it was made again by whoever asked for it first";
  lose_data(farm);
  EXPECT_EQ(code_of([&] { farm.result<Array>(result.id()).get(kLong); }, "cannot be had"),
            ErrorCode::kNoMatch);
  EXPECT_EQ(engine.ramps(), 2);
  EXPECT_TRUE(farm.purge(result.id()));
  EXPECT_EQ(farm.space().count(Template{"result", kAny, kAny, kAny, kAny, kAny}), 0U);
  EXPECT_EQ(farm.space().count(Template{"resubmitted", kAny, kAny, kAny}), 0U);
}

TEST(Views, ContinuationsAndMapsWaitForWhatIsMadeAgain) {
  const ServerProcess server;
  RunningEngine engine(server);
  const Farm farm(connect_to(server));
  auto one = farm.view().apply<Array>("ramp", kManyNumbers);
  const std::string id = one.id();
  TaskOptions options;
  options.chunk = 1;
  auto all = farm.view().with(options).map<Array>("ramp", std::vector{kManyNumbers, kManyNumbers});
  ASSERT_TRUE(one.wait(kLong));
  ASSERT_TRUE(all.wait(kLong));
  lose_data(farm);
  auto size = one.then([](const Array& array) { return array.size(); });
  EXPECT_EQ(size.get(kLong), kManyNumbers);
  const auto arrays = all.get(kLong);
  ASSERT_THAT(arrays, SizeIs(2));
  EXPECT_EQ(arrays[1].size(), kManyNumbers);
}

// None of its tasks waits for another one of them.
TEST(Views, WhatIsLostOfAMapIsMadeAgainSideBySide) {
  const ServerProcess server;
  const Farm farm(connect_to(server));
  TaskOptions options;
  options.chunk = 1;
  MapResult<Array> all({}, 0, 1);
  {
    const RunningEngine engine(server);
    all = farm.view().with(options).map<Array>("ramp", std::vector(3, kManyNumbers));
    ASSERT_TRUE(all.wait(kLong));
    lose_data(farm);
  }
  auto got = std::async(std::launch::async, [&] { return all.get(kLong); });
  const Template task{"task", kAny, kAny, kAny, kAny, kAny, kAny, kAny, kAny};
  EXPECT_TRUE(soon([&] { return farm.space().count(task) == 3; }));
  const RunningEngine engine(server);
  EXPECT_THAT(got.get(), SizeIs(3));
}

// Nothing runs it, and the time is over; later it is there.
TEST(Views, WhatIsMadeAgainIsWaitedForInTime) {
  const ServerProcess server;
  const Farm farm(connect_to(server));
  TaskOptions options;
  options.chunk = 1;
  AsyncResult<Array> one;
  MapResult<Array> all({}, 0, 1);
  {
    RunningEngine engine(server);
    one = farm.view().apply<Array>("ramp", kManyNumbers);
    all = farm.view().with(options).map<Array>("ramp", std::vector<std::int64_t>{1, kManyNumbers});
    ASSERT_TRUE(one.wait(kLong));
    ASSERT_TRUE(all.wait(kLong));
    lose_data(farm);
    // The engine has gone when somebody asks.
  }
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(code_of([&] { one.get(1ms); }), ErrorCode::kOutcomeUnknown);
    EXPECT_EQ(code_of([&] { all.get(1ms); }), ErrorCode::kOutcomeUnknown);
  }
  RunningEngine engine(server);
  EXPECT_EQ(one.get(kLong).size(), kManyNumbers);
  EXPECT_THAT(all.get(kLong), SizeIs(2));
}

TEST(Views, WhatMayRunOnceOnlyIsNotMadeAgain) {
  const ServerProcess server;
  RunningEngine engine(server);
  const Farm farm(connect_to(server));
  TaskOptions options;
  options.retries = 0;
  auto once = farm.view().with(options).apply<Array>("ramp", kManyNumbers);
  auto gone = farm.view().apply<Array>("ramp", kManyNumbers);
  ASSERT_TRUE(once.wait(kLong));
  auto here = farm.engine(engine.id()).apply<Array>("ramp", kManyNumbers);
  ASSERT_TRUE(here.wait(kLong));
  ASSERT_TRUE(gone.wait(kLong));
  lose_data(farm);
  EXPECT_EQ(code_of([&] { once.get(kLong); }, "it was given with retries=0, or to one engine"),
            ErrorCode::kNoMatch);
  EXPECT_EQ(code_of([&] { here.get(kLong); }, "must not run twice"), ErrorCode::kNoMatch);
  farm.purge(gone.id());
  EXPECT_EQ(code_of([&] { gone.get(kLong); }, "its result was purged"), ErrorCode::kNoMatch);
  EXPECT_EQ(engine.ramps(), 3);
}

TEST(Views, AResultIsFoundAgainByItsId) {
  ServerProcess server;
  const RunningEngine engine(server);
  std::string id;
  {
    auto client = connect_to(server);
    id = Farm(client).view().apply("mul", 6, 7).id();
    client.close();
  }
  const Farm farm(connect_to(server));
  EXPECT_EQ(farm.result<int>(id).get(kLong), 42);
  EXPECT_EQ(farm.result<int>(id).get(kLong), 42);
  EXPECT_TRUE(farm.purge(id));
  EXPECT_FALSE(farm.purge(id));
  auto gone = farm.result<int>(id);
  EXPECT_FALSE(gone.wait(0s));
}

TEST(ViewsF6, CancelsTasksThatWaitAndTasksThatRun) {
  ServerProcess server;
  RunningEngine engine(server);
  const Farm farm(connect_to(server));
  auto runs = farm.view().apply("wait");
  ASSERT_TRUE(engine.begun());
  auto waits = farm.view().apply("mul", 1, 2);
  const std::string id = waits.id();
  EXPECT_TRUE(waits.cancel());
  EXPECT_THROW(waits.get(kLong), TaskCancelled);
  EXPECT_TRUE(runs.cancel());
  EXPECT_THROW(runs.get(kLong), TaskCancelled);
  EXPECT_TRUE(farm.cancel(id)) << "it is cancelled already";
  auto done = farm.view().apply<int>("mul", 1, 2);
  ASSERT_TRUE(done.wait(kLong));
  EXPECT_FALSE(done.cancel());
  EXPECT_EQ(done.get(), 2);
}

// A map whose first task is paused, so that it cannot be had.
class CancelledMapF6 : public ::testing::Test {
 protected:
  CancelledMapF6() {
    const auto first = farm::parse_message_id(map_.ids().front());
    form_ = farm::tasks_form(first->client, first->number);
    farm_.space().pause(form_);
  }
  static TaskOptions one_by_one() {
    TaskOptions options;
    options.chunk = 1;
    return options;
  }

  ServerProcess server_;
  Farm farm_{connect_to(server_)};
  MapResult<int> map_ = farm_.view().with(one_by_one()).map<int>("half", std::vector<int>(2500, 2));
  Template form_;
};

TEST_F(CancelledMapF6, WithoutTheTaskThatCannotBeHadInTime) {
  EXPECT_EQ(code_of([&] { map_.cancel(100ms); }, map_.ids().front()), ErrorCode::kOutcomeUnknown);
  EXPECT_FALSE(map_.chunks()[0].ready());
  for (std::size_t i = 1; i < map_.chunks().size(); ++i)
    ASSERT_THROW(map_.chunks()[i].get(kLong), TaskCancelled);
  EXPECT_FALSE(map_.chunks()[0].ready());
}

// In one step: no task waits until another one has been had.
TEST_F(CancelledMapF6, TogetherWithATaskThatCanBeHadLater) {
  auto cancelled = std::async(std::launch::async, [&] { return map_.cancel(kLong); });
  for (std::size_t i = 1; i < map_.chunks().size(); ++i)
    ASSERT_THROW(map_.chunks()[i].get(kLong), TaskCancelled);
  EXPECT_FALSE(map_.chunks()[0].ready());
  farm_.space().resume(form_);
  EXPECT_TRUE(cancelled.get());
  EXPECT_THROW(map_.chunks()[0].get(kLong), TaskCancelled);
  EXPECT_TRUE(map_.cancel()) << "it is cancelled already";
}

// One runs, some are held ahead of it, and the others wait.
TEST(ViewsF6, CancelsAMapWhateverItsTasksAreAt) {
  const ServerProcess server;
  RunningEngine engine(server);
  const Farm farm(connect_to(server));
  TaskOptions options;
  options.chunk = 1;
  auto none = farm.view().with(options).map<int>("mul", std::vector<std::pair<int, int>>());
  EXPECT_TRUE(none.cancel());
  auto ended = farm.view().with(options).map<int>("mul", std::vector{std::pair(1, 2)});
  EXPECT_THAT(ended.get(kLong), ElementsAre(2));
  EXPECT_FALSE(ended.cancel());
  auto all = farm.view().with(options).map<Value>("wait", std::vector<std::tuple<>>(20));
  ASSERT_TRUE(engine.begun());
  EXPECT_TRUE(all.cancel());
  for (auto& chunk : all.chunks()) EXPECT_THROW(chunk.get(kLong), TaskCancelled);
}

TEST(Views, TheDeathOfAnEngineIsAnException) {
  ServerProcess server;
  auto dying = connect_to(server);
  const Farm farm(connect_to(server));
  TaskOptions options;
  options.retries = 0;
  auto task = farm.view().with(options).apply("mul", 1, 2);
  Space space = Farm(dying).space();
  StreamOp take;
  take.mode = TakeMode::kReserve;
  take.templates = {Template{"task", "native", kAny, kAny, kAny, kAny, kAny, kAny, kAny}};
  auto tasks = space.open_stream(take);
  ASSERT_TRUE(tasks.next(kLong));
  dying.close();
  EXPECT_THROW(task.get(kLong), EngineDied);
}

TEST(Views, ResultsEndWithTheSession) {
  ServerProcess server;
  auto client = connect_to(server);
  const Farm farm(client);
  auto waits = farm.view().apply("mul", 1, 2);
  auto chained = farm.view().apply("mul", 1, 2).then([](const Value&) {});
  client.close();
  EXPECT_EQ(code_of([&] { waits.get(kLong); }), ErrorCode::kClosed);
  EXPECT_EQ(code_of([&] { chained.get(kLong); }), ErrorCode::kClosed);
}

// Drained: the put is refused, and the future says so.
TEST(Views, ATaskThatCannotBePutIsAnError) {
  ServerProcess server;
  const Farm farm(connect_to(server));
  farm.space().drain(Template{"task", kAny, kAny, kAny, kAny, kAny, kAny, kAny, kAny});
  auto refused = farm.view().apply("mul", 1, 2);
  EXPECT_EQ(code_of([&] { refused.get(kLong); }), ErrorCode::kOverloaded);
}

Future<int> power(View view, int base, int exponent) {
  int result = 1;
  for (int i = 0; i < exponent; ++i) result = co_await view.apply<int>("mul", result, base);
  co_return result;
}

TEST(Views, CoroutinesAwaitTasks) {
  ServerProcess server;
  const RunningEngine engine(server, 2);
  const Farm farm(connect_to(server));
  std::vector<Future<int>> powers;
  powers.reserve(10);
  for (int base = 0; base < 10; ++base) powers.push_back(power(farm.view(), base, 5));
  for (int base = 0; base < 10; ++base)
    EXPECT_EQ(powers[static_cast<std::size_t>(base)].get(kLong), base * base * base * base * base);
}

TEST(Views, ServesManyThreads) {
  ServerProcess server;
  const RunningEngine engine(server, 2);
  const Farm farm(connect_to(server));
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        auto dropped = farm.view().apply("mul", 1, 1);
        right += farm.view().apply<int>("mul", t, i).get(kLong) == t * i;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(right, 200);
}

}  // namespace
}  // namespace linden

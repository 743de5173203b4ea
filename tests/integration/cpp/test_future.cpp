// tests/integration/cpp/test_future.cpp: typed calls, futures and coroutines against a real server.
#include <linden/future.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <latch>
#include <mutex>
#include <thread>

#include <linden/space.h>

#include "tests/integration/cpp/server_process.h"

namespace linden {
namespace {

using namespace std::chrono_literals;
using linden::testing::ServerProcess;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr Duration kLong = 20s;

Space open_on(const ServerProcess& server, Duration reconnect = kLong) {
  ConnectOptions options;
  options.address = server.address();
  options.name = "test";
  options.reconnect = reconnect;
  SpaceOptions create;
  create.create = true;
  return Client::connect(options).open_space("test", create);
}

template <class Call>
ErrorCode code_of(Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_STRNE(error.what(), "");
    return error.code();
  }
  return ErrorCode::kOk;
}

void wait_for_waiters(Space& space, std::uint64_t count) {
  const auto deadline = std::chrono::steady_clock::now() + kLong;
  while (space.summarize().waiters != count) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    std::this_thread::yield();
  }
}

TEST(TypedSpace, TakesReadsAndReserves) {
  ServerProcess server;
  auto space = open_on(server);
  space.put({"task", 17});
  space.put({"task", 70'000});
  const auto [word, n] = space.read<std::string, std::int64_t>("task", any);
  EXPECT_EQ(word, "task");
  EXPECT_EQ(n, 17);
  const auto small = form<std::string, std::int16_t>(any, any);
  EXPECT_EQ(space.count(small), 1U);
  EXPECT_EQ(space.take(small, kLong), std::tuple("task", 17));
  EXPECT_FALSE(space.try_take(small)) << "70,000 is not for 16 bits, and stays";
  EXPECT_EQ(code_of([&] { space.take(small, 0s); }), ErrorCode::kNoMatch);
  {
    auto held = space.reserve<std::string, int>("task", any);
    EXPECT_EQ(std::get<1>(held.fields()), 70'000);
    EXPECT_FALSE((space.try_read<std::string, int>(any, any)));
    held.finish({{Tuple{"result", 1.5}, {}}});
  }
  EXPECT_EQ(space.take_many(form<std::string, double>("result", any), 10),
            (std::vector{std::tuple(std::string("result"), 1.5)}));
}

TEST(TypedSpace, StreamsRows) {
  ServerProcess server;
  auto space = open_on(server);
  StreamOp how;
  how.mode = TakeMode::kReserve;
  how.credit = 2;
  auto tasks = space.open_stream(form<std::string, int>("task", any), how);
  for (int i = 0; i < 5; ++i) space.put({"task", i});
  for (int i = 0; i < 5; ++i) {
    const auto one = tasks.next(kLong);
    ASSERT_TRUE(one);
    EXPECT_EQ(std::get<1>(one->fields), i);
    tasks.finish(one->token, {{Tuple{"result", i}, {}}});
  }
  tasks.flush();
  tasks.close();
  int results = 0;
  while (results < 5)
    results +=
        space.take<std::string, int>("result", any) == std::tuple(std::string("result"), results);
}

TEST(Future, IsReadyWhenTheAnswerComes) {
  ServerProcess server;
  auto space = open_on(server);
  auto taken = space.take_async({"late", kInt});
  wait_for_waiters(space, 1);
  EXPECT_FALSE(taken.ready());
  EXPECT_FALSE(taken.wait(0s));
  EXPECT_EQ(code_of([&] { taken.get(1ms); }), ErrorCode::kOutcomeUnknown);
  EXPECT_TRUE(taken.valid()) << "it may be asked again";
  EXPECT_EQ(code_of([&] { taken.get(kForever, [] { return true; }); }), ErrorCode::kOutcomeUnknown);
  space.put_async({"late", 1}).get();
  EXPECT_EQ(taken.get(kLong).tuple, (Tuple{"late", 1}));
  EXPECT_FALSE(taken.valid());
  EXPECT_EQ(code_of([&] { taken.get(); }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of([&] { space.take_async({"none"}, 0s).get(); }), ErrorCode::kNoMatch);
  EXPECT_FALSE(space.try_take_async({"none"}).get());
  EXPECT_EQ(space.count_async({"late", kAny}).get(), 0U);
}

TEST(Future, AnswersManyRequestsThatAreUnderWay) {
  ServerProcess server;
  auto space = open_on(server);
  std::vector<Future<TupleId>> puts;
  for (int i = 0; i < 1000; ++i) puts.push_back(space.put_async({"n", i}));
  std::vector<Future<std::tuple<std::string, int>>> takes;
  for (int i = 999; i >= 0; --i) takes.push_back(space.take_async<std::string, int>("n", i));
  for (auto& put : puts) put.get();
  for (int i = 999; auto& take : takes) EXPECT_EQ(std::get<1>(take.get()), i--);
}

TEST(Future, ThenGoesOnInTheSessionsOwnThread) {
  ServerProcess server;
  auto space = open_on(server);
  std::mutex mutex;
  std::vector<int> order;
  std::vector<std::thread::id> threads;
  std::vector<Future<int>> ends;
  for (int i = 0; i < 5; ++i) {
    ends.push_back(space.take_async<std::string, int>("n", any).then([&](auto row) {
      const std::lock_guard lock(mutex);
      order.push_back(std::get<1>(row));
      threads.push_back(std::this_thread::get_id());
      return std::get<1>(row) * 2;
    }));
  }
  for (int i = 0; i < 5; ++i) space.put({"n", i});
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ends[static_cast<std::size_t>(i)].get(kLong), 2 * i);
  const std::lock_guard lock(mutex);
  EXPECT_THAT(order, ElementsAre(0, 1, 2, 3, 4));
  for (const auto& thread : threads) {
    EXPECT_EQ(thread, threads[0]);
    EXPECT_NE(thread, std::this_thread::get_id());
  }
}

TEST(Future, ThenMayAskForMoreAndGivesThatFuturesValue) {
  ServerProcess server;
  auto space = open_on(server);
  auto sum = space.put_async({"n", 1})
                 .then([space](TupleId) mutable {
                   return space.take_async({"n", kInt});
                 })
                 .then([space](Match one) mutable {
                   space.put({"m", one.tuple[1].as_int() + 1});  // a call that waits
                   return space.count_async({"m", kInt});
                 });
  EXPECT_EQ(sum.get(kLong), 1U);
}

TEST(Future, ErrorsPassByTheFunctionsThatWantAValue) {
  ServerProcess server;
  auto space = open_on(server);
  std::atomic<int> called{0};
  auto none = space.take_async({"none"}, 0s).then([&](const Match&) { ++called; }).then([&] {
    return ++called;
  });
  EXPECT_EQ(code_of([&] { none.get(kLong); }), ErrorCode::kNoMatch);
  EXPECT_EQ(called, 0);
  auto thrown =
      space.count_async({"none"}).then([](auto) -> int { throw std::domain_error("mine"); });
  EXPECT_THROW(thrown.get(kLong), std::domain_error);
}

TEST(Future, CancelEndsTheWaitAndRemovesNothing) {
  ServerProcess server;
  auto space = open_on(server);
  auto plain = space.take_async({"n", kInt});
  auto chained = space.take_async({"n", kInt}).then([](const Match&) { return 1; });
  plain.cancel();
  chained.cancel();
  EXPECT_EQ(code_of([&] { plain.get(kLong); }), ErrorCode::kCancelled);
  EXPECT_EQ(code_of([&] { chained.get(kLong); }), ErrorCode::kCancelled);
  space.put({"n", 1});
  EXPECT_EQ(space.count({"n", 1}), 1U);
  auto found = space.take_async({"n", kInt});
  ASSERT_TRUE(found.wait(kLong));
  found.cancel();  // too late, which is no error
  EXPECT_EQ(found.get().tuple, (Tuple{"n", 1}));
}

TEST(Future, DroppedWithoutItsValueLosesNothing) {
  ServerProcess server;
  auto space = open_on(server);
  { auto waits = space.take_async({"n", kInt}); }
  space.put({"n", 1});
  EXPECT_EQ(space.count({"n", 1}), 1U) << "whoever was dropped waits no more";
  {
    auto taken = space.take_async({"n", kInt});
    ASSERT_TRUE(taken.wait(kLong));
    EXPECT_EQ(space.count({"n", 1}), 0U);
  }
  EXPECT_EQ(space.take({"n", kInt}, kLong).tuple, (Tuple{"n", 1})) << "put again";
  Attributes once;
  once.max_attempts = 1;
  space.put({"task"}, once);
  {
    auto reserved = space.reserve_async({"task"});
    ASSERT_TRUE(reserved.wait(kLong));
  }
  EXPECT_EQ(space.reserve({"task"}, 30s, kLong).tuple(), Tuple{"task"}) << "given back un-started";
  // Dropped before the answer is there, which may be on its way already.
  for (int i = 0; i < 200; ++i) {
    space.put({"race", i});
    { auto either = space.take_async({"race", i}); }
    EXPECT_EQ(space.take({"race", i}, kLong).tuple, (Tuple{"race", i}));
  }
}

TEST(Future, EndsWithTheSession) {
  ServerProcess server;
  auto space = open_on(server, 100ms);
  auto waits = space.take_async({"none"});
  auto chained = space.take_async({"none"}).then([](const Match&) { return 1; });
  wait_for_waiters(space, 2);
  space.client().close();
  EXPECT_EQ(code_of([&] { waits.get(kLong); }), ErrorCode::kClosed);
  EXPECT_EQ(code_of([&] { chained.get(kLong); }), ErrorCode::kClosed);
  EXPECT_EQ(code_of([&] { (void)space.take_async({"none"}); }), ErrorCode::kClosed);
  auto lost = open_on(server, 100ms);
  auto left = lost.take_async({"none"});
  server.kill();
  EXPECT_EQ(code_of([&] { left.get(kLong); }), ErrorCode::kConnectionLost);
}

TEST(Future, OutlivesARestartOfTheServer) {
  ServerProcess server;
  auto space = open_on(server);
  auto waits = space.take_async({"n", kInt});
  wait_for_waiters(space, 1);
  server.kill();
  auto put = space.put_async({"n", 5});
  server.start();
  EXPECT_EQ(waits.get(kLong).tuple, (Tuple{"n", 5}));
  put.get(kLong);
}

// The last of the session goes in its own continuation.
TEST(Future, AContinuationKeepsTheSession) {
  ServerProcess server;
  auto watcher = open_on(server);
  auto over = std::make_shared<std::promise<int>>();
  auto ended = over->get_future();
  {
    auto space = open_on(server);
    (void)space.take_async({"n", kInt}).then([over](const Match& one) {
      over->set_value(static_cast<int>(one.tuple[1].as_int()));
    });
  }
  wait_for_waiters(watcher, 1);
  watcher.put({"n", 3});
  ASSERT_EQ(ended.wait_for(kLong), std::future_status::ready);
  EXPECT_EQ(ended.get(), 3);
}

TEST(Future, ServesManyThreadsOfOneClient) {
  ServerProcess server;
  auto space = open_on(server);
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&, t, space]() mutable {
      std::vector<Future<void>> ends;
      for (int i = 0; i < 100; ++i) {
        ends.push_back(space.take_async<int, int>(t, i).then([&right](auto) { ++right; }));
        auto dropped = space.take_async({"never", t, i});
        auto put = space.put_async({t, i});
        if (i % 2 == 0) put.get(kLong);
      }
      for (auto& end : ends) end.get(kLong);
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(right, 600);
  EXPECT_EQ(space.summarize().waiters, 0U);
}

Future<int> doubled(Space space, std::string word) {
  const auto [found, n] = co_await space.take_async<std::string, int>(word, any);
  const Tuple twice{found, 2 * n};  // g++ 12 does not compile braces within co_await
  co_await space.put_async(twice);
  co_return 2 * n;
}

Future<int> twice_doubled(Space space) {
  co_await doubled(space, "n");
  co_return co_await doubled(space, "n");
}

TEST(Coroutine, AwaitsFuturesAndIsOne) {
  ServerProcess server;
  auto space = open_on(server);
  auto four = twice_doubled(space);
  wait_for_waiters(space, 1);
  EXPECT_FALSE(four.ready());
  space.put({"n", 1});
  EXPECT_EQ(four.get(kLong), 4);
  EXPECT_EQ((space.take<std::string, int>("n", any)), std::tuple("n", 4));
  auto more = doubled(space, "m").then([](int n) { return n + 1; });
  space.put({"m", 10});
  EXPECT_EQ(more.get(kLong), 21);
}

TEST(Coroutine, ErrorsAndCancelsReachIt) {
  ServerProcess server;
  auto space = open_on(server);
  auto waits = twice_doubled(space);
  waits.cancel();
  EXPECT_EQ(code_of([&] { waits.get(kLong); }), ErrorCode::kCancelled);
  auto caught = [](Space where) -> Future<std::string> {
    const Template none{"none"};
    try {
      co_await where.take_async(none, 0s);
    } catch (const Error& error) {
      co_return std::string(name_of(error.code()));
    }
    co_return "no error";
  }(space);
  EXPECT_EQ(caught.get(kLong), "NO_MATCH");
  auto left = doubled(space, "never");
  space.client().close();
  EXPECT_EQ(code_of([&] { left.get(kLong); }), ErrorCode::kClosed);
}

}  // namespace
}  // namespace linden

// tests/integration/cpp/test_client.cpp: the C++ client against a real server over a real socket,
// with real kill -9.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <thread>

#include <linden/bell.h>
#include <linden/space.h>
#include <linden/transaction.h>

#include "tests/integration/cpp/server_process.h"

namespace linden {
namespace {

using namespace std::chrono_literals;
using linden::testing::ServerProcess;
using ::testing::HasSubstr;

Client connect_to(const ServerProcess& server, Duration reconnect = 20s) {
  ConnectOptions options;
  options.address = server.address();
  options.name = "test";
  options.reconnect = reconnect;
  return Client::connect(options);
}

Space open_in(Client client, const char* name = "test") {
  SpaceOptions options;
  options.create = true;
  return client.open_space(name, options);
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

TEST(ClientServer, PutsTakesAndReads) {
  ServerProcess server;
  auto space = open_in(connect_to(server));
  const auto id = space.put({"task", 17, "body"});
  EXPECT_EQ(space.read({"task", kInt, kText}).id, id);
  EXPECT_EQ(space.count({"task", kAny, kAny}), 1U);
  EXPECT_EQ(space.take({"task", 17, kAny}).tuple, (Tuple{"task", 17, "body"}));
  EXPECT_FALSE(space.try_take({"task", kAny, kAny}));
  EXPECT_EQ(space.count({"task", kAny, kAny}), 0U);
}

// An engine's two threads may both find that it is over.
TEST(ClientServer, MayBeClosedBySeveralThreadsAtOnce) {
  ServerProcess server;
  for (int round = 0; round < 20; ++round) {
    auto client = connect_to(server);
    std::atomic<int> ready{0};
    std::vector<std::thread> closers;
    for (int i = 0; i < 4; ++i) {
      closers.emplace_back([&] {
        ++ready;
        while (ready < 4) std::this_thread::yield();
        client.close();
      });
    }
    for (auto& closer : closers) closer.join();
    EXPECT_FALSE(client.connected());
  }
}

TEST(ClientServer, CarriesLargeBytes) {
  ServerProcess server;
  auto space = open_in(connect_to(server));
  const std::string large(20'000'000, 'x');
  space.put({"large", Bytes::copy_of(large),
             Object{"pickle", {Bytes::copy_of("head"), Bytes::copy_of(large)}}});
  const auto back = space.take({"large", kBytes, kObject}).tuple;
  EXPECT_EQ(back[1].as_bytes().view(), large);
  EXPECT_EQ(back[2].as_object().parts.at(1).view(), large);
}

// P12: zero does not wait, and what timed out removed nothing (P11).
TEST(ClientServer, AnswersNoMatchInTime) {
  ServerProcess server;
  auto space = open_in(connect_to(server));
  EXPECT_EQ(code_of([&] { space.take({"nothing"}, 0s); }), ErrorCode::kNoMatch);
  EXPECT_EQ(code_of([&] { space.take({"nothing"}, 20ms); }), ErrorCode::kNoMatch);
  space.put({"nothing"});
  EXPECT_EQ(space.count({"nothing"}), 1U);
}

TEST(ClientServer, WakesABlockedTake) {
  ServerProcess server;
  auto consumer = open_in(connect_to(server));
  auto producer = open_in(connect_to(server));
  std::thread thread([&] { EXPECT_EQ(consumer.take({"late", kInt}).tuple, (Tuple{"late", 1})); });
  while (producer.summarize().waiters == 0) std::this_thread::yield();
  producer.put({"late", 1});
  thread.join();
}

// Threads share a session: one of them reads the socket, everybody gets the own answer.
TEST(ClientServer, ServesManyThreadsOfOneClient) {
  ServerProcess server;
  auto space = open_in(connect_to(server));
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i) {
        space.put({"from", t, i});
        if (space.take({"from", t, kInt}).tuple == Tuple{"from", t, i}) ++right;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(right, 8 * 200);
}

// P16, P17: task out and result in, in one step; an old token does nothing.
TEST(ClientServer, FinishesAReservationOnce) {
  ServerProcess server;
  auto space = open_in(connect_to(server));
  space.put({"task", 1});
  auto held = space.reserve({"task", kInt});
  EXPECT_FALSE(space.try_take({"task", kInt}));
  held.finish({{Tuple{"result", 1}, {}}});
  EXPECT_EQ(space.count({"result", 1}), 1U);
  EXPECT_EQ(code_of([&] {
              space.finish(held.token(), {{Tuple{"result", 2}, {}}});
            }),
            ErrorCode::kStaleLease);
  EXPECT_EQ(space.count({"result", 2}), 0U);
}

TEST(ClientServer, ReleasesAReservationThatGoesOutOfScope) {
  ServerProcess server;
  auto space = open_in(connect_to(server));
  space.put({"task", 1});
  { auto held = space.reserve({"task", kInt}); }
  EXPECT_EQ(space.count({"task", 1}), 1U);
}

// P18: a goodbye gives everything back at once.
TEST(ClientServer, ReleasesAllAtGoodbye) {
  ServerProcess server;
  auto space = open_in(connect_to(server));
  space.put({"task", 1});
  auto other = connect_to(server);
  auto held = std::make_unique<Reservation>(open_in(other).reserve({"task", kInt}));
  EXPECT_EQ(space.count({"task", 1}), 0U);
  other.close();
  EXPECT_EQ(space.count({"task", 1}), 1U);
}

// P15: a standing reservation hands out at most its credit.
TEST(ClientServer, StreamsTasksWithCredit) {
  ServerProcess server;
  auto space = open_in(connect_to(server));
  StreamOp form;
  form.templates = {Template{"task", kInt}};
  form.credit = 2;
  auto stream = space.open_stream(form);
  std::vector<NewTuple> tasks;
  for (int i = 0; i < 5; ++i) tasks.push_back({Tuple{"task", i}, {}});
  space.put_many(tasks);
  for (int i = 0; i < 5; ++i) {
    const auto task = stream.next(10s);
    ASSERT_TRUE(task);
    EXPECT_EQ(task->tuple, (Tuple{"task", i}));
    EXPECT_LE(stream.queued(), 1U);
    stream.finish({task->id, task->attempt}, {{Tuple{"result", i}, {}}});
  }
  EXPECT_FALSE(stream.next(10ms));
  EXPECT_EQ(space.count({"result", kInt}), 5U);
}

// All that it may have un-acknowledged was consumed, and the server died before it heard so.
TEST(ClientServer, ATakingStreamGoesOnThoughItsAcknowledgementIsLost) {
  ServerProcess server;
  auto space = open_in(connect_to(server));
  StreamOp form;
  form.mode = TakeMode::kTake;
  form.templates = {Template{"n", kInt}};
  auto stream = space.open_stream(form);
  space.put({"n", 1});
  space.put({"n", 2});
  while (stream.queued() == 0) std::this_thread::yield();
  ::kill(server.pid(), SIGSTOP);
  EXPECT_EQ(stream.next(Duration::zero())->tuple, (Tuple{"n", 1}));
  server.kill();
  server.start();
  const auto next = stream.next(20s);
  ASSERT_TRUE(next);
  EXPECT_EQ(next->tuple, (Tuple{"n", 2}));
}

// Who looks after others is woken by what comes for it, while another thread reads.
TEST(ClientServer, TellsOfNewsWithoutReading) {
  ServerProcess server;
  auto client = connect_to(server);
  auto space = open_in(client);
  StreamOp form;
  form.mode = TakeMode::kTake;
  form.templates = {Template{"word", kInt}};
  form.credit = 4;
  auto words = space.open_stream(form);
  const Bell bell;
  const auto rung = [&] { return bell.wait(20s); };
  words.on_news([bell] { bell.ring(); });
  const std::jthread reader([space]() mutable { EXPECT_TRUE(space.take({"end"}, 20s).id.value); });

  space.put({"word", 1});
  EXPECT_TRUE(rung());
  EXPECT_EQ(words.next(Duration::zero())->tuple, (Tuple{"word", 1}));
  EXPECT_EQ(client.reconnects(), 0U);
  server.kill();
  server.start();
  EXPECT_TRUE(rung()) << "the server is back";
  EXPECT_EQ(client.reconnects(), 1U);

  space.put({"word", 2});
  EXPECT_TRUE(rung());
  const Bell late;
  words.on_news([late] { late.ring(); });
  EXPECT_TRUE(late.wait(Duration::zero())) << "there was news already";
  space.put({"end"});
  client.close();
  EXPECT_TRUE(late.wait(Duration::zero()));
  EXPECT_FALSE(bell.wait(Duration::zero())) << "it was replaced";
}

// F4: what one holder has not begun goes to another who is idle.
TEST(ClientServer, RecallsPrefetchedTasksForTheIdle) {
  ServerProcess server;
  auto busy_space = open_in(connect_to(server));
  StreamOp form;
  form.templates = {Template{"task", kInt}};
  form.credit = 4;
  auto busy = busy_space.open_stream(form);
  busy_space.put_many({{Tuple{"task", 1}, {}}, {Tuple{"task", 2}, {}}});
  const auto first = busy.next(10s);
  ASSERT_TRUE(first);
  while (busy.queued() == 0) std::this_thread::yield();
  auto idle_space = open_in(connect_to(server));
  const auto recalled = idle_space.reserve({"task", kInt}, 30s, 10s);
  EXPECT_EQ(recalled.tuple(), (Tuple{"task", 2}));
  EXPECT_EQ(busy.queued(), 0U);
}

std::uint64_t number_of(const std::optional<Subscription::Item>& item) {
  return std::get<Notification>(item.value()).number;
}

// P30: another client's puts, in order; first what was there.
TEST(ClientServer, TellsSubscribersOfPuts) {
  ServerProcess server;
  auto space = open_in(connect_to(server));
  auto other = open_in(connect_to(server));
  const auto first = other.put({"task", 1});
  Subscription told = space.subscribe({"task", kInt}, true);
  EXPECT_EQ(told.initial_count(), 1U);
  EXPECT_EQ(number_of(told.next(kForever)), 1U);
  EXPECT_FALSE(told.next(0s));
  std::thread putting([&] {
    for (int i = 2; i <= 5'000; ++i) other.put_many({{{"task", i}, {}}, {{"other", i}, {}}});
  });
  std::uint64_t number = 1;
  TupleId last = first;
  while (number < 5'000) {
    for (const auto& item : told.next_batch(kForever, 100)) {
      const auto& one = std::get<Notification>(item);
      ASSERT_EQ(one.number, ++number);
      ASSERT_EQ(one.tuple, (Tuple{"task", static_cast<std::int64_t>(number)}));
      ASSERT_LT(last, one.id);
      last = one.id;
    }
  }
  putting.join();
  told.close();
  EXPECT_EQ(code_of([&] { (void)told.next(kForever); }), ErrorCode::kClosed);
}

// P30: a server that was started again says so, and the subscription goes on.
TEST(ClientServer, StatesTheGapOfARestart) {
  ServerProcess server;
  auto space = open_in(connect_to(server));
  Subscription told = space.subscribe({"task", kInt});
  space.put({"task", 1});
  EXPECT_EQ(number_of(told.next(kForever)), 1U);
  server.kill();
  server.start();
  EXPECT_EQ(std::get<Gap>(told.next(kForever).value()), (Gap{2, 0}));
  space.put({"task", 2});
  EXPECT_EQ(number_of(told.next(kForever)), 3U);
}

// P29, P15: all of them page by page, all of them as of one instant, some of them.
TEST(ClientServer, LooksAtManyTuples) {
  ServerProcess server;
  auto space = open_in(connect_to(server));
  std::vector<NewTuple> puts;
  for (int i = 0; i < 25'000; ++i) puts.push_back({{"n", i}, {}});
  space.put_many(puts);
  const Template all{"n", kInt};
  std::size_t seen = 0;
  Iteration iteration = space.iterate(all);
  while (const auto match = iteration.next()) {
    ASSERT_EQ(match->tuple, puts[seen++].tuple);
  }
  EXPECT_EQ(seen, puts.size());
  const auto snapshot = space.snapshot(all);
  ASSERT_EQ(snapshot.size(), puts.size());
  EXPECT_EQ(snapshot.back().tuple, puts.back().tuple);
  EXPECT_TRUE(space.snapshot({"none"}).empty());
  EXPECT_EQ(space.read_many(all, 10).size(), 10U);
  EXPECT_EQ(space.explain(all).matches, puts.size());
}

// P31, P35: kill -9 loses nothing that was answered, and a blocked take does not notice.
TEST(ClientServer, GoesOnAfterTheServerWasKilled) {
  ServerProcess server;
  auto space = open_in(connect_to(server));
  auto waiting = open_in(connect_to(server));
  std::thread thread([&] { EXPECT_EQ(waiting.take({"late"}).tuple, (Tuple{"late"})); });
  for (int round = 0; round < 3; ++round) {
    space.put({"kept", round});
    server.kill();
    server.start();
    EXPECT_EQ(space.count({"kept", kInt}), static_cast<std::uint64_t>(round + 1));
  }
  space.put({"late"});
  thread.join();
}

// P36: requests that were under way when the server died are said again and happen once.
TEST(ClientServer, RepeatsUnansweredPutsExactlyOnce) {
  ServerProcess server;
  auto client = connect_to(server);
  auto space = open_in(client);
  constexpr int kPuts = 20'000;
  std::vector<RequestId> requests;
  for (int i = 0; i < kPuts; ++i) {
    PutOp put;
    put.tuples.push_back({Tuple{"n", i}, {}});
    requests.push_back(client.send(space.number(), std::move(put)));
    if (i % 6'000 == 5'999) {
      server.kill();
      server.start();
    }
  }
  for (const auto request : requests) {
    const auto answer = client.wait(request, 30s);
    ASSERT_TRUE(answer);
    EXPECT_TRUE(std::holds_alternative<PutDone>(*answer));
  }
  EXPECT_EQ(space.count({"n", kInt}), static_cast<std::uint64_t>(kPuts));
}

// P20: after a restart the holder can still finish what it holds.
TEST(ClientServer, FinishesAfterARestart) {
  ServerProcess server;
  auto space = open_in(connect_to(server));
  space.put({"task", 1});
  auto held = space.reserve({"task", kInt});
  server.kill();
  server.start();
  EXPECT_FALSE(space.try_take({"task", kInt}));
  held.finish({{Tuple{"result", 1}, {}}});
  EXPECT_EQ(space.count({"result", 1}), 1U);
}

TEST(ClientServer, ASteadyStreamSurvivesRestarts) {
  ServerProcess server;
  auto worker_space = open_in(connect_to(server));
  auto space = open_in(connect_to(server));
  StreamOp form;
  form.templates = {Template{"task", kInt}};
  form.credit = 8;
  auto stream = worker_space.open_stream(form);
  StreamOp reading;
  reading.mode = TakeMode::kRead;
  reading.templates = {Template{"result", kInt}};
  reading.credit = 1'000;
  auto results = space.open_stream(reading);
  std::atomic<bool> stop{false};
  std::thread worker([&] {
    while (!stop) {
      const auto task = stream.next(100ms);
      if (task) stream.finish({task->id, task->attempt}, {{Tuple{"result", task->tuple[1]}, {}}});
    }
  });
  constexpr int kTasks = 3'000;
  std::vector<NewTuple> tasks;
  for (int i = 0; i < kTasks; ++i) tasks.push_back({Tuple{"task", i}, {}});
  space.put_many(tasks);
  std::vector<int> seen(kTasks, 0);
  for (int total = 0, restarts = 0; total < kTasks;) {
    const auto batch = results.next_batch(20s, 100'000);
    ASSERT_FALSE(batch.empty());
    for (const auto& one : batch) ++seen.at(static_cast<std::size_t>(one.tuple[1].as_int()));
    total += static_cast<int>(batch.size());
    if (restarts < 3 && total > kTasks / 4 * (restarts + 1)) {
      ++restarts;
      server.kill();
      server.start();
    }
  }
  stop = true;
  worker.join();
  EXPECT_THAT(seen, ::testing::Each(1));
}

// P36 for a take that has waited while many other requests were answered.
TEST(ClientServer, AnOldWaitingTakeSurvivesARestart) {
  ServerProcess server;
  auto client = connect_to(server);
  auto space = open_in(client);
  TakeOp take;
  take.templates = {Template{"late", kInt}};
  take.timeout = kForever;
  const auto waiting = client.send(space.number(), take);
  for (int i = 0; i < 200; ++i) space.put({"other", i});
  server.kill();
  server.start();
  EXPECT_EQ(space.count({"other", kInt}), 200U);
  space.put({"late", 1});
  const auto answer = client.wait(waiting, 20s);
  ASSERT_TRUE(answer);
  const auto* found = std::get_if<Found>(&*answer);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->tuples.at(0).tuple, (Tuple{"late", 1}));
}

// A taking stream hands each tuple over once, whatever happens to the server.
// F1, P17: a finish that was still being gathered when the connection broke is not forgotten at the
// reconnect, else the same hand-out would come, and be worked on, twice.
TEST(ClientServer, WhatWasFinishedWhileTheServerWasAwayIsNotHandedOutAgain) {
  ServerProcess server;
  auto client = connect_to(server);
  auto space = open_in(client);
  space.put({"task", 1});
  space.put({"task", 2});
  StreamOp form;
  form.mode = TakeMode::kReserve;
  form.templates = {Template{"task", kInt}};
  form.credit = 2;
  auto stream = space.open_stream(form);
  const auto first = stream.next(20s);
  ASSERT_TRUE(first);
  while (stream.queued() == 0) std::this_thread::yield();
  server.kill();
  while (client.connected()) std::this_thread::yield();
  stream.finish(Token{first->id, first->attempt}, {NewTuple{Tuple{"result", 1}, {}}}, false);
  server.start();
  while (!client.connected()) std::this_thread::yield();
  const auto second = stream.next(20s);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->tuple, (Tuple{"task", 2}));
  stream.finish(Token{second->id, second->attempt}, {NewTuple{Tuple{"result", 2}, {}}}, true);
  space.take({"result", 1}, 20s);
  space.take({"result", 2}, 20s);
  EXPECT_FALSE(stream.next(0s));
  EXPECT_EQ(space.count({"task", kInt}), 0U);
}

TEST(ClientServer, ATakingStreamSurvivesRestarts) {
  ServerProcess server;
  auto taker = open_in(connect_to(server));
  auto space = open_in(connect_to(server));
  StreamOp form;
  form.mode = TakeMode::kTake;
  form.templates = {Template{"n", kInt}};
  form.credit = 16;
  auto stream = taker.open_stream(form);
  constexpr int kTuples = 400;
  std::vector<int> seen(kTuples, 0);
  for (int i = 0; i < kTuples; ++i) {
    space.put({"n", i});
    const auto one = stream.next(20s);
    ASSERT_TRUE(one);
    ++seen.at(static_cast<std::size_t>(one->tuple[1].as_int()));
    if (i % 150 == 149) {
      server.kill();
      server.start();
    }
  }
  EXPECT_FALSE(stream.next(50ms));
  EXPECT_THAT(seen, ::testing::Each(1));
}

// What the application has not been given goes back, also what was still on its way; if the server
// is killed in between, too.
void close_streams(TakeMode mode, bool kill) {
  ServerProcess server;
  auto worker = open_in(connect_to(server));
  auto space = open_in(connect_to(server));
  constexpr std::uint64_t kTuples = 300;
  std::vector<NewTuple> tuples;
  for (std::uint64_t i = 0; i < kTuples; ++i) {
    tuples.push_back({Tuple{"n", static_cast<std::int64_t>(i), std::string(1000, 'x')}, {}});
    tuples.back().attributes.max_attempts = 7;
  }
  space.put_many(tuples);
  const Template any{"n", kInt, kText};
  std::uint64_t consumed = 0;
  for (int round = 0; round < 10; ++round) {
    StreamOp form;
    form.mode = mode;
    form.templates = {any};
    form.credit = 200;
    auto stream = worker.open_stream(form);
    if (round % 2 == 0) {
      const auto one = stream.next(20s);
      ASSERT_TRUE(one);
      ++consumed;
      if (mode == TakeMode::kReserve) stream.finish({one->id, one->attempt}, {});
    }
    stream.close();
    if (kill && round % 3 == 0) {
      server.kill();
      server.start();
    }
    // The first answer comes after what was on its way, so after it all has gone back (P9).
    worker.count(any);
    EXPECT_EQ(worker.count(any), kTuples - consumed);
    EXPECT_EQ(space.count(any), kTuples - consumed);
  }
  // As they were put.
  for (const ListedTuple& one : space.list(any).tuples) {
    EXPECT_LE(one.id.value, kTuples);
    EXPECT_EQ(one.max_attempts, 7U);
  }
}

TEST(ClientServer, P18AClosedStreamGivesBackWhatWasReserved) {
  close_streams(TakeMode::kReserve, false);
}

TEST(ClientServer, P18AClosedStreamGivesBackWhatWasReservedOverARestart) {
  close_streams(TakeMode::kReserve, true);
}

TEST(ClientServer, P32AClosedStreamPutsBackWhatWasTaken) {
  close_streams(TakeMode::kTake, false);
}

TEST(ClientServer, P32AClosedStreamPutsBackWhatWasTakenOverARestart) {
  close_streams(TakeMode::kTake, true);
}

TEST(ClientServer, P32AClosedClientPutsBackWhatItsStreamsHaveTaken) {
  ServerProcess server;
  auto space = open_in(connect_to(server));
  std::vector<NewTuple> tuples;
  for (int i = 0; i < 300; ++i) tuples.push_back({Tuple{"n", i}, {}});
  space.put_many(tuples);
  auto client = connect_to(server);
  StreamOp form;
  form.mode = TakeMode::kTake;
  form.templates = {Template{"n", kInt}};
  form.credit = 100;
  auto stream = open_in(client).open_stream(form);
  ASSERT_TRUE(stream.next(20s));
  client.close();
  EXPECT_EQ(space.count({"n", kInt}), 299U);
}

TEST(ClientServer, ReportsADeadServerInTime) {
  ServerProcess server;
  auto space = open_in(connect_to(server, 300ms));
  server.kill();
  EXPECT_EQ(code_of([&] { space.put({"x"}); }), ErrorCode::kConnectionLost);
  EXPECT_EQ(code_of([&] { space.put({"x"}); }), ErrorCode::kConnectionLost);
}

// Whoever asks for an answer that cannot come any more is told so instead of waiting for ever.
TEST(ClientServer, GivesAnAnswerOutOnce) {
  ServerProcess server;
  auto client = connect_to(server);
  auto space = open_in(client);
  const RequestId put = client.send(space.number(), PutOp{{{Tuple{"x"}, {}}}});
  ASSERT_TRUE(client.wait(put, 20s));
  EXPECT_EQ(code_of([&] { (void)client.wait(put, kForever); }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of([&] { (void)client.wait({1'000'000}, kForever); }),
            ErrorCode::kInvalidArgument);
  const RequestId queued = client.send(space.number(), PutOp{{{Tuple{"x"}, {}}}}, AnswerTo::kQueue);
  EXPECT_EQ(code_of([&] { (void)client.wait(queued, kForever); }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(client.completions(20s).size(), 1U);
}

TEST(ClientServer, SaysThatNobodyIsThere) {
  ConnectOptions options;
  options.address = "unix:/nonexistent/s.sock";
  options.timeout = 50ms;
  EXPECT_EQ(code_of([&] { (void)Client::connect(options); }), ErrorCode::kUnreachable);
  options.address = "tcp:no-such-host.invalid:1";
  EXPECT_EQ(code_of([&] { (void)Client::connect(options); }), ErrorCode::kUnreachable);
}

TEST(ClientServer, RefusesWhatMakesNoSenseAndGoesOn) {
  ServerProcess server;
  auto client = connect_to(server);
  EXPECT_EQ(code_of([&] { (void)client.open_space("missing"); }), ErrorCode::kNoSuchSpace);
  auto space = open_in(client);
  EXPECT_EQ(code_of([&] { space.take({"x"}, -1s); }), ErrorCode::kInvalidArgument);
  Attributes too_short;
  too_short.ttl = 1ms;
  EXPECT_EQ(code_of([&] { space.put({"x"}, too_short); }), ErrorCode::kInvalidArgument);
  space.put({"x"});
  EXPECT_EQ(space.count({"x"}), 1U);
}

// P26, P31: all of a commit is on the disk or nothing.
TEST(ClientServer, P26CommitsSeveralOperationsAsOne) {
  ServerProcess server;
  auto space = open_in(connect_to(server));
  const auto old = space.put({"counter", 1});
  space.put({"task", 1});
  auto held = space.reserve({"task", kInt});
  const auto ids = space.commit({{Tuple{"counter", 2}, {}}}, {held.token()}, {old});
  server.kill();
  server.start();
  EXPECT_EQ(space.read({"counter", kInt}).id, ids.at(0));
  EXPECT_EQ(space.count({"counter", 1}), 0U);
  EXPECT_EQ(space.count({"task", kInt}), 0U);
  EXPECT_EQ(code_of([&] {
              space.commit({{Tuple{"counter", 3}, {}}}, {}, {old});
            }),
            ErrorCode::kTransactionConflict);
  EXPECT_EQ(code_of([&] {
              space.commit({{Tuple{"counter", 3}, {}}}, {held.token()});
            }),
            ErrorCode::kStaleLease);
  EXPECT_EQ(space.count({"counter", kInt}), 1U);
}

// P27: visible to others at the commit; a killed server aborts what was open, and keeps what was
// committed.
TEST(ClientServer, P27TransactionsHappenWhollyOrNotAtAll) {
  ServerProcess server;
  auto space = open_in(connect_to(server));
  auto other = open_in(connect_to(server));
  space.put({"account", "a", 10});
  space.put({"account", "b", 0});
  auto move = space.begin();
  move.take({"account", "a", kInt});
  move.take({"account", "b", kInt});
  move.put({"account", "a", 7});
  move.put({"account", "b", 3});
  EXPECT_EQ(move.read({"account", "b", kInt}).tuple, (Tuple{"account", "b", 3}));
  EXPECT_FALSE(other.try_read({"account", kAny, kInt}));
  EXPECT_EQ(move.commit().size(), 2U);
  EXPECT_FALSE(move.open());

  auto open = space.begin();
  open.take({"account", "a", kInt});
  server.kill();
  server.start();
  EXPECT_EQ(other.read({"account", "a", kInt}).tuple, (Tuple{"account", "a", 7}));
  EXPECT_EQ(other.read({"account", "b", kInt}).tuple, (Tuple{"account", "b", 3}));
  EXPECT_EQ(code_of([&] { open.put({"x"}); }), ErrorCode::kStaleLease);
  EXPECT_EQ(code_of([&] { open.commit(); }), ErrorCode::kStaleLease);
  EXPECT_EQ(other.count({"account", kAny, kInt}), 2U);
}

TEST(ClientServer, P27ATransactionThatGoesOutOfScopeIsAborted) {
  ServerProcess server;
  auto space = open_in(connect_to(server));
  space.put({"task", 1});
  {
    auto open = space.begin();
    EXPECT_TRUE(open.try_take({"task", kInt}));
    EXPECT_FALSE(space.try_take({"task", kInt}));
  }
  EXPECT_EQ(space.count({"task", kInt}), 1U);
}

TEST(ClientServer, CloseWakesAWaitingThread) {
  ServerProcess server;
  auto client = connect_to(server);
  auto space = open_in(client);
  auto watch = open_in(connect_to(server));
  std::thread thread(
      [&] { EXPECT_EQ(code_of([&] { space.take({"never"}); }), ErrorCode::kClosed); });
  while (watch.summarize().waiters == 0) std::this_thread::yield();
  client.close();
  thread.join();
}

TEST(ClientServer, AnInterruptEndsAWaitWithoutTakingAnything) {
  ServerProcess server;
  auto space = open_in(connect_to(server));
  EXPECT_EQ(code_of([&] { space.take({"never"}, kForever, [] { return true; }); }),
            ErrorCode::kCancelled);
  space.put({"never"});
  EXPECT_EQ(space.count({"never"}), 1U);
}

TEST(ClientServer, TerminatesCleanly) {
  ServerProcess server;
  auto space = open_in(connect_to(server));
  space.put({"kept"});
  EXPECT_EQ(server.terminate(), 0);
  server.start();
  EXPECT_EQ(space.count({"kept"}), 1U);
}

}  // namespace
}  // namespace linden

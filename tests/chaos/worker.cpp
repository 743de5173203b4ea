#include "tests/chaos/worker.h"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <deque>
#include <iostream>
#include <random>
#include <thread>

#include <linden/client.h>
#include <linden/stream.h>

#include "tests/chaos/recorder.h"

namespace linden::chaos {
namespace {

using std::chrono::milliseconds;

std::atomic<bool> ends{false};

// Time in which more is put than taken, then as long the other way, so that searches meet full and
// empty spaces.
constexpr Moment kTide = 2'000'000;

constexpr Moment kBurst = 100'000;
constexpr int kActs = 40;

constexpr std::uint64_t kGroups = 5;

// What one thread does that asks for one thing after another, or for several at once.
class Actor {
 public:
  Actor(Recorder& recorder, std::uint64_t seed) : recorder_(recorder), random_(seed) {}

  // In bursts, so that much meets, and with rests, so that a run of ten minutes can be kept and
  // checked.
  void run() {
    for (Moment burst = moment_now(); !ends; burst += kBurst) {
      for (int acts = 0; acts < kActs && !ends; ++acts) act();
      burst = std::max(burst, moment_now() - kBurst);
      std::this_thread::sleep_for(std::chrono::microseconds(burst + kBurst - moment_now()));
    }
  }

 private:
  struct Held {
    Serial serial;
    Token token;
  };
  struct Promised {
    Serial serial;
    Word word;
  };

  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  bool chance(unsigned percent) { return below(100) < percent; }
  Word one_of(std::string_view words) { return words[below(words.size())]; }
  std::string some_payload() { return std::string(chance(2) ? 6'000 : below(200), 'x'); }

  void act() {
    const bool rising = moment_now() / kTide % 2 == 0;
    const std::uint64_t what = below(100);
    if (what < (rising ? 30 : 10)) {
      put();
    } else if (what < (rising ? 55 : 60)) {
      take();
    } else if (what < 70) {
      read();
    } else if (what < 80) {
      reserve();
    } else if (what < 90) {
      end_one();
    } else if (what < 96) {
      commit();
    } else {
      transaction();
    }
  }

  // A new tuple, noted in the call.
  NewTuple some_tuple(Call& call, std::string_view words, bool plain) {
    Item item;
    item.serial = recorder_.next_serial();
    item.word = one_of(words);
    NewTuple tuple{tuple_of(item.word, item.serial, some_payload()), {}};
    if (chance(20)) item.priority = tuple.attributes.priority = static_cast<int>(below(3)) - 1;
    const std::uint64_t what = plain ? 100 : below(100);
    if (what < 8) {
      tuple.attributes.ttl = milliseconds(20 + below(1'000));
      item.ttl = tuple.attributes.ttl->count();
    } else if (what < 14) {
      item.lives_with = true;
      tuple.attributes.lives_with = recorder_.space().client().session();
    } else if (what < 24) {
      item.max_attempts = tuple.attributes.max_attempts = static_cast<std::uint32_t>(1 + below(3));
      if (chance(70)) tuple.attributes.will = some_will(item.serial);
    } else if (what < 34) {
      tuple.attributes.rare = some_rare(item);
    }
    call.items.push_back(item);
    return tuple;
  }

  // What keeps it hidden for a while.
  RareAttributes some_rare(Item& item) {
    RareAttributes rare;
    switch (below(3)) {
      case 0:
        rare.delay = milliseconds(10 + below(500));
        item.delay = rare.delay.count();
        break;
      case 1:
        item.group = static_cast<std::uint32_t>(1 + below(kGroups));
        rare.group = "group-" + std::to_string(item.group);
        break;
      default:
        promised_.push_back({recorder_.next_serial(), one_of(kWords)});
        item.waits_for = promised_.back().serial;
        rare.when = {{Template{Value(std::string(1, promised_.back().word)),
                               Value(promised_.back().serial), kBytes},
                      {}}};
    }
    return rare;
  }

  // What others wait for, unless we are killed before.
  void keep_promises() {
    for (const Promised& promised : std::exchange(promised_, {})) {
      Call call = recorder_.new_call(Kind::kPut);
      Item item;
      item.serial = promised.serial;
      item.word = promised.word;
      call.items.push_back(item);
      recorder_.perform(call, PutOp{{{tuple_of(item.word, item.serial, "promised"), {}}}, {}});
    }
  }

  // The same put again, and perhaps once more, under one key: stored once.
  void put_with_key() {
    Call call = recorder_.new_call(Kind::kPut);
    PutOp op{some_tuples(call, kAllWords, 1), {}};
    RareAttributes rare;
    rare.key = "key-" + std::to_string(call.items[0].serial);
    op.tuples[0].attributes.rare = rare;
    for (std::uint64_t times = 1 + below(3); times > 0; --times) {
      Call again = call;
      recorder_.perform(again, op);
      if (again.outcome != Outcome::kDone) return;
    }
  }

  // Written down as a call of its own, which the space may or may not make.
  Tuple some_will(Serial of) {
    Call call = recorder_.new_call(Kind::kWill);
    Item item;
    item.serial = recorder_.next_serial();
    item.word = one_of(kWords);
    call.items.push_back(item);
    call.items.push_back(ended(of, {}));
    (void)recorder_.write_question(call);
    return tuple_of(item.word, item.serial, "will");
  }

  static Item ended(Serial serial, Token token) {
    Item item;
    item.part = Item::Part::kEnded;
    item.serial = serial;
    item.id = token.tuple.value;
    item.attempt = token.attempt;
    return item;
  }

  std::vector<NewTuple> some_tuples(Call& call, std::string_view words, std::uint64_t count) {
    std::vector<NewTuple> tuples;
    for (; count > 0; --count) tuples.push_back(some_tuple(call, words, true));
    return tuples;
  }

  // One, several as one, or several requests at once.
  void put() {
    if (chance(10)) return put_with_key();
    if (chance(20)) keep_promises();
    const std::size_t requests = chance(10) ? 2 + below(16) : 1;
    std::vector<Call> calls(requests, recorder_.new_call(Kind::kPut));
    std::vector<Recorder::Asked> asked;
    for (Call& call : calls) {
      PutOp op;
      for (std::uint64_t count = chance(80) ? 1 : 2 + below(4); count > 0; --count) {
        op.tuples.push_back(some_tuple(call, kAllWords, false));
      }
      asked.push_back(recorder_.ask(call, std::move(op)));
    }
    for (std::size_t i = 0; i < requests; ++i) recorder_.answer(calls[i], asked[i]);
  }

  TakeOp search(Call& call, TakeMode mode, std::string_view words = kWords) {
    TakeOp op;
    op.mode = mode;
    call.words = one_of(words);
    if (chance(15)) call.words += one_of(words);
    for (const Word word : call.words) op.templates.push_back(form_of(word));
    if (chance(40)) op.timeout = milliseconds(10 + below(400));
    if (mode != TakeMode::kReserve && chance(15)) op.count_max = 2 + below(8);
    call.count = op.count_max;
    return op;
  }

  void take() {
    Call call = recorder_.new_call(Kind::kTake);
    recorder_.perform(call, search(call, TakeMode::kTake));
  }

  void read() {
    Call call = recorder_.new_call(Kind::kRead);
    recorder_.perform(call, search(call, TakeMode::kRead));
    for (const Item& item : call.items) known_ = {item.serial, {{item.id}, 0}};
  }

  void reserve() {
    if (held_.size() >= 4) return end_one();
    Call call = recorder_.new_call(Kind::kReserve);
    TakeOp op = search(call, TakeMode::kReserve);
    op.lease = milliseconds(50 + below(1'000));
    recorder_.perform(call, std::move(op));
    for (const Item& item : call.items) held_.push_back({item.serial, {{item.id}, item.attempt}});
  }

  // Sometimes with a token that was used before.
  void end_one() {
    if (held_.empty()) return;
    const Held held = held_.front();
    if (!chance(5)) held_.pop_front();
    if (chance(25)) return release(held);
    Call call = recorder_.new_call(Kind::kFinish);
    FinishOp op{{{held.token, some_tuples(call, kAllWords, below(3))}}, {}};
    call.items.push_back(ended(held.serial, held.token));
    recorder_.perform(call, std::move(op));
  }

  void release(const Held& held) {
    Call call = recorder_.new_call(Kind::kRelease);
    call.items.push_back(ended(held.serial, held.token));
    call.items.back().started = chance(50);
    const ReleaseItem item{held.token, call.items.back().started};
    recorder_.perform(call, ReleaseOp{{item}});
  }

  // Changes a tuple that was read, finishes one that is held, puts others: what there is.
  void commit() {
    Call call = recorder_.new_call(Kind::kCommit);
    CommitOp op{some_tuples(call, kAllWords, 1 + below(2)), {}, {}};
    if (known_ && chance(60)) {
      op.takes.push_back(known_->token.tuple);
      call.items.push_back(ended(known_->serial, known_->token));
      known_.reset();
    }
    if (!held_.empty() && chance(60)) {
      op.finishes.push_back(held_.back().token);
      call.items.push_back(ended(held_.back().serial, held_.back().token));
      held_.pop_back();
    }
    recorder_.perform(call, std::move(op));
  }

  void transaction() {
    Client client = recorder_.space().client();
    const auto number = recorder_.space().number();
    const RequestId begun = client.send(number, BeginOp{milliseconds(200 + below(2'000))});
    const auto answer = client.wait(begun, kForever);
    if (!answer || !std::holds_alternative<Done>(*answer)) return;
    Call end = recorder_.new_call(Kind::kEnd);
    // It looks for other words than it puts: its own tuples have no ids yet.
    const bool first = chance(50);
    const std::string_view from = first ? "ab" : "cd";
    const std::string_view to = first ? "cdst" : "abst";
    bool open = true;
    for (std::uint64_t steps = 1 + below(4); open && steps > 0; --steps) {
      open = step_inside(begun, from, to, end);
    }
    if (open && chance(80)) {
      recorder_.perform(end, EndOp{begun, true});
    } else {
      client.forget(client.send(number, EndOp{begun, false}));
    }
  }

  // False once the transaction has ended: by a restart of the server, say.
  bool step_inside(RequestId begun, std::string_view from, std::string_view to, Call& end) {
    const std::uint64_t what = below(3);
    if (what == 0) {
      // Part of the end, whenever it was asked: nobody may see it before.
      PutOp op{some_tuples(end, to, 1 + below(2)), begun};
      Client client = recorder_.space().client();
      const auto answer =
          client.wait(client.send(recorder_.space().number(), std::move(op)), kForever);
      return answer && std::holds_alternative<PutDone>(*answer);
    }
    Call call = recorder_.new_call(what == 1 ? Kind::kHold : Kind::kLook);
    TakeOp op = search(call, what == 1 ? TakeMode::kTake : TakeMode::kRead, from);
    op.timeout = Duration::zero();
    op.transaction = begun;
    recorder_.perform(call, std::move(op));
    if (call.outcome == Outcome::kRefused) return false;
    if (what == 2) return true;
    for (const Item& item : call.items) end.items.push_back(ended(item.serial, {{item.id}, 0}));
    return true;
  }

  Recorder& recorder_;
  std::mt19937_64 random_;
  std::deque<Held> held_;      // until it ends them; some have ended by themselves
  std::optional<Held> known_;  // read last
  std::vector<Promised> promised_;
};

// Reserves by a stream, as engines do, and finishes with a result.
void work_on_stream(Recorder& recorder, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  StreamOp form;
  form.templates = {form_of(kReservedByStreams)};
  form.credit = 4;
  form.lease = milliseconds(1'000);
  Stream stream = recorder.space().client().open_space(kSpaceName).open_stream(form);
  while (!ends) {
    Call call = recorder.new_call(Kind::kReserve);
    call.words = kReservedByStreams;
    call.streamed = true;
    const std::uint64_t number = recorder.write_question(call);
    const auto task = stream.next(milliseconds(100));
    if (task) add_given(call, {*task});
    recorder.write_answer(number, call, task ? Outcome::kDone : Outcome::kNone);
    if (!task) continue;
    const Token token{task->id, task->attempt};
    if (random() % 20 == 0) {
      stream.release(token, random() % 2 == 0);
      continue;
    }
    // Its answer is not told: it stays unknown, and what becomes of the result says what it was.
    Call finish = recorder.new_call(Kind::kFinish);
    finish.streamed = true;
    Item result;
    result.serial = recorder.next_serial();
    result.word = kWords[random() % kWords.size()];
    finish.items.push_back(result);
    Item ended;
    ended.part = Item::Part::kEnded;
    ended.serial = call.items[0].serial;
    ended.id = token.tuple.value;
    ended.attempt = token.attempt;
    finish.items.push_back(ended);
    (void)recorder.write_question(finish);
    stream.finish(token, {{tuple_of(result.word, result.serial, "result"), {}}});
  }
  stream.close();
}

// Takes by a stream.  A call is under way all the time: what it may be given without our knowledge,
// if we are killed, is what one call may be given.
void take_by_stream(Recorder& recorder) {
  StreamOp form;
  form.mode = TakeMode::kTake;
  form.templates = {form_of(kTakenByStreams)};
  form.credit = 8;
  Stream stream = recorder.space().client().open_space(kSpaceName).open_stream(form);
  std::uint64_t number = 0;
  const auto ask = [&] {
    Call call = recorder.new_call(Kind::kTake);
    call.words = kTakenByStreams;
    call.streamed = true;
    call.count = form.credit;
    number = recorder.write_question(call);
    return call;
  };
  Call call = ask();
  while (!ends) {
    const auto taken = stream.next_batch(milliseconds(100), form.credit);
    if (taken.empty()) continue;
    add_given(call, taken);
    recorder.write_answer(number, call, Outcome::kDone);
    call = ask();
  }
  stream.close();
}

void say_goodbye(Recorder& recorder) {
  Call call = recorder.new_call(Kind::kGoodbye);
  const std::uint64_t number = recorder.write_question(call);
  Space space = recorder.space();
  Client client = space.client();
  bool heard = false;
  try {
    // A connection that was cut a moment ago is not known to be so before something is asked.
    static_cast<void>(space.try_read(Template{"nobody puts this"}));
    heard = client.connected();
  } catch (const Error&) {
    // The session has ended, and with it what lives as long.
  }
  client.close(true);
  if (heard) recorder.write_answer(number, call, Outcome::kDone);
}

}  // namespace

int run_worker(const WorkerOptions& options) try {
  std::signal(SIGTERM, [](int) { ends = true; });
  ConnectOptions connection;
  connection.address = options.address;
  connection.name = "worker-" + std::to_string(options.process);
  connection.hold = milliseconds(300);
  connection.memory = std::chrono::minutes(2);
  connection.reconnect = std::chrono::minutes(10);  // a server starts slowly on a busy machine
  connection.timeout = std::chrono::seconds(60);
  Client client = Client::connect(connection);
  Recorder recorder(client.open_space(kSpaceName, {}, std::chrono::seconds(60)), options.history,
                    options.process);
  std::atomic<bool> failed{false};
  const auto guarded = [&](auto&& what) {
    try {
      what();
    } catch (const Error& error) {
      std::cerr << "worker " << options.process << ": " << error.what() << '\n';
      failed = true;
      ends = true;
    }
  };
  std::vector<std::thread> threads;
  if (options.process % 3 == 1) {
    threads.emplace_back([&] { guarded([&] { work_on_stream(recorder, options.seed + 1); }); });
  } else if (options.process % 3 == 2) {
    threads.emplace_back([&] { guarded([&] { take_by_stream(recorder); }); });
  } else {
    threads.emplace_back([&] { guarded([&] { Actor(recorder, options.seed + 1).run(); }); });
  }
  guarded([&] { Actor(recorder, options.seed).run(); });
  for (std::thread& thread : threads) thread.join();
  if (!failed) say_goodbye(recorder);
  return failed ? 1 : 0;
} catch (const Error& error) {
  std::cerr << "worker " << options.process << ": " << error.what() << '\n';
  return 1;
}

}  // namespace linden::chaos

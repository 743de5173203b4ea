// workers/cpp/engine.cpp: joins a farm, starts a thread per slot, and looks after them.
#include <linden/engine.h>

#include <signal.h>  // NOLINT(modernize-deprecated-headers): kill is not in <csignal>
#include <unistd.h>
#include <tbb/global_control.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <thread>

#include "workers/cpp/crash_report.h"
#include "workers/cpp/registration.h"
#include "workers/cpp/slot.h"

namespace linden {
namespace {

// How often it is looked whether there is something to tidy up.
constexpr std::chrono::seconds kHouseKept{2};
constexpr std::uint32_t kWordsAtOnce = 64;
constexpr int kThreadsMax = 1'024;
constexpr std::uint32_t kPrefetchMax = 4'096;

EngineOptions checked(EngineOptions options) {
  const auto check = [](const char* name, std::int64_t value, std::int64_t low, std::int64_t high) {
    if (value >= low && value <= high) return;
    throw Error(ErrorCode::kInvalidArgument, std::string(name) + ": wanted " + std::to_string(low) +
                                                 " to " + std::to_string(high) + ", found " +
                                                 std::to_string(value));
  };
  check("threads", options.threads, 0, kThreadsMax);
  check("concurrency", options.concurrency, 0, kThreadsMax);
  check("prefetch_max", options.prefetch_max, 2, kPrefetchMax);
  if (options.threads == 0) options.threads = tbb::this_task_arena::max_concurrency();
  if (options.concurrency == 0) options.concurrency = options.threads;
  options.tags = farm::checked_tags(std::move(options.tags));
  return options;
}

OneOf one_of(const std::vector<std::string>& texts) {
  OneOf field;
  for (const auto& text : texts) field.values.emplace_back(text);
  return field;
}

// Its own queue, where whatever it cannot run gets an answer, and everybody's.
std::vector<Template> tasks_for(std::int64_t id, const FunctionRegistry& functions,
                                const EngineOptions& options) {
  std::vector<Template> forms{
      Template{"task", farm::engine_queue(id), kText, kInt, kText, kText, kText, kAny, kAny}};
  const OneOf names = one_of(functions.names());
  const OneOf kinds = one_of({std::string(farm::kCall), std::string(farm::kCallMap)});
  for (const auto& queue : farm::queues_served(farm::kNativeQueue, options.tags))
    forms.push_back(Template{"task", queue, kText, kInt, kText, kinds, names, kAny, kList});
  return forms;
}

}  // namespace

class Engine::Impl {
 public:
  Impl(const Space& space, FunctionRegistry functions, EngineOptions options)
      : functions_(std::move(functions)),
        options_(checked(std::move(options))),
        shared_{space, functions_, {}, EngineData(space), {}, {}, {}} {
    if (functions_.empty())
      throw Error(ErrorCode::kInvalidArgument,
                  "an engine needs at least one function; add it to the registry first");
  }

  EngineEnd run();
  void stop() noexcept {
    stopping_.store(true);
    shared_.bell.ring();
  }
  [[nodiscard]] std::int64_t id() const noexcept { return id_.load(); }
  [[nodiscard]] std::uint64_t done() const noexcept { return shared_.done.load(); }

 private:
  void join_farm();
  Stream open_control();
  void open_slots();
  void look_after(Stream& control);
  [[nodiscard]] bool was_given_up();
  void hear(const Tuple& word);
  void cancel(const List& task);
  void signal(const Value& number);
  void close_slots() noexcept;
  struct ClosingSlots {
    Impl& engine;
    ~ClosingSlots() { engine.close_slots(); }
  };

  const FunctionRegistry functions_;
  const EngineOptions options_;
  Shared shared_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::atomic<std::int64_t> id_{-1};
  std::atomic<bool> stopping_{false};
  std::uint64_t reconnects_ = 0;  // after which it was registered
  EngineEnd end_ = EngineEnd::kStopped;
};

void Engine::Impl::join_farm() {
  shared_.engine.session = to_string(shared_.space.client().session());
  reconnects_ = shared_.space.client().reconnects();
  shared_.engine.id = register_engine(shared_.space, engine_info(functions_, options_));
  id_.store(shared_.engine.id);
}

Stream Engine::Impl::open_control() {
  StreamOp words;
  words.mode = TakeMode::kTake;
  words.templates = {Template{"control", shared_.engine.session, kText, kAny}};
  words.credit = kWordsAtOnce;
  auto control = shared_.space.open_stream(std::move(words));
  control.on_news([bell = shared_.bell] { bell.ring(); });
  return control;
}

void Engine::Impl::open_slots() {
  StreamOp form;
  form.mode = TakeMode::kReserve;
  form.templates = tasks_for(shared_.engine.id, functions_, options_);
  form.lease = options_.lease;
  for (int i = 0; i < options_.threads; ++i)
    slots_.push_back(std::make_unique<Slot>(shared_, form, options_.prefetch_max));
}

EngineEnd Engine::Impl::run() {
  std::optional<CrashReport> report;
  if (options_.report_crashes) report.emplace();
  join_farm();
  auto control = open_control();
  // The slots' threads are in the arena for as long as they live, so that a parallel loop in a task
  // runs there; what it may have beyond its own thread are the arena's workers.
  const tbb::global_control limit(tbb::global_control::max_allowed_parallelism,
                                  static_cast<std::size_t>(options_.concurrency));
  tbb::task_arena arena(options_.threads + options_.concurrency - 1,
                        static_cast<unsigned>(options_.threads));
  open_slots();
  {
    std::vector<std::jthread> threads;
    const ClosingSlots closing{*this};  // before the threads are waited for, whatever happens
    for (const auto& slot : slots_) {
      threads.emplace_back([&arena, &slot] {
        const CrashReport::Stack stack;
        arena.execute([&slot] { slot->serve(); });
      });
    }
    look_after(control);
  }
  for (const auto& slot : slots_) {
    if (slot->failure()) std::rethrow_exception(slot->failure());
  }
  control.close();
  return end_;
}

void Engine::Impl::look_after(Stream& control) {
  const auto has_ended = [](const auto& slot) { return slot->has_ended(); };
  while (!stopping_.load() && std::ranges::none_of(slots_, has_ended)) {
    static_cast<void>(shared_.bell.wait(kHouseKept));
    bool given_up = false;
    try {
      for (const auto& word : control.next_batch(Duration::zero(), kWordsAtOnce)) hear(word.tuple);
      const auto now = TaskOutput::Clock::now();
      for (const auto& slot : slots_) slot->send_old_output(now);
      shared_.data.keep_house(now);
      given_up = was_given_up();
    } catch (const Error&) {
      // The session has ended, and a slot tells why; or the server is slow to answer.
      if (shared_.space.client().failure()) return;
    }
    if (given_up)
      throw Error(ErrorCode::kSessionExpired,
                  "the farm has taken this engine for dead, since it was away for too long");
  }
}

// Who is away for longer than the hold time is registered no more, though the session goes on.
bool Engine::Impl::was_given_up() {
  const auto reconnects = shared_.space.client().reconnects();
  if (reconnects == reconnects_) return false;
  const auto& me = shared_.engine;
  if (shared_.space.count(Template{"engine", me.id, me.session, kText}) == 0) return true;
  reconnects_ = reconnects;
  return false;
}

void Engine::Impl::close_slots() noexcept {
  for (const auto& slot : slots_) {
    try {
      slot->close();
    } catch (const Error&) {
      // The session has ended, and with it the stream.
    }
  }
}

void Engine::Impl::hear(const Tuple& word) {
  const std::string verb = word[2].as_text();
  const Value argument = word[3];
  if (verb == "cancel" && argument.type() == FieldType::kList) {
    cancel(argument.as_list());
  } else if (verb == "shutdown") {
    if (argument == Value("restart")) end_ = EngineEnd::kRestart;
    stop();
  } else if (verb == "signal" && argument.type() == FieldType::kInt) {
    signal(argument);
  }
}

void Engine::Impl::cancel(const List& task) {
  const bool names_one =
      task.size() == 2 && task[0].type() == FieldType::kText && task[1].type() == FieldType::kInt;
  if (!names_one) return;
  const farm::TaskId id{task[0].as_text(), task[1].as_int()};
  // Noted first: a task that begins just now finds the wish, or is found.
  shared_.wishes.add(id);
  for (const auto& slot : slots_) {
    if (!slot->cancel(id)) continue;
    (void)shared_.wishes.take(id);
    return;
  }
}

// SIGINT interrupts what runs, as far as that can be done; the others are for the process.
void Engine::Impl::signal(const Value& number) {
  if (number.as_int() == SIGINT) {
    for (const auto& slot : slots_) slot->cancel();
  } else if (number.as_int() > 0 && number.as_int() < NSIG) {
    ::kill(::getpid(), static_cast<int>(number.as_int()));
  }
}

Engine::Engine(const Space& space, FunctionRegistry functions, EngineOptions options)
    : impl_(std::make_unique<Impl>(space, std::move(functions), std::move(options))) {}
Engine::~Engine() = default;

EngineEnd Engine::run() {
  return impl_->run();
}
void Engine::stop() noexcept {
  impl_->stop();
}
std::int64_t Engine::id() const noexcept {
  return impl_->id();
}
std::uint64_t Engine::done() const noexcept {
  return impl_->done();
}

}  // namespace linden

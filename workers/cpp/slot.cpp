// workers/cpp/slot.cpp
#include "workers/cpp/slot.h"

#include <tbb/task_arena.h>

#include <chrono>
#include <ostream>
#include <streambuf>

#include "workers/cpp/crash_report.h"
#include "workers/cpp/run_call.h"

namespace linden {
namespace {

// Output that a task has not flushed is sent so much later.
constexpr std::chrono::milliseconds kOutputAfter{20};

thread_local Slot* current_slot = nullptr;

double wall_clock_s() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

StreamOp with_credit(StreamOp form, std::uint32_t credit) {
  form.credit = credit;
  return form;
}

// The streams outside of tasks: what is written is dropped.
std::ostream& nowhere() {
  static std::ostream stream(nullptr);
  return stream;
}

}  // namespace

// ---- What functions ask (linden/task_context.h)

std::stop_token this_task() {
  return current_slot == nullptr ? std::stop_token() : current_slot->token();
}
std::ostream& task_output() {
  return current_slot == nullptr ? nowhere() : current_slot->output().out();
}
std::ostream& task_errors() {
  return current_slot == nullptr ? nowhere() : current_slot->output().errors();
}

// ---- The slot

Slot* Slot::current() noexcept {
  return current_slot;
}

Slot::Slot(Shared& shared, StreamOp form, std::uint32_t prefetch_max)
    : shared_(shared),
      prefetch_(prefetch_max),
      stream_(shared.space.open_stream(with_credit(std::move(form), prefetch_.credit()))),
      output_([this](std::vector<NewTuple> puts) { stream_.put(std::move(puts), true); },
              [this] { shared_.bell.ring_within(kOutputAfter); }) {}

void Slot::serve() noexcept {
  try {
    for (;;) {
      const auto task = stream_.next(kForever);
      if (task) run(*task);
    }
  } catch (...) {
    // Closed by us, or the session has ended: what was begun is then handed to somebody else.
    if (!closed_.load()) failure_ = std::current_exception();
  }
  ended_.store(true);
  shared_.bell.ring();
}

void Slot::close() {
  closed_.store(true);
  stream_.close();
}

bool Slot::was_cancelled(const Handout& task, const TaskView& view) {
  if (shared_.wishes.take(view.client(), view.number())) return true;
  // It may have been cancelled at an engine that has died since.
  return task.attempt > 1 &&
         shared_.space.try_read(Template{"cancelled", view.client(), view.number()}).has_value();
}

farm::Outcome Slot::outcome_of(const TaskView& task) {
  farm::Outcome outcome;
  // A thread that waits for a parallel loop of its task must not run another task meanwhile.
  tbb::this_task_arena::isolate([&] {
    current_slot = this;
    outcome = run_call(
        shared_.functions, task, [this] { return running_.is_cancelled(); },
        [this](Value payload) { return shared_.data.take_in(std::move(payload)); });
    current_slot = nullptr;
  });
  return outcome;
}

void Slot::run(const Handout& task) {
  const TaskView view(task.tuple);
  const double started = wall_clock_s();
  output_.begin(view.client(), view.number());
  running_.begin(view.client(), view.number());
  farm::Outcome outcome{farm::kCancelled, {}};
  if (!was_cancelled(task, view)) {
    const CrashReport::Running report(view.function(), view.client(), view.number());
    outcome = outcome_of(view);
  }
  if (running_.end()) outcome = {farm::kCancelled, {}};
  const double ended = wall_clock_s();
  finish(task, view, std::move(outcome), started, ended);
  ++shared_.done;
  if (prefetch_.observe(ended - started)) stream_.set_credit(prefetch_.credit());
}

void Slot::finish(const Handout& task, const TaskView& view, farm::Outcome outcome, double started,
                  double ended) {
  const Token token{task.id, task.attempt};
  std::vector<NewTuple> before;  // what is put with the result, whatever that is
  if (outcome.status == farm::kOk) {
    outcome.payload = shared_.data.give_out(std::move(outcome.payload),
                                            {std::string(view.client()), view.number()}, before);
  }
  output_.end(before);
  const auto puts_with = [&](const farm::Outcome& end) {
    std::vector<NewTuple> puts = before;
    auto again = end.status == farm::kError ? retry_of(task.tuple) : std::nullopt;
    if (!again)
      again = NewTuple{farm::new_result(task.tuple, end, shared_.engine, started, ended), {}};
    puts.push_back(std::move(*again));
    return puts;
  };
  const bool at_once = closed_.load();  // nobody calls next() any more, which sends the others
  try {
    stream_.finish(token, puts_with(outcome), at_once);
  } catch (const Error& error) {
    // The result is no text where it says so, or is too large.
    if (error.code() != ErrorCode::kInvalidArgument && error.code() != ErrorCode::kLimitExceeded)
      throw;
    stream_.finish(
        token,
        puts_with(failed("TypeError", std::string("the result cannot be sent: ") + error.what())),
        at_once);
  }
}

}  // namespace linden

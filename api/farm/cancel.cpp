// api/farm/cancel.cpp: ending tasks wherever they are (F6), and removing what they left.
#include <algorithm>
#include <optional>
#include <set>
#include <span>
#include <tuple>
#include <vector>

#include "api/client/answers.h"
#include "api/farm/farm_client.h"

namespace linden::client {

namespace {

using detail::GiveBack;
using farm::TaskId;
using std::chrono::steady_clock;

// By then an engine has given back what it has not begun.
constexpr std::chrono::milliseconds kRecallFor{500};
constexpr std::uint32_t kTasksAtOnce = 1000;
constexpr std::uint32_t kOutputsAtOnce = 1000;
constexpr std::uint32_t kUsesAtOnce = 1000;

steady_clock::time_point deadline_of(Duration timeout) {
  return timeout == kForever ? steady_clock::time_point::max() : steady_clock::now() + timeout;
}

Duration left_until(steady_clock::time_point deadline) {
  return std::max(std::chrono::duration_cast<Duration>(deadline - steady_clock::now()),
                  Duration::zero());
}

// Tasks of a client whose numbers follow each other, as those of a map do: one request is for all.
struct Run {
  std::string client;
  std::int64_t first = 0;
  std::int64_t last = 0;

  [[nodiscard]] TemplateField numbers() const {
    if (first == last) return first;
    return Between{first, last};
  }
  [[nodiscard]] Template tasks() const {
    return {"task", kAny, client, numbers(), kAny, kAny, kAny, kAny, kAny};
  }
  [[nodiscard]] Template cancelled() const {
    return {"result", client, numbers(), farm::kCancelled, kAny, kAny};
  }
};

std::vector<Run> runs_of(const std::set<TaskId>& tasks) {
  std::vector<Run> runs;
  for (const TaskId& task : tasks) {
    if (runs.empty() || runs.back().client != task.client || runs.back().last + 1 != task.number)
      runs.push_back({task.client, task.number, task.number});
    runs.back().last = task.number;
  }
  return runs;
}

TaskId named_in(const Tuple& tuple, std::size_t client, std::size_t number) {
  return {tuple[client].as_text(), tuple[number].as_int()};
}

}  // namespace

// One call of cancel.
class FarmClient::Cancelling {
 public:
  Cancelling(FarmClient& farm, std::span<const TaskId> tasks)
      : farm_(farm), tasks_(tasks.begin(), tasks.end()), runs_(runs_of(tasks_)) {}

  // Finishes those that no engine has.
  void end_waiting(steady_clock::time_point deadline) {
    // What an engine holds ahead is recalled by the space meanwhile (F4).
    Duration recall =
        all_begun_ ? Duration::zero() : std::min(left_until(deadline), Duration(kRecallFor));
    while (finish_some(recall)) recall = Duration::zero();
  }

  // Tells the engines that have the others.  Whether nothing is left but what runs and was told of
  // before: so it is told in time.
  bool tell_engines() {
    running_.clear();
    stuck_.reset();
    all_begun_ = true;
    std::vector<NewTuple> words;
    for (const Run& run : runs_) {
      Listed page;
      do {
        const auto after = page.tuples.empty() ? TupleId{} : page.tuples.back().id;
        page = farm_.space_.list(run.tasks(), after, kTasksAtOnce);
        for (const auto& one : page.tuples) look_at(one, words);
      } while (page.more && !page.tuples.empty());
    }
    if (!words.empty()) farm_.space_.put_many(std::move(words));
    return !stuck_;
  }

  // Once nothing is left: whether all have been cancelled, or are going to be.
  [[nodiscard]] bool are_cancelled() const {
    std::set<TaskId> cancelled = running_;
    for (const Run& run : runs_) {
      auto results = farm_.space_.iterate(run.cancelled());
      while (const auto one = results.next()) cancelled.insert(named_in(one->tuple, 1, 2));
    }
    return std::ranges::includes(cancelled, tasks_);
  }

  [[nodiscard]] Error not_in_time() const {
    return {ErrorCode::kOutcomeUnknown,
            "task " + farm::message_id(*stuck_) +
                " could not be had in time, and was not cancelled: it is paused, waits for "
                "something, or its engine does not answer"};
  }

 private:
  // Whether there were any.
  bool finish_some(Duration recall) {
    std::vector<Future<Found>> asked;
    for (const Run& run : runs_) {
      const auto count = std::min<std::int64_t>(run.last - run.first + 1, kTasksAtOnce);
      auto reserve =
          take_op(TakeMode::kReserve, run.tasks(), static_cast<std::uint32_t>(count), recall);
      asked.push_back(farm_.begin<Found>(std::move(reserve), GiveBack::kRelease));
    }
    std::vector<Future<FinishDone>> finishing;
    for (auto& held : asked) {
      try {
        finishing.push_back(finish(held.get(patience(recall))));
      } catch (const Error& error) {
        if (error.code() != ErrorCode::kNoMatch) throw;
      }
    }
    // An engine may have had one again meanwhile: then it is still there, and looked at again.
    for (auto& done : finishing) static_cast<void>(done.get(kAnswerMax));
    return !finishing.empty();
  }

  Future<FinishDone> finish(const Found& held) {
    FinishOp finish;
    for (const auto& one : held.tuples) {
      auto& item = finish.items.emplace_back();
      item.token = {one.id, one.attempt};
      item.puts.push_back({farm::cancelled_result(one.tuple), {}});
    }
    return farm_.begin<FinishDone>(std::move(finish), GiveBack::kNothing);
  }

  void look_at(const ListedTuple& one, std::vector<NewTuple>& words) {
    auto task = named_in(one.tuple, 2, 3);
    const bool begun = one.state == TupleState::kStarted;
    // Without a holder it was given back a moment ago, or waits for something.
    const bool new_to_it = !one.holder.is_none() && told_.insert({one.id, one.attempt}).second;
    if (new_to_it)
      std::ranges::move(farm::cancel(to_string(one.holder), task), std::back_inserter(words));
    all_begun_ = all_begun_ && begun;
    if ((new_to_it || !begun) && !stuck_) stuck_ = task;
    running_.insert(std::move(task));
  }

  FarmClient& farm_;
  const std::set<TaskId> tasks_;
  const std::vector<Run> runs_;
  std::set<std::tuple<TupleId, std::uint32_t>> told_;
  // As of the last look:
  std::set<TaskId> running_;     // and those that wait
  std::optional<TaskId> stuck_;  // the first that has neither ended nor been told in time
  bool all_begun_ = true;
};

template <class Wanted>
Future<Wanted> FarmClient::begin(Operation operation, GiveBack give_back) {
  const auto state =
      std::make_shared<detail::FutureStateOf<Wanted>>([](Answer&& answer, const detail::Keep&) {
        return expect<Wanted>(std::move(answer), "cancel");
      });
  core_->send(space_.number(), std::move(operation), state, give_back);
  return Future<Wanted>(state, core_);
}

bool FarmClient::cancel(std::span<const TaskId> tasks, Duration timeout) {
  const auto deadline = deadline_of(timeout);
  Cancelling cancelling(*this, tasks);
  do {
    cancelling.end_waiting(deadline);
    if (cancelling.tell_engines()) return cancelling.are_cancelled();
  } while (steady_clock::now() < deadline);
  throw cancelling.not_in_time();
}

// What large arguments and results the task has named is not kept for it any more.
void FarmClient::purge_data(Future<std::vector<Match>> uses) {
  std::vector<std::string> names;
  try {
    for (const Match& use : uses.get(kAnswerMax)) names.push_back(use.tuple[1].as_text());
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kNoMatch) throw;
  }
  data_.was_purged(names);
}

bool FarmClient::purge(const farm::TaskId& task) {
  auto uses = space_.take_many_async(Template{"data", kText, task.client, task.number, kText},
                                     kUsesAtOnce, Duration::zero());
  auto said = space_.try_take_async(farm::resubmitted_form(task));
  const bool there = space_.try_take(farm::results_form(task.client, task.number)).has_value();
  const auto outputs = farm::outputs_form(task.client, task.number);
  try {
    while (true) (void)space_.take_many(outputs, kOutputsAtOnce, Duration::zero());
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kNoMatch) throw;
  }
  purge_data(std::move(uses));
  if (said.get()) purge_made_again(task);
  return there;
}

}  // namespace linden::client

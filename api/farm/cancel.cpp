// api/farm/cancel.cpp: ending tasks wherever they are (F6), and removing what they left.
#include <algorithm>
#include <set>
#include <tuple>

#include "api/client/answers.h"
#include "api/farm/farm_client.h"

namespace linden::client {

namespace {

using std::chrono::steady_clock;

// By then an engine has given back what it has not begun.
constexpr std::chrono::milliseconds kRecallFor{500};
constexpr std::uint32_t kOutputsAtOnce = 1000;
constexpr std::uint32_t kUsesAtOnce = 1000;

steady_clock::time_point deadline_of(Duration timeout) {
  return timeout == kForever ? steady_clock::time_point::max() : steady_clock::now() + timeout;
}

Duration recall_until(steady_clock::time_point deadline) {
  const auto left = std::chrono::duration_cast<Duration>(deadline - steady_clock::now());
  return std::clamp(left, Duration::zero(), Duration(kRecallFor));
}

}  // namespace

// Finishes the task if no engine has it; an engine that has not begun it is asked for it meanwhile
// (F4).
bool FarmClient::abort_waiting(const farm::TaskId& task, Duration timeout) {
  try {
    auto held = space_.reserve(farm::tasks_form(task.client, task.number), std::chrono::seconds(30),
                               timeout);
    auto result = farm::cancelled_result(held.tuple());
    held.finish({NewTuple{std::move(result), {}}});
    return true;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kNoMatch && error.code() != ErrorCode::kStaleLease) throw;
    return false;
  }
}

bool FarmClient::ended_as_cancelled(const farm::TaskId& task) {
  const auto match = space_.try_read(farm::results_form(task.client, task.number));
  return match && farm::parse_result(match->tuple).status == farm::kCancelled;
}

bool FarmClient::cancel(const farm::TaskId& task, Duration timeout) {
  std::set<std::tuple<TupleId, std::uint32_t>> told;
  const auto deadline = deadline_of(timeout);
  bool begun = true;
  do {
    if (abort_waiting(task, begun ? Duration::zero() : recall_until(deadline))) return true;
    const auto there = space_.list(farm::tasks_form(task.client, task.number));
    if (there.tuples.empty()) return ended_as_cancelled(task);
    const auto& one = there.tuples.front();
    if (one.holder.is_none()) {  // it was given back a moment ago, or waits for something
      begun = false;             // so the next look waits at the server
      continue;
    }
    begun = one.state == TupleState::kStarted;
    if (told.insert({one.id, one.attempt}).second) {
      space_.put_many(farm::cancel(to_string(one.holder), task));
    } else if (begun) {
      return true;  // still there after it was told, so it was told in time
    }
  } while (steady_clock::now() < deadline);
  throw Error(ErrorCode::kOutcomeUnknown, "task " + farm::message_id(task) +
                                              " could not be had in time, and was not cancelled: "
                                              "it is paused, waits for something, or its engine "
                                              "does not answer");
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

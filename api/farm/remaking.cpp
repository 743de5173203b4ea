// api/farm/remaking.cpp: results with large data, and what is lost of them: who asks for it has the
// task run once more, as clients in Python do (python/linden/remaking.py).
#include <algorithm>
#include <utility>

#include "api/farm/farm_client.h"

namespace linden::client {

std::optional<Tuple> FarmClient::with_data(const Tuple& result, Duration timeout,
                                           const Interrupt& interrupt) {
  // Looked at where it lies: nearly all results have all that is theirs, and many are long lists.
  if (result.head().find(farm::kByReferenceSuffix) == std::string_view::npos) return result;
  const auto parsed = farm::parse_result(result);
  const Object* reference =
      parsed.status == farm::kOk ? find_by_reference(parsed.payload) : nullptr;
  if (reference == nullptr) return result;
  auto [farm, node] = holder_of(farm_id_of(*reference));
  std::string lost;
  try {
    return farm::with_payload(result, node.resolve(parsed.payload));
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kNoMatch) throw;
    lost = error.what();
  }
  auto again = farm->made_again(result, lost, timeout, interrupt);
  if (!again) return std::nullopt;
  const auto made = farm::parse_result(*again);
  if (made.status != farm::kOk) return again;
  return farm::with_payload(*again, node.resolve(made.payload));  // once only
}

std::optional<Tuple> FarmClient::made_again(const Tuple& result, const std::string& lost,
                                            Duration timeout, const Interrupt& interrupt) {
  const auto again = given_again(result, lost);
  const auto form = farm::results_form(again.client, again.number);
  if (auto there = space_.try_read(form)) return std::move(there->tuple);
  auto made = space_.read_async(form);
  if (!made.wait(timeout, interrupt)) return std::nullopt;
  return made.get().tuple;
}

// Whoever asks meanwhile waits for the same task.
farm::TaskId FarmClient::given_again(const Tuple& result, const std::string& lost) {
  const std::lock_guard lock(again_mutex_);
  const auto task = farm::parse_result(result).task;
  if (const auto found = again_.find(task); found != again_.end()) return found->second;
  auto again = farm::call_again(result);
  if (again.call && !space_.try_read(farm::results_form(task.client, task.number)))
    again = {{}, "its result was purged"};
  if (!again.call)
    throw Error(ErrorCode::kNoMatch, lost + "; it is not made again: " + again.why_not);
  return again_[task] = give_again(task, std::move(*again.call));
}

farm::TaskId FarmClient::give_again(const farm::TaskId& task, farm::Call call) {
  call.task = {session_, core_->task_numbers(1)};
  call.submitted = wall_clock_s();
  if (const auto id = farm::engine_of_queue(call.queue)) {
    if (const auto engine = space_.try_read(Template{"engine", *id, kText, kText})) {
      call.engine = farm::EngineRef{*id, engine->tuple[2].as_text()};
    } else {
      const bool python = call.function.find(':') != std::string::npos;
      call.queue = python ? farm::kAnyQueue : farm::kNativeQueue;
    }
  }
  space_.put_many({farm::new_task(call), {farm::resubmitted(task, call.task), {}}});
  return call.task;
}

// What we have given once more nobody knows by its own id.
void FarmClient::purge_made_again(const farm::TaskId& task) {
  std::optional<farm::TaskId> again;
  {
    const std::lock_guard lock(again_mutex_);
    if (const auto found = again_.extract(task)) again = found.mapped();
  }
  if (again) static_cast<void>(purge(*again));
}

}  // namespace linden::client

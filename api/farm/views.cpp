// api/farm/views.cpp: the public face of FarmClient.
#include <linden/views.h>

#include <algorithm>

#include "api/client/answers.h"
#include "api/farm/farm_client.h"

namespace linden {

namespace {

constexpr std::size_t kTasksPerEngine = 4;  // of a map, so that uneven ones even out

farm::TaskId task_of(std::string_view id) {
  if (auto task = farm::parse_message_id(id)) return *task;
  throw Error(ErrorCode::kInvalidArgument,
              "'" + std::string(id) +
                  "' is no id of a task; wanted a client's session, '_' and a number, as "
                  "AsyncResult::id gives it");
}

std::string text_of(const farm::TaskError& error) {
  return error.message.empty() ? error.type : error.type + ": " + error.message;
}

// What the task has given, unless it has ended otherwise.
Value value_or_throw(Answer&& answer, std::size_t first) {
  const auto found = client::expect<Found>(std::move(answer), "result");
  const auto there = client::FarmClient::with_data(found.tuples.at(0).tuple, kForever, {});
  auto result = farm::parse_result(there.value());
  if (result.status == farm::kOk) return std::move(result.payload);
  auto id = farm::message_id(result.task);
  if (result.status == farm::kError) {
    auto error = std::move(result.errors.front());
    error.item += static_cast<std::int64_t>(first);
    throw RemoteError(std::move(id), std::move(error));
  }
  if (result.status == farm::kCancelled) throw TaskCancelled(id, "task " + id + " was cancelled");
  if (result.status == farm::kEngineDied) {
    throw EngineDied(id,
                     "task " + id + ": the engines that had it have died; its retries are used up");
  }
  throw TaskFailed(id, "task " + id + " has ended without a value: " + result.status);
}

}  // namespace

RemoteError::RemoteError(std::string task, farm::TaskError error)
    : TaskFailed(std::move(task), text_of(error)), error_(std::move(error)) {}

Farm::Farm(Client client, std::string_view space)
    : farm_(client::FarmClient::open(std::move(client), space)) {}

Space Farm::space() const {
  return farm_->space();
}

std::vector<EngineInfo> Farm::engines() const {
  return farm_->engines();
}

void Farm::wait_for_engines(std::size_t count, Duration timeout) const {
  auto space = farm_->space();
  const auto form = farm::engines_form();
  const auto began = std::chrono::steady_clock::now();
  auto coming = space.subscribe(form);
  std::uint64_t there = 0;
  while ((there = space.count(form)) < count) {
    const auto passed =
        std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - began);
    const auto left = timeout == kForever ? kForever : timeout - passed;
    if (left <= Duration::zero() || !coming.next(left)) {
      coming.close();
      throw Error(ErrorCode::kNoMatch, "wanted " + std::to_string(count) + " engines in farm '" +
                                           space.name() + "', found " + std::to_string(there) +
                                           " in time; start more, or wait longer");
    }
  }
  coming.close();
}

View Farm::view() const {
  return {farm_, std::nullopt};
}

View Farm::engine(std::int64_t id) const {
  const auto match = farm_->space().try_read(Template{"engine", id, kText, kText});
  if (!match) {
    throw Error(ErrorCode::kNoMatch, "there is no engine " + std::to_string(id) + " in farm '" +
                                         farm_->space().name() +
                                         "'; engines() lists those there are");
  }
  return {farm_, farm::EngineRef{id, match->tuple[2].as_text()}};
}

bool Farm::cancel(std::string_view id, Duration timeout) const {
  return detail::cancel_tasks(*farm_, {std::string(id)}, timeout);
}

bool Farm::purge(std::string_view id) const {
  return farm_->purge(task_of(id));
}

std::vector<std::string> View::submit(
    Language language, std::string_view function, bool is_map, std::vector<Value> payloads,
    const std::vector<std::shared_ptr<detail::FutureState>>& results) const {
  const bool python = language == Language::kPython;
  if (python && function.find(':') == std::string_view::npos) {
    throw Error(ErrorCode::kInvalidArgument,
                "a Python function is named 'package.module:function', found '" +
                    std::string(function) + "'");
  }
  client::FarmClient::Submission what;
  what.function = function;
  what.is_map = is_map;
  what.options = options_;
  what.engine = engine_;
  if (engine_) {
    if (!options_.tags.empty()) {
      throw Error(ErrorCode::kInvalidArgument,
                  "a task for one engine has no tags, which choose among engines");
    }
    what.queue = farm::engine_queue(engine_->id);
  } else {
    const auto queue = python ? farm::kAnyQueue : farm::kNativeQueue;
    what.queue = options_.tags.empty() ? std::string(queue) : farm::tagged(queue, options_.tags);
    if (!python) farm_->expect_function(function);
  }
  return farm_->submit(what, std::move(payloads), results);
}

std::size_t View::chunk_for(std::size_t items) const {
  if (options_.chunk > 0) return options_.chunk;
  const std::size_t engines =
      engine_ ? 1 : std::max<std::uint64_t>(1, farm_->space().count(farm::engines_form()));
  const std::size_t tasks = engines * kTasksPerEngine;
  return std::max<std::size_t>(1, (items + tasks - 1) / tasks);
}

namespace detail {

Value value_of_result(Answer&& answer) {
  return value_or_throw(std::move(answer), 0);
}

List values_of_result(Answer&& answer, std::size_t first) {
  return from_plain<List>(value_or_throw(std::move(answer), first));
}

bool await_result(FutureState& state, Duration timeout, const Interrupt& interrupt) {
  const auto began = std::chrono::steady_clock::now();
  if (!state.wait(timeout, interrupt)) return false;
  auto* found = state.answer() ? std::get_if<Found>(&*state.answer()) : nullptr;
  if (found == nullptr) return true;
  const auto passed =
      std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - began);
  const auto left = timeout == kForever ? kForever : std::max(timeout - passed, Duration::zero());
  auto& result = found->tuples.at(0).tuple;
  auto there = client::FarmClient::with_data(result, left, interrupt);
  if (!there) return false;
  result = std::move(*there);
  return true;
}

void make_again(FutureState& state) {
  try {
    static_cast<void>(await_result(state, Duration::zero(), {}));
  } catch (const Error&) {
    // Whoever gets it hears the same.
  }
}

void find_result(client::FarmClient& farm, std::string_view id,
                 const std::shared_ptr<FutureState>& state) {
  farm.find(task_of(id), state);
}

bool cancel_tasks(client::FarmClient& farm, const std::vector<std::string>& ids, Duration timeout) {
  std::vector<farm::TaskId> tasks;
  tasks.reserve(ids.size());
  for (const auto& id : ids) tasks.push_back(task_of(id));
  return farm.cancel(tasks, timeout);
}

}  // namespace detail

}  // namespace linden

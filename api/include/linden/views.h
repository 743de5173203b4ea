// linden/views.h: a farm as C++ programs use it: tasks for engines, and their results.
//
//   linden::Farm farm(client);
//   auto view = farm.view();
//   view.apply<std::int64_t>("mul", 6, 7).get();                 // a C++ function, by its name
//   view.call_python<double>("math:sqrt", 2.0).get();            // a Python function
//   view.map_python<std::int64_t>("myjob:count", words).get();   // one call for each word
//
// What a task is given and gives are plain values (linden/plain.h); Bytes and Array of 1 MiB and
// more go by reference, texts do not (docs/design/data-path.md).  A result stays in the farm
// until it is purged, and any client finds it by the task's id.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <linden/farm.h>
#include <linden/future.h>
#include <linden/plain.h>
#include <linden/space.h>

namespace linden {

namespace client {
class FarmClient;  // api/farm/farm_client.h
}

// A task has ended without a value.
class TaskFailed : public std::runtime_error {
 public:
  TaskFailed(std::string task, const std::string& message)
      : std::runtime_error(message), task_(std::move(task)) {}
  // The task's id.
  [[nodiscard]] const std::string& task() const noexcept { return task_; }

 private:
  std::string task_;
};

// The function of a task has thrown.
class RemoteError : public TaskFailed {
 public:
  RemoteError(std::string task, farm::TaskError error);
  // The type of what was thrown: "ValueError", "std::exception".
  [[nodiscard]] const std::string& name() const noexcept { return error_.type; }
  // What it said.
  [[nodiscard]] const std::string& message() const noexcept { return error_.message; }
  // As the engine's language prints it; may be empty.
  [[nodiscard]] const std::string& traceback() const noexcept { return error_.traceback; }
  // Which item of a map it was, from 0.
  [[nodiscard]] std::size_t item() const noexcept { return static_cast<std::size_t>(error_.item); }

 private:
  farm::TaskError error_;
};

// The task was cancelled, by whomever.
class TaskCancelled : public TaskFailed {
  using TaskFailed::TaskFailed;
};

// The engines that had the task have died, as often as its retries allow.
class EngineDied : public TaskFailed {
  using TaskFailed::TaskFailed;
};

// A task that is to be cancelled may move while it is looked for, but not for ever.
inline constexpr Duration kCancelFor = std::chrono::seconds(10);

namespace detail {
// Waits for a result, and until what it names is at hand; false after `timeout`, or if interrupted.
bool await_result(FutureState& state, Duration timeout, const Interrupt& interrupt);
// The same of a result that is there, but waits for nothing and throws nothing.
void make_again(FutureState& state);
}  // namespace detail

// The result of a task that is under way: a future that knows the task's id.
//
// Large parts of a result lie with the host that made them.  If they are lost, its task runs once
// more where the value is asked for, unless it must not run twice (retries = 0, or a task for one
// engine) or its arguments were larger than 64 KiB: then get() throws Error kNoMatch, and says why.
// That happens once for each result; then() and co_await wait for it as long as it takes.
template <class T>
class AsyncResult : public Future<T> {
 public:
  AsyncResult() = default;
  // For those who make them.
  AsyncResult(std::string id, std::shared_ptr<client::FarmClient> farm,
              std::shared_ptr<detail::FutureStateOf<T>> state)
      : Future<T>(state, farm), id_(std::move(id)), farm_(std::move(farm)), state_(state) {}

  // By which anybody finds the result: Farm::result, and `get_result` in Python.
  [[nodiscard]] const std::string& id() const noexcept { return id_; }

  // As Future::get; what is lost is waited for within `timeout`, and may be asked for again.
  T get(Duration timeout = kForever, const Interrupt& interrupt = {}) {
    const auto state = this->valid() ? state_.lock() : nullptr;
    if (state && !detail::await_result(*state, timeout, interrupt)) detail::throw_not_ready();
    return Future<T>::get();
  }

  // Cancels the task, wherever it is (F6); as Farm::cancel.
  bool cancel(Duration timeout = kCancelFor);

 private:
  template <class U>
  friend class MapResult;

  // What is lost of it is under way again, and waited for by get(), which says what is wrong.
  void make_again() const {
    const auto state = this->valid() ? state_.lock() : nullptr;
    if (state) detail::make_again(*state);
  }

  std::string id_;
  std::shared_ptr<client::FarmClient> farm_;
  std::weak_ptr<detail::FutureState> state_;  // while the value is to be had
};

// The results of a map, in the order of its items.
template <class T>
class MapResult {
 public:
  MapResult(std::vector<AsyncResult<std::vector<T>>> chunks, std::size_t items, std::size_t chunk)
      : chunks_(std::move(chunks)), items_(items), chunk_(chunk) {}

  // How many items it has.
  [[nodiscard]] std::size_t size() const noexcept { return items_; }
  // The ids of its tasks, each of which has a chunk of the items.
  [[nodiscard]] std::vector<std::string> ids() const {
    std::vector<std::string> ids;
    for (const auto& chunk : chunks_) ids.push_back(chunk.id());
    return ids;
  }
  // Whether all of it has ended.
  [[nodiscard]] bool ready() const {
    return std::ranges::all_of(left(), [](const auto& chunk) { return chunk.ready(); });
  }
  // How many of its tasks have ended.
  [[nodiscard]] std::size_t progress() const {
    return got_.size() + static_cast<std::size_t>(std::ranges::count_if(
                             left(), [](const auto& chunk) { return chunk.ready(); }));
  }
  // Until all has ended: true; false after `timeout`, or if interrupted.
  bool wait(Duration timeout = kForever, const Interrupt& interrupt = {}) const {
    const auto began = std::chrono::steady_clock::now();
    for (const auto& chunk : left())
      if (!chunk.wait(left_of(timeout, began), interrupt)) return false;
    return true;
  }
  // All values; or throws what the first item that failed has ended with, once all tasks have
  // ended.  Error kOutcomeUnknown after `timeout`: then it may be asked again.
  std::vector<T> get(Duration timeout = kForever, const Interrupt& interrupt = {}) {
    const auto began = std::chrono::steady_clock::now();
    if (!wait(timeout, interrupt)) detail::throw_not_ready();
    for (auto& chunk : left()) chunk.make_again();
    // Each gives its values once, and a later one may have to be made again, in time or not.
    while (got_.size() < chunks_.size())
      got_.push_back(chunks_[got_.size()].get(left_of(timeout, began), interrupt));
    std::vector<T> values;
    values.reserve(items_);
    for (auto& some : std::exchange(got_, {}))
      std::move(some.begin(), some.end(), std::back_inserter(values));
    return values;
  }
  // The tasks themselves, to wait for or to go on from one by one.
  [[nodiscard]] std::vector<AsyncResult<std::vector<T>>>& chunks() noexcept { return chunks_; }
  // Most items in a chunk.
  [[nodiscard]] std::size_t chunk_size() const noexcept { return chunk_; }
  // Cancels all of its tasks in one step, as Farm::cancel; whether the result of each is, or is
  // going to be, that it was cancelled.  Throws Error kOutcomeUnknown: one of them could not be had
  // within `timeout`; the others are cancelled.
  bool cancel(Duration timeout = kCancelFor);

 private:
  // Those that have not given their values.
  [[nodiscard]] std::span<const AsyncResult<std::vector<T>>> left() const {
    return std::span(chunks_).subspan(got_.size());
  }
  using Moment = std::chrono::steady_clock::time_point;
  static Duration left_of(Duration timeout, Moment began) {
    if (timeout == kForever) return kForever;
    const auto passed = std::chrono::steady_clock::now() - began;
    return std::max(timeout - std::chrono::duration_cast<Duration>(passed), Duration{0});
  }

  std::vector<AsyncResult<std::vector<T>>> chunks_;
  std::vector<std::vector<T>> got_;  // of the first of them
  std::size_t items_;
  std::size_t chunk_;
};

// How tasks are to be run.
struct TaskOptions {
  // How often a task may be run again when its function has thrown or its engine has died; none:
  // only the death of an engine is forgiven, twice (docs/decisions/0007-retries.md).
  std::optional<std::int64_t> retries;
  std::int32_t priority = 0;         // higher is begun first
  std::optional<std::string> label;  // for people
  std::vector<std::string> tags;     // only engines that have all of these
  std::size_t chunk = 0;             // most items of a map in a task; 0: four tasks for each engine
};

// Gives tasks to engines.  A small value: copy it freely; any thread may use it.
//
// A call throws Error kInvalidArgument for what makes no sense, and if the session has ended.  That
// a task could not be put (kOverloaded, kLimitExceeded, ...) is the error of its result.
class View {
 public:
  // The same view with other options.
  [[nodiscard]] View with(TaskOptions options) const {
    View view = *this;
    view.options_ = std::move(options);
    return view;
  }
  [[nodiscard]] const TaskOptions& options() const noexcept { return options_; }

  // Calls a function that engines in C++ have under this name.
  template <class T = Value, class... Arguments>
  AsyncResult<T> apply(std::string_view function, const Arguments&... arguments) const {
    return call<T>(Language::kCpp, function, List{to_plain(arguments)...});
  }
  // Calls a function of Python, named "package.module:function", which the engine imports.
  template <class T = Value, class... Arguments>
  AsyncResult<T> call_python(std::string_view function, const Arguments&... arguments) const {
    return call<T>(Language::kPython, function, List{to_plain(arguments)...});
  }

  // Calls it for each item, in chunks.  An item is one argument; a std::tuple or std::pair has an
  // argument in each of its elements.
  template <class T = Value, std::ranges::input_range Items>
  MapResult<T> map(std::string_view function, const Items& items) const {
    return call_map<T>(Language::kCpp, function, rows_of(items));
  }
  template <class T = Value, std::ranges::input_range Items>
  MapResult<T> map_python(std::string_view function, const Items& items) const {
    return call_map<T>(Language::kPython, function, rows_of(items));
  }

 private:
  friend class Farm;
  enum class Language : std::uint8_t { kCpp, kPython };

  View(std::shared_ptr<client::FarmClient> farm, std::optional<farm::EngineRef> engine)
      : farm_(std::move(farm)), engine_(std::move(engine)) {}

  template <class Items>
  static std::vector<Value> rows_of(const Items& items) {
    std::vector<Value> rows;
    if constexpr (std::ranges::sized_range<Items>) rows.reserve(std::ranges::size(items));
    for (const auto& item : items) {
      if constexpr (detail::kPlainRow<std::remove_cvref_t<decltype(item)>>) {
        rows.push_back(to_plain(item));
      } else {
        List row;
        row.push_back(to_plain(item));
        rows.emplace_back(std::move(row));
      }
    }
    return rows;
  }

  template <class T>
  AsyncResult<T> call(Language language, std::string_view function, List arguments) const;
  template <class T>
  MapResult<T> call_map(Language language, std::string_view function,
                        std::vector<Value> rows) const;

  // A task for each payload, in one step.
  std::vector<std::string> submit(
      Language language, std::string_view function, bool is_map, std::vector<Value> payloads,
      const std::vector<std::shared_ptr<detail::FutureState>>& results) const;
  [[nodiscard]] std::size_t chunk_for(std::size_t items) const;

  std::shared_ptr<client::FarmClient> farm_;
  std::optional<farm::EngineRef> engine_;
  TaskOptions options_;
};

// An engine as it shows itself.
struct EngineInfo {
  std::int64_t id = 0;
  std::string session;   // 32 hexadecimal digits
  std::string language;  // "Python", "C++"
  std::string name;      // for people
  std::string host;
  std::int64_t pid = 0;
  std::vector<std::string> functions;  // of an engine in C++
  std::vector<std::string> tags;
  std::string info;  // all that it says, as JSON
};

// A farm of engines in a space.  Copies share it; every method may be called from any thread.
class Farm {
 public:
  // The farm in this space of the server, which is made if nobody has made it.  Throws Error as
  // Client::open_space.
  explicit Farm(Client client, std::string_view space = farm::kDefaultSpace);

  // The space that it is in.
  [[nodiscard]] Space space() const;
  // Those that are there now, in order of their ids.
  [[nodiscard]] std::vector<EngineInfo> engines() const;
  // Waits until there are so many; throws Error kNoMatch after `timeout`.
  void wait_for_engines(std::size_t count, Duration timeout = kForever) const;

  // Tasks for whoever is free.
  [[nodiscard]] View view() const;
  // Tasks for this engine.  Throws Error kNoMatch: there is no such engine.
  [[nodiscard]] View engine(std::int64_t id) const;

  // The result of a task, whoever has given it, by its id; `T` as for View::apply.  Throws Error
  // kInvalidArgument: it is no id.
  template <class T = Value>
  AsyncResult<T> result(std::string_view id) const;
  // Ends the task wherever it is: if it waits it never begins, if it runs its engine is told to
  // interrupt it (F6).  Whether its result is, or is going to be, that it was cancelled; false: it
  // had ended before.  Throws Error kInvalidArgument: it is no id; kOutcomeUnknown: it was not
  // cancelled, for it could not be had within `timeout`, since it is paused or waits for something,
  // or since its engine does not answer.
  bool cancel(std::string_view id, Duration timeout = kCancelFor) const;
  // Removes the result of a task that has ended, and what it printed; whether there was one.
  bool purge(std::string_view id) const;

 private:
  std::shared_ptr<client::FarmClient> farm_;
};

namespace detail {

// So that then() gives the value of a task that its function gives.
template <class T>
struct IsFuture<AsyncResult<T>> : std::true_type {
  using value_type = T;
};

// What a result tuple says: its value, or one of the errors above is thrown.
Value value_of_result(Answer&& answer);
// The same of a chunk of a map whose first item is the `first` of all.
List values_of_result(Answer&& answer, std::size_t first);
void find_result(client::FarmClient& farm, std::string_view id,
                 const std::shared_ptr<FutureState>& state);
bool cancel_tasks(client::FarmClient& farm, const std::vector<std::string>& ids, Duration timeout);

template <class T>
std::shared_ptr<FutureStateOf<T>> result_state() {
  return std::make_shared<FutureStateOf<T>>([](Answer&& answer, const Keep&) -> T {
    if constexpr (std::is_void_v<T>) {
      value_of_result(std::move(answer));
    } else {
      return from_plain<T>(value_of_result(std::move(answer)));
    }
  });
}

template <class T>
std::vector<T> items_of_result(Answer&& answer, std::size_t first) {
  return from_plain<std::vector<T>>(Value(values_of_result(std::move(answer), first)));
}

}  // namespace detail

template <class T>
bool AsyncResult<T>::cancel(Duration timeout) {
  return detail::cancel_tasks(*farm_, {id_}, timeout);
}

template <class T>
bool MapResult<T>::cancel(Duration timeout) {
  return chunks_.empty() || detail::cancel_tasks(*chunks_.front().farm_, ids(), timeout);
}

template <class T>
AsyncResult<T> View::call(Language language, std::string_view function, List arguments) const {
  auto state = detail::result_state<T>();
  std::vector<Value> payloads;
  payloads.emplace_back(std::move(arguments));
  auto ids = submit(language, function, false, std::move(payloads), {state});
  return AsyncResult<T>(std::move(ids.front()), farm_, std::move(state));
}

template <class T>
MapResult<T> View::call_map(Language language, std::string_view function,
                            std::vector<Value> rows) const {
  const std::size_t items = rows.size();
  const std::size_t chunk = chunk_for(items);
  std::vector<Value> payloads;
  std::vector<std::shared_ptr<detail::FutureStateOf<std::vector<T>>>> typed;
  std::vector<std::shared_ptr<detail::FutureState>> states;
  for (std::size_t first = 0; first < items; first += chunk) {
    const auto begin = rows.begin() + static_cast<std::ptrdiff_t>(first);
    const auto count = static_cast<std::ptrdiff_t>(std::min(chunk, items - first));
    payloads.emplace_back(List(std::move_iterator(begin), std::move_iterator(begin + count)));
    typed.push_back(std::make_shared<detail::FutureStateOf<std::vector<T>>>(
        [first](Answer&& answer, const detail::Keep&) {
          return detail::items_of_result<T>(std::move(answer), first);
        }));
    states.push_back(typed.back());
  }
  auto ids = submit(language, function, true, std::move(payloads), states);
  std::vector<AsyncResult<std::vector<T>>> chunks;
  for (std::size_t i = 0; i < ids.size(); ++i)
    chunks.emplace_back(std::move(ids[i]), farm_, std::move(typed[i]));
  return MapResult<T>(std::move(chunks), items, chunk);
}

template <class T>
AsyncResult<T> Farm::result(std::string_view id) const {
  auto state = detail::result_state<T>();
  detail::find_result(*farm_, id, state);
  return AsyncResult<T>(std::string(id), farm_, std::move(state));
}

}  // namespace linden

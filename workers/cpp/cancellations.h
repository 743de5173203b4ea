// workers/cpp/cancellations.h: which tasks of an engine are to be cancelled (F6).
#pragma once

#include <compare>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <stop_token>
#include <string>

namespace linden {

// Names a task in the farm: the session of its client and its number there.
struct TaskKey {
  std::string client;
  std::int64_t number = 0;
  friend auto operator<=>(const TaskKey&, const TaskKey&) = default;
};

// Nobody can stop a C++ function from outside: it asks, and the engine sees to it that a task that
// was cancelled has no other result, whatever it returns.  Every method may be called from any
// thread.
class Cancellations {
 public:
  // The task is about to run; what it may ask is `stop_token`.  Nothing stops the other tasks.
  [[nodiscard]] std::stop_token begin(const TaskKey& task);
  // The task has ended; true if it was cancelled before or while it ran.
  [[nodiscard]] bool end(const TaskKey& task);
  // A task that is not here yet is cancelled when it comes, if it comes soon: the wishes that met
  // no task are forgotten, the oldest first, beyond a thousand.
  void cancel(const TaskKey& task);

 private:
  std::mutex mutex_;
  std::map<TaskKey, std::stop_source> running_;
  std::deque<TaskKey> wished_;  // in order of arrival
};

}  // namespace linden

// workers/cpp/running_task.h: the task that a thread of an engine runs, as others see it: whether
// it was cancelled (F6).
#pragma once

#include <mutex>
#include <optional>
#include <stop_token>
#include <string_view>

#include <linden/farm.h>

namespace linden {

// Nobody can stop a C++ function from outside: it asks, and the engine sees to it that a task that
// was cancelled has no other result, whatever it returns.  begin() and end() are for the thread
// that runs the task, the others for any.
class RunningTask {
 public:
  void begin(std::string_view client, std::int64_t number);
  // True if it was cancelled while it ran.
  [[nodiscard]] bool end();

  // What its function may ask; made when it is asked for.  Nothing stops while no task runs.
  [[nodiscard]] std::stop_token token();
  [[nodiscard]] bool is_cancelled();
  // Cancels the task; false if it is not the one that runs.
  [[nodiscard]] bool cancel(const farm::TaskId& task);
  // Cancels whatever runs.
  void cancel();

 private:
  std::mutex mutex_;
  bool running_ = false;
  bool cancelled_ = false;
  farm::TaskId task_;
  std::optional<std::stop_source> source_;
};

}  // namespace linden

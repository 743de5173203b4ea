// workers/cpp/cancel_wishes.h: which tasks are to be cancelled that this engine does not run (F6).
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string_view>

#include <linden/farm.h>

namespace linden {

// A task that is not here yet is cancelled when it comes, if it comes soon.  Every method may be
// called from any thread.
class CancelWishes {
 public:
  // The oldest are forgotten beyond a thousand.
  void add(const farm::TaskId& task);
  // Whether there was such a wish; it is for one run.
  [[nodiscard]] bool take(std::string_view client, std::int64_t number);
  [[nodiscard]] bool take(const farm::TaskId& task) { return take(task.client, task.number); }

 private:
  std::atomic<bool> any_{false};  // usually there is none, and nobody need lock to see that
  std::mutex mutex_;
  std::deque<farm::TaskId> wishes_;  // in order of arrival
};

}  // namespace linden

// api/farm/held_data.h: what is held of large arguments, by the numbers of the tasks that name
// them.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include <linden/data.h>

namespace linden::client {

// Who reads results says which tasks have ended, and goes on at once; who looks after the data
// (TaskData) gives back what these held.  Any thread may call it; it calls nobody.
class HeldData {
 public:
  struct Ended {
    std::int64_t number = 0;
    std::vector<DataRef> refs;
  };

  // Before the task is put.
  void hold(std::int64_t number, std::vector<DataRef> refs);
  // Whether there is nothing that a task could end for: what most farms pay for each result.
  [[nodiscard]] bool is_empty() const noexcept {
    return count_.load(std::memory_order_relaxed) == 0;
  }
  // Its result is here, or it was never put; of other tasks nothing happens.
  void ended(std::int64_t number);
  // Nothing will be heard of any task any more.
  void end();
  // Lets go of everything; the tuples that keep it stay.
  void clear();

  // Waits until something has ended, or is to be looked at, or `pause` is over; whether it is not.
  bool wait(std::chrono::milliseconds pause);
  // Ends the wait.
  void nudge();
  // The one that ended first; it stays until it is dropped.
  [[nodiscard]] std::optional<Ended> first_ended();
  void drop_first_ended();
  // Whether end() was called.
  [[nodiscard]] bool is_over();

 private:
  std::atomic<std::size_t> count_{0};  // of tasks in held_
  std::mutex mutex_;                   // what follows
  std::condition_variable changed_;
  std::unordered_map<std::int64_t, std::vector<DataRef>> held_;
  std::deque<Ended> ended_;
  bool nudged_ = false;
  bool over_ = false;
};

}  // namespace linden::client

// space/server/joint_steps.h: steps that two spaces make together, one at a time (P28).
//
//   source   stops before the step --> ask() ......... its turn
//   target                                    begin(): done with its batch, lends itself
//   source                                                        the step, one commit --> done()
//   target                                                        takes itself back
//
// Whoever waits for its own turn can still lend itself, because it is between two batches; so two
// spaces that collect from each other do not wait for each other.
#pragma once

#include <deque>
#include <functional>
#include <mutex>
#include <utility>

namespace linden::server {

// Any thread may call it.
class JointSteps {
 public:
  // Calls `begin` as soon as no other step is under way: now, or in the done() that ends another.
  void ask(std::function<void()> begin) {
    {
      const std::lock_guard lock(mutex_);
      if (busy_) return waiting_.push_back(std::move(begin));
      busy_ = true;
    }
    begin();
  }

  // The step that began last is over.
  void done() {
    std::function<void()> next;
    {
      const std::lock_guard lock(mutex_);
      busy_ = !waiting_.empty();
      if (!busy_) return;
      next = std::move(waiting_.front());
      waiting_.pop_front();
    }
    next();
  }

 private:
  std::mutex mutex_;
  bool busy_ = false;
  std::deque<std::function<void()>> waiting_;
};

}  // namespace linden::server

// api/client/callbacks.cpp
#include "api/client/callbacks.h"

#include <utility>

namespace linden::client {

Callbacks::~Callbacks() {
  if (thread_.joinable()) thread_.detach();  // the thread has the last share, and ends
}

void Callbacks::run(std::function<void()> continuation) {
  {
    const std::lock_guard lock(mutex_);
    if (!ended_) {
      queue_.push_back(std::move(continuation));
      if (!thread_.joinable()) {
        thread_ = std::thread([self = shared_from_this()] { self->work(); });
      }
      changed_.notify_one();
      return;
    }
  }
  continuation();
}

void Callbacks::end() {
  std::thread thread;
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_one();
    if (thread_.get_id() == std::this_thread::get_id()) return;
    thread = std::move(thread_);
  }
  if (thread.joinable()) thread.join();
}

void Callbacks::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return ended_ || !queue_.empty(); });
    if (queue_.empty()) return;
    {
      const auto continuation = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      continuation();
    }  // what it held is let go while nothing is locked
    lock.lock();
  }
}

}  // namespace linden::client

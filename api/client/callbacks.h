// api/client/callbacks.h: the one thread of a session on which continuations of futures run.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace linden::client {

// Continuations, first come, first run.  The thread starts with the first one.  Shared by whoever
// adds to it; the thread itself has a share.
class Callbacks : public std::enable_shared_from_this<Callbacks> {
 public:
  Callbacks() = default;
  Callbacks(const Callbacks&) = delete;
  Callbacks& operator=(const Callbacks&) = delete;
  ~Callbacks();

  // May be called with anything locked.  What is added after end() runs at once in this thread, so
  // that nobody waits for it for ever.
  void run(std::function<void()> continuation);

  // Runs what is there and ends the thread; waits for that, unless called by a continuation.
  void end();

 private:
  void work();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  bool ended_ = false;
  std::thread thread_;
};

}  // namespace linden::client

// space/server/commit_thread.h: the thread that waits for slow disks, so that no I/O thread has to.
#pragma once

#include <thread>
#include <utility>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

namespace linden::server {

// Runs jobs in the order in which they were posted.
class CommitThread {
 public:
  ~CommitThread() { stop(); }

  // Any thread.  `job` runs later on this object's thread.
  template <class Job>
  void post(Job&& job) {
    boost::asio::post(context_, std::forward<Job>(job));
  }
  // Once, before the first post.
  void start() {
    thread_ = std::thread([this] { context_.run(); });
  }
  // Finishes what was posted, then ends.
  void stop() {
    work_.reset();
    if (thread_.joinable()) thread_.join();
  }

 private:
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_ =
      boost::asio::make_work_guard(context_);
  std::thread thread_;
};

}  // namespace linden::server

// workers/cpp/running_task.cpp
#include "workers/cpp/running_task.h"

namespace linden {

void RunningTask::begin(std::string_view client, std::int64_t number) {
  const std::scoped_lock lock(mutex_);
  task_.client.assign(client);
  task_.number = number;
  running_ = true;
  cancelled_ = false;
}

bool RunningTask::end() {
  const std::scoped_lock lock(mutex_);
  running_ = false;
  source_.reset();
  return cancelled_;
}

std::stop_token RunningTask::token() {
  const std::scoped_lock lock(mutex_);
  if (!running_) return {};
  if (!source_) {
    source_.emplace();
    if (cancelled_) source_->request_stop();
  }
  return source_->get_token();
}

bool RunningTask::is_cancelled() {
  const std::scoped_lock lock(mutex_);
  return cancelled_;
}

bool RunningTask::cancel(const farm::TaskId& task) {
  std::optional<std::stop_source> source;
  {
    const std::scoped_lock lock(mutex_);
    if (!running_ || task_ != task) return false;
    cancelled_ = true;
    source = source_;
  }
  // Unlocked: what the function has registered to be called then may ask again.
  if (source) source->request_stop();
  return true;
}

void RunningTask::cancel() {
  farm::TaskId task;
  {
    const std::scoped_lock lock(mutex_);
    if (!running_) return;
    task = task_;
  }
  (void)cancel(task);
}

}  // namespace linden

// workers/cpp/cancellations.cpp
#include "workers/cpp/cancellations.h"

#include <cstddef>

namespace linden {
namespace {

constexpr std::size_t kWishesMax = 1'024;

}  // namespace

std::stop_token Cancellations::begin(const TaskKey& task) {
  const std::scoped_lock lock(mutex_);
  auto& source = running_.try_emplace(task).first->second;
  if (std::erase(wished_, task) > 0) source.request_stop();
  return source.get_token();
}

bool Cancellations::end(const TaskKey& task) {
  const std::scoped_lock lock(mutex_);
  const auto ended = running_.extract(task);
  return !ended.empty() && ended.mapped().stop_requested();
}

void Cancellations::cancel(const TaskKey& task) {
  const std::scoped_lock lock(mutex_);
  if (const auto running = running_.find(task); running != running_.end()) {
    running->second.request_stop();
    return;
  }
  wished_.push_back(task);
  if (wished_.size() > kWishesMax) wished_.pop_front();
}

}  // namespace linden

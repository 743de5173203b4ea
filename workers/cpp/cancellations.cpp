// workers/cpp/cancellations.cpp
#include "workers/cpp/cancellations.h"

#include <cstddef>

namespace linden {
namespace {

constexpr std::size_t kWishesMax = 4'096;

}  // namespace

std::stop_token Cancellations::begin(const TaskKey& task) {
  const std::scoped_lock lock(mutex_);
  auto& source = running_.try_emplace(task).first->second;
  if (const auto wished = wished_.find(task); wished != wished_.end()) {
    wished_by_arrival_.erase(wished->second);
    wished_.erase(wished);
    source.request_stop();
  }
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
  if (!wished_.try_emplace(task, arrivals_).second) return;
  wished_by_arrival_.emplace(arrivals_++, task);
  if (wished_.size() <= kWishesMax) return;
  const auto oldest = wished_by_arrival_.begin();
  wished_.erase(oldest->second);
  wished_by_arrival_.erase(oldest);
}

}  // namespace linden

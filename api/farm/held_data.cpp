// api/farm/held_data.cpp
#include "api/farm/held_data.h"

#include <utility>

namespace linden::client {

void HeldData::hold(std::int64_t number, std::vector<DataRef> refs) {
  const std::lock_guard lock(mutex_);
  held_.emplace(number, std::move(refs));
  count_.store(held_.size(), std::memory_order_relaxed);
}

void HeldData::ended(std::int64_t number) {
  const std::lock_guard lock(mutex_);
  auto found = held_.extract(number);
  if (found.empty()) return;
  count_.store(held_.size(), std::memory_order_relaxed);
  ended_.push_back({number, std::move(found.mapped())});
  nudged_ = true;
  changed_.notify_all();
}

void HeldData::end() {
  const std::lock_guard lock(mutex_);
  over_ = true;
  nudged_ = true;
  changed_.notify_all();
}

void HeldData::clear() {
  std::unordered_map<std::int64_t, std::vector<DataRef>> held;
  std::deque<Ended> ended;
  const std::lock_guard lock(mutex_);
  held.swap(held_);
  ended.swap(ended_);
  count_.store(0, std::memory_order_relaxed);
}

bool HeldData::wait(std::chrono::milliseconds pause) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, pause, [this] { return nudged_; });
  return std::exchange(nudged_, false);
}

void HeldData::nudge() {
  const std::lock_guard lock(mutex_);
  nudged_ = true;
  changed_.notify_all();
}

std::optional<HeldData::Ended> HeldData::first_ended() {
  const std::lock_guard lock(mutex_);
  if (ended_.empty()) return std::nullopt;
  for (DataRef& ref : ended_.front().refs) ref.use.reset();  // the tuples keep it still
  return ended_.front();
}

void HeldData::drop_first_ended() {
  const std::lock_guard lock(mutex_);
  ended_.pop_front();
}

bool HeldData::is_over() {
  const std::lock_guard lock(mutex_);
  return over_;
}

}  // namespace linden::client

// api/farm/result_table.cpp
#include "api/farm/result_table.h"

#include <utility>
#include <vector>

namespace linden::client {

void ResultTable::add(std::int64_t number, const std::shared_ptr<detail::FutureState>& future) {
  {
    const std::lock_guard lock(mutex_);
    if (!ended_) {
      waiting_.emplace(number, future);
      return;
    }
  }
  future->set_answer(*ended_);
}

void ResultTable::forget(std::int64_t number) {
  (void)extract(number);
}

std::shared_ptr<detail::FutureState> ResultTable::extract(std::int64_t number) {
  const std::lock_guard lock(mutex_);
  auto found = waiting_.extract(number);
  return found.empty() ? nullptr : std::move(found.mapped());
}

void ResultTable::refuse(std::int64_t first, std::int64_t count, const Refused& why) {
  for (std::int64_t number = first; number < first + count; ++number) {
    if (!data_->is_empty()) data_->ended(number);
    if (const auto future = extract(number)) future->set_answer(why);
  }
}

void ResultTable::deliver(Handout&& one) {
  constexpr std::size_t kNumber = 2;  // of a result tuple
  const std::int64_t number = one.tuple[kNumber].as_int();
  if (!data_->is_empty()) data_->ended(number);
  if (const auto future = extract(number)) {
    Found found;
    found.tuples.push_back(std::move(one));
    future->set_answer(std::move(found));
  }
}

void ResultTable::end(const Refused& why) {
  data_->end();
  std::unordered_map<std::int64_t, std::shared_ptr<detail::FutureState>> left;
  {
    const std::lock_guard lock(mutex_);
    if (!ended_) ended_ = why;
    left = std::exchange(waiting_, {});
  }
  for (const auto& [number, future] : left) future->set_answer(why);
}

}  // namespace linden::client

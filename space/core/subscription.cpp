#include "space/core/subscription.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace linden::core {

void Subscription::add_initial(TupleId id, std::uint32_t template_index, const Tuple& tuple) {
  owed_.push_back({++last_, id, template_index, tuple});
  ++initial_count_;
}

void Subscription::add(TupleId id, std::uint32_t template_index, const Tuple& tuple) {
  backlog_bytes_ += tuple.byte_size();
  backlog_.push_back({++last_, id, template_index, tuple});
}

void Subscription::trim(const Limits& limits) {
  // The newest stays, however large: it says where the gap ends.
  while (backlog_.size() > std::max<std::size_t>(1, limits.subscription_backlog_max) ||
         (backlog_.size() > 1 && backlog_bytes_ > limits.subscription_bytes_max)) {
    backlog_bytes_ -= backlog_.front().tuple.byte_size();
    backlog_.pop_front();
  }
}

std::optional<std::variant<Subscription::Item, Gap>> Subscription::next(std::uint32_t credit,
                                                                        const Limits& limits) {
  if (told_ + 1 == forgotten_) {
    told_ = forgotten_;
    return Gap{forgotten_, 0};
  }
  Items& from = owed_.empty() ? backlog_ : owed_;
  const bool full =
      unacknowledged_.size() >= credit ||
      (!unacknowledged_.empty() && unacknowledged_bytes_ >= limits.subscription_bytes_max);
  if (from.empty() || full) return std::nullopt;
  const std::uint64_t number = from.front().number;
  if (number > told_ + 1) {
    const Gap gap{told_ + 1, number - told_ - 1};
    told_ = number - 1;
    return gap;
  }
  told_ = number;
  const std::size_t bytes = from.front().tuple.byte_size();
  if (&from == &backlog_) backlog_bytes_ -= bytes;
  unacknowledged_bytes_ += bytes;
  unacknowledged_.push_back(std::move(from.front()));
  from.pop_front();
  return unacknowledged_.back();
}

void Subscription::acknowledge(std::uint64_t number) {
  while (!unacknowledged_.empty() && unacknowledged_.front().number <= number) {
    unacknowledged_bytes_ -= unacknowledged_.front().tuple.byte_size();
    unacknowledged_.pop_front();
  }
  if (forgotten_ <= std::min(number, told_)) forgotten_ = 0;
}

void Subscription::resume(std::uint64_t received) {
  acknowledge(received);
  owed_.insert(owed_.begin(), std::make_move_iterator(unacknowledged_.begin()),
               std::make_move_iterator(unacknowledged_.end()));
  unacknowledged_.clear();
  unacknowledged_bytes_ = 0;
  told_ = std::min(received, told_);
}

}  // namespace linden::core

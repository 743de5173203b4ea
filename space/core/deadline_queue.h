// space/core/deadline_queue.h: what is due when, earliest first.  No clock inside.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <vector>

#include <linden/ids.h>

#include "space/core/slab.h"

namespace linden::core {

enum class DueKind : std::uint8_t { kTuple, kWaiter, kSession, kKey };

// `key` says of what: the id of the tuple (also of one that had an idempotency key), the waiter's
// or the session's number.  An entry whose tuple, waiter or session is gone or has moved its
// deadline is stale; the owner finds out when it comes up.
struct Due {
  Time at = kNever;
  std::uint64_t order = 0;
  std::uint64_t key = 0;
  Slot slot = kNoSlot;
  DueKind kind = DueKind::kTuple;
  friend bool operator>(const Due& a, const Due& b) {
    return a.at != b.at ? a.at > b.at : a.order > b.order;
  }
};

// Adding and popping are O(log n).  Nothing is removed from the middle: the owner calls shrink now
// and then, which drops the stale ones when they may be the majority, so memory stays in
// proportion to what lives.
class DeadlineQueue {
 public:
  void add(Time at, DueKind kind, std::uint64_t key, Slot slot) {
    if (at == kNever) return;
    heap_.push_back({at, ++order_, key, slot, kind});
    std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
  }
  [[nodiscard]] Time next() const { return heap_.empty() ? kNever : heap_.front().at; }
  Due pop() {
    std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
    const Due due = heap_.back();
    heap_.pop_back();
    return due;
  }
  // Keeps what `is_current(due)` says yes to.  O(1) amortized over the adds.
  template <class IsCurrent>
  void shrink(IsCurrent&& is_current) {
    if (heap_.size() < limit_) return;
    std::erase_if(heap_, [&](const Due& due) { return !is_current(due); });
    std::make_heap(heap_.begin(), heap_.end(), std::greater<>());
    limit_ = std::max(kLimitMin, 2 * heap_.size());
    if (heap_.capacity() > 4 * limit_) heap_.shrink_to_fit();
  }

 private:
  static constexpr std::size_t kLimitMin = 1024;
  std::vector<Due> heap_;
  std::size_t limit_ = kLimitMin;
  std::uint64_t order_ = 0;
};

}  // namespace linden::core

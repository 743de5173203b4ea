#include "space/core/recall.h"

namespace linden::core {

void Recall::add_unstarted(Slot slot) {
  Holding& holding = sessions_.holding(slot);
  Waiter& stream = waiters_[holding.stream];
  holding.unstarted_previous = stream.unstarted_last;
  holding.unstarted_next = kNoSlot;
  if (stream.unstarted_last == kNoSlot) {
    stream.unstarted_first = slot;
  } else {
    sessions_.holding(stream.unstarted_last).unstarted_next = slot;
  }
  stream.unstarted_last = slot;
  if (++stream.unstarted > 1) return;
  stream.place_among_holders = holders_.size();
  holders_.push_back(holding.stream);
}

void Recall::remove_unstarted(Slot slot) {
  Holding& holding = sessions_.holding(slot);
  Waiter& stream = waiters_[holding.stream];
  (holding.unstarted_previous == kNoSlot
       ? stream.unstarted_first
       : sessions_.holding(holding.unstarted_previous).unstarted_next) = holding.unstarted_next;
  (holding.unstarted_next == kNoSlot
       ? stream.unstarted_last
       : sessions_.holding(holding.unstarted_next).unstarted_previous) = holding.unstarted_previous;
  holding.unstarted_previous = holding.unstarted_next = kNoSlot;
  if (--stream.unstarted > 0) return;
  holders_[stream.place_among_holders] = holders_.back();
  waiters_[holders_.back()].place_among_holders = stream.place_among_holders;
  holders_.pop_back();
}

Slot Recall::choose(const Waiter& waiter) {
  // Most un-started first; among equals the stream that was opened first.
  Slot best = kNoSlot;
  const Waiter* best_stream = nullptr;
  for (const Slot slot : holders_) {
    const Waiter& stream = waiters_[slot];
    if (best_stream != nullptr &&
        (stream.unstarted < best_stream->unstarted ||
         (stream.unstarted == best_stream->unstarted && stream.number > best_stream->number))) {
      continue;
    }
    const Slot found = newest_match(stream, waiter);
    if (found == kNoSlot) continue;
    best = found;
    best_stream = &stream;
  }
  return best;
}

Slot Recall::newest_match(const Waiter& stream, const Waiter& waiter) {
  for (Slot slot = stream.unstarted_last; slot != kNoSlot;
       slot = sessions_.holding(slot).unstarted_previous) {
    const Holding& holding = sessions_.holding(slot);
    if (holding.recalled) continue;
    encoding::split(tuples_[holding.entry].tuple, fields_);
    for (const Template& form : waiter.templates) {
      if (encoding::matches(form, fields_)) return slot;
    }
  }
  return kNoSlot;
}

}  // namespace linden::core

// space/core/waiter.h: a blocked take, read or reservation, a stream, or a
// subscription.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <vector>

#include <boost/container/deque.hpp>

#include "api/model/operation.h"
#include "space/core/command.h"
#include "space/core/slab.h"
#include "space/core/subscription.h"

namespace linden::core {

struct Session;

// Whose turn it is: who holds least, then who waits for longest (P13).  A stream moves to the end
// of its equals with every delivery.
struct Turn {
  std::uint32_t held = 0;
  std::uint64_t sequence = 0;
  Slot waiter = kNoSlot;
  friend auto operator<=>(const Turn&, const Turn&) = default;
};

struct Waiter {
  Origin origin;
  Session* session = nullptr;
  Slot transaction = kNoSlot;  // in which it waits
  std::uint64_t number = 0;    // 0: the slot is free; never reused
  TakeMode mode = TakeMode::kTake;
  bool stream = false;
  bool indexed = false;    // stands in the wait index under `turn`, which must not change then
  bool refilling = false;  // will be looked after at the end of the step
  std::vector<Template> templates;
  Duration lease{0};
  Time deadline = kNever;  // one-shot requests
  Turn turn;

  // Streams.
  std::uint32_t credit = 0;
  std::uint32_t held = 0;          // hand-outs or deliveries that are not acknowledged
  TupleId cursor;                  // kRead: everything up to here was delivered or passed over
  std::uint64_t acknowledged = 0;  // kRead, kTake: deliveries, since the stream was opened
  boost::container::deque<Slot> unacknowledged;  // kTake: hand-outs in order of delivery

  std::unique_ptr<Subscription> subscription;  // then it stands in Session::subscriptions

  // kReserve streams: hand-outs that have not begun, the newest last (an intrusive list).
  Slot unstarted_first = kNoSlot;
  Slot unstarted_last = kNoSlot;
  std::uint32_t unstarted = 0;
  std::size_t place_among_holders = 0;  // in Recall's list of streams with unstarted > 0

  // The hand-out that was recalled for this waiter and has neither come back nor begun yet.
  Token recalling;

  // Where this stream's latest Delivered lies in the effects of step `notice_step`.
  std::uint64_t notice_step = 0;
  std::size_t notice_at = 0;
  std::size_t notice_bytes = 0;

  [[nodiscard]] bool has_credit() const { return !stream || held < credit; }
};

}  // namespace linden::core

// space/core/space_finish.cpp: how hand-outs end: finish, release, the ends of leases, recalls
// (P16 to P19, F4).
#include <algorithm>
#include <cassert>

#include "space/core/space_machine.h"

namespace linden::core {

// ---- Operations ---------------------------------------------------------------------------------

void SpaceState::Machine::operate(Session& session, RequestId request, FinishOp&& op) {
  std::size_t puts = 0;
  std::uint64_t bytes = 0;
  bool ends_something = false;
  std::size_t fresh_keys = 0;
  std::size_t guards = 0;
  for (const FinishItem& item : op.items) {
    puts += item.puts.size();
    bytes += bytes_of(item.puts);
    ends_something = ends_something || item.token;
    if (auto refused = check(item.puts)) return reply(session, request, std::move(*refused));
    if (have_keys(item.puts)) fresh_keys += check_keys(item.puts).fresh;
    guards += count_guards(item.puts);
  }
  // Work that is done is not thrown away because the space is full: results go in with the finish
  // that brings them, and what travels along with it.  A finish that finishes nothing is a put.
  if (puts > 0 && !ends_something) {
    if (auto refused = check_room(bytes)) return reply(session, request, std::move(*refused));
    for (const FinishItem& item : op.items) {
      if (auto drained = check_drained(item.puts)) {
        return reply(session, request, std::move(*drained));
      }
    }
  }
  if (auto full = check_room_for_keys(fresh_keys)) return reply(session, request, std::move(*full));
  if (auto full = check_room_for_guards(guards)) return reply(session, request, std::move(*full));
  if (puts > limits_.put_tuples_max) {
    return refuse(session, request, ErrorCode::kLimitExceeded,
                  "finish: " + std::to_string(puts) + " tuples to put, the limit is " +
                      std::to_string(limits_.put_tuples_max) +
                      "; finish fewer at a time or raise limits.put_tuples_max");
  }
  if (!may_remember(session, request)) return;
  FinishDone done;
  done.codes.reserve(op.items.size());
  for (FinishItem& item : op.items) done.codes.push_back(finish(session, std::move(item)));
  for (const Token& token : op.started) {
    const Slot holding = current_holding(session, token);
    if (holding != kNoSlot) mark_started(holding);
  }
  remember(session, request, done);
  reply(session, request, std::move(done));
}

// One atomic step: the task out and its results in, or neither (P17).
ErrorCode SpaceState::Machine::finish(const Session& session, FinishItem&& item) {
  const Slot holding = item.token ? current_holding(session, *item.token) : kNoSlot;
  if (item.token && holding == kNoSlot) {
    ++counts_.stale;
    return ErrorCode::kStaleLease;
  }
  const bool keyed = have_keys(item.puts);
  if (keyed && check_keys(item.puts).conflict != nullptr) return ErrorCode::kKeyConflict;
  if (item.token) {
    const Slot slot = sessions_.holding(holding).entry;
    let_go(holding);
    emit(TupleRemoved{tuples_[slot].id});
    remove_tuple(slot);
    ++counts_.finishes;
  }
  if (keyed) {
    add_keyed(std::move(item.puts));
  } else {
    add_tuples(std::move(item.puts));
  }
  return ErrorCode::kOk;
}

void SpaceState::Machine::operate(Session& session, RequestId request, ReleaseOp&& op) {
  for (const ReleaseItem& item : op.items) {
    if (item.delay == Duration::zero() || item.delay >= kDurationMin) continue;
    return refuse(session, request, ErrorCode::kInvalidArgument,
                  "release: delay is " + std::to_string(item.delay.count()) +
                      " us, the shortest is 10 ms; give it a longer one or none");
  }
  if (!may_remember(session, request)) return;
  FinishDone done;
  done.codes.reserve(op.items.size());
  for (const ReleaseItem& item : op.items) {
    const Slot holding = current_holding(session, item.token);
    if (holding == kNoSlot) {
      ++counts_.stale;
      done.codes.push_back(ErrorCode::kStaleLease);
      continue;
    }
    const Slot slot = sessions_.holding(holding).entry;
    let_go(holding);
    give_back(slot, item.started, item.delay);
    done.codes.push_back(ErrorCode::kOk);
  }
  remember(session, request, done);
  reply(session, request, std::move(done));
}

// ---- Hand-outs ----------------------------------------------------------------------------------

// The reservation that the token speaks of, if it is the latest hand-out of its tuple and this
// session's (P16, P17).
Slot SpaceState::Machine::current_holding(const Session& session, const Token& token) const {
  const Slot slot = tuples_.find(token.tuple);
  if (slot == kNoSlot) return kNoSlot;
  const Entry& entry = tuples_[slot];
  if (entry.state != EntryState::kReserved) return kNoSlot;
  const bool latest = entry.attempt == token.attempt;
  const bool mine = sessions_.holding(entry.holding).session == session.slot;
  return latest && mine ? entry.holding : kNoSlot;
}

// The reservation ends; what becomes of its tuple is the caller's business.
void SpaceState::Machine::let_go(Slot slot) {
  const Holding& holding = sessions_.holding(slot);
  assert(holding.reserved);
  recall_over(slot);
  if (holding.stream != kNoSlot) {
    if (!holding.started) recall_.remove_unstarted(slot);
    refill_later(holding.stream);
    --waiters_[holding.stream].held;
  }
  --sessions_.at(holding.session).reserved;
  tuples_[holding.entry].holding = kNoSlot;
  sessions_.let_go(slot);
}

void SpaceState::Machine::mark_started(Slot slot) {
  Holding& holding = sessions_.holding(slot);
  recall_over(slot);
  if (holding.started) return;
  if (holding.stream != kNoSlot) recall_.remove_unstarted(slot);
  holding.started = true;
  emit(TupleStarted{tuples_[holding.entry].id});
}

// A tuple that was reserved comes back, unless its attempts are used up (P19) or its time is over.
void SpaceState::Machine::give_back(Slot slot, bool started, Duration delay) {
  Entry& entry = tuples_[slot];
  if (started) ++entry.started_before;
  if (started && entry.max_attempts() != 0 && entry.started_before >= entry.max_attempts()) {
    if (entry.extra->attributes.will) return leave_with_will(slot);
    set_state(entry, EntryState::kDead);
    dead_.insert(entry.id);
    emit(TupleDied{entry.id, entry.started_before});
    if (entry.extra) leave_group(entry);
    if (entry.expires_at() != kNever) {
      deadlines_.add(std::max(entry.expires_at(), now_), DueKind::kTuple, entry.id.value, slot);
    }
    return;
  }
  if (entry.expires_at() <= now_) {
    ++counts_.expired;
    emit(TupleRemoved{entry.id});
    return remove_tuple(slot);
  }
  const bool behind = steps_back(entry);
  if (delay != Duration::zero()) {
    hold_back(slot, delay);
    return advance(slot);
  }
  emit(TupleReleased{entry.id, entry.started_before});
  if (behind) return set_state(entry, EntryState::kBehind);
  set_state(entry, EntryState::kReady);
  place(slot, false);
}

// Everything that the session holds under leases of at most `silence`: its transactions, then its
// reservations, the oldest tuple first.
void SpaceState::Machine::give_back_all(Session& session, Duration silence) {
  abort_transactions(session, silence);
  std::vector<std::pair<TupleId, Slot>> ended;
  for (Slot slot = session.first_holding; slot != kNoSlot; slot = sessions_.holding(slot).next) {
    const Holding& holding = sessions_.holding(slot);
    if (holding.reserved && holding.lease <= silence) {
      ended.emplace_back(tuples_[holding.entry].id, slot);
    }
  }
  std::sort(ended.begin(), ended.end());
  for (const auto& [id, holding] : ended) {
    const Slot slot = sessions_.holding(holding).entry;
    const bool started = sessions_.holding(holding).started;
    let_go(holding);
    give_back(slot, started);
  }
  session.lease_min = shortest_lease(session);
}

// ---- Recalls ------------------------------------------------------------------------------------

// The hand-out came back, began or cannot be asked for any more: whoever it was recalled for may
// look for another.
void SpaceState::Machine::recall_over(Slot slot) {
  Holding& holding = sessions_.holding(slot);
  if (holding.recalled_for == kNoSlot) return;
  Waiter& waiter = waiters_[holding.recalled_for];
  if (waiter.number == holding.recalled_for_number) {
    waiter.recalling = Token{};
    try_recall_later(holding.recalled_for);
  }
  holding.recalled_for = kNoSlot;
}

void SpaceState::Machine::try_recall_later(Slot waiter) {
  recall_tries_.emplace_back(waiter, waiters_[waiter].number);
}

void SpaceState::Machine::try_recall(Slot slot) {
  Waiter& waiter = waiters_[slot];
  if (!recall_.anything_unstarted() || !waiter.indexed || waiter.mode != TakeMode::kReserve ||
      waiter.held > 0 || waiter.recalling.tuple.value != 0) {
    return;
  }
  const Slot chosen = recall_.choose(waiter);
  if (chosen == kNoSlot) return;
  Holding& holding = sessions_.holding(chosen);
  const Entry& entry = tuples_[holding.entry];
  holding.recalled = true;
  holding.recalled_for = slot;
  holding.recalled_for_number = waiter.number;
  waiter.recalling = {entry.id, entry.attempt};
  effects_->messages.emplace_back(std::in_place_type<Notice>, waiters_[holding.stream].origin,
                                  Recalled{waiter.recalling});
}

// Hand-outs that can be recalled have turned up with a stream that came back.
void SpaceState::Machine::try_recalls_of_all() {
  for (Slot slot = 0; slot < waiters_.end(); ++slot) {
    const Waiter& waiter = waiters_[slot];
    if (waiter.number != 0 && waiter.mode == TakeMode::kReserve && waiter.held == 0) {
      try_recall_later(slot);
    }
  }
}

}  // namespace linden::core

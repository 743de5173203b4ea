// space/core/space_session.cpp: sessions come, fall silent, go (P18, P25, P36).
#include <algorithm>
#include <cassert>

#include "space/core/space_machine.h"

namespace linden::core {
namespace {

// Who holds a shorter lease is heard again, or is not, before anybody could do anything about it.
constexpr Duration kWarnedLeaseMin = std::chrono::seconds(1);

}  // namespace

// ---- Commands -----------------------------------------------------------------------------------

void SpaceState::Machine::on(SessionAttached&& command) {
  Session* known = sessions_.find(command.session);
  const bool changed = known == nullptr || known->name != command.name ||
                       known->hold != command.hold || known->memory != command.memory;
  Session& session = known != nullptr ? *known : sessions_.open(command.session);
  drop_waiters(session);  // of a connection whose loss was not noticed
  session.connected = true;
  session.over_hold = false;
  session.restored = false;
  session.silent = false;
  session.heard_at = now_;
  session.name = std::move(command.name);
  session.hold = std::max(command.hold, Duration::zero());
  session.memory = std::max(command.memory, Duration::zero());
  if (changed) emit(SessionOpened{session.id, session.name, session.hold, session.memory});
  forget_answers(session, command.acknowledged);
  arm(session);
}

void SpaceState::Machine::on(SessionHeard&& command) {
  if (Session* session = sessions_.find(command.session)) {
    forget_answers(*session, command.acknowledged);
  }
}

void SpaceState::Machine::on(SessionLost&& command) {
  Session* session = sessions_.find(command.session);
  if (session == nullptr || !session->connected) return;
  drop_waiters(*session);
  session->connected = false;
  session->silent = false;
  session->lost_at = now_;
  arm(*session);
}

void SpaceState::Machine::on(SessionClosed&& command) {
  if (Session* session = sessions_.find(command.session)) end_session(*session);
}

// ---- Being heard --------------------------------------------------------------------------------

void SpaceState::Machine::heard(Session& session) {
  session.heard_at = now_;
  if (session.silent) speak_again(session);
}

// The client is not there although its connection is: it is handed nothing until it is heard.
void SpaceState::Machine::fall_silent(Session& session) {
  session.silent = true;
  for (const auto& [request, slot] : session.waiters) unindex(slot);
}

void SpaceState::Machine::speak_again(Session& session) {
  session.silent = false;
  const auto waiters = session.waiters;
  for (const auto& [request, slot] : waiters) try_again(slot);
}

// The connection is gone.  What waits is asked for again over the next one; subscriptions go on.
void SpaceState::Machine::drop_waiters(Session& session) {
  detach_subscriptions(session);
  while (!session.waiters.empty()) {
    const Slot slot = session.waiters.begin()->second;
    if (waiters_[slot].stream) detach_holdings(slot);
    end_waiter(slot);
  }
}

// ---- Remembered answers -------------------------------------------------------------------------

void SpaceState::Machine::remember(Session& session, RequestId request, Remembered&& answer) {
  std::visit(
      [&](auto&& what) {
        if constexpr (requires { RequestAnswered{{}, what}; }) {
          emit(RequestAnswered{{session.id, request}, what});
        }
      },
      answer);
  session.remembered.insert_or_assign(request.value, std::move(answer));
}

void SpaceState::Machine::forget_answers(Session& session, RequestId below) {
  if (below <= session.acknowledged) return;
  std::vector<std::uint64_t> gone;
  const std::uint64_t first = session.acknowledged.value;
  session.acknowledged = below;
  if (session.remembered.empty()) return;
  // A session's numbers are shared by all its spaces, so some of them are missing here.
  if (below.value - first <= 4 * session.remembered.size()) {
    for (std::uint64_t request = first; request < below.value; ++request) {
      if (session.remembered.contains(request)) gone.push_back(request);
    }
  } else {
    for (const auto& [request, answer] : session.remembered) {
      if (request < below.value) gone.push_back(request);
    }
    std::sort(gone.begin(), gone.end());
  }
  for (const std::uint64_t request : gone) {
    const auto found = session.remembered.find(request);
    if (!std::holds_alternative<TakenChain>(found->second)) forget_answer(session, request);
  }
}

void SpaceState::Machine::forget_answer(Session& session, std::uint64_t request) {
  const auto found = session.remembered.find(request);
  if (const auto* chain = std::get_if<TakenChain>(&found->second)) {
    for (Slot slot = chain->first; slot != kNoSlot;) {
      const Slot next = sessions_.holding(slot).chain;
      forget_taken(slot);
      slot = next;
    }
  }
  session.remembered.erase(request);
}

// The client has it: gone for good.
void SpaceState::Machine::forget_taken(Slot holding) {
  const Slot slot = sessions_.holding(holding).entry;
  sessions_.let_go(holding);
  emit(TupleRemoved{tuples_[slot].id});
  remove_tuple(slot);
}

// ---- Deadlines ----------------------------------------------------------------------------------

// When something of the session ends if nothing is heard until then.
Time SpaceState::Machine::deadline_of(const Session& session) const {
  if (session.connected) {
    const bool holds = session.reserved > 0 || !session.transactions.empty();
    if (!holds) return kNever;
    const Time end = later(session.heard_at, session.lease_min);
    if (warned_lease(session) >= session.lease_min) return end;
    return std::min(end, later(session.heard_at, warned_after(session.lease_min)));
  }
  Time next = later(session.lost_at, session.memory);
  if (!session.over_hold) next = std::min(next, later(session.lost_at, session.hold));
  if (session.restored && session.reserved > 0) {
    next = std::min(next, later(session.lost_at, session.lease_min));
  }
  return next;
}

// One entry in the queue per session is enough: being heard only moves the deadline away, and the
// entry moves after it when it comes up.
void SpaceState::Machine::arm(Session& session) {
  const Time at = deadline_of(session);
  if (at >= session.armed_at) return;
  session.armed_at = at;
  deadlines_.add(at, DueKind::kSession, session.number, session.slot);
}

Duration SpaceState::Machine::shortest_lease(const Session& session) const {
  Duration shortest = kForever;
  for (Slot slot = session.first_holding; slot != kNoSlot; slot = sessions_.holding(slot).next) {
    const Holding& holding = sessions_.holding(slot);
    if (holding.reserved) shortest = std::min(shortest, holding.lease);
  }
  for (const auto& [id, slot] : session.transactions) {
    shortest = std::min(shortest, transactions_[slot].lease);
  }
  return shortest;
}

Duration SpaceState::Machine::lease_left(const Session& session, Duration lease) const {
  const Time end = session.connected  ? later(session.heard_at, lease)
                   : session.restored ? later(session.lost_at, lease)
                                      : later(session.lost_at, session.hold);
  return end == kNever ? kForever : std::max(end - now_, Duration::zero());
}

// What was due at `at`, which may be earlier than now if the timer is late: then other things that
// were due in between have their turn in between.
void SpaceState::Machine::session_due(Session& session, Time at) {
  session.lease_min = shortest_lease(session);
  if (deadline_of(session) > at) return arm(session);
  if (session.connected && at < later(session.heard_at, session.lease_min)) {
    warn(session, at - session.heard_at);
    return arm(session);
  }
  if (session.connected) {
    tell_ended(session, session.heard_at, at - session.heard_at);
    fall_silent(session);
    give_back_all(session, at - session.heard_at);
    return arm(session);
  }
  const Duration away = at - session.lost_at;
  if (session.restored) {
    tell_ended(session, session.lost_at, away);
    give_back_all(session, away);
  }
  if (!session.over_hold && away >= session.hold) end_hold(session);
  if (away >= session.memory) return end_session(session);
  arm(session);
}

// ---- Leases that end in silence -----------------------------------------------------------------

// The last third of it.
Duration SpaceState::Machine::warned_after(Duration lease) {
  return lease < kWarnedLeaseMin ? kForever : lease - lease / 3;
}

Duration SpaceState::Machine::warned_lease(const Session& session) const {
  return session.warned_since == session.heard_at ? session.warned : Duration::zero();
}

void SpaceState::Machine::warn(Session& session, Duration silence) {
  const Duration before = warned_lease(session);
  // The longest lease of whose last third this is.
  const Duration most = std::max(session.lease_min, silence + silence / 2);
  tell_leases(session, session.heard_at, before, most,
              [&](Duration lease) { return later(session.heard_at, lease) - now_; });
  session.warned = most;
  session.warned_since = session.heard_at;
}

void SpaceState::Machine::tell_ended(const Session& session, Time since, Duration most) {
  tell_leases(session, since, Duration::zero(), most, [](Duration) { return Duration::zero(); });
}

template <class LeftOf>
void SpaceState::Machine::tell_leases(const Session& session, Time since, Duration above,
                                      Duration most, const LeftOf& left_of) {
  std::vector<std::pair<TupleId, Slot>> ending;
  for (Slot slot = session.first_holding; slot != kNoSlot; slot = sessions_.holding(slot).next) {
    const Holding& holding = sessions_.holding(slot);
    if (holding.reserved && holding.lease > above && holding.lease <= most) {
      ending.emplace_back(tuples_[holding.entry].id, slot);
    }
  }
  std::sort(ending.begin(), ending.end());
  const std::size_t named = std::min(ending.size(), limits_.lease_warnings_max);
  for (std::size_t i = 0; i < named; ++i) {
    const Holding& holding = sessions_.holding(ending[i].second);
    const Entry& entry = tuples_[holding.entry];
    const Duration left = std::max(left_of(holding.lease), Duration::zero());
    effects_->warnings.push_back(
        {session.id, session.name, entry.id, entry.attempt, now_ - since, left, 0});
  }
  if (named > 0) effects_->warnings.back().others = ending.size() - named;
}

// ---- Ends ---------------------------------------------------------------------------------------

void SpaceState::Machine::end_hold(Session& session) {
  session.over_hold = true;
  if (!session.restored) {
    tell_ended(session, session.lost_at, kForever);
    give_back_all(session, kForever);
  }
  end_bound(session);
}

// The tuples that live with the session end, whoever has them (P25).
void SpaceState::Machine::end_bound(Session& session) {
  while (!session.bound.empty()) {
    const TupleId id = *session.bound.begin();
    session.bound.erase(session.bound.begin());
    const Slot slot = tuples_.find(id);
    if (tuples_[slot].state == EntryState::kReserved) let_go(tuples_[slot].holding);
    leave_with_will(slot);
  }
}

void SpaceState::Machine::end_session(Session& session) {
  drop_waiters(session);
  end_subscriptions(session);
  session.over_hold = true;
  give_back_all(session, kForever);
  end_bound(session);
  while (session.first_holding != kNoSlot) forget_taken(session.first_holding);
  emit(SessionEnded{session.id});
  sessions_.end(session);
}

}  // namespace linden::core

// space/core/space_restore.cpp: the durable state, out and in.
//
// Every mutation sets absolute values, so an old state of a tuple followed by all later mutations,
// some of them twice, ends in the same state; mutations of tuples and sessions that are gone are
// passed over.
#include <algorithm>
#include <cassert>

#include "space/core/space_machine.h"

namespace linden::core {

// ---- Out ----------------------------------------------------------------------------------------

bool SpaceState::Machine::describe(TupleId id, std::vector<Mutation>& out) const {
  const UsedKey* used = keys_.of(id);
  if (used != nullptr) out.push_back(KeyRemembered{id, used->key, used->content, used->until});
  const Slot slot = tuples_.find(id);
  if (slot == kNoSlot) return used != nullptr;
  const Entry& entry = tuples_[slot];
  out.push_back(TupleAdded{id, entry.tuple, entry.attributes(), entry.expires_at()});
  describe_guards(entry, out);
  const bool out_now = entry.state == EntryState::kReserved;
  if (!out_now && entry.attempt > 0) {
    // Only a reservation can say how often it was handed out.
    out.push_back(TupleReserved{id, entry.attempt, {}, Duration{0}, false, 0});
  }
  const bool handed_out = entry.attempt > 0 || entry.started_before > 0;
  if (handed_out && entry.state != EntryState::kDead) {
    out.push_back(TupleReleased{id, entry.started_before});
  }
  switch (entry.state) {
    case EntryState::kReady:
    case EntryState::kHeld:    // a restart aborts the transaction
    case EntryState::kBehind:  // whoever restores it knows who is before it
      break;
    case EntryState::kGuarded:
      if (entry.visible_at() == Time{}) break;
      [[fallthrough]];
    case EntryState::kDelayed:
      out.push_back(TupleDelayed{id, entry.started_before, entry.visible_at()});
      break;
    case EntryState::kReserved: {
      const Holding& holding = sessions_.holding(entry.holding);
      out.push_back(TupleReserved{id,
                                  entry.attempt,
                                  {sessions_.at(holding.session).id, holding.request},
                                  holding.lease,
                                  holding.started,
                                  holding.template_index});
      break;
    }
    case EntryState::kTaken: {
      const Holding& holding = sessions_.holding(entry.holding);
      out.push_back(TupleTaken{id,
                               {sessions_.at(holding.session).id, holding.request},
                               holding.template_index,
                               holding.streamed});
      break;
    }
    case EntryState::kDead:
      out.push_back(TupleDied{id, entry.started_before});
      break;
  }
  return true;
}

void SpaceState::Machine::describe_rest(std::vector<Mutation>& out) const {
  out.push_back(NextTupleId{next_id_});
  for (const PauseSet& pause : pauses_) out.push_back(pause);
  for (const Session* session : sessions_.sorted()) {
    out.push_back(SessionOpened{session->id, session->name, session->hold, session->memory});
    std::vector<std::uint64_t> requests;
    for (const auto& [request, answer] : session->remembered) requests.push_back(request);
    std::sort(requests.begin(), requests.end());
    for (const std::uint64_t request : requests) {
      const Origin origin{session->id, RequestId{request}};
      const Remembered& answer = session->remembered.find(request)->second;
      if (const auto* put = std::get_if<PutDone>(&answer)) {
        out.push_back(RequestAnswered{origin, *put});
      } else if (const auto* finish = std::get_if<FinishDone>(&answer)) {
        out.push_back(RequestAnswered{origin, *finish});
      } else if (const auto* keyed = std::get_if<KeyedPutDone>(&answer)) {
        out.push_back(RequestAnswered{origin, *keyed});
      }
    }
  }
}

void SpaceState::Machine::visit_ids(const std::function<void(TupleId)>& visit) const {
  auto key = keys_.by_id().begin();
  for (Slot slot = tuples_.next_after(TupleId{}); slot != kNoSlot;
       slot = tuples_.next_after(tuples_[slot].id)) {
    const TupleId id = tuples_[slot].id;
    for (; key != keys_.by_id().end() && key->first <= id; ++key) {
      if (key->first < id) visit(key->first);
    }
    visit(id);
  }
  for (; key != keys_.by_id().end(); ++key) visit(key->first);
}

// ---- In -----------------------------------------------------------------------------------------

void SpaceState::Machine::restore(Mutation&& mutation) {
  std::visit([this](auto&& what) { set(std::move(what)); }, std::move(mutation));
}

void SpaceState::Machine::set(TupleAdded&& added) {
  next_id_.value = std::max(next_id_.value, added.id.value + 1);
  if (const Slot old = tuples_.find(added.id); old != kNoSlot) tuples_.remove(old);
  out_.erase(added.id);
  const Slot slot =
      tuples_.add(added.id, std::move(added.tuple), std::move(added.attributes), added.expires_at);
  if (tuples_[slot].extra) tuples_[slot].extra->begin_guards();
}

void SpaceState::Machine::set(TupleReserved&& reserved) {
  const Slot slot = tuples_.find(reserved.id);
  if (slot == kNoSlot) return;
  tuples_[slot].attempt = reserved.attempt;
  tuples_[slot].state = EntryState::kReserved;
  Out& out = out_[reserved.id];
  out = Out{reserved.holder, reserved.lease, reserved.template_index, reserved.started, false};
}

void SpaceState::Machine::set(TupleStarted&& started) {
  if (const auto found = out_.find(started.id); found != out_.end()) found->second.started = true;
}

void SpaceState::Machine::set(TupleReleased&& released) {
  const Slot slot = tuples_.find(released.id);
  if (slot == kNoSlot) return;
  Entry& entry = tuples_[slot];
  entry.started_before = released.started_before;
  entry.state = EntryState::kReady;
  if (entry.extra) entry.extra->visible_at = Time{};
  out_.erase(released.id);
}

void SpaceState::Machine::set(TupleDelayed&& delayed) {
  const Slot slot = tuples_.find(delayed.id);
  if (slot == kNoSlot) return;
  Entry& entry = tuples_[slot];
  entry.started_before = delayed.started_before;
  entry.state = EntryState::kDelayed;
  entry.make_extra().visible_at = delayed.until;
  out_.erase(delayed.id);
}

void SpaceState::Machine::set(TupleRenewed&& renewed) {
  const Slot slot = tuples_.find(renewed.id);
  if (slot != kNoSlot) tuples_[slot].make_extra().expires_at = renewed.expires_at;
}

void SpaceState::Machine::set(KeyRemembered&& remembered) {
  next_id_.value = std::max(next_id_.value, remembered.id.value + 1);
  keys_.remember(remembered.id, {std::move(remembered.key), remembered.content, remembered.until});
}

void SpaceState::Machine::set(KeyForgotten&& forgotten) {
  next_id_.value = std::max(next_id_.value, forgotten.id.value + 1);
  keys_.forget(forgotten.id);
}

void SpaceState::Machine::set(TupleTaken&& taken) {
  const Slot slot = tuples_.find(taken.id);
  if (slot == kNoSlot) return;
  tuples_[slot].state = EntryState::kTaken;
  out_[taken.id] = Out{taken.taker, Duration{0}, taken.template_index, false, taken.streamed};
}

void SpaceState::Machine::set(TupleRemoved&& removed) {
  next_id_.value = std::max(next_id_.value, removed.id.value + 1);
  const Slot slot = tuples_.find(removed.id);
  if (slot != kNoSlot) tuples_.remove(slot);
  out_.erase(removed.id);
}

void SpaceState::Machine::set(TupleDied&& died) {
  const Slot slot = tuples_.find(died.id);
  if (slot == kNoSlot) return;
  tuples_[slot].started_before = died.started_before;
  tuples_[slot].state = EntryState::kDead;
  if (tuples_[slot].extra) tuples_[slot].extra->drop_guards();  // should it be revived
  out_.erase(died.id);
}

void SpaceState::Machine::set(SessionOpened&& opened) {
  Session* known = sessions_.find(opened.id);
  Session& session = known != nullptr ? *known : sessions_.open(opened.id);
  session.name = std::move(opened.name);
  session.hold = opened.hold;
  session.memory = opened.memory;
}

void SpaceState::Machine::set(SessionEnded&& ended) {
  if (Session* session = sessions_.find(ended.id)) sessions_.end(*session);
}

void SpaceState::Machine::set(RequestAnswered&& answered) {
  Session* session = sessions_.find(answered.request.session);
  if (session == nullptr) return;
  const std::uint64_t request = answered.request.request.value;
  session->newest = std::max(session->newest, answered.request.request);
  std::visit(
      [&](auto&& answer) { session->remembered.insert_or_assign(request, std::move(answer)); },
      std::move(answered.answer));
}

void SpaceState::Machine::set(NextTupleId&& next) {
  next_id_ = std::max(next_id_, next.next);
}

void SpaceState::Machine::restored(Time now) {
  now_ = now;
  std::ranges::stable_sort(pauses_, {}, &PauseSet::since);
  for (Session* session : sessions_.sorted()) {
    session->restored = true;
    session->heard_at = session->lost_at = now;
  }
  // What is out is the front of its group, also if an earlier one was revived meanwhile.  At most
  // one of a group is, so the order does not matter.
  for (const auto& [id, out] : out_) {
    const Entry& entry = tuples_[tuples_.find(id)];
    if (entry.state == EntryState::kReserved && !entry.group().empty()) stand_in_line(entry);
  }
  for (Slot slot = tuples_.next_after(TupleId{}); slot != kNoSlot;
       slot = tuples_.next_after(tuples_[slot].id)) {
    restore_tuple(slot);
  }
  out_.clear();
  for (const auto& [id, used] : keys_.by_id()) {
    deadlines_.add(used.until, DueKind::kKey, id.value, kNoSlot);
  }
  for (Session* session : sessions_.sorted()) arm(*session);
}

// Puts one tuple where its state belongs.
void SpaceState::Machine::restore_tuple(Slot slot) {
  Entry& entry = tuples_[slot];
  const EntryState state = std::exchange(entry.state, EntryState::kReady);
  counts_.bytes += entry.tuple.byte_size();
  deadlines_.add(entry.expires_at(), DueKind::kTuple, entry.id.value, slot);
  // In order of id, so that whoever is first in its group is here first.
  const bool in_line = state != EntryState::kTaken && state != EntryState::kDead;
  if (in_line && !entry.group().empty()) stand_in_line(entry);
  const auto out = out_.find(entry.id);
  if (out != out_.end()) {
    Session* holder = sessions_.find(out->second.holder.session);
    assert(holder != nullptr);  // a session's end and that of what it held are one commit
    restore_holding(slot, state == EntryState::kReserved, *holder, out->second);
  } else if (state == EntryState::kDead) {
    set_state(entry, EntryState::kDead);
    dead_.insert(entry.id);
  } else if (entry.extra && entry.extra->open_guards > 0) {
    set_state(entry, EntryState::kGuarded);
    restore_guards(entry);
    if (state == EntryState::kDelayed) {
      deadlines_.add(entry.visible_at(), DueKind::kTuple, entry.id.value, slot);
    }
  } else if (state == EntryState::kDelayed) {
    set_state(entry, EntryState::kDelayed);
    deadlines_.add(entry.visible_at(), DueKind::kTuple, entry.id.value, slot);
  } else if (is_behind(entry)) {
    set_state(entry, EntryState::kBehind);
  } else {
    encoding::split(entry.tuple, fields_);
    if (pausing_ > 0) set_paused(entry, is_paused(fields_));
    ready_.add(slot, fields_);
  }
  if (entry.state == EntryState::kTaken || !entry.extra || !entry.extra->attributes.lives_with) {
    return;
  }
  Session* owner = sessions_.find(*entry.extra->attributes.lives_with);
  assert(owner != nullptr);
  owner->bound.insert(entry.id);
}

void SpaceState::Machine::restore_holding(Slot slot, bool reserved, Session& holder,
                                          const Out& out) {
  Entry& entry = tuples_[slot];
  entry.holding = sessions_.hold(holder);
  Holding& holding = sessions_.holding(entry.holding);
  holding.entry = slot;
  holding.request = out.holder.request;
  holding.template_index = out.template_index;
  holding.reserved = reserved;
  holder.newest = std::max(holder.newest, holding.request);
  if (reserved) {
    set_state(entry, EntryState::kReserved);
    holding.lease = out.lease;
    holding.started = out.started;
    ++holder.reserved;
    holder.lease_min = std::min(holder.lease_min, out.lease);
    return;
  }
  set_state(entry, EntryState::kTaken);
  counts_.bytes -= entry.tuple.byte_size();
  holding.streamed = out.streamed;
  if (out.streamed) return;
  const auto [item, fresh] = holder.remembered.try_emplace(holding.request.value, TakenChain{});
  if (auto* chain = std::get_if<TakenChain>(&item->second)) {
    holding.chain = std::exchange(chain->first, entry.holding);
  }
}

}  // namespace linden::core

// space/core/space_machine.cpp: commands, deadlines, putting and placing tuples.
#include "space/core/space_machine.h"

#include <algorithm>
#include <cassert>

namespace linden::core {

Time later(Time now, Duration duration) {
  return duration >= kNever - now ? kNever : now + duration;
}

std::uint64_t bytes_of(std::span<const NewTuple> tuples) {
  std::uint64_t bytes = 0;
  for (const NewTuple& item : tuples) bytes += item.tuple.byte_size();
  return bytes;
}

SpaceState::Machine::Machine(const Limits& limits)
    : limits_(limits),
      ready_(tuples_, limits_),
      takers_(waiters_),
      readers_(waiters_),
      subscribers_(waiters_),
      recall_(tuples_, sessions_, waiters_) {}

// ---- Commands -----------------------------------------------------------------------------------

void SpaceState::Machine::apply(Command&& command, Time now, Effects& effects) {
  begin_step(now, effects);
  // What is heard now counts before what ends now, so that a late timer ends no live lease.
  if (const auto* perform = std::get_if<Perform>(&command)) {
    Session* session = sessions_.find(perform->from.session);
    assert(session != nullptr);  // SessionAttached comes first
    heard(*session);
  } else if (const auto* heard_of = std::get_if<SessionHeard>(&command)) {
    if (Session* session = sessions_.find(heard_of->session)) heard(*session);
  } else if (const auto* attached = std::get_if<SessionAttached>(&command)) {
    if (Session* session = sessions_.find(attached->session)) {
      session->connected = true;
      session->heard_at = now_;
    }
  }
  settle();
  run_deadlines();
  std::visit([this](auto&& what) { on(std::move(what)); }, std::move(command));
  end_step();
}

void SpaceState::Machine::begin_step(Time now, Effects& effects) {
  now_ = std::max(now_, now);
  effects_ = &effects;
  ++step_;
}

void SpaceState::Machine::end_step() {
  settle();
  run_deadlines();
  deadlines_.shrink([this](const Due& due) { return is_current(due); });
  effects_ = nullptr;
}

void SpaceState::Machine::on(Perform&& command) {
  Session* session = sessions_.find(command.from.session);
  assert(session != nullptr);
  const RequestId request = command.from.request;
  if (request <= session->newest && answer_again(*session, request, command.operation)) return;
  std::visit([&](auto&& op) { operate(*session, request, std::move(op)); },
             std::move(command.operation));
  session->newest = std::max(session->newest, request);
}

void SpaceState::Machine::reply(const Session& session, RequestId request, Answer&& answer) {
  effects_->messages.emplace_back(std::in_place_type<Reply>, Origin{session.id, request},
                                  std::move(answer));
}

void SpaceState::Machine::refuse(const Session& session, RequestId request, ErrorCode code,
                                 std::string message) {
  reply(session, request, Refused{code, std::move(message)});
}

void SpaceState::Machine::settle() {
  while (!wills_.empty() || !forward_.empty() || !refills_.empty()) {
    // Wills first: they belong to the step itself.
    std::vector<NewTuple> wills = std::exchange(wills_, {});
    if (!wills.empty()) add_tuples(std::move(wills));
    bring_forward();
    const auto refills = std::exchange(refills_, {});
    for (const auto& [slot, number] : refills) {
      if (waiters_[slot].number == number) refill(slot);
    }
  }
  if (recall_tries_.empty()) return;
  const auto tries = std::exchange(recall_tries_, {});
  for (const auto& [slot, number] : tries) {
    if (waiters_[slot].number == number) try_recall(slot);
  }
}

// ---- Deadlines ----------------------------------------------------------------------------------

void SpaceState::Machine::run_deadlines() {
  while (deadlines_.next() <= now_) {
    on_due(deadlines_.pop());
    settle();
  }
}

bool SpaceState::Machine::is_current(const Due& due) const {
  switch (due.kind) {
    case DueKind::kTuple: {
      const Slot slot = tuples_.find(TupleId{due.key});
      if (slot == kNoSlot) return false;
      const Entry& entry = tuples_[slot];
      return entry.expires_at() <= due.at || entry.visible_at() != Time{};
    }
    case DueKind::kKey: {
      const UsedKey* used = keys_.of(TupleId{due.key});
      return used != nullptr && used->until == due.at;
    }
    case DueKind::kWaiter:
      return waiters_[due.slot].number == due.key;
    case DueKind::kSession: {
      const Session& session = sessions_.at(due.slot);
      return session.number == due.key && session.armed_at == due.at;
    }
  }
  return false;
}

void SpaceState::Machine::on_due(const Due& due) {
  if (!is_current(due)) return;
  switch (due.kind) {
    case DueKind::kTuple:
      tuple_due(tuples_.find(TupleId{due.key}));
      return;
    case DueKind::kKey:
      forget_key(TupleId{due.key});
      return;
    case DueKind::kWaiter:
      expire_waiter(due.slot);
      return;
    case DueKind::kSession:
      sessions_.at(due.slot).armed_at = kNever;
      session_due(sessions_.at(due.slot), due.at);
      return;
  }
}

void SpaceState::Machine::tuple_due(Slot slot) {
  const Entry& entry = tuples_[slot];
  // One that is out ends when it comes back; one that is taken has ended.
  if (entry.state == EntryState::kReserved || entry.state == EntryState::kHeld ||
      entry.state == EntryState::kTaken) {
    return;
  }
  if (entry.expires_at() <= now_) {
    ++counts_.expired;
    emit(TupleRemoved{entry.id});
    remove_tuple(slot);
  } else if (entry.state == EntryState::kDelayed && entry.visible_at() <= now_) {
    advance(slot);
  }
}

// ---- Tuples -------------------------------------------------------------------------------------

std::optional<Refused> SpaceState::Machine::check(std::span<const NewTuple> tuples) const {
  for (const NewTuple& item : tuples) {
    const Attributes& attributes = item.attributes;
    if (attributes.ttl && *attributes.ttl < kDurationMin) {
      return Refused{ErrorCode::kInvalidArgument,
                     "put: ttl is " + std::to_string(attributes.ttl->count()) +
                         " us, the shortest is 10 ms; put it with a longer ttl or not at all"};
    }
    if (attributes.rare) {
      if (auto refused = check_rare(item)) return refused;
    }
    std::size_t bytes = item.tuple.byte_size();
    if (attributes.will) bytes = std::max(bytes, attributes.will->byte_size());
    if (bytes > limits_.tuple_bytes_max) {
      return Refused{ErrorCode::kLimitExceeded, "put: a tuple has " + std::to_string(bytes) +
                                                    " bytes, the limit is " +
                                                    std::to_string(limits_.tuple_bytes_max) +
                                                    "; split it or raise limits.tuple_bytes_max"};
    }
  }
  return std::nullopt;
}

std::optional<Refused> SpaceState::Machine::check_room(std::uint64_t bytes) const {
  if (disk_is_low_) {
    return Refused{
        ErrorCode::kOverloaded,
        "put: the server's disk is nearly full; take or finish tuples, free space on the "
        "disk, or lower space-server --disk-reserve-mebibytes"};
  }
  if (bytes > limits_.bytes_max) {
    return Refused{ErrorCode::kLimitExceeded,
                   "put: its tuples have " + std::to_string(bytes) + " bytes, the space may have " +
                       std::to_string(limits_.bytes_max) +
                       " in all; put less at a time or raise space-server --space-mebibytes-max"};
  }
  if (counts_.bytes > limits_.bytes_max - bytes) {
    return Refused{ErrorCode::kOverloaded,
                   "put: " + std::to_string(bytes) + " bytes more, the space has " +
                       std::to_string(counts_.bytes) + " of at most " +
                       std::to_string(limits_.bytes_max) +
                       "; take or finish tuples and try again, or raise space-server "
                       "--space-mebibytes-max"};
  }
  return std::nullopt;
}

std::optional<Refused> SpaceState::Machine::check_room(std::span<const NewTuple> puts) const {
  if (auto drained = check_drained(puts)) return drained;
  return check_room(bytes_of(puts));
}

std::optional<Refused> SpaceState::Machine::check_rare(const NewTuple& put) const {
  const RareAttributes& rare = *put.attributes.rare;
  const std::size_t bytes = std::max(rare.key.size(), rare.group.size());
  if (bytes > limits_.name_bytes_max) {
    return Refused{ErrorCode::kLimitExceeded,
                   "put: a key or group of " + std::to_string(bytes) + " bytes, the limit is " +
                       std::to_string(limits_.name_bytes_max) +
                       "; choose a shorter one or raise limits.name_bytes_max"};
  }
  if (!rare.key.empty() && rare.key_window < kDurationMin) {
    return Refused{ErrorCode::kInvalidArgument,
                   "put: the key's window is " + std::to_string(rare.key_window.count()) +
                       " us, the shortest is 10 ms; give it a longer one or put without a key"};
  }
  if (rare.delay != Duration::zero() && rare.delay < kDurationMin) {
    return Refused{ErrorCode::kInvalidArgument,
                   "put: delay is " + std::to_string(rare.delay.count()) +
                       " us, the shortest is 10 ms; put it with a longer delay or with none"};
  }
  return check_guards(put);
}

void SpaceState::Machine::operate(Session& session, RequestId request, PutOp&& op) {
  if (op.tuples.size() > limits_.put_tuples_max) {
    return refuse(session, request, ErrorCode::kLimitExceeded,
                  "put: " + std::to_string(op.tuples.size()) + " tuples, the limit is " +
                      std::to_string(limits_.put_tuples_max) +
                      "; put them in parts or raise limits.put_tuples_max");
  }
  if (auto refused = check(op.tuples)) return reply(session, request, std::move(*refused));
  if (op.transaction.value != 0) {
    const Slot transaction = enter(session, request, op.transaction);
    if (transaction != kNoSlot) put_inside(transaction, request, std::move(op.tuples));
    return;
  }
  if (auto refused = check_room(op.tuples)) return reply(session, request, std::move(*refused));
  if (auto refused = check_keys_and_guards(op.tuples)) {
    return reply(session, request, std::move(*refused));
  }
  if (!may_remember(session, request)) return;
  put_and_answer(session, request, std::move(op.tuples));
}

std::optional<Refused> SpaceState::Machine::check_keys_and_guards(
    std::span<const NewTuple> tuples) const {
  if (auto full = check_room_for_guards(count_guards(tuples))) return full;
  if (!have_keys(tuples)) return std::nullopt;
  const KeyCheck keys = check_keys(tuples);
  if (keys.conflict == nullptr) return check_room_for_keys(keys.fresh);
  return Refused{ErrorCode::kKeyConflict,
                 "put: the key '" + keys.conflict->attributes.rare->key +
                     "' was used for another tuple or other attributes; use a new key for "
                     "something new"};
}

void SpaceState::Machine::put_and_answer(Session& session, RequestId request,
                                         std::vector<NewTuple>&& tuples) {
  if (have_keys(tuples)) {
    KeyedPutDone done{add_keyed(std::move(tuples))};
    remember(session, request, done);
    return reply(session, request, std::move(done));
  }
  PutDone done;
  done.count = static_cast<std::uint32_t>(tuples.size());
  done.first = add_tuples(std::move(tuples));
  remember(session, request, done);
  reply(session, request, done);
}

TupleId SpaceState::Machine::add_tuples(std::vector<NewTuple>&& tuples) {
  const TupleId first = next_id_;
  next_id_.value += tuples.size();
  TupleId id = first;
  for (NewTuple& tuple : tuples) {
    add_tuple(id, std::move(tuple));
    ++id.value;
  }
  return first;
}

void SpaceState::Machine::add_tuple(TupleId id, NewTuple&& item) {
  const bool rare = static_cast<bool>(item.attributes.rare);
  const Slot slot = store_tuple(id, std::move(item));
  if (slot == kNoSlot) return;
  if (rare) {
    arrive(slot);
  } else {
    place(slot, true);
  }
}

Slot SpaceState::Machine::store_tuple(TupleId id, NewTuple&& item) {
  Attributes& attributes = item.attributes;
  const Time expires_at = attributes.ttl ? later(now_, *attributes.ttl) : kNever;
  ++counts_.puts;
  emit(TupleAdded{id, item.tuple, attributes, expires_at});
  Session* owner = nullptr;
  if (attributes.lives_with) {
    owner = sessions_.find(*attributes.lives_with);
    if (owner == nullptr || owner->over_hold) {
      // Its owner is gone already, so it ends in the step that put it (P25).
      emit(TupleRemoved{id});
      if (attributes.will) wills_.push_back({std::move(*attributes.will), {}});
      return kNoSlot;
    }
    owner->bound.insert(id);
  }
  counts_.bytes += item.tuple.byte_size();
  const Slot slot = tuples_.add(id, std::move(item.tuple), std::move(attributes), expires_at);
  deadlines_.add(expires_at, DueKind::kTuple, id.value, slot);
  return slot;
}

void SpaceState::Machine::place(Slot slot, bool fresh) {
  encoding::split(tuples_[slot].tuple, fields_);
  serve_readers(slot, fresh);
  if (fresh && counts_.subscriptions > 0) tell_subscribers(slot);
  if (guards_.size() > 0) meet_guards(slot);
  if (pausing_ > 0) set_paused(tuples_[slot], is_paused(fields_));
  const WaitIndex::Match taker = next_taker(slot);
  if (taker.waiter == kNoSlot) {
    ready_.add(slot, fields_);
  } else {
    serve_waiter(taker, slot);
  }
}

WaitIndex::Match SpaceState::Machine::next_taker(Slot slot) {
  const Entry& entry = tuples_[slot];
  if (entry.paused) return {};
  if (!entry.read_locked) return takers_.next(fields_, entry.exclusive);
  const std::vector<Slot>& readers = read_by_.find(entry.id)->second;
  if (readers.size() > 1) return {};
  return takers_.next(fields_, entry.exclusive, readers.front());
}

void SpaceState::Machine::serve_readers(Slot slot, bool fresh) {
  readers_found_.clear();
  readers_.find_all(fields_, readers_found_);
  for (const WaitIndex::Match& match : readers_found_) {
    const Waiter& waiter = waiters_[match.waiter];
    if (!waiter.stream) {
      Found found;
      found.tuples.push_back(show({slot, match.template_index}));
      if (waiter.transaction != kNoSlot) lock(waiter.transaction, slot);
      reply(*waiter.session, waiter.origin.request, std::move(found));
      end_waiter(match.waiter);
    } else if (fresh) {
      deliver(match.waiter, {slot, match.template_index});
    }
  }
}

void SpaceState::Machine::set_state(Entry& entry, EntryState state) {
  --in_state_[static_cast<std::size_t>(entry.state)];
  ++in_state_[static_cast<std::size_t>(state)];
  entry.state = state;
}

void SpaceState::Machine::remove_tuple(Slot slot) {
  Entry& entry = tuples_[slot];
  const EntryState state = entry.state;
  if (state == EntryState::kHeld || entry.read_locked) left_meanwhile(entry, state);
  set_state(entry, EntryState::kTaken);
  if (state == EntryState::kReady) ready_.remove(slot);
  if (state == EntryState::kDead) dead_.erase(entry.id);
  if (entry.paused) set_paused(entry, false);
  --in_state_[static_cast<std::size_t>(EntryState::kTaken)];
  if (state != EntryState::kTaken) counts_.bytes -= entry.tuple.byte_size();
  if (entry.extra) untie(entry);
  tuples_.remove(slot);
}

void SpaceState::Machine::untie(const Entry& entry) {
  const Attributes& attributes = entry.extra->attributes;
  if (attributes.lives_with) {
    if (Session* owner = sessions_.find(*attributes.lives_with)) owner->bound.erase(entry.id);
  }
  if (!attributes.rare) return;
  leave_group(entry);
  close_guards(entry);
}

bool SpaceState::Machine::before(Slot a, Slot b) const {
  const Entry& left = tuples_[a];
  const Entry& right = tuples_[b];
  return left.priority != right.priority ? left.priority > right.priority : left.id < right.id;
}

// Out it goes, and its will, if it has one, is put in the same step.
void SpaceState::Machine::leave_with_will(Slot slot) {
  Entry& entry = tuples_[slot];
  if (entry.extra && entry.extra->attributes.will) {
    wills_.push_back({std::move(*entry.extra->attributes.will), {}});
  }
  emit(TupleRemoved{entry.id});
  remove_tuple(slot);
}

}  // namespace linden::core

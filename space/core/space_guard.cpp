// space/core/space_guard.cpp: tuples that wait for others (P24).
//
// A guard is met once, by a tuple that becomes visible or is so already; what met it may go
// afterwards.  When the last one is met, the tuple comes forward at the end of the step.
#include <algorithm>
#include <cassert>

#include "space/core/space_machine.h"

namespace linden::core {
namespace {

// The fields of `by` that the guard fills in, in order.
Tuple bound_by(const Guard& guard, const Tuple& by) {
  std::vector<Value> values;
  values.reserve(guard.fills.size());
  for (const Guard::Fill& fill : guard.fills) values.push_back(by[fill.from]);
  return Tuple(std::span<const Value>(values));
}

// `tuple` with those fields filled in.
Tuple filled(const Tuple& tuple, const Guard& guard, const Tuple& bound) {
  List values = tuple.values();
  for (std::size_t i = 0; i < guard.fills.size(); ++i) values[guard.fills[i].to] = bound[i];
  return Tuple(std::span<const Value>(values));
}

const std::vector<Guard>& guards_of(const Entry& entry) {
  return entry.extra->attributes.rare->when;
}

}  // namespace

// ---- Bounds -------------------------------------------------------------------------------------

std::optional<Refused> SpaceState::Machine::check_guards(const NewTuple& put) const {
  const std::vector<Guard>& guards = put.attributes.rare->when;
  if (guards.size() > limits_.guards_per_tuple_max) {
    return Refused{ErrorCode::kLimitExceeded,
                   "put: a tuple has " + std::to_string(guards.size()) + " guards, the limit is " +
                       std::to_string(limits_.guards_per_tuple_max) +
                       "; join them in steps or raise limits.guards_per_tuple_max"};
  }
  for (const Guard& guard : guards) {
    for (const Guard::Fill& fill : guard.fills) {
      if (fill.from < guard.form.size() && fill.to < put.tuple.size()) continue;
      return Refused{ErrorCode::kInvalidArgument,
                     "put: a guard of " + std::to_string(guard.form.size()) +
                         " fields fills field " + std::to_string(fill.to) + " of a tuple of " +
                         std::to_string(put.tuple.size()) + " from its field " +
                         std::to_string(fill.from) + "; name fields that are there"};
    }
  }
  return std::nullopt;
}

std::size_t SpaceState::Machine::count_guards(std::span<const NewTuple> tuples) {
  std::size_t count = 0;
  for (const NewTuple& put : tuples) {
    if (put.attributes.rare) count += put.attributes.rare->when.size();
  }
  return count;
}

std::optional<Refused> SpaceState::Machine::check_room_for_guards(std::size_t fresh) const {
  if (fresh == 0 || guards_.size() + fresh <= limits_.guards_max) return std::nullopt;
  return Refused{ErrorCode::kOverloaded, "put: " + std::to_string(guards_.size()) +
                                             " guards wait in this space, the limit is " +
                                             std::to_string(limits_.guards_max) +
                                             "; put some later or raise limits.guards_max"};
}

// ---- Being met ----------------------------------------------------------------------------------

// The tuple was put: looks at what is there already, and waits for the rest.
void SpaceState::Machine::open_guards(Slot slot) {
  Entry& entry = tuples_[slot];
  set_state(entry, EntryState::kGuarded);          // so that it does not meet its own guards
  const Rare rare = entry.extra->attributes.rare;  // lives on when the last one is met
  entry.extra->begin_guards();
  for (std::uint32_t number = 0; number < rare->when.size(); ++number) {
    const Template& form = rare->when[number].form;
    const Slot found = ready_.best(form, TemplateIndex::Exclusive::kOffer);
    if (found == kNoSlot) {
      guards_.add(form, {entry.id, number});
    } else {
      meet(slot, number, tuples_[found].tuple);
    }
  }
}

void SpaceState::Machine::meet_guards(Slot slot) {
  guards_found_.clear();
  guards_.find_all(fields_, guards_found_);
  for (const OpenGuard& guard : guards_found_) {
    const Slot guarded = tuples_.find(guard.tuple);
    guards_.remove(guards_of(tuples_[guarded])[guard.number].form, guard);
    meet(guarded, guard.number, tuples_[slot].tuple);
    const EntryExtra& extra = *tuples_[guarded].extra;
    if (extra.open_guards == 0 || extra.overfull) forward_.push_back(guard.tuple);
  }
}

void SpaceState::Machine::meet(Slot guarded, std::uint32_t number, const Tuple& by) {
  Entry& entry = tuples_[guarded];
  Tuple bound = bound_by(guards_of(entry)[number], by);
  if (entry.tuple.byte_size() + bound.byte_size() > limits_.tuple_bytes_max) {
    entry.extra->overfull = true;
    bound = Tuple{};
  }
  counts_.bytes -= entry.tuple.byte_size();
  note_met(entry, number, bound);
  counts_.bytes += entry.tuple.byte_size();
  emit(GuardMet{entry.id, number, std::move(bound)});
}

// Sets what it sets, so that it may be said twice.  `bound` is empty if it does not fit in.
void SpaceState::Machine::note_met(Entry& entry, std::uint32_t number, const Tuple& bound) {
  EntryExtra& extra = *entry.extra;
  const Guard& guard = guards_of(entry)[number];
  if (!guard.fills.empty() && bound.size() == guard.fills.size()) {
    entry.tuple = filled(entry.tuple, guard, bound);
  }
  if (extra.met[number]) return;
  extra.met[number] = true;
  if (--extra.open_guards == 0) extra.drop_guards();
}

// ---- Ending -------------------------------------------------------------------------------------

// The tuple is gone before its guards were met.
void SpaceState::Machine::close_guards(const Entry& entry) {
  const std::vector<bool>& met = entry.extra->met;
  for (std::uint32_t number = 0; number < met.size(); ++number) {
    if (!met[number]) guards_.remove(guards_of(entry)[number].form, {entry.id, number});
  }
}

// It would be larger than a tuple may be: its will comes in its place, or it is kept as dead.
void SpaceState::Machine::give_up(Slot slot) {
  Entry& entry = tuples_[slot];
  if (entry.extra->attributes.will) return leave_with_will(slot);
  leave_group(entry);
  close_guards(entry);
  entry.extra->drop_guards();
  set_state(entry, EntryState::kDead);
  dead_.insert(entry.id);
  emit(TupleDied{entry.id, entry.started_before});
}

// ---- Recovery -----------------------------------------------------------------------------------

void SpaceState::Machine::describe_guards(const Entry& entry, std::vector<Mutation>& out) const {
  if (!entry.extra) return;
  const std::vector<bool>& met = entry.extra->met;
  for (std::uint32_t number = 0; number < met.size(); ++number) {
    if (!met[number]) continue;
    std::vector<Value> values;
    for (const Guard::Fill& fill : guards_of(entry)[number].fills) {
      values.push_back(entry.tuple[fill.to]);
    }
    out.push_back(GuardMet{entry.id, number, Tuple(std::span<const Value>(values))});
  }
}

void SpaceState::Machine::restore_guards(const Entry& entry) {
  const std::vector<bool>& met = entry.extra->met;
  for (std::uint32_t number = 0; number < met.size(); ++number) {
    if (!met[number]) guards_.add(guards_of(entry)[number].form, {entry.id, number});
  }
}

void SpaceState::Machine::set(GuardMet&& met) {
  const Slot slot = tuples_.find(met.id);
  if (slot == kNoSlot) return;
  Entry& entry = tuples_[slot];
  // An older mutation of a tuple whose guards have all been met by now says nothing new.
  if (!entry.extra || met.guard >= entry.extra->met.size()) return;
  note_met(entry, met.guard, met.bound);
}

}  // namespace linden::core

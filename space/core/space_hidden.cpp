// space/core/space_hidden.cpp: tuples that are there but not visible yet, because of a guard, a
// delay or an earlier tuple of their group (P18, P22, P24), and new times to live (P21).
#include <algorithm>
#include <cassert>

#include "space/core/space_machine.h"

namespace linden::core {

// ---- Becoming visible ---------------------------------------------------------------------------

// A tuple with rare attributes was put.
void SpaceState::Machine::arrive(Slot slot) {
  const Entry& entry = tuples_[slot];
  const RareAttributes& rare = *entry.extra->attributes.rare;
  if (!rare.group.empty()) stand_in_line(entry);
  if (rare.delay != Duration::zero()) hold_back(slot, rare.delay);
  if (!rare.when.empty()) open_guards(slot);
  advance(slot);
}

// Not visible for so long from now on; keeps its place in its group.
void SpaceState::Machine::hold_back(Slot slot, Duration delay) {
  Entry& entry = tuples_[slot];
  EntryExtra& extra = entry.make_extra();
  extra.visible_at = later(now_, delay);
  emit(TupleDelayed{entry.id, entry.started_before, extra.visible_at});
  deadlines_.add(extra.visible_at, DueKind::kTuple, entry.id.value, slot);
}

void SpaceState::Machine::advance(Slot slot) {
  Entry& entry = tuples_[slot];
  if (entry.extra->overfull) return give_up(slot);
  if (entry.extra->open_guards > 0) return set_state(entry, EntryState::kGuarded);
  if (entry.visible_at() > now_) return set_state(entry, EntryState::kDelayed);
  if (entry.visible_at() != Time{}) {
    entry.extra->visible_at = Time{};
    emit(TupleReleased{entry.id, entry.started_before});
  }
  if (is_behind(entry)) return set_state(entry, EntryState::kBehind);
  set_state(entry, EntryState::kReady);
  place(slot, entry.attempt == 0);  // who was never handed out comes as if it were put now
}

// ---- Groups -------------------------------------------------------------------------------------

bool SpaceState::Machine::is_behind(const Entry& entry) const {
  if (entry.group().empty()) return false;
  const auto group = groups_.find(entry.group());
  assert(group != groups_.end() && group->second.ids.contains(entry.id));
  return group->second.front != entry.id;
}

// Behind all that are there.
void SpaceState::Machine::stand_in_line(const Entry& entry) {
  Line& line = groups_[entry.extra->attributes.rare->group];
  line.ids.insert(entry.id);
  if (line.ids.size() == 1) line.front = entry.id;
}

// Finished, taken or gone: the next one of the group may come forward at the end of the step.
void SpaceState::Machine::leave_group(const Entry& entry) {
  if (entry.group().empty()) return;
  const auto group = groups_.find(entry.group());
  if (group == groups_.end()) return;
  Line& line = group->second;
  if (line.ids.erase(entry.id) == 0) return;
  if (line.ids.empty()) {
    groups_.erase(group);
  } else if (line.front == entry.id) {
    line.front = *line.ids.begin();
    forward_.push_back(line.front);
  }
}

void SpaceState::Machine::bring_forward() {
  if (forward_.empty()) return;
  std::vector<TupleId> ids = std::exchange(forward_, {});
  std::sort(ids.begin(), ids.end());
  for (const TupleId id : ids) {
    const Slot slot = tuples_.find(id);
    // One whose time is over ends in this step, too, and is not shown before (P21).
    if (slot == kNoSlot || tuples_[slot].expires_at() <= now_) continue;
    const EntryState state = tuples_[slot].state;
    if (state == EntryState::kBehind || state == EntryState::kGuarded) advance(slot);
  }
}

// ---- Time to live -------------------------------------------------------------------------------

void SpaceState::Machine::operate(Session& session, RequestId request, RenewOp&& op) {
  if (op.items.size() > limits_.put_tuples_max) {
    return refuse(session, request, ErrorCode::kLimitExceeded,
                  "renew: " + std::to_string(op.items.size()) + " tuples, the limit is " +
                      std::to_string(limits_.put_tuples_max) +
                      "; renew them in parts or raise limits.put_tuples_max");
  }
  for (const RenewItem& item : op.items) {
    if (!item.ttl || *item.ttl >= kDurationMin) continue;
    return refuse(session, request, ErrorCode::kInvalidArgument,
                  "renew: ttl is " + std::to_string(item.ttl->count()) +
                      " us, the shortest is 10 ms; give a longer one or take the tuple");
  }
  if (!may_remember(session, request)) return;
  FinishDone done;
  done.codes.reserve(op.items.size());
  for (const RenewItem& item : op.items) done.codes.push_back(renew(item));
  remember(session, request, done);
  reply(session, request, std::move(done));
}

ErrorCode SpaceState::Machine::renew(const RenewItem& item) {
  const Slot slot = tuples_.find(item.tuple);
  if (slot == kNoSlot || tuples_[slot].state == EntryState::kTaken) return ErrorCode::kNoMatch;
  Entry& entry = tuples_[slot];
  const Time expires_at = item.ttl ? later(now_, *item.ttl) : kNever;
  if (expires_at != entry.expires_at()) {
    entry.make_extra().expires_at = expires_at;
    emit(TupleRenewed{entry.id, expires_at});
    deadlines_.add(expires_at, DueKind::kTuple, entry.id.value, slot);
  }
  return ErrorCode::kOk;
}

}  // namespace linden::core

// space/core/space_revive.cpp: dead tuples come back (P19).
#include <algorithm>

#include "space/core/space_machine.h"

namespace linden::core {

void SpaceState::Machine::operate(Session& session, RequestId request, ReviveOp&& op) {
  if (op.ids.size() > limits_.put_tuples_max) {
    return refuse(session, request, ErrorCode::kLimitExceeded,
                  "revive: " + std::to_string(op.ids.size()) + " tuples, the limit is " +
                      std::to_string(limits_.put_tuples_max) +
                      "; revive them in parts or raise limits.put_tuples_max");
  }
  if (!may_remember(session, request)) return;
  if (op.all) {
    const std::size_t limit = std::min<std::size_t>(op.limit, limits_.put_tuples_max);
    op.ids.clear();
    for (auto id = dead_.begin(); id != dead_.end() && op.ids.size() < limit; ++id) {
      const bool matches = !op.form || op.form->matches(tuples_[tuples_.find(*id)].tuple);
      if (matches) op.ids.push_back(*id);
    }
  }
  FinishDone done;
  done.codes.reserve(op.ids.size());
  for (const TupleId id : op.ids) {
    const bool is_dead = dead_.contains(id);
    if (is_dead) revive(tuples_.find(id));
    done.codes.push_back(is_dead ? ErrorCode::kOk : ErrorCode::kNoMatch);
  }
  remember(session, request, done);
  reply(session, request, std::move(done));
}

// It comes back as it is: what guards should have filled in and did not fit is missing.
void SpaceState::Machine::revive(Slot slot) {
  Entry& entry = tuples_[slot];
  dead_.erase(entry.id);
  entry.started_before = 0;
  entry.make_extra().overfull = false;
  emit(TupleReleased{entry.id, 0});
  if (!entry.group().empty()) cut_in(entry);
  advance(slot);
}

// It stands in its line where its id says, but behind one that is out, or that people see already.
void SpaceState::Machine::cut_in(const Entry& entry) {
  stand_in_line(entry);
  Line& line = groups_.find(entry.group())->second;
  const EntryState front = tuples_[tuples_.find(line.front)].state;
  const bool unseen = front == EntryState::kDelayed || front == EntryState::kGuarded;
  if (unseen && entry.id < line.front) line.front = entry.id;
}

bool SpaceState::Machine::steps_back(const Entry& entry) {
  if (entry.group().empty()) return false;
  Line& line = groups_.find(entry.group())->second;
  const TupleId first = *line.ids.begin();
  if (first == entry.id) return false;
  line.front = first;
  forward_.push_back(first);
  return true;
}

}  // namespace linden::core

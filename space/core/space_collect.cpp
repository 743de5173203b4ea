// space/core/space_collect.cpp: one step of two spaces: what matches goes from one into the other
// (P28).
#include <algorithm>
#include <cassert>

#include "space/core/space_machine.h"

namespace linden::core {

void SpaceState::Machine::collect(Machine& target, Perform&& collect, Time now, Effects& effects,
                                  Effects& of_target) {
  begin_step(now, effects);
  target.begin_step(now, of_target);
  Session* session = sessions_.find(collect.from.session);
  assert(session != nullptr);
  heard(*session);
  // Both are up to date before either looks at the other.
  for (Machine* space : {this, &target}) {
    space->settle();
    space->run_deadlines();
  }
  collect_target_ = &target;
  on(std::move(collect));
  collect_target_ = nullptr;
  end_step();
  target.end_step();
}

// All of it is looked at before any of it is done.
void SpaceState::Machine::operate(Session& session, RequestId request, CollectOp&& op) {
  if (collect_target_ == nullptr) {
    return refuse(session, request, ErrorCode::kNoSuchSpace,
                  "collect: space number " + std::to_string(op.to.value) +
                      " is not there, or is this one; name another space of this server");
  }
  if (!check_templates(session, request, {&op.form, 1})) return;
  std::vector<Match> found;
  std::uint64_t bytes = 0;
  auto refused = find_to_collect(op, found, bytes);
  if (!refused && !found.empty()) refused = collect_target_->check_room(bytes);
  for (const Match& match : found) {
    if (!refused) refused = collect_target_->check_drained(tuples_[match.slot].tuple);
  }
  if (refused) {
    refused->message += "; nothing was collected";
    return reply(session, request, std::move(*refused));
  }
  if (!may_remember(session, request)) return;
  std::vector<NewTuple> puts;
  puts.reserve(found.size());
  for (const Match& match : found) puts.push_back(as_put_anew(tuples_[match.slot]));
  if (!op.copy) {
    for (const Match& match : found) {
      emit(TupleRemoved{tuples_[match.slot].id});
      remove_tuple(match.slot);
      ++counts_.takes;
    }
  }
  PutDone done;
  done.count = static_cast<std::uint32_t>(puts.size());
  done.first = collect_target_->add_tuples(std::move(puts));
  remember(session, request, done);
  reply(session, request, done);
}

// In order of put; `bytes` of tuples in all.
std::optional<Refused> SpaceState::Machine::find_to_collect(const CollectOp& op,
                                                            std::vector<Match>& found,
                                                            std::uint64_t& bytes) {
  found = find_by_id({&op.form, 1}, TupleId{}, limits_.collect_tuples_max + 1);
  const bool too_many = found.size() > limits_.collect_tuples_max;
  std::erase_if(found, [&](const Match& match) {
    const Entry& entry = tuples_[match.slot];
    const bool bound = entry.extra && entry.extra->attributes.lives_with;
    return bound || (!op.copy && !may_take(match.slot, Seeker{}));
  });
  for (const Match& match : found) bytes += tuples_[match.slot].tuple.byte_size();
  if (!too_many && bytes <= limits_.collect_bytes_max) return std::nullopt;
  return Refused{ErrorCode::kLimitExceeded,
                 "collect: " + std::string(too_many ? "more than " : "") +
                     std::to_string(found.size()) + " tuples of " + std::to_string(bytes) +
                     " bytes match, the limits are " + std::to_string(limits_.collect_tuples_max) +
                     " and " + std::to_string(limits_.collect_bytes_max) +
                     " bytes; narrow the template, or raise limits.collect_tuples_max and "
                     "limits.collect_bytes_max"};
}

// What a put would have to say for the tuple to be as it is now.  It is visible, so its delay and
// guards are over; its key stays behind, which belongs to the space.
NewTuple SpaceState::Machine::as_put_anew(const Entry& entry) const {
  NewTuple put{entry.tuple, entry.attributes()};
  const Time expires_at = entry.expires_at();
  put.attributes.ttl =
      expires_at == kNever ? std::nullopt : std::optional<Duration>(expires_at - now_);
  if (put.attributes.rare) {
    RareAttributes rest;
    rest.group = put.attributes.rare->group;
    put.attributes.rare = rest.group.empty() ? Rare{} : Rare(std::move(rest));
  }
  return put;
}

}  // namespace linden::core

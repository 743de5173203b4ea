#include "model_space.h"

#include <algorithm>

#include "space/storage/record_codec.h"

namespace linden::storage {

ModelSpace::Entry* ModelSpace::find(TupleId id) {
  const auto found = tuples_.find(id);
  return found == tuples_.end() ? nullptr : &found->second;
}

void ModelSpace::apply(const core::Mutation& mutation) {
  std::visit([this](const auto& change) { apply_to(change); }, mutation);
}

void ModelSpace::apply_to(const core::TupleAdded& added) {
  tuples_[added.id] = Entry{added, State::kReady, 0, {}, {}, {}, {}};
  next_ = std::max(next_, TupleId{added.id.value + 1});
}

void ModelSpace::apply_to(const core::TupleReserved& reserved) {
  Entry* const entry = find(reserved.id);
  if (entry == nullptr) return;
  entry->reserved = reserved;
  entry->state = State::kReserved;
}

void ModelSpace::apply_to(const core::TupleStarted& started) {
  Entry* const entry = find(started.id);
  if (entry != nullptr && entry->state == State::kReserved) entry->reserved->started = true;
}

void ModelSpace::apply_to(const core::TupleReleased& released) {
  Entry* const entry = find(released.id);
  if (entry == nullptr) return;
  entry->started_before = released.started_before;
  entry->delayed.reset();
  entry->state = State::kReady;
}

void ModelSpace::apply_to(const core::TupleTaken& taken) {
  Entry* const entry = find(taken.id);
  if (entry == nullptr) return;
  entry->taken = taken;
  entry->state = State::kTaken;
}

void ModelSpace::apply_to(const core::TupleRemoved& removed) {
  tuples_.erase(removed.id);
}

void ModelSpace::apply_to(const core::TupleDied& died) {
  Entry* const entry = find(died.id);
  if (entry == nullptr) return;
  entry->started_before = died.started_before;
  entry->state = State::kDead;
}

void ModelSpace::apply_to(const core::SessionOpened& opened) {
  sessions_[opened.id] = opened;
}

void ModelSpace::apply_to(const core::SessionEnded& ended) {
  sessions_.erase(ended.id);
  std::erase_if(answers_, [&](const auto& each) { return each.first.session == ended.id; });
}

void ModelSpace::apply_to(const core::RequestAnswered& answered) {
  if (sessions_.contains(answered.request.session)) answers_[answered.request] = answered;
}

void ModelSpace::apply_to(const core::NextTupleId& next) {
  next_ = std::max(next_, next.next);
}

void ModelSpace::apply_to(const core::TupleDelayed& delayed) {
  Entry* const entry = find(delayed.id);
  if (entry == nullptr) return;
  entry->started_before = delayed.started_before;
  entry->delayed = delayed;
  entry->state = State::kDelayed;
}

void ModelSpace::apply_to(const core::TupleRenewed& renewed) {
  Entry* const entry = find(renewed.id);
  if (entry != nullptr) entry->added.expires_at = renewed.expires_at;
}

void ModelSpace::apply_to(const core::KeyRemembered& remembered) {
  keys_[remembered.id] = remembered;
}

void ModelSpace::apply_to(const core::KeyForgotten& forgotten) {
  keys_.erase(forgotten.id);
}

void ModelSpace::apply_to(const core::GuardMet& met) {
  Entry* const entry = find(met.id);
  if (entry != nullptr) entry->met[met.guard] = met;
}

void ModelSpace::apply_to(const core::PauseSet& pause) {
  pauses_[pause.kind] = pause;
}

void ModelSpace::apply_to(const core::PauseEnded& ended) {
  pauses_.erase(ended.kind);
}

bool ModelSpace::describe(TupleId id, std::vector<core::Mutation>& out) const {
  const auto key = keys_.find(id);
  if (key != keys_.end()) out.emplace_back(key->second);
  const auto found = tuples_.find(id);
  if (found == tuples_.end()) return key != keys_.end();
  const Entry& entry = found->second;
  out.emplace_back(entry.added);
  for (const auto& [guard, met] : entry.met) out.emplace_back(met);
  if (entry.started_before > 0) out.emplace_back(core::TupleReleased{id, entry.started_before});
  if (entry.reserved) out.emplace_back(*entry.reserved);
  if (entry.state == State::kReady && entry.reserved) {
    out.emplace_back(core::TupleReleased{id, entry.started_before});
  }
  if (entry.state == State::kDelayed) out.emplace_back(*entry.delayed);
  if (entry.state == State::kTaken) out.emplace_back(*entry.taken);
  if (entry.state == State::kDead) out.emplace_back(core::TupleDied{id, entry.started_before});
  return true;
}

void ModelSpace::describe_rest(std::vector<core::Mutation>& out) const {
  for (const auto& [id, opened] : sessions_) out.emplace_back(opened);
  for (const auto& [request, answered] : answers_) out.emplace_back(answered);
  for (const auto& [kind, pause] : pauses_) out.emplace_back(pause);
  out.emplace_back(core::NextTupleId{next_});
}

std::string ModelSpace::dump() const {
  std::vector<core::Mutation> all;
  for (const auto& [id, key] : keys_) {
    if (!tuples_.contains(id)) describe(id, all);
  }
  for (const auto& [id, entry] : tuples_) describe(id, all);
  describe_rest(all);
  std::string bytes;
  begin_record(bytes, Time{});
  for (const core::Mutation& mutation : all) append_mutation(bytes, mutation);
  return bytes;
}

std::vector<TupleId> ModelSpace::ids() const {
  std::vector<TupleId> all;
  for (const auto& [id, entry] : tuples_) all.push_back(id);
  return all;
}

// ---- Histories
// -----------------------------------------------------------------------------------

core::Origin RandomHistory::origin() {
  return {SessionId{1, 1 + below(4)}, RequestId{1 + below(1000)}};
}

core::Mutation RandomHistory::change_of(TupleId id) {
  const auto small = static_cast<std::uint32_t>(1 + below(5));
  switch (below(13)) {
    case 12:
      return core::GuardMet{id, small, Tuple{static_cast<std::int64_t>(below(9))}};
    case 8:
      return core::TupleDelayed{id, small, Time(Duration(static_cast<std::int64_t>(below(9))))};
    case 9:
      return core::TupleRenewed{id, Time(Duration(static_cast<std::int64_t>(below(9))))};
    case 10:
      return core::KeyRemembered{id, "key", below(9), Time(Duration(9))};
    case 11:
      return core::KeyForgotten{id};
    case 0:
    case 1:
      return core::TupleReserved{id, small, origin(), Duration(30'000'000), below(2) == 0, small};
    case 2:
      return core::TupleStarted{id};
    case 3:
      return core::TupleReleased{id, small};
    case 4:
      return core::TupleTaken{id, origin(), small, below(2) == 0};
    case 5:
      return core::TupleDied{id, small};
    default:
      return core::TupleRemoved{id};
  }
}

core::Mutation RandomHistory::change_of_session(ModelSpace& model) {
  const core::Origin from = origin();
  if (!model.sessions().contains(from.session)) {
    return core::SessionOpened{from.session, "engine", Duration(5), Duration(60)};
  }
  const auto kind = static_cast<PauseKind>(below(2));
  switch (below(7)) {
    case 5:
      return core::PauseSet{
          kind, {}, "engine", Time(Duration(static_cast<std::int64_t>(below(9))))};
    case 6:
      return core::PauseEnded{kind, {}};
    case 0:
      return core::SessionEnded{from.session};
    case 1:
      return core::SessionOpened{from.session, "renamed", Duration(6), Duration(70)};
    case 2:
      return core::RequestAnswered{from, PutDone{TupleId{below(100)}, 2}};
    default:
      return core::RequestAnswered{from, FinishDone{{ErrorCode::kOk, ErrorCode::kStaleLease}}};
  }
}

core::Mutation RandomHistory::mutation(ModelSpace& model) {
  const std::vector<TupleId> ids = model.ids();
  const std::uint64_t choice = below(10);
  if (choice == 0) return change_of_session(model);
  if (choice < 4 || ids.empty()) {
    core::TupleAdded added{model.next(), Tuple{"task", static_cast<std::int64_t>(below(1000))}, {}};
    if (below(20) == 0) added.tuple = Tuple{Bytes::adopt(std::string(5000, 'x'))};
    added.attributes.priority = static_cast<std::int32_t>(below(3));
    return added;
  }
  // Mostly young ones, as in a queue; now and then a very old one.
  const std::size_t reach = below(4) == 0 ? ids.size() : std::min<std::size_t>(ids.size(), 8);
  return change_of(ids[ids.size() - 1 - below(reach)]);
}

std::vector<core::Mutation> RandomHistory::next(ModelSpace& model) {
  std::vector<core::Mutation> commit;
  for (std::uint64_t left = 1 + below(5); left > 0; --left) {
    commit.push_back(mutation(model));
    model.apply(commit.back());
  }
  return commit;
}

}  // namespace linden::storage

// space/core/space_inspect.cpp: looking without touching: count, list, summarize, sessions,
// counters.
#include <algorithm>
#include <bit>
#include <compare>

#include "space/core/space_machine.h"

namespace linden::core {
namespace {

// Fields up to this size are shown by value in a summary.
constexpr std::size_t kShownBytesMax = 128;

TupleState state_of(const Entry& entry, const SessionTable& sessions) {
  switch (entry.state) {
    case EntryState::kReserved:
      return sessions.holding(entry.holding).started ? TupleState::kStarted : TupleState::kReserved;
    case EntryState::kHeld:
      return TupleState::kReserved;
    case EntryState::kDead:
      return TupleState::kDead;
    case EntryState::kDelayed:
      return TupleState::kDelayed;
    case EntryState::kBehind:
      return TupleState::kBehind;
    case EntryState::kGuarded:
      return TupleState::kGuarded;
    default:
      return entry.paused ? TupleState::kPaused : TupleState::kReady;
  }
}

// What a summary shows for a field.
Value shown(const encoding::FieldView& field) {
  const FieldType type = field.type();
  if (type == FieldType::kObject || field.bytes.size() > kShownBytesMax ||
      !field.attachments.empty()) {
    return Value("<" + std::string(name_of(type)) + ">");
  }
  return encoding::value_of(field);
}

// Any total order that puts numbers and texts as people expect.
std::strong_ordering compare(const Value& a, const Value& b) {
  if (a.type() != b.type()) return a.type() <=> b.type();
  switch (a.type()) {
    case FieldType::kBool:
      return a.as_bool() <=> b.as_bool();
    case FieldType::kInt:
      return a.as_int() <=> b.as_int();
    case FieldType::kFloat:
      if (a.as_float() < b.as_float()) return std::strong_ordering::less;
      if (a.as_float() > b.as_float()) return std::strong_ordering::greater;
      return std::bit_cast<std::int64_t>(a.as_float()) <=>
             std::bit_cast<std::int64_t>(b.as_float());
    case FieldType::kText:
      return a.as_text() <=> b.as_text();
    case FieldType::kBytes:
      return a.as_bytes().view() <=> b.as_bytes().view();
    case FieldType::kList:
      return std::lexicographical_compare_three_way(
          a.as_list().begin(), a.as_list().end(), b.as_list().begin(), b.as_list().end(), compare);
    default:
      return std::strong_ordering::equal;
  }
}

bool group_before(const SummaryGroup& a, const SummaryGroup& b) {
  if (a.arity != b.arity) return a.arity < b.arity;
  return std::lexicographical_compare_three_way(a.first_fields.begin(), a.first_fields.end(),
                                                b.first_fields.begin(), b.first_fields.end(),
                                                compare) < 0;
}

// What only few puts say.
void add_extra(const EntryExtra& extra, Time now, ListedTuple& item) {
  if (extra.expires_at != kNever) {
    item.expires_in = std::max(extra.expires_at - now, Duration::zero());
  }
  item.open_guards = extra.open_guards;
  item.max_attempts = extra.attributes.max_attempts;
  item.has_will = extra.attributes.will.has_value();
  item.lives_with = extra.attributes.lives_with.value_or(SessionId{});
  if (extra.attributes.rare) item.group = extra.attributes.rare->group;
}

void count_into(SummaryGroup& group, TupleState state, std::size_t bytes) {
  group.bytes += bytes;
  switch (state) {
    case TupleState::kReady:
      ++group.ready;
      return;
    case TupleState::kReserved:
      ++group.reserved;
      return;
    case TupleState::kStarted:
      ++group.started;
      return;
    case TupleState::kDead:
      ++group.dead;
      return;
    case TupleState::kDelayed:
      ++group.delayed;
      return;
    case TupleState::kBehind:
      ++group.behind;
      return;
    case TupleState::kGuarded:
      ++group.guarded;
      return;
    case TupleState::kPaused:
      ++group.paused;
      return;
  }
}

}  // namespace

void SpaceState::Machine::operate(Session& session, RequestId request, CountOp&& op) {
  Slot transaction = kNoSlot;
  if (op.transaction.value != 0) {
    transaction = enter(session, request, op.transaction);
    if (transaction == kNoSlot) return;
  }
  Counted counted;
  ready_.visit_best(op.form, TemplateIndex::Exclusive::kOffer, [&](Slot) {
    ++counted.count;
    return true;
  });
  if (transaction != kNoSlot) {
    counted.count += count_own(transaction, op.form);
    if (counted.count == 0) note_none(transaction, TakeMode::kRead, {op.form});
  }
  reply(session, request, counted);
}

void SpaceState::Machine::operate(Session& session, RequestId request, ExplainOp&& op) {
  reply(session, request, ready_.explain(op.form));
}

void SpaceState::Machine::operate(Session& session, RequestId request, ListOp&& op) {
  const std::size_t limit = std::min<std::size_t>(op.limit, limits_.list_tuples_max);
  Listed listed;
  std::size_t bytes = 0;
  const auto add = [&](Slot slot) {
    bytes += tuples_[slot].tuple.byte_size();
    const bool full = listed.tuples.size() >= limit ||
                      (!listed.tuples.empty() && bytes > limits_.answer_bytes_max);
    if (full) {
      listed.more = true;
      return false;
    }
    listed.tuples.push_back(line_of(slot));
    return true;
  };
  if (op.all_states && op.state == TupleState::kDead) {
    for (auto id = dead_.upper_bound(op.after); id != dead_.end(); ++id) {
      const Slot slot = tuples_.find(*id);
      if ((!op.form || op.form->matches(tuples_[slot].tuple)) && !add(slot)) break;
    }
  } else if (op.form && !op.all_states) {
    ready_.visit_by_id(*op.form, op.after, add);
  } else {
    for (Slot slot = tuples_.next_after(op.after); slot != kNoSlot;
         slot = tuples_.next_after(tuples_[slot].id)) {
      const Entry& entry = tuples_[slot];
      if (entry.state == EntryState::kTaken) continue;
      if (!op.all_states && entry.state != EntryState::kReady) continue;
      if (op.all_states && op.state && state_of(entry, sessions_) != *op.state) continue;
      if (op.form && !op.form->matches(entry.tuple)) continue;
      if (!add(slot)) break;
    }
  }
  reply(session, request, std::move(listed));
}

ListedTuple SpaceState::Machine::line_of(Slot slot) const {
  const Entry& entry = tuples_[slot];
  ListedTuple item;
  item.id = entry.id;
  item.state = state_of(entry, sessions_);
  item.attempt = entry.attempt;
  item.priority = entry.priority;
  if (entry.state == EntryState::kReserved) {
    const Holding& holding = sessions_.holding(entry.holding);
    const Session& holder = sessions_.at(holding.session);
    item.holder = holder.id;
    item.lease_left = lease_left(holder, holding.lease);
    if (holding.since != Time{}) item.held_for = now_ - holding.since;
  } else if (entry.state == EntryState::kHeld) {
    const Transaction& transaction = transactions_[entry.holding];
    item.holder = transaction.session->id;
    item.lease_left = lease_left(*transaction.session, transaction.lease);
  }
  if (entry.extra) add_extra(*entry.extra, now_, item);
  if (const UsedKey* used = keys_.of(entry.id)) item.key = used->key;
  if (entry.state == EntryState::kDelayed) {
    item.visible_in = std::max(entry.visible_at() - now_, Duration::zero());
  }
  item.tuple = entry.tuple;
  return item;
}

void SpaceState::Machine::operate(Session& session, RequestId request, SummarizeOp&& op) {
  Summary summary;
  std::map<std::string, SummaryGroup, std::less<>> groups;
  std::string key;
  for (Slot slot = tuples_.next_after(TupleId{}); slot != kNoSlot;
       slot = tuples_.next_after(tuples_[slot].id)) {
    const Entry& entry = tuples_[slot];
    if (entry.state == EntryState::kTaken) continue;
    if (op.form && !op.form->matches(entry.tuple)) continue;
    ++summary.tuples;
    encoding::split(entry.tuple, fields_);
    const std::size_t fields = std::min<std::size_t>(op.first_fields, fields_.count);
    key.assign(1, static_cast<char>(fields_.count));
    for (std::size_t i = 0; i < fields; ++i) {
      const encoding::FieldView& field = fields_.fields[i];
      const bool whole = field.type() != FieldType::kObject &&
                         field.bytes.size() <= kShownBytesMax && field.attachments.empty();
      key.append(whole ? field.bytes : field.bytes.substr(0, 1)).push_back(whole ? '=' : '*');
    }
    auto group = groups.find(key);
    if (group == groups.end()) {
      if (groups.size() >= op.groups_max) {
        summary.more = true;
        continue;
      }
      group = groups.emplace(key, SummaryGroup{}).first;
      group->second.arity = static_cast<std::uint32_t>(fields_.count);
      for (std::size_t i = 0; i < fields; ++i) {
        group->second.first_fields.push_back(shown(fields_.fields[i]));
      }
    }
    count_into(group->second, state_of(entry, sessions_), entry.tuple.byte_size());
  }
  for (auto& [name, group] : groups) summary.groups.push_back(std::move(group));
  std::stable_sort(summary.groups.begin(), summary.groups.end(), group_before);
  for (Slot slot = 0; slot < waiters_.end(); ++slot) {
    if (waiters_[slot].number != 0) ++(waiters_[slot].stream ? summary.streams : summary.waiters);
  }
  summary.pauses = pauses_.size();
  reply(session, request, std::move(summary));
}

void SpaceState::Machine::operate(Session& session, RequestId request, ListSessionsOp&&) {
  SessionsListed listed;
  for (const Session* item : sessions_.sorted()) {
    SessionInfo info;
    info.id = item->id;
    info.name = item->name;
    info.connected = item->connected;
    info.silent_for = now_ - item->heard_at;
    info.held = item->reserved;
    for (const auto& [id, slot] : item->transactions) info.held += transactions_[slot].taken.size();
    info.waiting = item->waiters.size();
    if (info.held > 0) info.lease_left = lease_left(*item, shortest_lease(*item));
    listed.sessions.push_back(std::move(info));
  }
  reply(session, request, std::move(listed));
}

SpaceCounters SpaceState::Machine::counters() const {
  SpaceCounters result = counts_;
  const auto in = [this](EntryState state) { return in_state_[static_cast<std::size_t>(state)]; };
  result.tuples = tuples_.size() - in(EntryState::kTaken);
  result.reserved = in(EntryState::kReserved) + in(EntryState::kHeld);
  result.dead = in(EntryState::kDead);
  result.delayed = in(EntryState::kDelayed);
  result.behind = in(EntryState::kBehind);
  result.guarded = in(EntryState::kGuarded);
  result.keys = keys_.size();
  result.ready = ready_.ready() - counts_.paused;
  result.pauses = pauses_.size();
  result.indexes = ready_.learned();
  result.scans = ready_.scans();
  result.candidates_looked_at = ready_.looked_at() + takers_.looked_at() + readers_.looked_at() +
                                subscribers_.looked_at() + guards_.looked_at();
  return result;
}

}  // namespace linden::core

#include "tests/simulation/reference_space.h"

#include <algorithm>

namespace linden::simulation {
namespace {

Time later(Time now, Duration duration) {
  return duration >= kNever - now ? kNever : now + duration;
}

std::string key_of(const NewTuple& put) {
  return put.attributes.rare ? put.attributes.rare->key : "";
}

std::string group_of(const NewTuple& put) {
  return put.attributes.rare ? put.attributes.rare->group : "";
}

// What a repeated put has to say again.
bool same_content(const NewTuple& a, const NewTuple& b) {
  const auto content = [](NewTuple put) {
    RareAttributes rare = put.attributes.rare ? *put.attributes.rare : RareAttributes{};
    rare.key_window = {};
    put.attributes.rare = rare;
    return put;
  };
  return content(a) == content(b);
}

bool same_form(const std::optional<Template>& a, const std::optional<Template>& b) {
  return a.has_value() == b.has_value() && (!a || to_string(*a) == to_string(*b));
}

bool exclusive(const ReferenceSpace::Item& item) {
  return item.put.attributes.max_attempts == 1;
}

}  // namespace

// ---- Commands -----------------------------------------------------------------------------------

void ReferenceSpace::apply(const Command& command, Time at) {
  now = std::max(now, at);
  said.clear();
  const auto speaker = std::visit(
      [](const auto& what) -> std::optional<SessionId> {
        using What = std::decay_t<decltype(what)>;
        if constexpr (std::is_same_v<What, core::Perform>) return what.from.session;
        if constexpr (std::is_same_v<What, core::SessionHeard>) return what.session;
        if constexpr (std::is_same_v<What, core::SessionAttached>) return what.session;
        return std::nullopt;
      },
      command);
  if (speaker && sessions.contains(*speaker)) {
    if (std::holds_alternative<core::SessionAttached>(command)) {
      sessions[*speaker].connected = true;
      sessions[*speaker].heard_at = now;
    } else {
      heard(sessions[*speaker], *speaker);
      settle();
    }
  }
  run_due();
  if (const auto* perform = std::get_if<core::Perform>(&command)) {
    if (!answer_again(perform->from, perform->operation)) {
      std::visit([&](const auto& op) { operate(perform->from, op); }, perform->operation);
    }
  } else if (const auto* attached = std::get_if<core::SessionAttached>(&command)) {
    attach(*attached);
  } else if (const auto* heard_of = std::get_if<core::SessionHeard>(&command)) {
    if (sessions.contains(heard_of->session)) forget(heard_of->session, heard_of->acknowledged);
  } else if (const auto* lost = std::get_if<core::SessionLost>(&command)) {
    lose(lost->session);
  } else if (const auto* closed = std::get_if<core::SessionClosed>(&command)) {
    if (sessions.contains(closed->session)) end_session(closed->session);
  } else if (const auto* disk = std::get_if<core::DiskSpace>(&command)) {
    disk_is_low = disk->is_low;
  }
  settle();
  run_due();
}

void ReferenceSpace::collect(ReferenceSpace& target, const core::Perform& collect, Time at) {
  target.apply(core::TimePassed{}, at);
  collect_target_ = &target;
  apply(collect, at);
  collect_target_ = nullptr;
  target.settle();
  target.run_due();
}

void ReferenceSpace::settle() {
  renew_fronts();
  while (!wills_.empty() || !refills_.empty() || !next_in_line().empty()) {
    put_all(std::exchange(wills_, {}));
    renew_fronts();
    for (const TupleId id : next_in_line()) advance(items[id]);
    for (const Origin& origin : std::exchange(refills_, {})) {
      if (Waiter* stream = waiter(origin)) refill(*stream);
    }
    renew_fronts();
  }
}

void ReferenceSpace::say(const Origin& to, Answer answer) {
  said.push_back(core::Reply{to, std::move(answer)});
}

void ReferenceSpace::run_due() {
  while (run_next_due()) settle();
}

// The earliest thing that is due: a waiter's end, a tuple's, something of a session.
bool ReferenceSpace::run_next_due() {
  Time first = kNever;
  for (const Waiter& item : waiters) first = std::min(first, item.deadline);
  const auto is_out = [](const Item& item) {
    return item.state == State::kReserved || item.state == State::kHeld ||
           item.state == State::kTaken;
  };
  for (const auto& [id, item] : items) {
    if (!is_out(item)) first = std::min(first, item.expires_at);
    if (item.state == State::kDelayed) first = std::min(first, item.visible_at);
  }
  for (const auto& [key, used] : keys) first = std::min(first, used.until);
  for (const auto& [id, session] : sessions) first = std::min(first, due_of(id, session));
  if (first > now) return false;
  for (const Waiter& item : waiters) {
    if (item.deadline != first) continue;
    note_none({item.origin.session, item.transaction}, item.mode, item.forms);
    say(item.origin, Refused{ErrorCode::kNoMatch, ""});
    end_waiter(Origin(item.origin));
    return true;
  }
  for (auto& [id, item] : items) {
    const bool visible = item.visible_at == first && item.state == State::kDelayed;
    if ((item.expires_at == first && !is_out(item)) || (visible && item.expires_at <= now)) {
      remove(TupleId(id));
      return true;
    }
    if (visible) {
      advance(item);
      return true;
    }
  }
  for (const auto& [key, used] : keys) {
    if (used.until != first) continue;
    keys.erase(std::string(key));
    return true;
  }
  for (const auto& [id, session] : sessions) {
    if (due_of(id, session) != first) continue;
    session_due(SessionId(id), first);
    return true;
  }
  return false;
}

// ---- Putting ------------------------------------------------------------------------------------

// P33: why the tuples may not be put now.
std::optional<ErrorCode> ReferenceSpace::refusal(const std::vector<NewTuple>& tuples) const {
  if (disk_is_low || is_drained(tuples)) return ErrorCode::kOverloaded;
  std::uint64_t more = 0;
  for (const NewTuple& put : tuples) more += put.tuple.byte_size();
  std::uint64_t bytes = more;
  for (const auto& [id, item] : items) {
    if (item.state != State::kTaken) bytes += item.put.tuple.byte_size();
  }
  if (bytes <= bytes_max) return std::nullopt;
  return more > bytes_max ? ErrorCode::kLimitExceeded : ErrorCode::kOverloaded;
}

void ReferenceSpace::operate(const Origin& from, const PutOp& op) {
  if (op.transaction.value != 0) return put_inside(from, op);
  if (const auto code = refusal(op.tuples)) return say(from, Refused{*code, {}});
  if (has_key_conflict(op.tuples)) return say(from, Refused{ErrorCode::kKeyConflict, ""});
  const Answer done = put_and_answer(op.tuples);
  sessions[from.session].answers[from.request] = done;
  say(from, done);
}

Answer ReferenceSpace::put_and_answer(const std::vector<NewTuple>& tuples) {
  const bool keyed =
      std::any_of(tuples.begin(), tuples.end(), [](auto& put) { return key_of(put) != ""; });
  const TupleId first = next_id;
  std::vector<TupleId> ids = put_all(tuples);
  if (keyed) return KeyedPutDone{std::move(ids)};
  return PutDone{first, static_cast<std::uint32_t>(ids.size())};
}

bool ReferenceSpace::has_key_conflict(const std::vector<NewTuple>& tuples) const {
  std::map<std::string, NewTuple> used;
  for (const auto& [key, known] : keys) used[key] = known.put;
  for (const NewTuple& put : tuples) {
    if (key_of(put).empty()) continue;
    if (!same_content(used.try_emplace(key_of(put), put).first->second, put)) return true;
  }
  return false;
}

std::vector<TupleId> ReferenceSpace::put_all(const std::vector<NewTuple>& tuples) {
  std::vector<TupleId> ids;
  for (const NewTuple& put : tuples) {
    const std::string key = key_of(put);
    if (!key.empty() && keys.contains(key)) {
      ids.push_back(keys[key].id);
      continue;
    }
    const TupleId id = next_id;
    ++next_id.value;
    if (!key.empty()) keys[key] = {id, put, later(now, put.attributes.rare->key_window)};
    put_one(id, put);
    ids.push_back(id);
  }
  return ids;
}

void ReferenceSpace::put_one(TupleId id, const NewTuple& put) {
  const auto& owner = put.attributes.lives_with;
  if (owner && (!sessions.contains(*owner) || sessions[*owner].over_hold)) {
    if (put.attributes.will) wills_.push_back({*put.attributes.will, {}});
    return;
  }
  Item& item = items[id];
  item.id = id;
  item.put = put;
  if (put.attributes.ttl) item.expires_at = later(now, *put.attributes.ttl);
  const Duration delay = put.attributes.rare ? put.attributes.rare->delay : Duration{0};
  if (delay != Duration{0}) item.visible_at = later(now, delay);
  if (put.attributes.rare) {
    const std::vector<Guard>& when = put.attributes.rare->when;
    item.met.resize(when.size());
    item.state = State::kGuarded;
    for (std::size_t i = 0; i < when.size(); ++i) {
      const auto found = matches({when[i].form}, TakeMode::kRead);
      if (!found.empty()) meet(item, i, Tuple(found[0].first->put.tuple));
    }
  }
  renew_fronts();
  advance(item);
}

bool ReferenceSpace::all_met(const Item& item) {
  return std::find(item.met.begin(), item.met.end(), false) == item.met.end();
}

void ReferenceSpace::meet(Item& item, std::size_t guard, const Tuple& by) {
  item.met[guard] = true;
  List values = item.put.tuple.values();
  for (const Guard::Fill& fill : item.put.attributes.rare->when[guard].fills) {
    values[fill.to] = by[fill.from];
  }
  item.put.tuple = Tuple(std::span<const Value>(values));
}

void ReferenceSpace::meet_guards(const Tuple& by) {
  for (auto& [id, item] : items) {
    if (item.state != State::kGuarded) continue;
    for (std::size_t i = 0; i < item.met.size(); ++i) {
      if (!item.met[i] && item.put.attributes.rare->when[i].form.matches(by)) meet(item, i, by);
    }
  }
}

// Makes it visible unless something keeps it back.
void ReferenceSpace::advance(Item& item) {
  item.state = !all_met(item)          ? State::kGuarded
               : item.visible_at > now ? State::kDelayed
               : is_behind(item)       ? State::kBehind
                                       : State::kReady;
  if (item.state == State::kReady) place(item, item.attempt == 0);
}

bool ReferenceSpace::is_in_line(const Item& item, const std::string& group) {
  return item.state != State::kTaken && item.state != State::kDead && group_of(item.put) == group;
}

bool ReferenceSpace::is_behind(const Item& item) const {
  const auto front = fronts.find(group_of(item.put));
  return front != fronts.end() && front->second != item.id;
}

// Each group's front is its oldest when it gets one, and keeps its place until it leaves.
void ReferenceSpace::renew_fronts() {
  std::erase_if(fronts, [&](const auto& front) {
    const auto item = items.find(front.second);
    return item == items.end() || !is_in_line(item->second, front.first);
  });
  for (const auto& [id, item] : items) {
    const std::string group = group_of(item.put);
    if (!group.empty() && is_in_line(item, group)) fronts.try_emplace(group, id);
  }
}

std::vector<TupleId> ReferenceSpace::next_in_line() const {
  std::vector<TupleId> ids;
  for (const auto& [id, item] : items) {
    if (item.expires_at <= now) continue;  // its end comes first (P21)
    if (item.state == State::kBehind && !is_behind(item)) ids.push_back(id);
    if (item.state == State::kGuarded && all_met(item)) ids.push_back(id);
  }
  return ids;
}

void ReferenceSpace::place(Item& item, bool fresh) {
  const Tuple& tuple = item.put.tuple;
  for (const Waiter& reader : std::vector<Waiter>(waiters)) {
    if (reader.mode != TakeMode::kRead || !reader.in_line) continue;
    const auto form = first_match(reader.forms, tuple);
    if (!form) continue;
    if (!reader.stream) {
      if (reader.transaction.value != 0) {
        transaction({reader.origin.session, reader.transaction})->read.insert(item.id);
      }
      say(reader.origin, Found{{show(item, *form)}});
      end_waiter(reader.origin);
    } else if (fresh) {
      deliver(*waiter(reader.origin), item, *form);
    }
  }
  if (fresh) tell_put(item);
  meet_guards(tuple);
  offer(item);
}

void ReferenceSpace::offer(Item& item) {
  if (is_paused(item)) return;
  const Tuple& tuple = item.put.tuple;
  Waiter* best = nullptr;
  for (Waiter& taker : waiters) {
    if (taker.mode == TakeMode::kRead || !taker.in_line || !first_match(taker.forms, tuple)) {
      continue;
    }
    if (exclusive(item) && taker.stream && held_by(taker) > 0) continue;
    if (locked_against({taker.origin.session, taker.transaction}, item.id)) continue;
    const auto key = [&](const Waiter& who) { return std::pair(held_by(who), who.turn); };
    if (best == nullptr || key(taker) < key(*best)) best = &taker;
  }
  if (best == nullptr) return;
  const auto form = *first_match(best->forms, tuple);
  if (best->stream) return deliver(*best, item, form);
  const Waiter served = *best;
  if (served.transaction.value != 0) {
    hold({served.origin.session, served.transaction}, served.origin.request, item, form);
    end_waiter(served.origin);
    return say(served.origin, Found{{show(item, form)}});
  }
  hand(served.origin, served.mode, served.lease, item, form, false, true);
  Handout handout = show(item, form);
  handout.started = served.mode == TakeMode::kReserve;
  end_waiter(served.origin);
  say(served.origin, Found{{handout}});
}

// ---- Taking -------------------------------------------------------------------------------------

std::optional<std::uint32_t> ReferenceSpace::first_match(const std::vector<Template>& forms,
                                                         const Tuple& tuple) {
  for (std::uint32_t i = 0; i < forms.size(); ++i) {
    if (forms[i].matches(tuple)) return i;
  }
  return std::nullopt;
}

// Ready tuples, highest priority first, then oldest.
std::vector<std::pair<ReferenceSpace::Item*, std::uint32_t>> ReferenceSpace::matches(
    const std::vector<Template>& forms, TakeMode mode, const Origin& name) {
  std::vector<std::pair<Item*, std::uint32_t>> found;
  for (auto& [id, item] : items) {
    if (item.state != State::kReady) continue;
    if (mode != TakeMode::kRead && (locked_against(name, id) || is_paused(item))) continue;
    if (const auto form = first_match(forms, item.put.tuple)) found.emplace_back(&item, *form);
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return a.first->put.attributes.priority > b.first->put.attributes.priority;
  });
  return found;
}

Handout ReferenceSpace::show(const Item& item, std::uint32_t form) const {
  return {item.id, item.attempt, form, false, item.put.tuple};
}

void ReferenceSpace::hand(const Origin& to, TakeMode mode, Duration lease, Item& item,
                          std::uint32_t form, bool streamed, bool started) {
  item.holder = to;
  item.form = form;
  item.order = ++numbers;
  item.streamed = streamed;
  if (mode == TakeMode::kTake) {
    item.state = State::kTaken;
    return;
  }
  item.state = State::kReserved;
  item.lease = lease;
  item.started = started;
  ++item.attempt;
}

void ReferenceSpace::operate(const Origin& from, const TakeOp& op) {
  if (op.transaction.value != 0) {
    if (op.mode == TakeMode::kReserve) return say(from, Refused{ErrorCode::kInvalidArgument, ""});
    if (enter(from, op.transaction) == nullptr) return;
  }
  if (serve(from, op)) return;
  if (op.timeout == Duration::zero()) {
    note_none({from.session, op.transaction}, op.mode, op.templates);
    return say(from, Refused{ErrorCode::kNoMatch, ""});
  }
  Waiter& added = add_waiter(from, op.mode, op.templates);
  added.transaction = op.transaction;
  added.lease = op.lease;
  added.deadline = later(now, op.timeout);
  added.in_line = true;
}

bool ReferenceSpace::serve(const Origin& from, const TakeOp& op) {
  if (op.transaction.value != 0) return serve_inside(from, op);
  auto found = matches(op.templates, op.mode);
  if (found.empty()) return false;
  if (found.size() > op.count_max) found.resize(op.count_max);
  Found answer;
  for (const auto& [item, form] : found) {
    if (op.mode != TakeMode::kRead) hand(from, op.mode, op.lease, *item, form, false, true);
    answer.tuples.push_back(show(*item, form));
    answer.tuples.back().started = op.mode == TakeMode::kReserve;
  }
  say(from, answer);
  return true;
}

bool ReferenceSpace::answer_again(const Origin& from, const Operation& operation) {
  Session& session = sessions[from.session];
  const auto* end = std::get_if<EndOp>(&operation);
  const bool put_or_finish =
      std::holds_alternative<PutOp>(operation) || std::holds_alternative<CommitOp>(operation) ||
      std::holds_alternative<BeginOp>(operation) || (end != nullptr && end->commit) ||
      std::holds_alternative<FinishOp>(operation) || std::holds_alternative<ReleaseOp>(operation) ||
      std::holds_alternative<RenewOp>(operation) || std::holds_alternative<CollectOp>(operation) ||
      std::holds_alternative<ReviveOp>(operation) || std::holds_alternative<PauseOp>(operation) ||
      std::holds_alternative<ResumeOp>(operation);
  if (put_or_finish) {
    const auto answer = session.answers.find(from.request);
    if (answer == session.answers.end()) return answer_again_inside(from, operation);
    say(from, answer->second);
    return true;
  }
  const auto* take = std::get_if<TakeOp>(&operation);
  if (take == nullptr || take->mode == TakeMode::kRead) return false;
  const auto held =
      held_under(from, take->mode == TakeMode::kTake ? State::kTaken : State::kReserved);
  if (held.empty()) return answer_again_inside(from, operation);
  Found again;
  for (const Item* item : held) {
    again.tuples.push_back(show(*item, item->form));
    again.tuples.back().started = item->started;
  }
  std::stable_sort(again.tuples.begin(), again.tuples.end(), [&](const auto& a, const auto& b) {
    return items[a.id].put.attributes.priority > items[b.id].put.attributes.priority;
  });
  say(from, again);
  return true;
}

std::vector<ReferenceSpace::Item*> ReferenceSpace::held_under(const Origin& origin, State state) {
  std::vector<Item*> found;
  for (auto& [id, item] : items) {
    if (item.state == state && item.holder == origin) found.push_back(&item);
  }
  return found;
}

// ---- Waiters and streams ------------------------------------------------------------------------

ReferenceSpace::Waiter& ReferenceSpace::add_waiter(const Origin& from, TakeMode mode,
                                                   const std::vector<Template>& forms) {
  end_waiter(from);
  Waiter& added = waiters.emplace_back();
  added.origin = from;
  added.mode = mode;
  added.forms = forms;
  added.number = ++numbers;
  added.turn = ++numbers;
  return added;
}

ReferenceSpace::Waiter* ReferenceSpace::waiter(const Origin& origin) {
  for (Waiter& item : waiters) {
    if (item.origin == origin) return &item;
  }
  return nullptr;
}

const ReferenceSpace::Waiter* ReferenceSpace::find_waiter(const Origin& origin) const {
  return const_cast<ReferenceSpace*>(this)->waiter(origin);
}

void ReferenceSpace::end_waiter(const Origin& origin) {
  const Origin gone = origin;
  std::erase_if(waiters, [&](const Waiter& item) { return item.origin == gone; });
}

std::uint32_t ReferenceSpace::held_by(const Waiter& waiter) const {
  if (waiter.mode == TakeMode::kRead) return waiter.reading;
  std::uint32_t held = 0;
  for (const auto& [id, item] : items) {
    const bool out = item.state == State::kReserved || item.state == State::kTaken;
    held += out && waiter.stream && item.holder == waiter.origin;
  }
  return held;
}

void ReferenceSpace::operate(const Origin& from, const StreamOp& op) {
  Waiter& stream = add_waiter(from, op.mode, op.templates);
  stream.stream = true;
  stream.credit = op.credit;
  stream.lease = op.lease;
  stream.cursor = op.after;
  say(from, Done{});
  auto mine = held_under(from, op.mode == TakeMode::kTake ? State::kTaken : State::kReserved);
  std::sort(mine.begin(), mine.end(), [](auto* a, auto* b) { return a->order < b->order; });
  const auto has = [&](const Item* item) {
    return std::find(op.held.begin(), op.held.end(), item->id) != op.held.end();
  };
  std::stable_partition(mine.begin(), mine.end(), has);
  for (Item* item : mine) {
    if (op.mode == TakeMode::kTake) stream.unacknowledged.push_back(item->id);
    if (has(item)) continue;
    Handout handout = show(*item, item->form);
    handout.started = item->started;
    deliver_event(from, handout);
  }
  refill_later(from);
}

void ReferenceSpace::operate(const Origin& from, const AckOp& op) {
  if (Subscription* told = subscription({from.session, op.stream})) {
    std::erase_if(told->items, [&](const Subscription::Told& item) {
      return item.number <= op.delivered && item.number <= told->told;
    });
    tell_due(*told);
  }
  Waiter* stream = waiter({from.session, op.stream});
  if (stream != nullptr && stream->stream) {
    while (stream->acknowledged < op.delivered && held_by(*stream) > 0 &&
           stream->mode != TakeMode::kReserve) {
      ++stream->acknowledged;
      if (stream->mode == TakeMode::kRead) {
        --stream->reading;
      } else {
        items.erase(stream->unacknowledged.front());
        stream->unacknowledged.erase(stream->unacknowledged.begin());
      }
    }
    refill_later(stream->origin);
  }
  for (const RequestId take : op.takes) {
    std::erase_if(items, [&](const auto& pair) {
      const Item& item = pair.second;
      return item.state == State::kTaken && item.holder == Origin{from.session, take} &&
             !item.streamed;
    });
    for (auto& [name, open] : sessions[from.session].transactions) {
      for (Transaction::Taken& taken : open.taken) {
        if (taken.request == take) taken.acknowledged = true;
      }
    }
  }
  say(from, Done{});
}

void ReferenceSpace::operate(const Origin& from, const CreditOp& op) {
  if (Subscription* told = subscription({from.session, op.stream})) {
    told->credit = op.credit;
    tell_due(*told);
    return say(from, Done{});
  }
  Waiter* stream = waiter({from.session, op.stream});
  if (stream == nullptr || !stream->stream) {
    return say(from, Refused{ErrorCode::kInvalidArgument, ""});
  }
  stream->credit = op.credit;
  refill_later(stream->origin);
  say(from, Done{});
}

void ReferenceSpace::operate(const Origin& from, const CancelOp& op) {
  const Origin target{from.session, op.target};
  std::erase_if(subscriptions, [&](const Subscription& one) { return one.origin == target; });
  if (const Waiter* found = waiter(target)) {
    if (!found->stream) say(target, Refused{ErrorCode::kCancelled, ""});
    end_waiter(target);
  }
  std::vector<Item*> mine = held_under(target, State::kTaken);
  std::erase_if(mine, [](const Item* item) { return !item->streamed; });
  std::sort(mine.begin(), mine.end(), [](auto* a, auto* b) { return a->order < b->order; });
  for (Item* item : mine) {
    if (std::find(op.kept.begin(), op.kept.end(), item->id) != op.kept.end()) {
      items.erase(TupleId(item->id));
    } else {
      put_back(*item);
    }
  }
  say(from, Done{});
}

void ReferenceSpace::put_back(Item& item) {
  if (item.expires_at <= now) {
    items.erase(TupleId(item.id));
    return;
  }
  const auto& owner = item.put.attributes.lives_with;
  if (owner && (!sessions.contains(*owner) || sessions[*owner].over_hold)) return leave(item);
  ++item.attempt;
  stand_by_id(item);
  item.state = is_behind(item) ? State::kBehind : State::kReady;
  if (item.state == State::kReady) place(item, false);
}

void ReferenceSpace::notify(const Origin& stream, Event event) {
  said.emplace_back(std::in_place_type<core::Notice>, stream, std::move(event));
}

void ReferenceSpace::deliver_event(const Origin& stream, Handout handout) {
  notify(stream, Delivered{{std::move(handout)}});
}

void ReferenceSpace::deliver(Waiter& stream, Item& item, std::uint32_t form) {
  if (stream.mode == TakeMode::kRead) {
    stream.cursor = std::max(stream.cursor, item.id);
    if (++stream.reading >= stream.credit) stream.in_line = false;
    return deliver_event(stream.origin, show(item, form));
  }
  const bool starts =
      stream.mode == TakeMode::kReserve && (held_by(stream) == 0 || exclusive(item));
  hand(stream.origin, stream.mode, stream.lease, item, form, true, starts);
  if (stream.mode == TakeMode::kTake) stream.unacknowledged.push_back(item.id);
  stream.turn = ++numbers;
  if (held_by(stream) >= stream.credit) stream.in_line = false;
  Handout handout = show(item, form);
  handout.started = starts;
  deliver_event(stream.origin, handout);
}

void ReferenceSpace::refill_later(const Origin& origin) {
  Waiter* stream = waiter(origin);
  if (stream == nullptr || std::find(refills_.begin(), refills_.end(), origin) != refills_.end()) {
    return;
  }
  if (stream->mode != TakeMode::kRead) stream->in_line = false;
  refills_.push_back(origin);
}

void ReferenceSpace::refill(Waiter& stream) {
  if (sessions[stream.origin.session].silent) return;
  if (stream.mode == TakeMode::kRead) {
    if (stream.in_line) {
      stream.in_line = stream.reading < stream.credit;
      return;
    }
    for (auto& [id, item] : items) {
      if (stream.reading >= stream.credit) return;
      if (item.state != State::kReady || id <= stream.cursor) continue;
      if (const auto form = first_match(stream.forms, item.put.tuple)) deliver(stream, item, *form);
    }
    stream.in_line = stream.reading < stream.credit;
    return;
  }
  while (held_by(stream) < stream.credit) {
    auto found = matches(stream.forms, stream.mode);
    if (held_by(stream) > 0) std::erase_if(found, [](auto& one) { return exclusive(*one.first); });
    if (found.empty()) break;
    deliver(stream, *found[0].first, found[0].second);
  }
  stream.in_line = held_by(stream) < stream.credit;
}

// ---- Subscriptions ------------------------------------------------------------------------------

ReferenceSpace::Subscription* ReferenceSpace::subscription(const Origin& origin) {
  for (Subscription& item : subscriptions) {
    if (item.origin == origin) return &item;
  }
  return nullptr;
}

void ReferenceSpace::operate(const Origin& from, const SubscribeOp& op) {
  if (!op.initial && !op.follow) return say(from, Refused{ErrorCode::kInvalidArgument, ""});
  Subscription* known = subscription(from);
  if (known != nullptr) {
    known->told = std::min(known->told, op.received);
    std::erase_if(known->items,
                  [&](const Subscription::Told& item) { return item.number <= known->told; });
    known->credit = op.credit;
    known->attached = true;
    say(from, Counted{known->initial});
    return tell_due(*known);
  }
  Subscription& made = subscriptions.emplace_back();
  made.origin = from;
  made.forms = op.templates;
  made.credit = op.credit;
  made.follow = op.follow;
  if (op.resume) {
    made.told = op.received;
    made.last = op.received + 1;
    made.items.push_back({made.last, {}, false, true});
  }
  if (op.initial) {
    for (const auto& [id, item] : items) {
      if (item.state != State::kReady) continue;
      const auto form = first_match(op.templates, item.put.tuple);
      if (!form) continue;
      made.items.push_back({++made.last, {id, 0, *form, false, item.put.tuple}, false});
      ++made.initial;
    }
  }
  say(from, Counted{made.initial});
  tell_due(made);
}

void ReferenceSpace::tell_put(const Item& item) {
  for (Subscription& told : subscriptions) {
    const auto form = first_match(told.forms, item.put.tuple);
    if (!told.follow || !form) continue;
    told.items.push_back({++told.last, {item.id, 0, *form, false, item.put.tuple}, true});
    tell_due(told);
    const auto droppable = [](const Subscription::Told& one) { return one.droppable; };
    const auto waiting = std::count_if(told.items.begin(), told.items.end(), droppable);
    if (waiting > static_cast<std::ptrdiff_t>(kBacklogMax)) {
      told.items.erase(std::find_if(told.items.begin(), told.items.end(), droppable));
    }
  }
}

void ReferenceSpace::tell_due(Subscription& subscription) {
  if (!subscription.attached) return;
  std::uint32_t unacknowledged = 0;
  for (Subscription::Told& item : subscription.items) {
    if (item.number <= subscription.told) {
      unacknowledged += !item.forgotten;
      continue;
    }
    if (item.forgotten) {
      notify(subscription.origin, Gap{item.number, 0});
      subscription.told = item.number;
      continue;
    }
    if (unacknowledged >= subscription.credit) return;
    ++unacknowledged;
    const std::uint64_t next = subscription.told + 1;
    if (item.number > next) {
      notify(subscription.origin, Gap{next, item.number - next});
    }
    subscription.told = item.number;
    item.droppable = false;
    deliver_event(subscription.origin, item.handout);
  }
}

// ---- Finish, release, leases --------------------------------------------------------------------

ReferenceSpace::Item* ReferenceSpace::holding(const SessionId& session, const Token& token) {
  const auto found = items.find(token.tuple);
  if (found == items.end() || found->second.state != State::kReserved) return nullptr;
  Item& item = found->second;
  return item.attempt == token.attempt && item.holder.session == session ? &item : nullptr;
}

void ReferenceSpace::let_go(Item& item) {
  refill_later(item.holder);
}

void ReferenceSpace::operate(const Origin& from, const FinishOp& op) {
  const bool ends_something = std::any_of(op.items.begin(), op.items.end(),
                                          [](const FinishItem& step) { return step.token; });
  std::vector<NewTuple> puts;
  for (const FinishItem& step : op.items) {
    puts.insert(puts.end(), step.puts.begin(), step.puts.end());
  }
  if (!puts.empty() && !ends_something) {
    if (const auto code = refusal(puts)) return say(from, Refused{*code, {}});
  }
  FinishDone done;
  for (const FinishItem& step : op.items) {
    Item* item = step.token ? holding(from.session, *step.token) : nullptr;
    if (step.token && item == nullptr) {
      done.codes.push_back(ErrorCode::kStaleLease);
      continue;
    }
    if (has_key_conflict(step.puts)) {
      done.codes.push_back(ErrorCode::kKeyConflict);
      continue;
    }
    if (item != nullptr) {
      let_go(*item);
      items.erase(TupleId(item->id));
    }
    put_all(step.puts);
    done.codes.push_back(ErrorCode::kOk);
  }
  for (const Token& token : op.started) {
    if (Item* item = holding(from.session, token)) item->started = true;
  }
  sessions[from.session].answers[from.request] = done;
  say(from, done);
}

void ReferenceSpace::operate(const Origin& from, const ReleaseOp& op) {
  FinishDone done;
  for (const ReleaseItem& step : op.items) {
    Item* item = holding(from.session, step.token);
    done.codes.push_back(item == nullptr ? ErrorCode::kStaleLease : ErrorCode::kOk);
    if (item == nullptr) continue;
    let_go(*item);
    give_back(*item, step.started, step.delay);
  }
  sessions[from.session].answers[from.request] = done;
  say(from, done);
}

void ReferenceSpace::operate(const Origin& from, const RenewOp& op) {
  FinishDone done;
  for (const RenewItem& step : op.items) {
    const auto item = items.find(step.tuple);
    const bool lives = item != items.end() && item->second.state != State::kTaken;
    done.codes.push_back(lives ? ErrorCode::kOk : ErrorCode::kNoMatch);
    if (lives) item->second.expires_at = step.ttl ? later(now, *step.ttl) : kNever;
  }
  sessions[from.session].answers[from.request] = done;
  say(from, done);
}

void ReferenceSpace::give_back(Item& item, bool started, Duration delay) {
  const Attributes& attributes = item.put.attributes;
  item.started_before += started;
  if (started && attributes.max_attempts != 0 && item.started_before >= attributes.max_attempts) {
    if (attributes.will) return leave(item);
    item.state = State::kDead;
    return;
  }
  if (item.expires_at <= now) {
    items.erase(TupleId(item.id));
    return;
  }
  item.started = false;
  item.state = State::kBehind;
  // An earlier one may have been revived meanwhile.
  fronts.erase(group_of(item.put));
  renew_fronts();
  if (delay != Duration{0}) item.visible_at = later(now, delay);
  item.state = item.visible_at > now ? State::kDelayed
               : is_behind(item)     ? State::kBehind
                                     : State::kReady;
  if (item.state == State::kReady) place(item, false);
}

// ---- Dead tuples --------------------------------------------------------------------------------

void ReferenceSpace::operate(const Origin& from, const ReviveOp& op) {
  FinishDone done;
  std::vector<TupleId> ids = op.ids;
  if (op.all) {
    ids.clear();
    for (const auto& [id, item] : items) {
      const bool matches = !op.form || op.form->matches(item.put.tuple);
      if (item.state == State::kDead && matches && ids.size() < op.limit) ids.push_back(id);
    }
  }
  for (const TupleId id : ids) {
    const auto item = items.find(id);
    const bool dead = item != items.end() && item->second.state == State::kDead;
    if (dead) revive(item->second);
    done.codes.push_back(dead ? ErrorCode::kOk : ErrorCode::kNoMatch);
  }
  sessions[from.session].answers[from.request] = done;
  say(from, done);
}

void ReferenceSpace::revive(Item& item) {
  item.started_before = 0;
  item.started = false;
  stand_by_id(item);
  advance(item);
}

// In the line of its group where its id says, but behind what is out or visible.
void ReferenceSpace::stand_by_id(Item& item) {
  renew_fronts();  // as if it were not there yet
  const std::string group = group_of(item.put);
  item.state = State::kBehind;
  const auto front = fronts.find(group);
  if (front != fronts.end()) {
    const State state = items[front->second].state;
    const bool unseen = state == State::kDelayed || state == State::kGuarded;
    if (unseen && item.id < front->second) front->second = item.id;
  }
  renew_fronts();
}

// ---- Pauses and drains --------------------------------------------------------------------------

bool ReferenceSpace::is_paused(const Item& item) const {
  return std::any_of(pauses.begin(), pauses.end(), [&](const Pause& pause) {
    return pause.kind == PauseKind::kPause && (!pause.form || pause.form->matches(item.put.tuple));
  });
}

bool ReferenceSpace::is_drained(const std::vector<NewTuple>& tuples) const {
  return std::any_of(tuples.begin(), tuples.end(), [&](const NewTuple& put) {
    return std::any_of(pauses.begin(), pauses.end(), [&](const Pause& pause) {
      return pause.kind == PauseKind::kDrain && (!pause.form || pause.form->matches(put.tuple));
    });
  });
}

void ReferenceSpace::operate(const Origin& from, const PauseOp& op) {
  FinishDone done{{ErrorCode::kOk}};
  for (const Pause& pause : pauses) {
    if (pause.kind == op.kind && same_form(pause.form, op.form)) done.codes = {ErrorCode::kNoMatch};
  }
  if (done.codes[0] == ErrorCode::kOk) pauses.push_back({op.kind, op.form, now});
  sessions[from.session].answers[from.request] = done;
  say(from, done);
}

void ReferenceSpace::operate(const Origin& from, const ResumeOp& op) {
  std::vector<Item*> freed;
  for (auto& [id, item] : items) {
    if (item.state == State::kReady && is_paused(item)) freed.push_back(&item);
  }
  FinishDone done;
  done.codes.resize(std::erase_if(
      pauses, [&](const Pause& pause) { return op.all || same_form(pause.form, op.form); }));
  sessions[from.session].answers[from.request] = done;
  say(from, done);
  std::erase_if(freed, [&](const Item* item) { return is_paused(*item); });
  std::stable_sort(freed.begin(), freed.end(), [](const Item* a, const Item* b) {
    return a->put.attributes.priority > b->put.attributes.priority;
  });
  for (Item* item : freed) offer(*item);
}

void ReferenceSpace::operate(const Origin& from, const ListPausesOp&) {
  PausesListed listed;
  for (const Pause& pause : pauses) {
    PauseInfo& info = listed.pauses.emplace_back();
    info.kind = pause.kind;
    info.form = pause.form;
    info.set_by = "simulated";
    info.set_for = now - pause.since;
    for (const auto& [id, item] : items) {
      const bool matches = !pause.form || pause.form->matches(item.put.tuple);
      info.tuples += item.state == State::kReady && matches;
    }
  }
  say(from, listed);
}

void ReferenceSpace::leave(const Item& item) {
  if (item.put.attributes.will) wills_.push_back({*item.put.attributes.will, {}});
  remove(TupleId(item.id));
}

void ReferenceSpace::give_back_all(const SessionId& id, Duration silence) {
  std::vector<RequestId> over;
  for (const auto& [name, open] : sessions[id].transactions) {
    if (open.lease <= silence) over.push_back(name);
  }
  for (const RequestId name : over) abort_transaction({id, name});
  std::vector<TupleId> ended;
  for (const auto& [tuple, item] : items) {
    if (item.state == State::kReserved && item.holder.session == id && item.lease <= silence) {
      ended.push_back(tuple);
    }
  }
  for (const TupleId tuple : ended) {
    let_go(items[tuple]);
    give_back(items[tuple], items[tuple].started);
  }
}

// ---- Sessions -----------------------------------------------------------------------------------

void ReferenceSpace::heard(Session& session, const SessionId& id) {
  session.heard_at = now;
  if (!std::exchange(session.silent, false)) return;
  std::map<RequestId, Waiter> mine;
  for (const Waiter& item : waiters) {
    if (item.origin.session == id) mine[item.origin.request] = item;
  }
  for (const auto& [request, item] : mine) {
    if (item.stream) {
      refill_later(item.origin);
    } else if (serve(item.origin,
                     {item.mode, item.forms, 1, Duration{0}, item.lease, item.transaction})) {
      end_waiter(item.origin);
    } else {
      waiter(item.origin)->in_line = true;
    }
  }
}

void ReferenceSpace::attach(const core::SessionAttached& command) {
  std::erase_if(waiters,
                [&](const Waiter& item) { return item.origin.session == command.session; });
  for (Subscription& item : subscriptions) {
    if (item.origin.session == command.session) item.attached = false;
  }
  Session& session = sessions[command.session];
  session.hold = command.hold;
  session.memory = command.memory;
  session.connected = true;
  session.over_hold = session.restored = session.silent = false;
  session.heard_at = now;
  forget(command.session, command.acknowledged);
}

void ReferenceSpace::lose(const SessionId& id) {
  const auto found = sessions.find(id);
  if (found == sessions.end() || !found->second.connected) return;
  std::erase_if(waiters, [&](const Waiter& item) { return item.origin.session == id; });
  for (Subscription& item : subscriptions) {
    if (item.origin.session == id) item.attached = false;
  }
  found->second.connected = found->second.silent = false;
  found->second.lost_at = now;
}

void ReferenceSpace::forget(const SessionId& id, RequestId below) {
  Session& session = sessions[id];
  session.acknowledged = std::max(session.acknowledged, below);
  std::erase_if(session.answers, [&](const auto& item) { return item.first < below; });
}

Time ReferenceSpace::due_of(const SessionId& id, const Session& session) const {
  Duration shortest = kForever;
  for (const auto& [tuple, item] : items) {
    if (item.state == State::kReserved && item.holder.session == id) {
      shortest = std::min(shortest, item.lease);
    }
  }
  for (const auto& [name, open] : session.transactions) shortest = std::min(shortest, open.lease);
  if (session.connected) return later(session.heard_at, shortest);
  Time due = later(session.lost_at, session.memory);
  if (!session.over_hold) due = std::min(due, later(session.lost_at, session.hold));
  if (session.restored) due = std::min(due, later(session.lost_at, shortest));
  return due;
}

void ReferenceSpace::session_due(const SessionId& id, Time at) {
  Session& session = sessions[id];
  if (session.connected) {
    session.silent = true;
    for (Waiter& item : waiters) {
      if (item.origin.session == id) item.in_line = false;
    }
    return give_back_all(id, at - session.heard_at);
  }
  const Duration away = at - session.lost_at;
  if (session.restored) give_back_all(id, away);
  if (!session.over_hold && away >= session.hold) end_hold(id);
  if (away >= session.memory) end_session(id);
}

void ReferenceSpace::end_hold(const SessionId& id) {
  sessions[id].over_hold = true;
  if (!sessions[id].restored) give_back_all(id, kForever);
  end_bound(id);
}

void ReferenceSpace::end_bound(const SessionId& id) {
  std::vector<TupleId> bound;
  for (const auto& [tuple, item] : items) {
    if (item.state != State::kTaken && item.put.attributes.lives_with == id) bound.push_back(tuple);
  }
  for (const TupleId tuple : bound) {
    if (items[tuple].state == State::kReserved) let_go(items[tuple]);
    leave(items[tuple]);
  }
}

void ReferenceSpace::end_session(const SessionId& id) {
  std::erase_if(waiters, [&](const Waiter& item) { return item.origin.session == id; });
  std::erase_if(subscriptions, [&](const auto& item) { return item.origin.session == id; });
  sessions[id].over_hold = true;
  give_back_all(id, kForever);
  end_bound(id);
  std::erase_if(items, [&](const auto& pair) {
    return pair.second.state == State::kTaken && pair.second.holder.session == id;
  });
  sessions.erase(id);
}

void ReferenceSpace::restart(Time at) {
  now = at;
  disk_is_low = false;  // until the server looks again
  waiters.clear();
  subscriptions.clear();
  for (auto& [id, session] : sessions) {
    session.connected = session.silent = session.over_hold = false;
    session.restored = true;
    session.transactions.clear();
    session.heard_at = session.lost_at = at;
  }
  for (auto& [id, item] : items) {
    item.order = ++numbers;
    if (item.state == State::kHeld) item.state = State::kReady;
  }
  fronts.clear();
  for (const auto& [id, item] : items) {
    const std::string group = group_of(item.put);
    if (!group.empty() && item.state == State::kReserved) fronts[group] = id;
  }
  renew_fronts();
  for (auto& [id, item] : items) {
    if (item.state != State::kReady && item.state != State::kBehind) continue;
    item.state = is_behind(item) ? State::kBehind : State::kReady;
  }
}

// ---- Into another space -------------------------------------------------------------------------

void ReferenceSpace::operate(const Origin& from, const CollectOp& op) {
  if (collect_target_ == nullptr) return say(from, Refused{ErrorCode::kNoSuchSpace, ""});
  std::vector<TupleId> moved;
  std::vector<NewTuple> puts;
  for (const auto& [id, item] : items) {
    const Attributes& attributes = item.put.attributes;
    if (item.state != State::kReady || !op.form.matches(item.put.tuple) || attributes.lives_with ||
        (!op.copy && (locked_against({}, id) || is_paused(item)))) {
      continue;
    }
    moved.push_back(id);
    NewTuple& put = puts.emplace_back(item.put);
    put.attributes.ttl.reset();
    if (item.expires_at != kNever) put.attributes.ttl = item.expires_at - now;
    put.attributes.rare = {};
    if (!group_of(item.put).empty()) {
      RareAttributes rare;
      rare.group = group_of(item.put);
      put.attributes.rare = Rare(std::move(rare));
    }
  }
  if (!puts.empty()) {
    if (const auto code = collect_target_->refusal(puts)) return say(from, Refused{*code, ""});
  }
  if (!op.copy) {
    for (const TupleId id : moved) items.erase(id);
  }
  const Answer done = collect_target_->put_and_answer(puts);
  sessions[from.session].answers[from.request] = done;
  say(from, done);
}

// ---- Looking ------------------------------------------------------------------------------------

void ReferenceSpace::operate(const Origin& from, const CountOp& op) {
  Transaction* const open = op.transaction.value != 0 ? enter(from, op.transaction) : nullptr;
  if (op.transaction.value != 0 && open == nullptr) return;
  Counted counted{matches({op.form}, TakeMode::kRead).size()};
  if (open != nullptr) {
    for (const Transaction::Put& own : open->puts) {
      counted.count += !own.taken && op.form.matches(own.put.tuple);
    }
    if (counted.count == 0) note_none({from.session, op.transaction}, TakeMode::kRead, {op.form});
  }
  say(from, counted);
}

// Which index serves is the space's own affair; how many there are and match is not.
void ReferenceSpace::operate(const Origin& from, const ExplainOp& op) {
  Explained explained;
  explained.arity = static_cast<std::uint32_t>(op.form.size());
  for (const auto& [id, item] : items) {
    explained.tuples += item.state == State::kReady && item.put.tuple.size() == op.form.size();
  }
  explained.matches = matches({op.form}, TakeMode::kRead).size();
  say(from, explained);
}

TupleState ReferenceSpace::state_of(const Item& item) const {
  switch (item.state) {
    case State::kReserved:
      return item.started ? TupleState::kStarted : TupleState::kReserved;
    case State::kHeld:
      return TupleState::kReserved;
    case State::kDead:
      return TupleState::kDead;
    case State::kDelayed:
      return TupleState::kDelayed;
    case State::kBehind:
      return TupleState::kBehind;
    case State::kGuarded:
      return TupleState::kGuarded;
    default:
      return is_paused(item) ? TupleState::kPaused : TupleState::kReady;
  }
}

void ReferenceSpace::operate(const Origin& from, const ListOp& op) {
  Listed listed;
  for (const auto& [id, item] : items) {
    if (id <= op.after || item.state == State::kTaken) continue;
    if (op.form && !op.form->matches(item.put.tuple)) continue;
    if (!op.all_states && item.state != State::kReady) continue;
    if (op.all_states && op.state && state_of(item) != *op.state) continue;
    if (listed.tuples.size() >= op.limit) {
      listed.more = true;
      break;
    }
    ListedTuple& line = listed.tuples.emplace_back();
    line.id = id;
    line.attempt = item.attempt;
    line.priority = item.put.attributes.priority;
    if (item.expires_at != kNever) line.expires_in = std::max(item.expires_at - now, Duration{0});
    line.state = state_of(item);
    if (item.state == State::kReserved || item.state == State::kHeld) {
      line.holder = item.holder.session;
    }
    line.tuple = item.put.tuple;
  }
  say(from, listed);
}

std::string ReferenceSpace::lost_wake_up() const {
  for (const Waiter& waiter : waiters) {
    if (sessions.at(waiter.origin.session).silent) continue;
    const std::uint32_t held = held_by(waiter);
    if (waiter.stream && held >= waiter.credit) continue;
    for (const auto& [id, item] : items) {
      if (item.state != State::kReady || !first_match(waiter.forms, item.put.tuple)) continue;
      if (waiter.mode == TakeMode::kRead && waiter.stream) continue;  // shown puts, not returns
      if (exclusive(item) && waiter.stream && held > 0) continue;
      if (waiter.mode != TakeMode::kRead &&
          (is_paused(item) || locked_against({waiter.origin.session, waiter.transaction}, id))) {
        continue;
      }
      return "request " + std::to_string(waiter.origin.request.value) + " waits although tuple " +
             std::to_string(id.value) + " is ready";
    }
  }
  return {};
}

}  // namespace linden::simulation

// tests/simulation/reference_transaction.cpp: several operations as one, in the naive space (P26,
// P27).
#include <algorithm>
#include <utility>

#include "tests/simulation/reference_space.h"

namespace linden::simulation {

// ---- Commit of several operations ---------------------------------------------------------------

void ReferenceSpace::operate(const Origin& from, const CommitOp& op) {
  for (std::size_t i = 0; i < op.finishes.size() + op.takes.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k) {
      if ((i < op.finishes.size() && op.finishes[i] == op.finishes[k]) ||
          (k >= op.finishes.size() &&
           op.takes[i - op.finishes.size()] == op.takes[k - op.finishes.size()])) {
        return say(from, Refused{ErrorCode::kInvalidArgument, ""});
      }
    }
  }
  for (const Token& token : op.finishes) {
    if (holding(from.session, token) == nullptr) {
      return say(from, Refused{ErrorCode::kStaleLease, ""});
    }
  }
  for (const TupleId id : op.takes) {
    const auto item = items.find(id);
    if (item == items.end() || item->second.state != State::kReady || is_paused(item->second) ||
        locked_against({}, id)) {
      return say(from, Refused{ErrorCode::kTransactionConflict, ""});
    }
  }
  if (op.finishes.empty() && op.takes.empty() && !op.puts.empty()) {
    if (const auto code = refusal(op.puts)) return say(from, Refused{*code, ""});
  }
  if (has_key_conflict(op.puts)) return say(from, Refused{ErrorCode::kKeyConflict, ""});
  for (const Token& token : op.finishes) {
    let_go(*holding(from.session, token));
    items.erase(token.tuple);
  }
  for (const TupleId id : op.takes) items.erase(id);
  const Answer done = put_and_answer(op.puts);
  sessions[from.session].answers[from.request] = done;
  say(from, done);
}

// ---- Begin and end ------------------------------------------------------------------------------

void ReferenceSpace::operate(const Origin& from, const BeginOp& op) {
  sessions[from.session].transactions[from.request].lease = op.lease;
  say(from, Done{});
}

void ReferenceSpace::operate(const Origin& from, const EndOp& op) {
  const Origin name{from.session, op.transaction};
  if (!op.commit) {
    abort_transaction(name);
    return say(from, Done{});
  }
  if (enter(from, op.transaction) == nullptr) return;
  Answer done;
  if (const auto code = commit_transaction(name, done)) {
    abort_transaction(name);
    return say(from, Refused{*code, ""});
  }
  sessions[from.session].answers[from.request] = done;
  say(from, done);
}

ReferenceSpace::Transaction* ReferenceSpace::transaction(const Origin& name) {
  const auto session = sessions.find(name.session);
  if (session == sessions.end()) return nullptr;
  const auto found = session->second.transactions.find(name.request);
  return found == session->second.transactions.end() ? nullptr : &found->second;
}

ReferenceSpace::Transaction* ReferenceSpace::enter(const Origin& from, RequestId name) {
  Transaction* open = transaction({from.session, name});
  if (open == nullptr) say(from, Refused{ErrorCode::kStaleLease, ""});
  return open;
}

// ---- Inside -------------------------------------------------------------------------------------

void ReferenceSpace::put_inside(const Origin& from, const PutOp& op) {
  const Origin name{from.session, op.transaction};
  if (enter(from, op.transaction) == nullptr) return;
  Transaction& open = *transaction(name);
  const PutDone done{{}, static_cast<std::uint32_t>(op.tuples.size())};
  open.put_requests[from.request] = done.count;
  for (const NewTuple& put : op.tuples) {
    open.puts.push_back({put});
    for (const TakeMode mode : {TakeMode::kRead, TakeMode::kTake}) {
      for (const Waiter& waiter : std::vector<Waiter>(waiters)) {
        if (Origin{waiter.origin.session, waiter.transaction} != name || waiter.mode != mode ||
            open.puts.back().taken) {
          continue;
        }
        const auto form = first_match(waiter.forms, put.tuple);
        if (!form) continue;
        say(waiter.origin,
            Found{{take_own(name, waiter.origin.request, mode, open.puts.size() - 1, *form)}});
        end_waiter(waiter.origin);
      }
    }
  }
  say(from, done);
}

Handout ReferenceSpace::take_own(const Origin& name, RequestId request, TakeMode mode,
                                 std::size_t put, std::uint32_t form) {
  Transaction& open = *transaction(name);
  if (mode == TakeMode::kTake) {
    open.puts[put].taken = true;
    open.taken.push_back({request, {}, put, form});
  }
  return {{}, 0, form, false, open.puts[put].put.tuple};
}

void ReferenceSpace::hold(const Origin& name, RequestId request, Item& item, std::uint32_t form) {
  Transaction& open = *transaction(name);
  open.read.erase(item.id);
  open.taken.push_back({request, item.id, 0, form});
  item.state = State::kHeld;
  item.holder = name;
}

bool ReferenceSpace::serve_inside(const Origin& from, const TakeOp& op) {
  const Origin name{from.session, op.transaction};
  struct One {
    std::int32_t priority;
    Item* item;
    std::size_t put;
    std::uint32_t form;
  };
  std::vector<One> found;
  for (const auto& [item, form] : matches(op.templates, op.mode, name)) {
    found.push_back({item->put.attributes.priority, item, 0, form});
  }
  const std::vector<Transaction::Put>& puts = transaction(name)->puts;
  for (std::size_t i = 0; i < puts.size(); ++i) {
    const auto form = first_match(op.templates, puts[i].put.tuple);
    if (form && !puts[i].taken) {
      found.push_back({puts[i].put.attributes.priority, nullptr, i, *form});
    }
  }
  if (found.empty()) return false;
  std::stable_sort(found.begin(), found.end(),
                   [](const One& a, const One& b) { return a.priority > b.priority; });
  if (found.size() > op.count_max) found.resize(op.count_max);
  Found answer;
  for (const One& one : found) {
    if (one.item == nullptr) {
      answer.tuples.push_back(take_own(name, from.request, op.mode, one.put, one.form));
      continue;
    }
    if (op.mode == TakeMode::kTake) hold(name, from.request, *one.item, one.form);
    if (op.mode == TakeMode::kRead) transaction(name)->read.insert(one.item->id);
    answer.tuples.push_back(show(*one.item, one.form));
  }
  say(from, answer);
  return true;
}

bool ReferenceSpace::answer_again_inside(const Origin& from, const Operation& operation) {
  if (const auto* put = std::get_if<PutOp>(&operation)) {
    const Transaction* open = transaction({from.session, put->transaction});
    if (open == nullptr || !open->put_requests.contains(from.request)) return false;
    say(from, PutDone{{}, open->put_requests.at(from.request)});
    return true;
  }
  const auto* take = std::get_if<TakeOp>(&operation);
  const Transaction* open =
      take == nullptr ? nullptr : transaction({from.session, take->transaction});
  if (open == nullptr) return false;
  Found again;
  for (const Transaction::Taken& taken : open->taken) {
    if (taken.request != from.request) continue;
    if (taken.id.value == 0) {
      again.tuples.push_back({{}, 0, taken.form, false, open->puts[taken.put].put.tuple});
    } else if (items.contains(taken.id)) {
      again.tuples.push_back(show(items[taken.id], taken.form));
    }
  }
  if (again.tuples.empty()) return false;
  say(from, again);
  return true;
}

void ReferenceSpace::note_none(const Origin& name, TakeMode mode,
                               const std::vector<Template>& forms) {
  if (Transaction* open = transaction(name)) open->nones.emplace_back(mode, forms);
}

// ---- What was read ------------------------------------------------------------------------------

bool ReferenceSpace::locked_against(const Origin& name, TupleId id) const {
  for (const auto& [session, item] : sessions) {
    for (const auto& [request, open] : item.transactions) {
      if (Origin{session, request} != name && open.read.contains(id)) return true;
    }
  }
  return false;
}

void ReferenceSpace::unlock_all(const Origin& name) {
  while (!transaction(name)->read.empty()) {
    const TupleId id = *transaction(name)->read.begin();
    transaction(name)->read.erase(id);
    offer(items[id]);
  }
}

void ReferenceSpace::remove(TupleId id) {
  for (auto& [session, item] : sessions) {
    for (auto& [request, open] : item.transactions) {
      const bool took = std::any_of(open.taken.begin(), open.taken.end(),
                                    [&](const auto& taken) { return taken.id == id; });
      if (open.read.erase(id) > 0 || took) open.conflict = true;
    }
  }
  items.erase(id);
}

// ---- The end ------------------------------------------------------------------------------------

std::optional<ErrorCode> ReferenceSpace::commit_transaction(const Origin& name, Answer& done) {
  if (transaction(name)->conflict) return ErrorCode::kTransactionConflict;
  for (const auto& [mode, forms] : transaction(name)->nones) {
    if (!matches(forms, mode, name).empty()) return ErrorCode::kTransactionConflict;
  }
  if (const auto code = refusal(*transaction(name))) return code;
  if (has_key_conflict(left_of(*transaction(name)))) return ErrorCode::kKeyConflict;
  end_own_waiters(name);
  const Transaction open = *transaction(name);
  for (const Transaction::Taken& taken : open.taken) {
    if (taken.id.value == 0) continue;
    if (taken.acknowledged) {
      items.erase(taken.id);
    } else {
      hand({name.session, taken.request}, TakeMode::kTake, {}, items[taken.id], taken.form, false,
           false);
    }
  }
  unlock_all(name);
  Session& session = sessions[name.session];
  if (name.request >= session.acknowledged) session.answers[name.request] = Done{};
  for (const auto& [request, count] : open.put_requests) {
    if (request >= session.acknowledged) session.answers[request] = PutDone{{}, count};
  }
  for (const Transaction::Taken& taken : open.taken) {
    if (taken.id.value != 0 || taken.acknowledged) continue;
    Item& item = items[next_id];
    item.id = next_id;
    ++next_id.value;
    item.put.tuple = open.puts[taken.put].put.tuple;
    item.put.attributes.priority = open.puts[taken.put].put.attributes.priority;
    hand({name.session, taken.request}, TakeMode::kTake, {}, item, taken.form, false, false);
  }
  const std::vector<NewTuple> puts = left_of(open);
  session.transactions.erase(name.request);
  done = put_and_answer(puts);
  return std::nullopt;
}

// What it put and did not take again.
std::vector<NewTuple> ReferenceSpace::left_of(const Transaction& open) {
  std::vector<NewTuple> puts;
  for (const Transaction::Put& put : open.puts) {
    if (!put.taken) puts.push_back(put.put);
  }
  return puts;
}

// P33: one that takes something may put something.
std::optional<ErrorCode> ReferenceSpace::refusal(const Transaction& open) const {
  for (const Transaction::Taken& taken : open.taken) {
    if (taken.id.value != 0) return std::nullopt;
  }
  const std::vector<NewTuple> puts = left_of(open);
  return puts.empty() ? std::nullopt : refusal(puts);
}

void ReferenceSpace::abort_transaction(const Origin& name) {
  if (transaction(name) == nullptr) return;
  end_own_waiters(name);
  unlock_all(name);
  std::set<TupleId> taken;
  for (const Transaction::Taken& item : transaction(name)->taken) taken.insert(item.id);
  sessions[name.session].transactions.erase(name.request);
  for (const TupleId id : taken) {
    const auto item = items.find(id);
    if (item == items.end()) continue;
    if (item->second.expires_at <= now) {
      items.erase(item);
      continue;
    }
    item->second.state = State::kReady;
    place(item->second, false);
  }
}

void ReferenceSpace::end_own_waiters(const Origin& name) {
  for (const Waiter& waiter : std::vector<Waiter>(waiters)) {
    if (Origin{waiter.origin.session, waiter.transaction} != name) continue;
    say(waiter.origin, Refused{ErrorCode::kCancelled, ""});
    end_waiter(waiter.origin);
  }
}

}  // namespace linden::simulation

// space/core/space_transaction.cpp: transactions (P27).
//
// What a transaction puts is its own until it commits.  What it takes stays where it is, durably
// ready but hidden; what it reads is locked against everybody else's takes.  So an abort, and a
// restart of the server, have nothing to undo on disk, and the commit is one step like any other.
#include <algorithm>
#include <cassert>

#include "space/core/space_machine.h"

namespace linden::core {
namespace {

std::optional<std::uint32_t> first_match(std::span<const Template> templates, const Tuple& tuple) {
  for (std::uint32_t i = 0; i < templates.size(); ++i) {
    if (templates[i].matches(tuple)) return i;
  }
  return std::nullopt;
}

}  // namespace

// ---- Begin and end ------------------------------------------------------------------------------

void SpaceState::Machine::operate(Session& session, RequestId request, BeginOp&& op) {
  if (op.lease < kDurationMin) {
    return refuse(session, request, ErrorCode::kInvalidArgument,
                  "begin: lease is " + std::to_string(op.lease.count()) +
                      " us, the shortest is 10 ms; ask for a longer one");
  }
  if (session.transactions.contains(request)) return reply(session, request, Done{});
  if (session.transactions.size() >= limits_.transactions_per_session_max) {
    return refuse(session, request, ErrorCode::kOverloaded,
                  "begin: " + std::to_string(session.transactions.size()) +
                      " transactions of this session are open already; end some or raise "
                      "limits.transactions_per_session_max");
  }
  const Slot slot = transactions_.take();
  Transaction& transaction = transactions_[slot];
  transaction.number = ++transaction_numbers_;
  transaction.id = request;
  transaction.session = &session;
  transaction.lease = op.lease;
  const bool first = session.reserved == 0 && session.transactions.empty();
  session.transactions.emplace(request, slot);
  if (first || op.lease < session.lease_min) {
    session.lease_min = op.lease;
    arm(session);
  }
  reply(session, request, Done{});
}

void SpaceState::Machine::operate(Session& session, RequestId request, EndOp&& op) {
  const Slot slot = find_transaction(session, op.transaction);
  if (!op.commit) {
    if (slot != kNoSlot) abort_transaction(slot);
    return reply(session, request, Done{});
  }
  // One that is full may still be committed.
  if (slot == kNoSlot) return static_cast<void>(enter(session, request, op.transaction));
  if (!may_remember(session, request)) return;
  auto refused = conflict_of(slot);
  if (!refused) refused = check_room(transactions_[slot]);
  std::vector<NewTuple> puts;
  if (!refused) {
    puts = take_puts_out(transactions_[slot]);
    refused = check_keys_and_guards(puts);
  }
  if (refused) {
    abort_transaction(slot);
    refused->message += "; the transaction was aborted";
    return reply(session, request, std::move(*refused));
  }
  commit_transaction(slot, request, std::move(puts));
}

Slot SpaceState::Machine::find_transaction(const Session& session, RequestId id) const {
  const auto found = session.transactions.find(id);
  return found == session.transactions.end() ? kNoSlot : found->second;
}

Slot SpaceState::Machine::enter(const Session& session, RequestId request, RequestId id) {
  const Slot slot = find_transaction(session, id);
  if (slot == kNoSlot) {
    refuse(session, request, ErrorCode::kStaleLease,
           "transaction " + std::to_string(id.value) +
               " has ended: by itself, by its lease, or with the server; nothing of it was done "
               "unless its commit was answered, so begin a new one");
    return kNoSlot;
  }
  if (transactions_[slot].size() < limits_.transaction_items_max) return slot;
  refuse(session, request, ErrorCode::kLimitExceeded,
         "transaction " + std::to_string(id.value) + " has put, taken, read and not found " +
             std::to_string(transactions_[slot].size()) +
             " things, which is its limit; commit it and begin another, or raise "
             "limits.transaction_items_max");
  return kNoSlot;
}

// ---- Putting inside -----------------------------------------------------------------------------

void SpaceState::Machine::put_inside(Slot slot, RequestId request, std::vector<NewTuple>&& tuples) {
  Transaction& transaction = transactions_[slot];
  const std::size_t room = limits_.transaction_items_max - transaction.size();
  if (tuples.size() >= room) {
    return refuse(*transaction.session, request, ErrorCode::kLimitExceeded,
                  "put: " + std::to_string(tuples.size()) + " tuples, but the transaction has " +
                      "room for fewer than " + std::to_string(room) +
                      "; put fewer or raise limits.transaction_items_max");
  }
  PutDone done;
  done.count = static_cast<std::uint32_t>(tuples.size());
  transaction.put_requests.emplace(request, done.count);
  for (NewTuple& tuple : tuples) {
    transaction.puts.push_back({std::move(tuple)});
    if (transaction.waiting > 0) serve_own_waiters(slot, transaction.puts.size() - 1);
  }
  reply(*transaction.session, request, done);
}

// Nobody else sees the tuple yet: all blocked reads of the transaction, then its oldest take (P7).
void SpaceState::Machine::serve_own_waiters(Slot slot, std::size_t put) {
  Session& session = *transactions_[slot].session;
  for (const TakeMode mode : {TakeMode::kRead, TakeMode::kTake}) {
    const auto waiters = session.waiters;
    for (const auto& [request, waiter] : waiters) {
      if (waiters_[waiter].transaction != slot || waiters_[waiter].mode != mode) continue;
      const auto form =
          first_match(waiters_[waiter].templates, transactions_[slot].puts[put].tuple.tuple);
      if (!form) continue;
      Found found;
      found.tuples.push_back(hand_inside(slot, request, mode, {{kNoSlot, *form}, put}));
      end_waiter(waiter);
      reply(session, request, std::move(found));
      if (mode == TakeMode::kTake) return;
    }
  }
}

// ---- Taking and reading inside ------------------------------------------------------------------

// Its own puts are younger than everything in the space.
std::vector<SpaceState::Machine::Inside> SpaceState::Machine::find_inside(Slot slot,
                                                                          const TakeOp& op) {
  const Transaction& transaction = transactions_[slot];
  std::vector<Inside> found;
  const Seeker seeker{op.mode == TakeMode::kRead, slot};
  const std::size_t used = std::min(transaction.size(), limits_.transaction_items_max - 1);
  const std::size_t count =
      std::min<std::size_t>(op.count_max, limits_.transaction_items_max - used);
  for (const Match& match : find_answer(op.templates, count, seeker)) {
    found.push_back({match, 0});
  }
  for (std::size_t i = 0; i < transaction.puts.size(); ++i) {
    const Transaction::Put& put = transaction.puts[i];
    if (put.taken) continue;
    if (const auto form = first_match(op.templates, put.tuple.tuple)) {
      found.push_back({{kNoSlot, *form}, i});
    }
  }
  const auto priority = [&](const Inside& one) {
    return one.match.slot == kNoSlot ? transaction.puts[one.put].tuple.attributes.priority
                                     : tuples_[one.match.slot].priority;
  };
  std::stable_sort(found.begin(), found.end(),
                   [&](const Inside& a, const Inside& b) { return priority(a) > priority(b); });
  if (found.size() > count) found.resize(count);
  return found;
}

bool SpaceState::Machine::serve_inside(Slot slot, RequestId request, const TakeOp& op) {
  const std::vector<Inside> matches = find_inside(slot, op);
  if (matches.empty()) return false;
  Found found;
  std::size_t bytes = 0;
  for (const Inside& match : matches) {
    if (!found.tuples.empty() && bytes > limits_.answer_bytes_max) break;
    found.tuples.push_back(hand_inside(slot, request, op.mode, match));
    bytes += found.tuples.back().tuple.byte_size();
    if (op.mode == TakeMode::kTake && match.match.slot != kNoSlot) ready_.remove(match.match.slot);
  }
  reply(*transactions_[slot].session, request, std::move(found));
  return true;
}

Handout SpaceState::Machine::hand_inside(Slot slot, RequestId request, TakeMode mode,
                                         const Inside& found) {
  Transaction& transaction = transactions_[slot];
  if (found.match.slot != kNoSlot) {
    if (mode == TakeMode::kTake) {
      hold(slot, request, found.match);
    } else {
      lock(slot, found.match.slot);
    }
    return show(found.match);
  }
  Transaction::Put& put = transaction.puts[found.put];
  if (mode == TakeMode::kTake) {
    put.taken = true;
    transaction.taken.push_back({request, {}, found.put, found.match.template_index});
  }
  Handout handout;
  handout.template_index = found.match.template_index;
  handout.tuple = put.tuple.tuple;
  return handout;
}

// The tuple is hidden until the transaction ends.  Who calls sees to the ready list.
void SpaceState::Machine::hold(Slot slot, RequestId request, const Match& match) {
  Transaction& transaction = transactions_[slot];
  Entry& entry = tuples_[match.slot];
  if (entry.read_locked) unlock(slot, entry.id);  // nobody else has read it, or it were not taken
  assert(!entry.read_locked);
  set_state(entry, EntryState::kHeld);
  entry.holding = slot;
  transaction.taken.push_back({request, entry.id, 0, match.template_index});
}

// Puts and takes that an open transaction has answered already (P36).
bool SpaceState::Machine::answer_again_inside(const Session& session, RequestId request,
                                              const Operation& operation) {
  const auto* put = std::get_if<PutOp>(&operation);
  const auto* take = std::get_if<TakeOp>(&operation);
  const Slot slot = put != nullptr    ? find_transaction(session, put->transaction)
                    : take != nullptr ? find_transaction(session, take->transaction)
                                      : kNoSlot;
  if (slot == kNoSlot) return false;
  const Transaction& transaction = transactions_[slot];
  if (put != nullptr) {
    const auto known = transaction.put_requests.find(request);
    if (known == transaction.put_requests.end()) return false;
    reply(session, request, PutDone{{}, known->second});
    return true;
  }
  Found again;
  for (const Transaction::Taken& taken : transaction.taken) {
    if (taken.request != request) continue;
    Handout handout;
    if (taken.id.value == 0) {
      handout.template_index = taken.template_index;
      handout.tuple = transaction.puts[taken.put].tuple.tuple;
    } else {
      const Slot tuple = tuples_.find(taken.id);
      if (tuple == kNoSlot) continue;  // it left with its owner, and the commit will say so
      handout = show({tuple, taken.template_index});
    }
    again.tuples.push_back(std::move(handout));
  }
  if (again.tuples.empty()) return false;
  reply(session, request, std::move(again));
  return true;
}

void SpaceState::Machine::acknowledge_inside(Session& session, RequestId take) {
  for (const auto& [id, slot] : session.transactions) {
    for (Transaction::Taken& taken : transactions_[slot].taken) {
      if (taken.request == take) taken.acknowledged = true;
    }
  }
}

void SpaceState::Machine::note_none(Slot transaction, TakeMode mode,
                                    const std::vector<Template>& templates) {
  if (transaction != kNoSlot) transactions_[transaction].nones.push_back({mode, templates});
}

std::uint64_t SpaceState::Machine::count_own(Slot slot, const Template& form) const {
  const std::vector<Transaction::Put>& puts = transactions_[slot].puts;
  return static_cast<std::uint64_t>(std::count_if(
      puts.begin(), puts.end(),
      [&](const Transaction::Put& put) { return !put.taken && form.matches(put.tuple.tuple); }));
}

// ---- What was read ------------------------------------------------------------------------------

bool SpaceState::Machine::may_take(Slot slot, const Seeker& seeker) const {
  const Entry& entry = tuples_[slot];
  if (seeker.reads) return true;
  if (entry.paused) return false;
  if (!entry.read_locked) return true;
  const std::vector<Slot>& readers = read_by_.find(entry.id)->second;
  return readers.size() == 1 && readers.front() == seeker.transaction;
}

void SpaceState::Machine::lock(Slot transaction, Slot slot) {
  Entry& entry = tuples_[slot];
  if (!transactions_[transaction].read.insert(entry.id).second) return;
  read_by_[entry.id].push_back(transaction);
  entry.read_locked = true;
}

void SpaceState::Machine::unlock(Slot transaction, TupleId id) {
  transactions_[transaction].read.erase(id);
  const auto found = read_by_.find(id);
  std::erase(found->second, transaction);
  if (!found->second.empty()) return;
  read_by_.erase(found);
  tuples_[tuples_.find(id)].read_locked = false;
}

// What others waited to take is offered to them.
void SpaceState::Machine::unlock_all(Slot transaction) {
  while (!transactions_[transaction].read.empty()) {
    const TupleId id = *transactions_[transaction].read.begin();
    unlock(transaction, id);
    offer(tuples_.find(id));
  }
}

void SpaceState::Machine::offer(Slot slot) {
  encoding::split(tuples_[slot].tuple, fields_);
  const WaitIndex::Match taker = next_taker(slot);
  if (taker.waiter == kNoSlot) return;
  serve_waiter(taker, slot);
  ready_.remove(slot);
}

// A tuple that transactions rely on expires, or goes with its owner: they cannot commit any more.
void SpaceState::Machine::left_meanwhile(const Entry& entry, EntryState state) {
  if (state == EntryState::kHeld) transactions_[entry.holding].conflict = true;
  const auto readers = read_by_.find(entry.id);
  if (readers == read_by_.end()) return;
  for (const Slot transaction : readers->second) {
    transactions_[transaction].conflict = true;
    transactions_[transaction].read.erase(entry.id);
  }
  read_by_.erase(readers);
}

// ---- The end ------------------------------------------------------------------------------------

std::optional<Refused> SpaceState::Machine::conflict_of(Slot slot) {
  const Transaction& transaction = transactions_[slot];
  const std::string name = "transaction " + std::to_string(transaction.id.value);
  if (transaction.conflict) {
    return Refused{ErrorCode::kTransactionConflict,
                   name +
                       ": a tuple that it took or read has expired or gone with its owner; "
                       "begin anew"};
  }
  for (const Transaction::None& none : transaction.nones) {
    const Seeker seeker{none.mode == TakeMode::kRead, slot};
    const Match match = best_ready(none.templates, TemplateIndex::Exclusive::kOffer, seeker);
    if (match.slot == kNoSlot) continue;
    return Refused{ErrorCode::kTransactionConflict,
                   name + ": tuple " + std::to_string(tuples_[match.slot].id.value) +
                       " has come where it found none; begin anew"};
  }
  return std::nullopt;
}

// As with a finish: what takes something may put something, and what only puts is a put (P33).
std::optional<Refused> SpaceState::Machine::check_room(const Transaction& transaction) const {
  std::uint64_t bytes = 0;
  bool puts = false;
  for (const Transaction::Taken& taken : transaction.taken) {
    if (taken.id.value != 0) return std::nullopt;
  }
  for (const Transaction::Put& put : transaction.puts) {
    if (put.taken) continue;
    puts = true;
    bytes += put.tuple.tuple.byte_size();
    if (auto drained = check_drained(put.tuple.tuple)) return drained;
  }
  return puts ? check_room(bytes) : std::nullopt;
}

// What it put and did not take again.
std::vector<NewTuple> SpaceState::Machine::take_puts_out(Transaction& transaction) {
  std::vector<NewTuple> puts;
  for (Transaction::Put& put : transaction.puts) {
    if (!put.taken) puts.push_back(std::move(put.tuple));
  }
  return puts;
}

void SpaceState::Machine::commit_transaction(Slot slot, RequestId request,
                                             std::vector<NewTuple>&& puts) {
  end_own_waiters(slot);
  Transaction& transaction = transactions_[slot];
  Session& session = *transaction.session;
  for (const Transaction::Taken& taken : transaction.taken) {
    if (taken.id.value == 0) continue;
    const Slot tuple = tuples_.find(taken.id);
    if (!taken.acknowledged) {
      static_cast<void>(take(session, taken.request, {tuple, taken.template_index}, kNoSlot));
      continue;
    }
    ++counts_.takes;
    emit(TupleRemoved{taken.id});
    remove_tuple(tuple);
  }
  unlock_all(slot);
  remember_for_good(transaction);
  put_what_was_taken(transaction);
  put_and_answer(session, request, std::move(puts));
  end_transaction(slot);
}

// What the client may say again; a repeated BeginOp must not begin anew what has been committed.
void SpaceState::Machine::remember_for_good(const Transaction& transaction) {
  Session& session = *transaction.session;
  if (transaction.id >= session.acknowledged) remember(session, transaction.id, PutDone{});
  for (const auto& [request, count] : transaction.put_requests) {
    if (request >= session.acknowledged) remember(session, request, PutDone{{}, count});
  }
}

// What it put and took again is put only for a client that may ask for the answer once more.
void SpaceState::Machine::put_what_was_taken(const Transaction& transaction) {
  Session& session = *transaction.session;
  for (const Transaction::Taken& taken : transaction.taken) {
    if (taken.id.value != 0 || taken.acknowledged) continue;
    const NewTuple& put = transaction.puts[taken.put].tuple;
    Attributes order;  // the others mean nothing to a tuple that is taken
    order.priority = put.attributes.priority;
    const Slot tuple = store_tuple(next_id_, {put.tuple, std::move(order)});
    ++next_id_.value;
    static_cast<void>(take(session, taken.request, {tuple, taken.template_index}, kNoSlot));
  }
}

// All goes back with its age.
void SpaceState::Machine::abort_transaction(Slot slot) {
  end_own_waiters(slot);
  unlock_all(slot);
  std::vector<TupleId> taken;
  for (const Transaction::Taken& item : transactions_[slot].taken) taken.push_back(item.id);
  std::sort(taken.begin(), taken.end());
  for (const TupleId id : taken) {
    const Slot tuple = tuples_.find(id);
    if (tuple == kNoSlot) continue;  // its own put, or gone with its owner
    Entry& entry = tuples_[tuple];
    if (entry.expires_at() <= now_) {
      ++counts_.expired;
      emit(TupleRemoved{id});
      remove_tuple(tuple);
      continue;
    }
    set_state(entry, EntryState::kReady);
    entry.holding = kNoSlot;
    place(tuple, false);
  }
  end_transaction(slot);
}

void SpaceState::Machine::abort_transactions(Session& session, Duration silence) {
  const auto open = session.transactions;
  for (const auto& [id, slot] : open) {
    if (transactions_[slot].lease <= silence) abort_transaction(slot);
  }
}

void SpaceState::Machine::end_own_waiters(Slot slot) {
  if (transactions_[slot].waiting == 0) return;
  Session& session = *transactions_[slot].session;
  const auto waiters = session.waiters;
  for (const auto& [request, waiter] : waiters) {
    if (waiters_[waiter].transaction != slot) continue;
    end_waiter(waiter);
    refuse(session, request, ErrorCode::kCancelled, "take: its transaction has ended");
  }
}

void SpaceState::Machine::end_transaction(Slot slot) {
  Transaction& transaction = transactions_[slot];
  transaction.session->transactions.erase(transaction.id);
  transactions_.give_back(slot);
}

}  // namespace linden::core

// space/core/space_stream.cpp: standing takes, reads and reservations (P15, F2, F4).
#include <algorithm>
#include <cassert>

#include "space/core/space_machine.h"

namespace linden::core {
namespace {

using Exclusive = TemplateIndex::Exclusive;

}  // namespace

// ---- Bounds -------------------------------------------------------------------------------------

bool SpaceState::Machine::check_credit(const Session& session, RequestId request,
                                       std::uint32_t credit, bool subscription) {
  const std::size_t most =
      subscription ? limits_.subscription_backlog_max : std::size_t{limits_.credit_max};
  if (credit <= most) return true;
  refuse(session, request, ErrorCode::kLimitExceeded,
         "stream: a credit of " + std::to_string(credit) + ", the limit is " +
             std::to_string(most) + "; ask for less or raise limits." +
             (subscription ? "subscription_backlog_max" : "credit_max"));
  return false;
}

// ---- Operations ---------------------------------------------------------------------------------

void SpaceState::Machine::operate(Session& session, RequestId request, StreamOp&& op) {
  if (!check_templates(session, request, op.templates)) return;
  if (!check_credit(session, request, op.credit, false)) return;
  if (op.mode == TakeMode::kReserve && op.lease < kDurationMin) {
    return refuse(session, request, ErrorCode::kInvalidArgument,
                  "stream: lease is " + std::to_string(op.lease.count()) +
                      " us, the shortest is 10 ms; ask for a longer one");
  }
  if (const auto standing = session.waiters.find(request); standing != session.waiters.end()) {
    const Slot old = standing->second;
    if (waiters_[old].stream) detach_holdings(old);
    end_waiter(old);
  }
  if (!may_wait(session, request)) return;
  const Slot slot = add_waiter(session, request, op.mode, std::move(op.templates));
  Waiter& stream = waiters_[slot];
  stream.stream = true;
  stream.credit = op.credit;
  stream.lease = op.lease;
  stream.cursor = op.after;
  // What the client names counts as delivered; what of that is here no more was acknowledged.
  if (op.mode == TakeMode::kTake) stream.acknowledged = op.held.size();
  reply(session, request, Done{});
  if (request <= session.newest && op.mode != TakeMode::kRead) attach_holdings(slot, op.held);
  refill_later(slot);
}

void SpaceState::Machine::operate(Session& session, RequestId request, AckOp&& op) {
  const auto told = session.subscriptions.find(op.stream);
  if (told != session.subscriptions.end()) {
    waiters_[told->second].subscription->acknowledge(op.delivered);
    refill_later(told->second);
  }
  const auto standing = session.waiters.find(op.stream);
  if (standing != session.waiters.end() && waiters_[standing->second].stream) {
    acknowledge(standing->second, op.delivered);
  }
  for (const RequestId take : op.takes) {
    const auto found = session.remembered.find(take.value);
    if (found == session.remembered.end()) {
      acknowledge_inside(session, take);
      continue;
    }
    if (std::holds_alternative<TakenChain>(found->second)) forget_answer(session, take.value);
  }
  reply(session, request, Done{});
}

void SpaceState::Machine::operate(Session& session, RequestId request, CreditOp&& op) {
  const auto told = session.subscriptions.find(op.stream);
  const bool tells = told != session.subscriptions.end();
  if (!check_credit(session, request, op.credit, tells)) return;
  const auto standing = session.waiters.find(op.stream);
  if (!tells && (standing == session.waiters.end() || !waiters_[standing->second].stream)) {
    return refuse(session, request, ErrorCode::kInvalidArgument,
                  "credit: this session has no stream " + std::to_string(op.stream.value) +
                      " here; open it first");
  }
  const Slot slot = tells ? told->second : standing->second;
  waiters_[slot].credit = op.credit;
  refill_later(slot);
  reply(session, request, Done{});
}

void SpaceState::Machine::operate(Session& session, RequestId request, CancelOp&& op) {
  const auto told = session.subscriptions.find(op.target);
  if (told != session.subscriptions.end()) end_subscription(told->second);
  const auto found = session.waiters.find(op.target);
  if (found != session.waiters.end()) {
    const Slot slot = found->second;
    Waiter& waiter = waiters_[slot];
    if (waiter.stream) {
      detach_holdings(slot);
    } else {
      refuse(session, op.target, ErrorCode::kCancelled, "take: cancelled by the client");
    }
    end_waiter(slot);
  }
  end_taking(session, op);
  reply(session, request, Done{});
}

// Also when the stream itself is gone, with the connection that it stood on.
void SpaceState::Machine::end_taking(Session& session, const CancelOp& op) {
  for (const Slot holding : sessions_.holdings_of(session, op.target)) {
    if (!sessions_.holding(holding).streamed) continue;
    const TupleId id = tuples_[sessions_.holding(holding).entry].id;
    if (std::find(op.kept.begin(), op.kept.end(), id) != op.kept.end()) {
      forget_taken(holding);
    } else {
      put_back(holding);
    }
  }
}

// Was taken by a stream and not given out by it: in the space again, as it was.
void SpaceState::Machine::put_back(Slot holding) {
  const Slot slot = sessions_.holding(holding).entry;
  const Origin taker{sessions_.at(sessions_.holding(holding).session).id,
                     sessions_.holding(holding).request};
  sessions_.let_go(holding);
  Entry& entry = tuples_[slot];
  entry.holding = kNoSlot;
  if (entry.expires_at() <= now_) {
    ++counts_.expired;
    emit(TupleRemoved{entry.id});
    return remove_tuple(slot);
  }
  if (entry.extra && entry.extra->attributes.lives_with) {
    Session* owner = sessions_.find(*entry.extra->attributes.lives_with);
    if (owner == nullptr || owner->over_hold) return leave_with_will(slot);
    owner->bound.insert(entry.id);
  }
  // A hand-out that came back, so that nobody is told of it as if it were put now.
  emit(TupleReserved{entry.id, ++entry.attempt, taker});
  emit(TupleReleased{entry.id, entry.started_before});
  counts_.bytes += entry.tuple.byte_size();
  deadlines_.add(entry.expires_at(), DueKind::kTuple, entry.id.value, slot);
  if (!entry.group().empty()) cut_in(entry);
  if (is_behind(entry)) return set_state(entry, EntryState::kBehind);
  set_state(entry, EntryState::kReady);
  place(slot, false);
}

// ---- Hand-outs that outlive a stream's connection -----------------------------------------------

// A repeated stream takes over what its predecessor was handed: what the client has (`held`) only
// weighs on the credit, the rest is delivered again.
void SpaceState::Machine::attach_holdings(Slot slot, const std::vector<TupleId>& held) {
  Waiter& stream = waiters_[slot];
  std::vector<Slot> mine = sessions_.holdings_of(*stream.session, stream.origin.request);
  const bool reserves = stream.mode == TakeMode::kReserve;
  std::erase_if(mine, [&](Slot holding) {
    const Holding& item = sessions_.holding(holding);
    return reserves ? !item.reserved : !item.streamed;
  });
  if (mine.empty()) return;
  std::vector<TupleId> known = held;
  std::sort(known.begin(), known.end());
  const auto has = std::stable_partition(mine.begin(), mine.end(), [&](Slot holding) {
    return std::binary_search(known.begin(), known.end(),
                              tuples_[sessions_.holding(holding).entry].id);
  });
  if (!reserves) stream.acknowledged -= static_cast<std::uint64_t>(has - mine.begin());
  for (const Slot holding : mine) {
    Holding& item = sessions_.holding(holding);
    item.stream = slot;
    ++stream.held;
    if (!reserves) {
      stream.unacknowledged.push_back(holding);
    } else if (!item.started) {
      recall_.add_unstarted(holding);
    }
  }
  for (auto again = has; again != mine.end(); ++again) {
    const Holding& item = sessions_.holding(*again);
    Handout handout = show({item.entry, item.template_index});
    handout.started = item.started;
    tell(stream, std::move(handout));
  }
  if (stream.unstarted > 0) try_recalls_of_all();
}

// The stream ends; what it was handed stays out, but nobody can be asked to give it back.
void SpaceState::Machine::detach_holdings(Slot slot) {
  Waiter& stream = waiters_[slot];
  for (const Slot holding : stream.unacknowledged) sessions_.holding(holding).stream = kNoSlot;
  if (stream.mode != TakeMode::kReserve || stream.held == 0) return;
  for (const Slot holding : sessions_.holdings_of(*stream.session, stream.origin.request)) {
    Holding& item = sessions_.holding(holding);
    if (item.stream != slot) continue;
    recall_over(holding);
    if (!item.started) recall_.remove_unstarted(holding);
    item.recalled = false;
    item.stream = kNoSlot;
  }
}

// ---- Delivering ---------------------------------------------------------------------------------

// Hands the tuple, which is in no ready list, to a stream that stands in no index (or reads).
void SpaceState::Machine::deliver(Slot slot, const Match& match) {
  Waiter& stream = waiters_[slot];
  Session& session = *stream.session;
  const RequestId request = stream.origin.request;
  switch (stream.mode) {
    case TakeMode::kRead:
      stream.cursor = std::max(stream.cursor, tuples_[match.slot].id);
      tell(stream, show(match));
      if (++stream.held >= stream.credit) unindex(slot);
      return;
    case TakeMode::kTake:
      tell(stream, take(session, request, match, slot));
      break;
    case TakeMode::kReserve: {
      // A stream that holds nothing begins at once; what must not start twice never waits there.
      const bool starts = stream.held == 0 || tuples_[match.slot].exclusive;
      tell(stream, reserve(session, request, match, stream.lease, slot, starts));
      break;
    }
  }
  ++stream.held;
  stream.turn.sequence = ++turns_;
}

// What one step delivers to one stream goes in one event, unless it grows too large.
void SpaceState::Machine::tell(Waiter& stream, Handout&& handout) {
  const std::size_t bytes = handout.tuple.byte_size();
  if (stream.notice_step != step_ || stream.notice_bytes + bytes > limits_.answer_bytes_max) {
    stream.notice_step = step_;
    stream.notice_at = effects_->messages.size();
    stream.notice_bytes = 0;
    effects_->messages.emplace_back(Notice{stream.origin, Delivered{}});
  }
  stream.notice_bytes += bytes;
  auto& notice = std::get<Notice>(effects_->messages[stream.notice_at]);
  std::get<Delivered>(notice.event).tuples.push_back(std::move(handout));
}

void SpaceState::Machine::refill_later(Slot slot) {
  Waiter& stream = waiters_[slot];
  if (std::exchange(stream.refilling, true)) return;
  if (stream.subscription == nullptr && stream.mode != TakeMode::kRead) unindex(slot);
  refills_.emplace_back(slot, stream.number);
}

// Gives the stream what is ready, up to its credit; with credit left it waits.
void SpaceState::Machine::refill(Slot slot) {
  Waiter& stream = waiters_[slot];
  stream.refilling = false;
  if (stream.subscription != nullptr) return tell_due(slot);
  if (stream.session->silent) return;
  if (stream.mode == TakeMode::kRead) return refill_reader(slot);
  while (stream.has_credit()) {
    // What must wait behind nothing goes to a stream that holds nothing; then many at a time.
    const bool holds_nothing = stream.held == 0;
    const std::size_t count = holds_nothing ? 1 : stream.credit - stream.held;
    const std::vector<Match> found = find_ready(
        stream.templates, count, holds_nothing ? Exclusive::kOffer : Exclusive::kSkip, Seeker{});
    for (const Match& match : found) {
      deliver(slot, match);
      ready_.remove(match.slot);
    }
    if (found.size() < count) break;
  }
  if (!stream.has_credit()) return;
  index(slot);
  if (stream.mode == TakeMode::kReserve && stream.held == 0) try_recall_later(slot);
}

// Goes on behind the cursor.  With credit left it has seen everything, and is shown each put from
// now on; otherwise it comes back here when credit returns.
void SpaceState::Machine::refill_reader(Slot slot) {
  Waiter& stream = waiters_[slot];
  if (stream.indexed) {
    if (!stream.has_credit()) unindex(slot);
    return;
  }
  if (!stream.has_credit()) return;
  for (const Match& match :
       find_by_id(stream.templates, stream.cursor, stream.credit - stream.held)) {
    deliver(slot, match);
  }
  if (stream.has_credit()) index(slot);
}

void SpaceState::Machine::acknowledge(Slot slot, std::uint64_t delivered) {
  Waiter& stream = waiters_[slot];
  while (stream.acknowledged < delivered && stream.held > 0 && stream.mode != TakeMode::kReserve) {
    ++stream.acknowledged;
    --stream.held;
    if (stream.mode == TakeMode::kTake) {
      const Slot taken = stream.unacknowledged.front();
      stream.unacknowledged.pop_front();
      forget_taken(taken);
    }
  }
  refill_later(slot);
}

}  // namespace linden::core

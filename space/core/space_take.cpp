// space/core/space_take.cpp: takes, reads, reservations and their repetition (P5 to P16, P36).
#include <algorithm>
#include <cassert>

#include "space/core/space_machine.h"

namespace linden::core {
namespace {

using Exclusive = TemplateIndex::Exclusive;

}  // namespace

// ---- Bounds -------------------------------------------------------------------------------------

bool SpaceState::Machine::check_templates(const Session& session, RequestId request,
                                          std::span<const Template> templates) {
  if (templates.empty()) {
    refuse(session, request, ErrorCode::kInvalidArgument, "take: no template; give at least one");
    return false;
  }
  if (templates.size() > limits_.templates_max) {
    refuse(session, request, ErrorCode::kLimitExceeded,
           "take: " + std::to_string(templates.size()) + " templates, the limit is " +
               std::to_string(limits_.templates_max) +
               "; ask for them apart or raise limits.templates_max");
    return false;
  }
  return true;
}

bool SpaceState::Machine::may_wait(const Session& session, RequestId request) {
  const bool one_too_many = session.waiters.size() >= limits_.waiters_per_session_max;
  if (!one_too_many && counts_.waiters < limits_.waiters_max) return true;
  refuse(session, request, ErrorCode::kOverloaded,
         one_too_many ? "take: " + std::to_string(session.waiters.size()) +
                            " requests of this session wait already; let some end or raise "
                            "limits.waiters_per_session_max"
                      : "take: " + std::to_string(counts_.waiters) +
                            " requests wait in this space already; try again later or raise "
                            "limits.waiters_max");
  return false;
}

bool SpaceState::Machine::may_remember(const Session& session, RequestId request) {
  if (session.remembered.size() < limits_.remembered_per_session_max) return true;
  refuse(session, request, ErrorCode::kOverloaded,
         std::to_string(session.remembered.size()) +
             " answers of this session are not acknowledged; acknowledge them or raise "
             "limits.remembered_per_session_max");
  return false;
}

// ---- Finding ------------------------------------------------------------------------------------

SpaceState::Machine::Match SpaceState::Machine::best_ready(std::span<const Template> templates,
                                                           Exclusive exclusive,
                                                           const Seeker& seeker) {
  Match best;
  for (std::uint32_t i = 0; i < templates.size(); ++i) {
    const Slot slot = best_ready(templates[i], exclusive, seeker);
    if (slot == kNoSlot) continue;
    if (best.slot == kNoSlot || (slot != best.slot && before(slot, best.slot))) best = {slot, i};
  }
  return best;
}

Slot SpaceState::Machine::best_ready(const Template& form, Exclusive exclusive,
                                     const Seeker& seeker) {
  const auto paused = seeker.reads ? TemplateIndex::Paused::kOffer : TemplateIndex::Paused::kSkip;
  const Slot first = ready_.best(form, exclusive, paused);
  if (first == kNoSlot || may_take(first, seeker)) return first;
  Slot best = kNoSlot;
  ready_.visit_best(form, exclusive, paused, [&](Slot slot) {
    if (may_take(slot, seeker)) best = slot;
    return best == kNoSlot;
  });
  return best;
}

// Up to `count` matches of any of the templates, each tuple once, in the order of P5.
std::vector<SpaceState::Machine::Match> SpaceState::Machine::find_ready(
    std::span<const Template> templates, std::size_t count, Exclusive exclusive,
    const Seeker& seeker) {
  std::vector<Match> found;
  if (count == 1) {
    const Match best = best_ready(templates, exclusive, seeker);
    if (best.slot != kNoSlot) found.push_back(best);
    return found;
  }
  for (std::uint32_t i = 0; i < templates.size(); ++i) {
    std::size_t left = count;
    const auto paused = seeker.reads ? TemplateIndex::Paused::kOffer : TemplateIndex::Paused::kSkip;
    ready_.visit_best(templates[i], exclusive, paused, [&](Slot slot) {
      if (!may_take(slot, seeker)) return true;
      found.push_back({slot, i});
      return --left > 0;
    });
  }
  if (templates.size() > 1) {
    std::sort(found.begin(), found.end(), [this](const Match& a, const Match& b) {
      if (a.slot == b.slot) return a.template_index < b.template_index;
      return before(a.slot, b.slot);
    });
    found.erase(std::unique(found.begin(), found.end(),
                            [](const Match& a, const Match& b) { return a.slot == b.slot; }),
                found.end());
    if (found.size() > count) found.resize(count);
  }
  return found;
}

// As many as fit one bulk answer.  It ends before it grows too large, but holds at least one.
std::vector<SpaceState::Machine::Match> SpaceState::Machine::find_answer(
    std::span<const Template> templates, std::size_t count, const Seeker& seeker) {
  std::vector<Match> found = find_ready(templates, count, Exclusive::kOffer, seeker);
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    bytes += tuples_[found[i].slot].tuple.byte_size();
    if (i > 0 && bytes > limits_.answer_bytes_max) found.resize(i);
  }
  return found;
}

// Up to `count` matches of any of the templates with ids above `after`, each tuple once, in order
// of put.
std::vector<SpaceState::Machine::Match> SpaceState::Machine::find_by_id(
    std::span<const Template> templates, TupleId after, std::size_t count) {
  std::vector<Match> found;
  for (std::uint32_t i = 0; i < templates.size(); ++i) {
    std::size_t left = count;
    ready_.visit_by_id(templates[i], after, [&](Slot slot) {
      found.push_back({slot, i});
      return --left > 0;
    });
  }
  if (templates.size() > 1) {
    const auto id_of = [this](const Match& match) { return tuples_[match.slot].id; };
    std::sort(found.begin(), found.end(), [&](const Match& a, const Match& b) {
      return a.slot != b.slot ? id_of(a) < id_of(b) : a.template_index < b.template_index;
    });
    found.erase(std::unique(found.begin(), found.end(),
                            [](const Match& a, const Match& b) { return a.slot == b.slot; }),
                found.end());
    if (found.size() > count) found.resize(count);
  }
  return found;
}

// ---- Handing out --------------------------------------------------------------------------------

Handout SpaceState::Machine::show(const Match& match) const {
  const Entry& entry = tuples_[match.slot];
  Handout handout;
  handout.id = entry.id;
  handout.attempt = entry.attempt;
  handout.template_index = match.template_index;
  handout.tuple = entry.tuple;
  return handout;
}

Handout SpaceState::Machine::take(Session& session, RequestId request, const Match& match,
                                  Slot stream) {
  Entry& entry = tuples_[match.slot];
  const Slot slot = sessions_.hold(session);
  Holding& holding = sessions_.holding(slot);
  holding.entry = match.slot;
  holding.request = request;
  holding.template_index = match.template_index;
  holding.streamed = stream != kNoSlot;
  holding.stream = stream;
  entry.holding = slot;
  set_state(entry, EntryState::kTaken);
  counts_.bytes -= entry.tuple.byte_size();
  ++counts_.takes;
  if (entry.extra) untie(entry);
  emit(TupleTaken{entry.id, {session.id, request}, match.template_index, holding.streamed});
  if (stream == kNoSlot) {
    const auto [item, fresh] = session.remembered.try_emplace(request.value, TakenChain{});
    if (fresh) {
      std::get<TakenChain>(item->second).first = slot;
    } else if (auto* chain = std::get_if<TakenChain>(&item->second)) {
      holding.chain = std::exchange(chain->first, slot);
    }
  } else {
    waiters_[stream].unacknowledged.push_back(slot);
  }
  return show(match);
}

Handout SpaceState::Machine::reserve(Session& session, RequestId request, const Match& match,
                                     Duration lease, Slot stream, bool started) {
  Entry& entry = tuples_[match.slot];
  const Slot slot = sessions_.hold(session);
  Holding& holding = sessions_.holding(slot);
  holding.entry = match.slot;
  holding.request = request;
  holding.lease = lease;
  holding.since = now_;
  holding.template_index = match.template_index;
  holding.reserved = true;
  holding.started = started;
  holding.stream = stream;
  entry.holding = slot;
  ++entry.attempt;
  set_state(entry, EntryState::kReserved);
  ++counts_.takes;
  ++session.reserved;
  const bool first = session.reserved == 1 && session.transactions.empty();
  if (first || lease < session.lease_min) {
    session.lease_min = lease;
    arm(session);
  }
  if (stream != kNoSlot && !started) recall_.add_unstarted(slot);
  emit(TupleReserved{
      entry.id, entry.attempt, {session.id, request}, lease, started, match.template_index});
  Handout handout = show(match);
  handout.started = started;
  return handout;
}

// ---- One-shot requests --------------------------------------------------------------------------

void SpaceState::Machine::operate(Session& session, RequestId request, TakeOp&& op) {
  if (!check_templates(session, request, op.templates)) return;
  if (op.timeout < Duration::zero()) {
    return refuse(session, request, ErrorCode::kInvalidArgument,
                  "take: timeout is " + std::to_string(op.timeout.count()) +
                      " us; 0 does not wait, a positive one waits so long");
  }
  if (op.mode == TakeMode::kReserve && op.lease < kDurationMin) {
    return refuse(session, request, ErrorCode::kInvalidArgument,
                  "reserve: lease is " + std::to_string(op.lease.count()) +
                      " us, the shortest is 10 ms; ask for a longer one");
  }
  if (op.count_max == 0 || op.count_max > limits_.take_count_max) {
    return refuse(session, request,
                  op.count_max == 0 ? ErrorCode::kInvalidArgument : ErrorCode::kLimitExceeded,
                  "take: a count of " + std::to_string(op.count_max) + ", possible are 1 to " +
                      std::to_string(limits_.take_count_max) +
                      "; ask for fewer at a time or raise limits.take_count_max");
  }
  Slot transaction = kNoSlot;
  if (op.transaction.value != 0) {
    if (op.mode == TakeMode::kReserve) {
      return refuse(session, request, ErrorCode::kInvalidArgument,
                    "reserve: not in a transaction, which holds what it takes itself; take it");
    }
    transaction = enter(session, request, op.transaction);
    if (transaction == kNoSlot) return;
  }
  if (op.mode == TakeMode::kTake && !may_remember(session, request)) return;
  if (serve_now(session, request, op, transaction)) return;
  if (op.timeout == Duration::zero()) {
    note_none(transaction, op.mode, op.templates);
    return refuse(session, request, ErrorCode::kNoMatch, "take: nothing matches");
  }
  if (!may_wait(session, request)) return;
  wait(session, request, std::move(op), transaction);
}

bool SpaceState::Machine::serve_now(Session& session, RequestId request, const TakeOp& op,
                                    Slot transaction) {
  if (transaction != kNoSlot) return serve_inside(transaction, request, op);
  const std::vector<Match> matches =
      find_answer(op.templates, op.count_max, Seeker{op.mode == TakeMode::kRead});
  if (matches.empty()) return false;
  serve(session, request, op, matches);
  return true;
}

void SpaceState::Machine::serve(Session& session, RequestId request, const TakeOp& op,
                                const std::vector<Match>& matches) {
  Found found;
  found.tuples.reserve(matches.size());
  for (const Match& match : matches) {
    switch (op.mode) {
      case TakeMode::kRead:
        found.tuples.push_back(show(match));
        continue;
      case TakeMode::kTake:
        found.tuples.push_back(take(session, request, match, kNoSlot));
        break;
      case TakeMode::kReserve:
        // Whoever asks for a tuple by itself begins with it at once.
        found.tuples.push_back(reserve(session, request, match, op.lease, kNoSlot, true));
        break;
    }
    ready_.remove(match.slot);
  }
  reply(session, request, std::move(found));
}

void SpaceState::Machine::wait(Session& session, RequestId request, TakeOp&& op, Slot transaction) {
  const Slot slot = add_waiter(session, request, op.mode, std::move(op.templates));
  Waiter& waiter = waiters_[slot];
  if (transaction != kNoSlot) {
    waiter.transaction = transaction;
    ++transactions_[transaction].waiting;
  }
  waiter.lease = op.lease;
  waiter.deadline = later(now_, op.timeout);
  deadlines_.add(waiter.deadline, DueKind::kWaiter, waiter.number, slot);
  index(slot);
  if (op.mode == TakeMode::kReserve) try_recall_later(slot);
}

// ---- Repetition ---------------------------------------------------------------------------------

bool SpaceState::Machine::answer_again(Session& session, RequestId request,
                                       const Operation& operation) {
  const auto* end = std::get_if<EndOp>(&operation);
  const bool puts = std::holds_alternative<PutOp>(operation) ||
                    std::holds_alternative<CommitOp>(operation) ||
                    std::holds_alternative<CollectOp>(operation) || (end != nullptr && end->commit);
  const bool finishes =
      std::holds_alternative<FinishOp>(operation) || std::holds_alternative<ReleaseOp>(operation) ||
      std::holds_alternative<RenewOp>(operation) || std::holds_alternative<ReviveOp>(operation) ||
      std::holds_alternative<PauseOp>(operation) || std::holds_alternative<ResumeOp>(operation);
  const auto* take = std::get_if<TakeOp>(&operation);
  const bool begins = std::holds_alternative<BeginOp>(operation);
  if (!puts && !finishes && !begins && take == nullptr) return false;
  const auto remembered = session.remembered.find(request.value);
  if (remembered != session.remembered.end()) {
    if (const auto* done = std::get_if<PutDone>(&remembered->second)) {
      reply(session, request, begins ? Answer(Done{}) : Answer(*done));
    } else if (const auto* keyed = std::get_if<KeyedPutDone>(&remembered->second)) {
      reply(session, request, KeyedPutDone(*keyed));
    } else if (const auto* codes = std::get_if<FinishDone>(&remembered->second)) {
      reply(session, request, FinishDone(*codes));
    } else if (const auto* chain = std::get_if<TakenChain>(&remembered->second)) {
      std::vector<Slot> holdings;
      for (Slot slot = chain->first; slot != kNoSlot; slot = sessions_.holding(slot).chain) {
        holdings.push_back(slot);
      }
      reply(session, request, give_again(std::move(holdings)));
    } else {
      refuse(session, request, ErrorCode::kInvalidArgument,
             "request " + std::to_string(request.value) +
                 " was a cancel before; use a new number for a new request");
    }
    return true;
  }
  // A take that waits is not covered by the watermark.
  const bool covered =
      take == nullptr || (take->mode != TakeMode::kRead && take->timeout <= Duration::zero());
  if (request < session.acknowledged && covered) {
    refuse(session, request, ErrorCode::kInvalidArgument,
           "request " + std::to_string(request.value) +
               " was acknowledged already; use a new number for a new request");
    return true;
  }
  if (!session.transactions.empty() && answer_again_inside(session, request, operation)) {
    return true;
  }
  if (take == nullptr) return false;
  if (const auto waiting = session.waiters.find(request); waiting != session.waiters.end()) {
    const Slot slot = waiting->second;  // it waits anew
    if (waiters_[slot].stream) detach_holdings(slot);
    end_waiter(slot);
  }
  if (take->mode != TakeMode::kReserve) return false;
  std::vector<Slot> holdings = sessions_.holdings_of(session, request);
  std::erase_if(holdings, [this](Slot slot) { return !sessions_.holding(slot).reserved; });
  if (holdings.empty()) return false;
  reply(session, request, give_again(std::move(holdings)));
  return true;
}

Found SpaceState::Machine::give_again(std::vector<Slot> holdings) {
  std::sort(holdings.begin(), holdings.end(), [this](Slot a, Slot b) {
    return before(sessions_.holding(a).entry, sessions_.holding(b).entry);
  });
  Found found;
  for (const Slot slot : holdings) {
    const Holding& holding = sessions_.holding(slot);
    found.tuples.push_back(show({holding.entry, holding.template_index}));
    found.tuples.back().started = holding.started;
  }
  return found;
}

// ---- Waiters ------------------------------------------------------------------------------------

Slot SpaceState::Machine::add_waiter(Session& session, RequestId request, TakeMode mode,
                                     std::vector<Template>&& templates) {
  const Slot slot = waiters_.take();
  Waiter& waiter = waiters_[slot];
  waiter.origin = {session.id, request};
  waiter.session = &session;
  waiter.number = ++waiter_numbers_;
  waiter.mode = mode;
  waiter.templates = std::move(templates);
  waiter.turn = {0, ++turns_, slot};
  session.waiters[request] = slot;
  ++counts_.waiters;
  return slot;
}

// Its hand-outs, if it is a stream, have been dealt with.
void SpaceState::Machine::end_waiter(Slot slot) {
  unindex(slot);
  Waiter& waiter = waiters_[slot];
  if (waiter.transaction != kNoSlot) --transactions_[waiter.transaction].waiting;
  waiter.session->waiters.erase(waiter.origin.request);
  --counts_.waiters;
  waiters_.give_back(slot);
}

void SpaceState::Machine::index(Slot slot) {
  Waiter& waiter = waiters_[slot];
  if (waiter.indexed || waiter.session->silent) return;
  const bool reads = waiter.mode == TakeMode::kRead;
  waiter.turn.held = reads ? 0 : waiter.held;
  (reads ? readers_ : takers_).add(waiter);
  waiter.indexed = true;
}

void SpaceState::Machine::unindex(Slot slot) {
  Waiter& waiter = waiters_[slot];
  if (!waiter.indexed) return;
  (waiter.mode == TakeMode::kRead ? readers_ : takers_).remove(waiter);
  waiter.indexed = false;
}

// The tuple at `slot`, in no ready list, goes to the waiter whose turn it is.
void SpaceState::Machine::serve_waiter(const WaitIndex::Match& match, Slot slot) {
  Waiter& waiter = waiters_[match.waiter];
  const Match tuple{slot, match.template_index};
  if (waiter.stream) {
    unindex(match.waiter);
    deliver(match.waiter, tuple);
    if (waiter.has_credit()) index(match.waiter);
    return;
  }
  Session& session = *waiter.session;
  const RequestId request = waiter.origin.request;
  Found found;
  if (waiter.transaction != kNoSlot) {
    hold(waiter.transaction, request, tuple);
    found.tuples.push_back(show(tuple));
    end_waiter(match.waiter);
    return reply(session, request, std::move(found));
  }
  found.tuples.push_back(waiter.mode == TakeMode::kTake
                             ? take(session, request, tuple, kNoSlot)
                             : reserve(session, request, tuple, waiter.lease, kNoSlot, true));
  end_waiter(match.waiter);
  reply(session, request, std::move(found));
}

void SpaceState::Machine::expire_waiter(Slot slot) {
  const Waiter& waiter = waiters_[slot];
  note_none(waiter.transaction, waiter.mode, waiter.templates);
  refuse(*waiter.session, waiter.origin.request, ErrorCode::kNoMatch,
         "take: nothing matched in time");
  end_waiter(slot);
}

// After a silence: looks at what has become ready meanwhile, as if it had come anew.
void SpaceState::Machine::try_again(Slot slot) {
  Waiter& waiter = waiters_[slot];
  if (waiter.stream) return refill_later(slot);
  TakeOp op;
  op.mode = waiter.mode;
  op.templates = waiter.templates;
  op.lease = waiter.lease;
  Session& session = *waiter.session;
  if (serve_now(session, waiter.origin.request, op, waiter.transaction)) return end_waiter(slot);
  index(slot);
  if (op.mode == TakeMode::kReserve) try_recall_later(slot);
}

}  // namespace linden::core

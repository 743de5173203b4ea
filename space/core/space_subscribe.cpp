// space/core/space_subscribe.cpp: being told of puts (P30), and snapshots (P29).
#include <algorithm>

#include "space/core/space_machine.h"

namespace linden::core {

// ---- Beginning and ending -----------------------------------------------------------------------

void SpaceState::Machine::operate(Session& session, RequestId request, SubscribeOp&& op) {
  if (!check_templates(session, request, op.templates)) return;
  if (!op.initial && !op.follow) {
    return refuse(session, request, ErrorCode::kInvalidArgument,
                  "subscribe: neither what is there nor what is put is asked for; ask for one");
  }
  if (!check_credit(session, request, op.credit, true)) return;
  if (const auto standing = session.subscriptions.find(request);
      standing != session.subscriptions.end()) {
    return resume_subscription(standing->second, op);
  }
  if (may_subscribe(session, request)) begin_subscription(session, request, std::move(op));
}

bool SpaceState::Machine::may_subscribe(const Session& session, RequestId request) {
  if (session.waiters.contains(request)) {
    refuse(session, request, ErrorCode::kInvalidArgument,
           "subscribe: request " + std::to_string(request.value) +
               " waits already; use a new number for a new request");
    return false;
  }
  const bool one_too_many = session.subscriptions.size() >= limits_.subscriptions_per_session_max;
  if (!one_too_many && counts_.subscriptions < limits_.subscriptions_max) return true;
  refuse(session, request, ErrorCode::kOverloaded,
         one_too_many
             ? "subscribe: this session has " + std::to_string(session.subscriptions.size()) +
                   " subscriptions already; end some or raise "
                   "limits.subscriptions_per_session_max"
             : "subscribe: this space has " + std::to_string(counts_.subscriptions) +
                   " subscriptions already; try again later or raise "
                   "limits.subscriptions_max");
  return false;
}

void SpaceState::Machine::begin_subscription(Session& session, RequestId request,
                                             SubscribeOp&& op) {
  std::vector<Match> there;
  if (op.initial) {
    there = find_by_id(op.templates, TupleId{}, limits_.snapshot_tuples_max + 1);
    if (there.size() > limits_.snapshot_tuples_max) {
      return refuse(session, request, ErrorCode::kLimitExceeded,
                    "subscribe: more than " + std::to_string(limits_.snapshot_tuples_max) +
                        " tuples match, too many to be shown as of one instant; iterate over them "
                        "or raise limits.snapshot_tuples_max");
    }
  }
  const Slot slot = waiters_.take();
  Waiter& waiter = waiters_[slot];
  waiter.origin = {session.id, request};
  waiter.session = &session;
  waiter.number = ++waiter_numbers_;
  waiter.mode = TakeMode::kRead;
  waiter.stream = true;
  waiter.credit = op.credit;
  waiter.templates = std::move(op.templates);
  waiter.turn = {0, ++turns_, slot};
  // It was known once if it is resumed: the server was started again since, and has not counted
  // what was put.
  waiter.subscription =
      op.resume ? std::make_unique<Subscription>(op.received) : std::make_unique<Subscription>();
  Subscription& subscription = *waiter.subscription;
  subscription.attached = true;
  subscription.follows = op.follow;
  for (const Match& match : there) {
    const Entry& entry = tuples_[match.slot];
    subscription.add_initial(entry.id, match.template_index, entry.tuple);
  }
  session.subscriptions[request] = slot;
  ++counts_.subscriptions;
  if (op.follow) subscribers_.add(waiter);
  reply(session, request, Counted{subscription.initial_count()});
  tell_due(slot);
}

void SpaceState::Machine::resume_subscription(Slot slot, const SubscribeOp& op) {
  Waiter& waiter = waiters_[slot];
  Subscription& subscription = *waiter.subscription;
  waiter.credit = op.credit;
  subscription.attached = true;
  subscription.resume(op.received);
  reply(*waiter.session, waiter.origin.request, Counted{subscription.initial_count()});
  tell_due(slot);
}

void SpaceState::Machine::end_subscription(Slot slot) {
  Waiter& waiter = waiters_[slot];
  if (waiter.subscription->follows) subscribers_.remove(waiter);
  waiter.session->subscriptions.erase(waiter.origin.request);
  --counts_.subscriptions;
  waiters_.give_back(slot);
}

// The connection is gone; what comes meanwhile waits for the next one.
void SpaceState::Machine::detach_subscriptions(Session& session) {
  for (const auto& [request, slot] : session.subscriptions) {
    waiters_[slot].subscription->attached = false;
  }
}

void SpaceState::Machine::end_subscriptions(Session& session) {
  while (!session.subscriptions.empty()) end_subscription(session.subscriptions.begin()->second);
}

// ---- Telling ------------------------------------------------------------------------------------

// The tuple, whose fields are in fields_, was just put; whoever takes it does so afterwards.
void SpaceState::Machine::tell_subscribers(Slot slot) {
  subscribers_found_.clear();
  subscribers_.find_all(fields_, subscribers_found_);
  const Entry& entry = tuples_[slot];
  for (const WaitIndex::Match& match : subscribers_found_) {
    Subscription& subscription = *waiters_[match.waiter].subscription;
    subscription.add(entry.id, match.template_index, entry.tuple);
    tell_due(match.waiter);
    subscription.trim(limits_);
  }
}

void SpaceState::Machine::tell_due(Slot slot) {
  Waiter& waiter = waiters_[slot];
  Subscription& subscription = *waiter.subscription;
  if (!subscription.attached) return;
  while (auto due = subscription.next(waiter.credit, limits_)) {
    if (const auto* gap = std::get_if<Gap>(&*due)) {
      effects_->messages.emplace_back(std::in_place_type<Notice>, waiter.origin, *gap);
      waiter.notice_step = 0;  // what follows must not join a delivery from before the gap
      continue;
    }
    auto& item = std::get<Subscription::Item>(*due);
    Handout handout;
    handout.id = item.id;
    handout.template_index = item.template_index;
    handout.tuple = std::move(item.tuple);
    tell(waiter, std::move(handout));
  }
}

}  // namespace linden::core

// api/client/core_subscriptions.cpp: subscriptions: what the application does with them.
#include "api/client/core.h"

namespace linden::client {

std::shared_ptr<SubscriptionState> Core::subscribe(SpaceNumber space, SubscribeOp form,
                                                   Duration timeout, const Interrupt& interrupt) {
  Lock lock(mutex_);
  check_alive();
  auto state = std::make_shared<SubscriptionState>();
  state->space = space;
  state->form = form;
  state->id = enqueue(space, Operation(std::move(form)), AnswerTo::kNobody, false);
  subscriptions_.emplace(state->id, state);
  write_out();
  // Whoever puts after this call has returned is told of: so it waits until the space has begun.
  const bool begun = wait_until(lock, deadline_after(timeout), interrupt, [&] {
    return state->initial_count.has_value() || state->ended.has_value();
  });
  if (state->ended) {
    subscriptions_.erase(state->id);
    throw Error(state->ended->code, state->ended->message);
  }
  if (!begun) {
    end_subscription(*state);
    throw Error(ErrorCode::kOutcomeUnknown,
                "subscribe: the server did not answer in time; it may be busy or away");
  }
  return state;
}

std::vector<Subscription::Item> Core::next(SubscriptionState& state, Duration timeout,
                                           std::size_t count_max, const Interrupt& interrupt) {
  Lock lock(mutex_);
  std::vector<Subscription::Item> items;
  const bool ready =
      wait_until(lock, deadline_after(timeout), interrupt, [&] { return state.has_news(); });
  if (!ready) return items;
  if (state.queue.empty()) throw Error(state.ended->code, state.ended->message);
  while (!state.queue.empty() && items.size() < count_max) items.push_back(state.pop());
  if (state.ended) return items;
  if (auto acknowledgement = state.acknowledgement()) {
    enqueue(state.space, Operation(std::move(*acknowledgement)), AnswerTo::kNobody, true);
    write_soon();
  }
  return items;
}

std::uint64_t Core::initial_count(const SubscriptionState& state) {
  const Lock lock(mutex_);
  return state.initial_count.value_or(0);
}

void Core::announce(SubscriptionState& state) {
  const Lock lock(mutex_);
  check_alive();
  state.announced = true;
  announce_news(state);
  if (state.announced) return;
  changed_.notify_all();
  leader_wake_.signal();
}

// Something may have come: says so to whoever asked to be told.
void Core::announce_news(SubscriptionState& state) {
  if (!state.announced || !state.has_news()) return;
  state.announced = false;
  completions_.push_back({state.id, Answer(Done{})});
}

void Core::take_event(SubscriptionState& state, Event&& event) {
  if (auto* delivered = std::get_if<Delivered>(&event)) {
    state.deliver(std::move(delivered->tuples));
  } else if (const auto* gap = std::get_if<Gap>(&event)) {
    state.miss(*gap);
  } else if (auto* ended = std::get_if<StreamEnded>(&event)) {
    state.ended = std::move(ended->why);
  }
  announce_news(state);
}

void Core::take_answer(SubscriptionState& state, const AnyAnswer& answer) {
  const auto* of_space = std::get_if<Answer>(&answer);
  if (of_space == nullptr) return;
  if (const auto* counted = std::get_if<Counted>(of_space)) state.begun(counted->count);
  if (const auto* refused = std::get_if<Refused>(of_space)) state.ended = *refused;
  announce_news(state);
}

void Core::close_subscription(SubscriptionState& state) {
  const Lock lock(mutex_);
  if (!subscriptions_.contains(state.id)) return;
  state.queue.clear();
  state.ended = Refused{ErrorCode::kClosed, "the subscription was closed"};
  announce_news(state);
  changed_.notify_all();
  leader_wake_.signal();
  end_subscription(state);
}

void Core::end_subscription(const SubscriptionState& state) {
  const SpaceNumber space = state.space;
  const RequestId id = state.id;
  subscriptions_.erase(id);
  if (state_ != State::kConnected && state_ != State::kBroken) return;
  // Over a broken connection it may not have been asked for at all; then there is nothing to end,
  // and the cancel that is said after the reconnect finds none.
  pending_.finish(id);
  enqueue(space, Operation(CancelOp{id}), AnswerTo::kNobody, true);
  write_out();
}

}  // namespace linden::client

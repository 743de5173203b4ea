// api/client/stream_state.cpp
#include "api/client/stream_state.h"

#include <algorithm>
#include <utility>

namespace linden::client {

void StreamState::deliver(std::vector<Handout>&& tuples) {
  delivered += tuples.size();
  for (auto& tuple : tuples) {
    if (form.mode == TakeMode::kRead) {
      last = std::max(last, tuple.id);
    } else {
      held[tuple.id] = tuple.attempt;
    }
    queue.push_back(std::move(tuple));
  }
}

Handout StreamState::pop() {
  auto tuple = std::move(queue.front());
  queue.pop_front();
  if (uncounted > 0) {
    --uncounted;
  } else {
    ++consumed;
  }
  if (form.mode == TakeMode::kReserve && !tuple.started)
    started.push_back({tuple.id, tuple.attempt});
  if (form.mode == TakeMode::kTake) to_acknowledge.push_back(tuple.id);
  return tuple;
}

std::optional<Operation> StreamState::recall(Token token) {
  const auto holding = held.find(token.tuple);
  if (holding == held.end() || holding->second != token.attempt) return std::nullopt;
  const auto waiting = std::find_if(queue.begin(), queue.end(),
                                    [&](const Handout& one) { return one.id == token.tuple; });
  if (waiting == queue.end()) return FinishOp{{}, {token}};
  queue.erase(waiting);
  held.erase(holding);
  return ReleaseOp{{{token, false}}};
}

void StreamState::add_finish(std::optional<Token> token, std::vector<NewTuple>&& puts,
                             SteadyTime now) {
  if (items.empty()) gathering_since = now;
  if (token) held.erase(token->tuple);
  items.push_back({token, std::move(puts)});
}

void StreamState::ask(SteadyTime now) {
  pace = now - std::exchange(asked, now);
}

std::optional<FinishOp> StreamState::gather() {
  gathered_bytes = 0;
  if (items.empty() && started.empty()) return std::nullopt;
  // What was begun and has ended since is no news.
  std::erase_if(started, [&](const Token& token) {
    const auto holding = held.find(token.tuple);
    return holding == held.end() || holding->second != token.attempt;
  });
  if (items.empty() && started.empty()) return std::nullopt;
  return FinishOp{std::exchange(items, {}), std::exchange(started, {})};
}

std::optional<AckOp> StreamState::acknowledgement() {
  if (form.mode == TakeMode::kReserve) return std::nullopt;
  const auto news = consumed - acknowledged;
  const bool worth_it = news >= std::max<std::uint64_t>(1, form.credit / 4) ||
                        (form.mode == TakeMode::kTake && queue.empty() && news > 0);
  if (!worth_it) return std::nullopt;
  acknowledged = consumed;
  return AckOp{id, consumed, {}};
}

void StreamState::acknowledging(RequestId request) {
  if (form.mode != TakeMode::kTake) return;
  std::size_t told = to_acknowledge.size();
  for (const auto& [earlier, count] : acks) told -= count;
  acks.emplace_back(request, told);
}

// Only now may the space be asked anew without naming them.  An acknowledgement from before a
// reconnect counts for nothing: the stream that it spoke of is gone.
void StreamState::confirm(RequestId request) {
  const auto ack =
      std::find_if(acks.begin(), acks.end(), [&](const auto& one) { return one.first == request; });
  if (ack == acks.end()) return;
  const auto count = static_cast<std::ptrdiff_t>(ack->second);
  acks.erase(ack);
  for (auto one = to_acknowledge.begin(); one != to_acknowledge.begin() + count; ++one)
    held.erase(*one);
  to_acknowledge.erase(to_acknowledge.begin(), to_acknowledge.begin() + count);
}

StreamOp StreamState::reopened() {
  // The space counts deliveries anew, beginning with those that `held` names.
  StreamOp again = form;
  acknowledged = 0;
  acks.clear();
  if (form.mode == TakeMode::kRead) {
    again.after = std::max(form.after, last);
    delivered = consumed = 0;
    // What waits here was counted by nobody; its consumption must not acknowledge what comes next.
    uncounted = queue.size();
    return again;
  }
  delivered = held.size();
  consumed = to_acknowledge.size();
  again.held.reserve(held.size());
  for (const auto& [id, attempt] : held) again.held.push_back(id);
  std::sort(again.held.begin(), again.held.end());
  return again;
}

std::optional<ReleaseOp> StreamState::give_back_queue() {
  const auto back = std::exchange(queue, {});
  if (back.empty() || form.mode != TakeMode::kReserve) return std::nullopt;
  ReleaseOp release;
  for (const auto& handout : back) held.erase(handout.id);
  for (const auto& handout : back) release.items.push_back({{handout.id, handout.attempt}, false});
  return release;
}

}  // namespace linden::client

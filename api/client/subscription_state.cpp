#include "api/client/subscription_state.h"

#include <algorithm>

namespace linden::client {

namespace {

// The space has no more than some MiB on their way, so a few large tuples are worth a request too.
constexpr std::size_t kAcknowledgedBytes = std::size_t{1} << 20;

// A gap of unknown size has a number of its own.
std::uint64_t last_of(const Gap& gap) {
  return gap.first + std::max<std::uint64_t>(1, gap.count) - 1;
}

}  // namespace

void SubscriptionState::begun(std::uint64_t count) {
  counted = count;
  if (!initial_count) initial_count = count;
}

void SubscriptionState::deliver(std::vector<Handout>&& tuples) {
  for (Handout& one : tuples) {
    queue.emplace_back(Notification{++received, one.id, one.template_index, std::move(one.tuple)});
  }
}

void SubscriptionState::miss(const Gap& gap) {
  received = last_of(gap);
  if (gap.count == 0) counts_anew.push_back(counted);
  queue.emplace_back(gap);
}

Subscription::Item SubscriptionState::pop() {
  Subscription::Item item = std::move(queue.front());
  queue.pop_front();
  if (const auto* gap = std::get_if<Gap>(&item)) {
    consumed = last_of(*gap);
    if (gap->count == 0) {
      initial_count = counts_anew.front();
      counts_anew.pop_front();
    }
  } else {
    const auto& one = std::get<Notification>(item);
    consumed = one.number;
    consumed_bytes += one.tuple.byte_size();
  }
  return item;
}

std::optional<AckOp> SubscriptionState::acknowledgement() {
  const bool worth_it = consumed - acknowledged >= std::max<std::uint64_t>(1, form.credit / 4) ||
                        consumed_bytes >= kAcknowledgedBytes;
  if (!worth_it) return std::nullopt;
  acknowledged = consumed;
  consumed_bytes = 0;
  return AckOp{id, consumed, {}};
}

SubscribeOp SubscriptionState::resumed() const {
  SubscribeOp again = form;
  again.resume = initial_count.has_value();
  again.received = received;
  return again;
}

}  // namespace linden::client

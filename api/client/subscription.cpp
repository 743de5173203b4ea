// api/client/subscription.cpp: the public face of a subscription.
#include <linden/subscription.h>

#include "api/client/core.h"

namespace linden {

std::uint64_t Subscription::initial_count() const {
  return client_.core_->initial_count(*state_);
}

std::optional<Subscription::Item> Subscription::next(Duration timeout, const Interrupt& interrupt) {
  auto one = client_.core_->next(*state_, timeout, 1, interrupt);
  if (one.empty()) return std::nullopt;
  return std::move(one.front());
}

std::vector<Subscription::Item> Subscription::next_batch(Duration timeout, std::size_t count_max,
                                                         const Interrupt& interrupt) {
  return client_.core_->next(*state_, timeout, count_max, interrupt);
}

RequestId Subscription::announce() {
  client_.core_->announce(*state_);
  return state_->id;
}

void Subscription::close() {
  client_.core_->close_subscription(*state_);
}

}  // namespace linden

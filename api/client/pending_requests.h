// api/client/pending_requests.h: what was asked and not answered, to be said again after a
// reconnect (P36).  Pure.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <variant>

#include <linden/client.h>
#include <linden/operation.h>

#include "api/wire/messages.h"

namespace linden::detail {
class FutureState;  // linden/future.h
}

namespace linden::client {

using SteadyTime = std::chrono::steady_clock::time_point;

struct PendingRequest {
  SpaceNumber space;
  std::variant<Operation, wire::ServerOperation> operation;
  AnswerTo answer_to = AnswerTo::kWaiter;
  SteadyTime deadline = SteadyTime::max();  // of a take that waits
  bool quick = true;     // its answer is expected soon: no take that waits, no stream
  bool patient = false;  // its answer may wait for company (wire::Request)
  std::shared_ptr<detail::FutureState> future = nullptr;  // that the answer makes ready, if any
};

// Request ids rise by one, so the table is a deque with a moving start; what may wait for ever lies
// beside it and does not hold the start back.  O(1) each, O(log waiting) for what waits.
class PendingRequests {
 public:
  RequestId add(PendingRequest request);

  // Removes and returns it; nullopt if it is not pending: answered before.
  std::optional<PendingRequest> finish(RequestId id);

  [[nodiscard]] PendingRequest* find(RequestId id);

  // The answers to all quick requests below it have arrived.  Takes are acknowledged by name
  // (AckOp).
  [[nodiscard]] RequestId acknowledged() const { return {first_}; }

  // Requests whose answers are expected at once: more than a few mean that a short delay to gather
  // the next ones costs nothing.
  [[nodiscard]] std::size_t urgent_count() const { return urgent_; }

  // In the order in which they were asked.
  template <class Visit>
  void for_each(Visit&& visit) const {
    auto waiting = waiting_.begin();
    for (std::size_t i = 0; i < table_.size(); ++i) {
      for (; waiting != waiting_.end() && waiting->first < first_ + i; ++waiting) {
        visit(RequestId{waiting->first}, waiting->second);
      }
      if (table_[i]) visit(RequestId{first_ + i}, *table_[i]);
    }
    for (; waiting != waiting_.end(); ++waiting) visit(RequestId{waiting->first}, waiting->second);
  }

 private:
  std::uint64_t first_ = 1;
  std::size_t urgent_ = 0;                           // quick and not patient
  std::deque<std::optional<PendingRequest>> table_;  // quick ones
  std::map<std::uint64_t, PendingRequest> waiting_;  // the others
};

}  // namespace linden::client

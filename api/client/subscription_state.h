// api/client/subscription_state.h: one subscription as the client sees it.  Pure; guarded by its
// Core's mutex.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include <linden/operation.h>
#include <linden/subscription.h>

namespace linden::client {

// The space tells in order and says where numbers are missing, so numbers are counted here rather
// than sent with every tuple.
struct SubscriptionState {
  RequestId id;
  SpaceNumber space;
  SubscribeOp form;  // as first asked

  std::deque<Subscription::Item> queue;
  std::optional<std::uint64_t> initial_count;  // none: not answered yet
  std::uint64_t counted = 0;                   // by the latest answer
  std::deque<std::uint64_t> counts_anew;       // for each gap of unknown size in the queue
  std::uint64_t received = 0;                  // the number that came last, gaps included
  std::uint64_t consumed = 0;                  // the number that was given out last
  std::uint64_t acknowledged = 0;
  std::size_t consumed_bytes = 0;  // since it was acknowledged
  bool announced = false;          // somebody is to be told when next() would not wait
  std::optional<Refused> ended;

  // It stands, with so many tuples to be shown first.  If it had been forgotten, a gap follows, and
  // only behind that the count holds.
  void begun(std::uint64_t count);

  // Something came from the space.
  void deliver(std::vector<Handout>&& tuples);
  void miss(const Gap& gap);

  // The caller takes the oldest one; there must be one.
  Subscription::Item pop();

  [[nodiscard]] bool has_news() const { return !queue.empty() || ended.has_value(); }

  // An acknowledgement if enough was consumed for it to be worth a request.
  std::optional<AckOp> acknowledgement();

  // What to say to go on over another connection.
  [[nodiscard]] SubscribeOp resumed() const;
};

}  // namespace linden::client

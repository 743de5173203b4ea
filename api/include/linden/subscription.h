// linden/subscription.h: being told of every matching put (JavaSpaces' notify).
//
//   Subscription told = space.subscribe({"task", kInt});
//   while (auto item = told.next(kForever)) {
//     if (const auto* gap = std::get_if<Gap>(&*item)) {
//       // gap->count puts were missed
//     } else {
//       std::get<Notification>(*item).tuple;  // and its number, and its id
//     }
//   }
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include <linden/client.h>
#include <linden/operation.h>

namespace linden {

namespace client {
struct SubscriptionState;  // api/client/subscription_state.h
}

// One put.  The tuple may be gone by now: being told of it is not having it.
struct Notification {
  std::uint64_t number =
      0;  // 1, 2, 3, ... in this subscription, without gaps other than stated ones
  TupleId id;
  std::uint32_t template_index = 0;  // which of the subscription's templates matched
  Tuple tuple;
};

// Made by Space::subscribe.  Copies share it; every method may be called from any thread.
//
// Each matching put is told once, in the order in which the space applied them, also when the tuple
// was taken in the same step (P30).  Over a reconnect the subscription goes on where it was.  What
// a client that was too slow has missed, or what was put while a server was started again, is
// stated as a Gap in its place; a slow subscriber never slows a put.
class Subscription {
 public:
  using Item = std::variant<Notification, Gap>;

  // How many of the first items were there already when it began (SubscribeOp::initial).
  [[nodiscard]] std::uint64_t initial_count() const;

  // The next item; nullopt after `timeout` or if interrupted.  Reads the socket in the calling
  // thread when the local queue is empty.  What was returned is acknowledged by itself.  Throws
  // Error with the reason when the subscription or session has ended.
  [[nodiscard]] std::optional<Item> next(Duration timeout, const Interrupt& interrupt = {});
  // All that is there, at least one and at most `count_max`; empty after `timeout` or if
  // interrupted.
  [[nodiscard]] std::vector<Item> next_batch(Duration timeout, std::size_t count_max,
                                             const Interrupt& interrupt = {});

  // Client::completions() answers Done to the returned id once next() would not wait.  One
  // announcement at a time; asking again while one is outstanding is harmless.
  RequestId announce();

  // Ends it.  Waiting calls throw kClosed.
  void close();

 private:
  friend class Space;
  Subscription(Client client, std::shared_ptr<client::SubscriptionState> state)
      : client_(std::move(client)), state_(std::move(state)) {}
  Client client_;
  std::shared_ptr<client::SubscriptionState> state_;
};

}  // namespace linden

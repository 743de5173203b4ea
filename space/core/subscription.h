// space/core/subscription.h: what one subscription has still to tell, and what it has told (P30).
//
//   put ---> backlog ---.                       the client
//                       +--> told, un-acknowledged --> acknowledge(): gone
//   was there --> owed -'          |
//                  ^---------------' resume(): the connection broke before it arrived
//
// Only the backlog is bounded by dropping: the oldest go first, so that one run of numbers is
// missing, and the client is told of it in its place.  Tuples are shared with the space, so an item
// costs a few words.  Pure; belongs to its Waiter.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>

#include <boost/container/deque.hpp>

#include "api/model/operation.h"
#include "space/core/limits.h"

namespace linden::core {

class Subscription {
 public:
  struct Item {
    std::uint64_t number = 0;
    TupleId id;
    std::uint32_t template_index = 0;
    Tuple tuple;
  };

  Subscription() = default;
  // One that the space has forgotten; the client has everything up to `received`.  A gap of unknown
  // size takes the next number, so that it is known whether that was told.
  explicit Subscription(std::uint64_t received)
      : last_(received + 1), told_(received), forgotten_(received + 1) {}

  // It was there when the subscription began: never dropped.  Before any add().
  void add_initial(TupleId id, std::uint32_t template_index, const Tuple& tuple);
  // It was put.
  void add(TupleId id, std::uint32_t template_index, const Tuple& tuple);
  // Drops the oldest of the backlog beyond the limits; after what the credit allows was told.
  void trim(const Limits& limits);

  // What to tell next, which counts as told from now on: an item, or what is missing before it.
  // None: nothing is left, or so much is un-acknowledged already.
  std::optional<std::variant<Item, Gap>> next(std::uint32_t credit, const Limits& limits);

  // The client is done with everything up to `number`.
  void acknowledge(std::uint64_t number);
  // A new connection, over which everything up to `received` has arrived: the rest is told again.
  void resume(std::uint64_t received);

  [[nodiscard]] std::uint64_t initial_count() const { return initial_count_; }

  bool follows = true;    // is told of puts
  bool attached = false;  // there is a connection to tell it over

 private:
  using Items = boost::container::deque<Item>;
  std::uint64_t last_ = 0;       // the number given last
  std::uint64_t told_ = 0;       // the number told last, gaps included
  std::uint64_t forgotten_ = 0;  // the number of the gap of unknown size; 0: there is none
  std::uint64_t initial_count_ = 0;
  Items unacknowledged_;
  Items owed_;
  Items backlog_;
  std::size_t unacknowledged_bytes_ = 0;
  std::size_t backlog_bytes_ = 0;
};

}  // namespace linden::core

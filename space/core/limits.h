// space/core/limits.h: every bound of a space in one place, each with its answer (P38).
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

namespace linden::core {

struct Limits {
  std::size_t put_tuples_max = 100'000;  // in one put or finish; kLimitExceeded
  // Head and attachments; a frame of 1 GiB holds one, with room for what is said beside it.
  // kLimitExceeded
  std::size_t tuple_bytes_max = (std::size_t{1} << 30) - (std::size_t{1} << 20);
  // Heads and attachments of all tuples of the space.  A put beyond it: kOverloaded; one that would
  // not fit into an empty space: kLimitExceeded.  What ends tuples is never refused for it (P33).
  std::uint64_t bytes_max = std::numeric_limits<std::uint64_t>::max();
  std::size_t templates_max = 64;       // in one take or stream; kLimitExceeded
  std::size_t waiters_max = 1'000'000;  // blocked requests and streams of a space; kOverloaded
  std::size_t waiters_per_session_max = 100'000;           // kOverloaded
  std::size_t remembered_per_session_max = 1'000'000;      // unacknowledged answers; kOverloaded
  std::uint32_t take_count_max = 100'000;                  // in one bulk take; kLimitExceeded
  std::uint32_t credit_max = 1'000'000;                    // of one stream; kLimitExceeded
  std::size_t commit_tuples_max = 100'000;                 // removed by one commit; kLimitExceeded
  std::size_t collect_tuples_max = 1'000'000;              // by one collect; kLimitExceeded
  std::size_t collect_bytes_max = std::size_t{256} << 20;  // likewise
  std::size_t transactions_per_session_max = 1'000;        // open at a time; kOverloaded
  std::size_t transaction_items_max = 10'000;  // put, taken, read or not found; kLimitExceeded
  std::size_t subscriptions_max = 10'000;      // of a space; kOverloaded
  std::size_t subscriptions_per_session_max = 1'000;  // kOverloaded
  // What one subscription has still to tell: beyond it the oldest are dropped, and the client is
  // told of the gap.  Also the largest credit; kLimitExceeded.
  std::size_t subscription_backlog_max = 100'000;
  std::size_t subscription_bytes_max = std::size_t{64} << 20;  // likewise, and un-acknowledged
  std::size_t snapshot_tuples_max = 1'000'000;  // shown as of one instant; kLimitExceeded
  std::size_t list_tuples_max = 10'000;         // in one page; more is cut to it
  std::size_t answer_bytes_max = std::size_t{64}
                                 << 20;  // a bulk answer or page ends before it grows beyond this
  std::size_t name_bytes_max = 1024;     // of a key or a group's name; kLimitExceeded
  std::size_t keys_max = 1'000'000;      // remembered in a space; kOverloaded
  std::size_t guards_per_tuple_max = 10'000;  // kLimitExceeded
  std::size_t guards_max = 2'000'000;         // of a space that nothing has met yet; kOverloaded
  std::size_t lease_warnings_max = 8;         // tuples named at a time; the others are counted
  std::size_t pauses_max = 100;               // pauses and drains of a space; kOverloaded
  std::size_t indexes_per_arity_max = 16;  // learned masks; the one unused for longest is dropped
};

}  // namespace linden::core

// space/core/limits.h: every bound of a space in one place, each with its answer (P38).
#pragma once

#include <cstddef>
#include <cstdint>

namespace linden::core {

struct Limits {
  std::size_t put_tuples_max = 100'000;  // in one put or finish; kLimitExceeded
  // Head and attachments; a frame of 1 GiB holds one, with room for what is said beside it.
  // kLimitExceeded
  std::size_t tuple_bytes_max = (std::size_t{1} << 30) - (std::size_t{1} << 20);
  std::size_t templates_max = 64;       // in one take or stream; kLimitExceeded
  std::size_t waiters_max = 1'000'000;  // blocked requests and streams of a space; kOverloaded
  std::size_t waiters_per_session_max = 100'000;       // kOverloaded
  std::size_t remembered_per_session_max = 1'000'000;  // unacknowledged answers; kOverloaded
  std::uint32_t take_count_max = 100'000;              // in one bulk take; kLimitExceeded
  std::uint32_t credit_max = 1'000'000;                // of one stream; kLimitExceeded
  std::size_t list_tuples_max = 10'000;                // in one page; more is cut to it
  std::size_t answer_bytes_max = std::size_t{64}
                                 << 20;  // a bulk answer or page ends before it grows beyond this
  std::size_t name_bytes_max = 1024;     // of a key or a group's name; kLimitExceeded
  std::size_t keys_max = 1'000'000;      // remembered in a space; kOverloaded
  std::size_t guards_per_tuple_max = 10'000;  // kLimitExceeded
  std::size_t guards_max = 2'000'000;         // of a space that nothing has met yet; kOverloaded
  std::size_t indexes_per_arity_max = 16;  // learned masks; the one unused for longest is dropped
};

}  // namespace linden::core

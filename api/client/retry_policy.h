// api/client/retry_policy.h: how long to wait before the next attempt to connect.  Pure.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace linden::client {

// Doubles from 5 ms to half a second, spread by up to a quarter so that many clients do not come
// back in step.  `random` is any number.
[[nodiscard]] inline std::chrono::microseconds retry_delay(unsigned attempt, std::uint64_t random) {
  const auto base = std::min<std::int64_t>(500'000, std::int64_t{5'000} << std::min(attempt, 10U));
  return std::chrono::microseconds(
      base - static_cast<std::int64_t>(random % static_cast<std::uint64_t>(base / 4)));
}

}  // namespace linden::client

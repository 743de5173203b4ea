// linden/ids.h: strong types for what is numbered, so that ids cannot be confused, and the clock of
// the space.
#pragma once

#include <array>
#include <chrono>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>

namespace linden {

namespace detail {
template <class Tag, class Number>
struct StrongId {
  Number value = 0;
  friend auto operator<=>(const StrongId&, const StrongId&) = default;
};
}  // namespace detail

using TupleId = detail::StrongId<struct TupleIdTag,
                                 std::uint64_t>;  // rises with every put in a space; 0 is none
using RequestId =
    detail::StrongId<struct RequestIdTag, std::uint64_t>;  // rises within a session; 0 is none
using SpaceNumber = detail::StrongId<struct SpaceNumberTag,
                                     std::uint32_t>;  // given at creation, never reused; 0 is none

// A session outlives its connections.  Made by the client from random bits, so that saying hello
// twice is harmless.
struct SessionId {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  [[nodiscard]] bool is_none() const noexcept { return high == 0 && low == 0; }
  friend auto operator<=>(const SessionId&, const SessionId&) = default;
};
[[nodiscard]] std::string to_string(const SessionId& session);  // 32 hexadecimal digits

// Fencing token of a hand-out (P16): the attempt rises each time the tuple is handed out, over
// restarts too.
struct Token {
  TupleId tuple;
  std::uint32_t attempt = 0;
  friend auto operator<=>(const Token&, const Token&) = default;
};

// Durations cross the wire, instants never do (P39).  `Time` is the server's running time:
// monotonic while it runs, and going on after a restart from where the log ends.
using Duration = std::chrono::microseconds;
struct SpaceClock {
  using rep = std::int64_t;
  using period = std::micro;
  using duration = Duration;
  using time_point = std::chrono::time_point<SpaceClock>;
  static constexpr bool is_steady = true;
};
using Time = SpaceClock::time_point;
inline constexpr Duration kForever = Duration::max();
inline constexpr Time kNever = Time::max();

}  // namespace linden

template <>
struct std::hash<linden::SessionId> {
  std::size_t operator()(const linden::SessionId& id) const noexcept {
    return id.low ^ (id.high * 0x9E3779B97F4A7C15ULL);
  }
};
template <class Tag, class Number>
struct std::hash<linden::detail::StrongId<Tag, Number>> {
  std::size_t operator()(const linden::detail::StrongId<Tag, Number>& id) const noexcept {
    return static_cast<std::size_t>(id.value) * 0x9E3779B97F4A7C15ULL;
  }
};

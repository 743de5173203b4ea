// linden/attributes.h: what a put may say about a tuple beside its fields.
#pragma once

#include <cstdint>
#include <optional>

#include <linden/ids.h>
#include <linden/tuple.h>

namespace linden {

struct Attributes {
  std::int32_t priority = 0;    // higher is handed out first (P5, P22)
  std::optional<Duration> ttl;  // gone after this; at least 10 ms (P21)
  std::uint32_t max_attempts =
      0;  // started hand-outs that may end without a finish; 0: no bound (P19).
          // 1 also means: never handed out ahead, so that it cannot start twice.
  std::optional<Tuple>
      will;  // put in the same step when the attempts are used up or `lives_with` ends (P19)
  std::optional<SessionId>
      lives_with;  // gone when that session ends (P25); the will, if any, is put instead

  [[nodiscard]] bool is_plain() const noexcept {
    return !ttl && max_attempts == 0 && !will && !lives_with;
  }
  friend bool operator==(const Attributes&, const Attributes&) = default;
};

struct NewTuple {
  Tuple tuple;
  Attributes attributes;
  friend bool operator==(const NewTuple&, const NewTuple&) = default;
};

}  // namespace linden

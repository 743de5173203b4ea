// linden/attributes.h: what a put may say about a tuple beside its fields.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <linden/ids.h>
#include <linden/template.h>
#include <linden/tuple.h>

namespace linden {

// What a guarded tuple waits for (P24): a tuple that matches `form`, in the space already or put
// later.  It stays where it is; what a guard has seen once it has seen for good.
struct Guard {
  // Field `from` of the tuple that matched becomes field `to` of the guarded one.
  struct Fill {
    std::uint32_t from = 0;
    std::uint32_t to = 0;
    friend bool operator==(const Fill&, const Fill&) = default;
  };
  Template form;
  std::vector<Fill> fills;

  friend bool operator==(const Guard& a, const Guard& b);
};

// What only few puts say.
struct RareAttributes {
  // Stores once (P23): a put with the key of an earlier one in the same space, within that one's
  // window, gives the earlier id and stores nothing; kKeyConflict if tuple or attributes differ.
  // UTF-8; empty: no key.
  std::string key;
  Duration key_window = std::chrono::hours(1);  // remembered for so long; at least 10 ms
  Duration delay{0};  // not visible before (P22); at least 10 ms, 0: visible at once
  // FIFO (P22): at most one tuple of a group is out at a time, in order of put.  A later one is
  // found by no template until the earlier ones are finished, taken or gone.  UTF-8; empty: none.
  std::string group;
  // Not visible until each of these has been met (P24).  What a guard fills may be put as nil.
  std::vector<Guard> when;

  friend bool operator==(const RareAttributes&, const RareAttributes&) = default;
};

// RareAttributes or none, behind one pointer, so that those who say nothing of it do not pay for
// it.  Immutable; copying shares.
class Rare {
 public:
  Rare() = default;
  Rare(RareAttributes attributes)  // NOLINT(google-explicit-constructor)
      : shared_(std::make_shared<const RareAttributes>(std::move(attributes))) {}
  [[nodiscard]] explicit operator bool() const noexcept { return shared_ != nullptr; }
  [[nodiscard]] const RareAttributes& operator*() const noexcept { return *shared_; }
  [[nodiscard]] const RareAttributes* operator->() const noexcept { return shared_.get(); }
  friend bool operator==(const Rare& a, const Rare& b) {
    return a.shared_ == b.shared_ || (a && b && *a == *b);
  }

 private:
  std::shared_ptr<const RareAttributes> shared_;
};

struct Attributes {             // all that a put may say
  std::int32_t priority = 0;    // higher is handed out first (P5, P22)
  std::optional<Duration> ttl;  // gone after this; at least 10 ms (P21)
  std::uint32_t max_attempts =
      0;  // started hand-outs that may end without a finish; 0: no bound (P19).
          // 1 also means: never handed out ahead, so that it cannot start twice.
  std::optional<Tuple>
      will;  // put in the same step when the attempts are used up or `lives_with` ends (P19)
  std::optional<SessionId>
      lives_with;  // gone when that session ends (P25); the will, if any, is put instead
  Rare rare;       // the rest

  [[nodiscard]] bool is_plain() const noexcept {  // nothing but a priority
    return !ttl && max_attempts == 0 && !will && !lives_with && !rare;
  }
  friend bool operator==(const Attributes&, const Attributes&) = default;
};

struct NewTuple {         // what is put
  Tuple tuple;            // its fields
  Attributes attributes;  // what is said of it
  friend bool operator==(const NewTuple&, const NewTuple&) = default;
};

}  // namespace linden

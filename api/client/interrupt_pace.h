// api/client/interrupt_pace.h: when a call that waits asks its Interrupt again.  Pure.
#pragma once

#include <algorithm>
#include <chrono>

#include <linden/ids.h>

namespace linden::client {

class InterruptPace {
 public:
  using Time = std::chrono::steady_clock::time_point;

  InterruptPace(Time now, Duration longest) : longest_(longest), asked_(now) {}

  // A thread that leads is woken by signals; one that waits for another to read is not.
  [[nodiscard]] Time due(bool leads) const { return asked_ + (leads ? pause_ : kFirst); }

  // A signal that came just before the wait has woken nobody, so the first pause is short.
  void asked(Time now) {
    asked_ = now;
    pause_ = std::clamp(2 * pause_, kFirst, std::max(kFirst, longest_));
  }

 private:
  static constexpr Duration kFirst = std::chrono::milliseconds(100);

  Duration longest_;
  Duration pause_ = kFirst;
  Time asked_;
};

}  // namespace linden::client

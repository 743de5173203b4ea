// space/server/busy_poll.h: whether a thread with nothing to do should look again at once rather
// than sleep.
//
// To be woken from sleep costs more than to serve a small request
// (docs/decisions/0009-busy-poll.md).  So a thread whose next message has lately come soon looks
// for it without sleeping, for as long as that takes no core from anyone: it offers the core at
// every look, and if somebody takes it for long, sleeps. Pure: time is an argument.
#pragma once

#include <linden/ids.h>

namespace linden::server {

class BusyPoll {
 public:
  // A gap of at most `gap_max` is waited out awake; 0: never.
  explicit BusyPoll(Duration gap_max) : gap_max_(gap_max) {}

  // There was nothing to do at `now`, having been asked before or not.  True: look again.
  [[nodiscard]] bool look_again(Time now);
  // There was something to do again at `now`, after looking or sleeping.
  void found(Time now);
  // The core was offered at `before` and came back at `after`.
  void offered(Time before, Time after);

 private:
  const Duration gap_max_;
  Time idle_since_ = kNever;  // kNever: not idle
  Duration gap_expected_{0};  // of the latest gaps, on average
  Time not_before_{};         // others wanted the core a moment ago
};

}  // namespace linden::server

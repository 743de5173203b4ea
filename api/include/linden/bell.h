// linden/bell.h: wakes a thread that looks after several things, whichever of them wants it.
#pragma once

#include <memory>

#include <linden/ids.h>

namespace linden {

// Copies share it.  Every method may be called from any thread, ring() from a signal handler, too.
class Bell {
 public:
  // Throws Error kInternal: this process may open no more files.
  Bell();

  // Ends the wait, or the next one if nobody waits.  However often it is rung, one wait ends.
  void ring() const noexcept;
  // Rings in so long, or earlier if that was said before.  Nobody is woken now.
  void ring_within(Duration delay) const noexcept;
  // Waits until it is rung, or until `descriptor` has something to read; false after `timeout` or a
  // signal.  For one thread at a time.
  bool wait(Duration timeout, int descriptor = -1) const noexcept;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace linden

// space/server/clock.h: the only caller of now().
#pragma once

#include <chrono>

#include <linden/ids.h>

namespace linden::server {

// Server time (P39): monotonic, and going on after a restart from where the log ends.  Any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual Time now() const = 0;
};

// Runs from `start`, which is the time of the last commit that storage knows.
class SystemClock final : public Clock {
 public:
  explicit SystemClock(Time start) : start_(start), since_(std::chrono::steady_clock::now()) {}
  [[nodiscard]] Time now() const override {
    return start_ + std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - since_);
  }

 private:
  Time start_;
  std::chrono::steady_clock::time_point since_;
};

}  // namespace linden::server

// workers/cpp/prefetch.h: how many tasks a thread of an engine should hold.  As
// workers/python/linden_engine/prefetch.py.
#pragma once

#include <cstdint>

namespace linden {

// While one task runs, the next should already be here, or the thread waits for the network after
// each.  Tasks that take far less than such a wait need more of them; long ones none beyond the
// next, since somebody idle may want it.
class Prefetch {
 public:
  explicit Prefetch(std::uint32_t credit_max);
  [[nodiscard]] std::uint32_t credit() const noexcept { return credit_; }
  // A task ran for `seconds`; whether credit() has changed.
  [[nodiscard]] bool observe(double seconds);

 private:
  std::uint32_t credit_max_;
  std::uint32_t credit_;
  double mean_s_;
};

}  // namespace linden

// api/client/bell.cpp
#include <linden/bell.h>

#include <poll.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <mutex>

#include "api/client/socket.h"

namespace linden {
namespace {

using std::chrono::milliseconds;

constexpr Duration kLongest = std::chrono::hours(24);

}  // namespace

struct Bell::State {
  client::WakeUp rung;
  std::mutex mutex;  // of the timer
  client::Timer timer;
};

Bell::Bell() : state_(std::make_shared<State>()) {}

void Bell::ring() const noexcept {
  state_->rung.signal();
}

void Bell::ring_within(Duration delay) const noexcept {
  const std::scoped_lock lock(state_->mutex);
  state_->timer.arm(
      std::chrono::duration_cast<std::chrono::microseconds>(std::min(delay, kLongest)));
}

bool Bell::wait(Duration timeout, int descriptor) const noexcept {
  std::array<pollfd, 3> entries{pollfd{state_->rung.fd(), POLLIN, 0},
                                pollfd{state_->timer.fd(), POLLIN, 0},
                                pollfd{descriptor, POLLIN, 0}};  // one below 0 is passed over
  const auto longest_ms =
      timeout == kForever ? -1
                          : std::chrono::ceil<milliseconds>(std::min(timeout, kLongest)).count();
  if (::poll(entries.data(), entries.size(), static_cast<int>(longest_ms)) <= 0) return false;
  if (entries[0].revents != 0) state_->rung.drain();
  if (entries[1].revents != 0) {
    const std::scoped_lock lock(state_->mutex);
    state_->timer.drain();
  }
  return true;
}

}  // namespace linden

// api/client/socket.h: file descriptors and connecting, the only place in the client that knows
// socket families.
#pragma once

#include <chrono>
#include <utility>

#include <linden/result.h>

#include "api/client/address.h"

namespace linden::client {

// Owns a file descriptor.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor();
  [[nodiscard]] int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// An eventfd: wakes whoever polls it.
class WakeUp {
 public:
  WakeUp();
  void signal() const noexcept;
  void drain() const noexcept;
  [[nodiscard]] int fd() const noexcept { return descriptor_.get(); }

 private:
  Descriptor descriptor_;
};

// A timerfd that remembers for when it is armed, so that arming it for later costs nothing.
class Timer {
 public:
  Timer();
  // Fires after `delay`, or earlier if it is armed for earlier already.
  void arm(std::chrono::microseconds delay) noexcept;
  // It has fired: may be armed again.
  void drain() noexcept;
  [[nodiscard]] int fd() const noexcept { return descriptor_.get(); }

 private:
  Descriptor descriptor_;
  std::chrono::steady_clock::time_point fires_ = std::chrono::steady_clock::time_point::max();
};

// A connected, non-blocking stream socket.  kUnreachable names the address and the reason.
[[nodiscard]] Result<Descriptor> connect_to(const Address& address,
                                            std::chrono::milliseconds timeout);

}  // namespace linden::client

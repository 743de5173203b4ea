// api/client/socket.cpp
#include "api/client/socket.h"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <unistd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>

namespace linden::client {

namespace {

Failure unreachable(const std::string& where, const std::string& why) {
  return {ErrorCode::kUnreachable, "no space server at " + where + ": " + why +
                                       "; is it running, and is the address right?"};
}

Descriptor checked(int fd, const char* what) {
  if (fd < 0) throw Error(ErrorCode::kInternal, std::string(what) + ": " + std::strerror(errno));
  return Descriptor(fd);
}

// Finishes a non-blocking connect.  0 or the error number.
int finish_connect(int fd, std::chrono::milliseconds timeout) {
  pollfd entry{fd, POLLOUT, 0};
  const int ready = ::poll(&entry, 1, static_cast<int>(timeout.count()));
  if (ready == 0) return ETIMEDOUT;
  if (ready < 0) return errno;
  int error = 0;
  socklen_t size = sizeof(error);
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

int connect_socket(int fd, const sockaddr* address, socklen_t size,
                   std::chrono::milliseconds timeout) {
  if (::connect(fd, address, size) == 0) return 0;
  if (errno == EINPROGRESS) return finish_connect(fd, timeout);
  return errno;
}

Result<Descriptor> connect_unix(const Address& address, std::chrono::milliseconds timeout) {
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return unreachable("unix:" + address.path, std::strerror(errno));
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path, address.path.data(), address.path.size());
  const int error =
      connect_socket(socket.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(name), timeout);
  if (error != 0) return unreachable("unix:" + address.path, std::strerror(error));
  return socket;
}

Result<Descriptor> connect_tcp(const Address& address, std::chrono::milliseconds timeout) {
  const auto where = "tcp:" + address.host + ":" + std::to_string(address.port);
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failed =
      ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found);
  if (failed != 0)
    return unreachable(where, std::string("unknown host: ") + ::gai_strerror(failed));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  int error = EADDRNOTAVAIL;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    Descriptor socket(
        ::socket(one->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, one->ai_protocol));
    if (!socket) continue;
    error = connect_socket(socket.get(), one->ai_addr, one->ai_addrlen, timeout);
    if (error != 0) continue;
    const int yes = 1;
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    return socket;
  }
  return unreachable(where, std::strerror(error));
}

}  // namespace

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

WakeUp::WakeUp() : descriptor_(checked(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd")) {}

void WakeUp::signal() const noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(descriptor_.get(), &one, sizeof(one));
}

void WakeUp::drain() const noexcept {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto read = ::read(descriptor_.get(), &count, sizeof(count));
}

Timer::Timer()
    : descriptor_(
          checked(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), "timerfd")) {}

void Timer::arm(std::chrono::microseconds delay) noexcept {
  const auto when = std::chrono::steady_clock::now() + delay;
  if (fires_ <= when) return;
  fires_ = when;
  itimerspec spec{};
  spec.it_value.tv_sec = delay.count() / 1'000'000;
  spec.it_value.tv_nsec = (delay.count() % 1'000'000) * 1'000 + 1;
  ::timerfd_settime(descriptor_.get(), 0, &spec, nullptr);
}

void Timer::drain() noexcept {
  std::uint64_t count = 0;
  if (::read(descriptor_.get(), &count, sizeof(count)) > 0)
    fires_ = std::chrono::steady_clock::time_point::max();
}

Result<Descriptor> connect_to(const Address& address, std::chrono::milliseconds timeout) {
  return address.kind == Address::Kind::kUnix ? connect_unix(address, timeout)
                                              : connect_tcp(address, timeout);
}

}  // namespace linden::client

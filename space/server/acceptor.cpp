#include "space/server/acceptor.h"

#include <unistd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace linden::server {

namespace asio = boost::asio;

namespace {

// Room for a few thousand pipelined requests; the kernel takes it only as it is used.
constexpr int kUnixBufferBytes = 1 << 20;

// Out of descriptors, say: those who are here go on, others wait in the kernel's queue.
constexpr std::chrono::milliseconds kPause{100};

constexpr int kAcceptsPerRound = 64;

}  // namespace

Acceptor::Acceptor(asio::io_context& context, Listening listening, OnAccept on_accept, Log& log)
    : socket_(std::in_place, context, listening.socket.release()),
      pause_timer_(context),
      is_tcp_(listening.is_tcp),
      address_(std::move(listening.address)),
      on_accept_(std::move(on_accept)),
      log_(log) {}

void Acceptor::start() {
  if (!socket_) return;
  socket_->async_wait(asio::posix::descriptor_base::wait_read,
                      [this](const boost::system::error_code& error) {
                        if (!error) on_readable();
                      });
}

void Acceptor::on_readable() {
  for (int i = 0; i < kAcceptsPerRound; ++i) {
    if (!socket_ || !accept_one()) return;
  }
  start();
}

bool Acceptor::accept_one() {
  FileDescriptor socket(
      ::accept4(socket_->native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket.is_open()) {
    if (errno == EINTR || errno == ECONNABORTED) return true;
    if (errno == EAGAIN) {
      start();
    } else {
      log_.warn("accept_failed address={} why={}", in_quotes(address_),
                in_quotes(std::strerror(errno)));
      pause();
    }
    return false;
  }
  const int on = 1;
  if (is_tcp_) {
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  } else {
    ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDBUF, &kUnixBufferBytes, sizeof(kUnixBufferBytes));
  }
  on_accept_(std::move(socket));
  return true;
}

void Acceptor::pause() {
  pause_timer_.expires_after(kPause);
  pause_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) start();
  });
}

void Acceptor::close() {
  if (!socket_) return;
  socket_.reset();
  pause_timer_.cancel();
  if (!is_tcp_) ::unlink(address_.c_str());
}

}  // namespace linden::server

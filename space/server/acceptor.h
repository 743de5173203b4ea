// space/server/acceptor.h: new connections of one listening socket.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "space/server/file_descriptor.h"
#include "space/server/listen.h"
#include "space/server/log.h"

namespace linden::server {

// Belongs to the home strand.
class Acceptor {
 public:
  using OnAccept = std::function<void(FileDescriptor)>;
  Acceptor(boost::asio::io_context& context, Listening listening, OnAccept on_accept, Log& log);

  [[nodiscard]] const std::string& address() const { return address_; }
  [[nodiscard]] bool is_tcp() const { return is_tcp_; }

  void start();
  // Refuses new connections from now on; removes the file of a Unix socket.
  void close();

 private:
  void on_readable();
  // False: no more for now.
  bool accept_one();
  void pause();

  std::optional<boost::asio::posix::stream_descriptor> socket_;
  boost::asio::steady_timer pause_timer_;
  const bool is_tcp_;
  const std::string address_;
  OnAccept on_accept_;
  Log& log_;
};

}  // namespace linden::server

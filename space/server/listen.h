// space/server/listen.h: sockets that wait for clients.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <linden/result.h>

#include "space/server/file_descriptor.h"

namespace linden::server {

struct Listening {
  FileDescriptor socket;  // non-blocking, listening
  bool is_tcp = false;
  std::string address;  // the path, or "127.0.0.1:4711" with the port that was found
};

// The file is made with mode 0600.  One that nobody listens on is replaced; kUnreachable says so if
// another server listens there, if something else than a socket lies there, or if the path is too
// long.
[[nodiscard]] Result<Listening> listen_unix(const std::string& path);

// "127.0.0.1:0", "localhost:4711", "[::1]:4711"; port 0 takes any that is free.  Other addresses
// than loopback are refused until clients can be authenticated.
[[nodiscard]] Result<Listening> listen_tcp(std::string_view address);

struct TcpAddress {
  std::string host;
  std::uint16_t port = 0;
};
// Pure.  kInvalidArgument says what an address looks like.
[[nodiscard]] Result<TcpAddress> parse_tcp_address(std::string_view address);

}  // namespace linden::server

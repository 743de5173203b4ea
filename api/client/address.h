// api/client/address.h: where a server listens, from text.  Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <linden/result.h>

namespace linden::client {

struct Address {
  enum class Kind : std::uint8_t { kUnix, kTcp } kind = Kind::kUnix;
  std::string path;        // kUnix
  std::string host;        // kTcp
  std::uint16_t port = 0;  // kTcp
};

// "unix:/path", "tcp:host:port" or "tcp:[v6 address]:port"; a bare path that begins with '/' is a
// Unix socket. kInvalidArgument says what was wrong.
[[nodiscard]] Result<Address> parse_address(std::string_view text);

}  // namespace linden::client

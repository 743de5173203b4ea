// api/client/address.cpp
#include "api/client/address.h"

#include <sys/un.h>

#include <charconv>

namespace linden::client {

namespace {

Failure wrong(std::string_view text, std::string_view why) {
  return {ErrorCode::kInvalidArgument, "address '" + std::string(text) + "': " + std::string(why) +
                                           "; write unix:/path/to.sock or tcp:host:port"};
}

Result<Address> parse_tcp(std::string_view text, std::string_view rest) {
  const auto colon = rest.rfind(':');
  if (colon == std::string_view::npos) return wrong(text, "the port is missing");
  auto host = rest.substr(0, colon);
  const auto port_text = rest.substr(colon + 1);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  if (host.empty()) return wrong(text, "the host is missing");
  std::uint16_t port = 0;
  const auto* end = port_text.data() + port_text.size();
  const auto parsed = std::from_chars(port_text.data(), end, port);
  if (parsed.ec != std::errc() || parsed.ptr != end || port == 0) {
    return wrong(text, "the port is no number from 1 to 65535");
  }
  return Address{Address::Kind::kTcp, {}, std::string(host), port};
}

}  // namespace

Result<Address> parse_address(std::string_view text) {
  if (text.starts_with("tcp:")) return parse_tcp(text, text.substr(4));
  const auto path = text.starts_with("unix:") ? text.substr(5) : text;
  if (path.empty() || path.front() != '/')
    return wrong(text, "neither unix: with a full path nor tcp:");
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    return wrong(text, "a Unix socket's path has at most " +
                           std::to_string(sizeof(sockaddr_un::sun_path) - 1) +
                           " bytes, this one has " + std::to_string(path.size()));
  }
  return Address{Address::Kind::kUnix, std::string(path), {}, 0};
}

}  // namespace linden::client

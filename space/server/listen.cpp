#include "space/server/listen.h"

#include <unistd.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include <fmt/format.h>

#include "space/server/log.h"

namespace linden::server {
namespace {

constexpr int kQueueLength = 1024;

Failure unreachable(std::string_view what, std::string_view why) {
  return Failure{ErrorCode::kUnreachable, fmt::format("cannot listen on {}: {}", what, why)};
}

Result<sockaddr_un> unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return unreachable(
        "unix:" + path,
        fmt::format("the path has {} bytes, a socket's path may have 1 to {}; choose a shorter one "
                    "with --unix",
                    path.size(), sizeof(address.sun_path) - 1));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

// Makes way at `path` if a socket lies there that nobody listens on.
Result<void> remove_stale(const std::string& path, const sockaddr_un& address) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return {};
  if (!S_ISSOCK(status.st_mode)) {
    return unreachable("unix:" + path,
                       "a file that is no socket lies there; choose another path with --unix");
  }
  const FileDescriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int connected =
      ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  if (connected == 0 || errno == EAGAIN || errno == EINPROGRESS) {
    return unreachable("unix:" + path,
                       "another server listens there; stop it or choose another path with --unix");
  }
  if (errno != ECONNREFUSED) return unreachable("unix:" + path, std::strerror(errno));
  ::unlink(path.c_str());
  return {};
}

Result<sockaddr_storage> loopback_address(const TcpAddress& address, socklen_t& size) {
  sockaddr_storage result{};
  auto& v4 = reinterpret_cast<sockaddr_in&>(result);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(result);
  const std::string host = address.host == "localhost" ? "127.0.0.1" : address.host;
  if (::inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(address.port);
    size = sizeof(v4);
    if ((ntohl(v4.sin_addr.s_addr) >> 24) == 127) return result;
  } else if (::inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(address.port);
    size = sizeof(v6);
    if (IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr)) return result;
  } else {
    return Failure{ErrorCode::kInvalidArgument,
                   fmt::format("--tcp: {} is not an IP address or localhost", in_quotes(host))};
  }
  return Failure{ErrorCode::kInvalidArgument,
                 fmt::format("--tcp: {} is not a loopback address, and clients are not "
                             "authenticated yet; take 127.0.0.1 and a tunnel (ssh -L) from "
                             "elsewhere",
                             in_quotes(address.host))};
}

std::string name_of_bound(int socket) {
  sockaddr_storage bound{};
  socklen_t size = sizeof(bound);
  ::getsockname(socket, reinterpret_cast<sockaddr*>(&bound), &size);
  char text[INET6_ADDRSTRLEN] = {};
  if (bound.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(bound);
    ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text));
    return fmt::format("[{}]:{}", text, ntohs(v6.sin6_port));
  }
  const auto& v4 = reinterpret_cast<const sockaddr_in&>(bound);
  ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text));
  return fmt::format("{}:{}", text, ntohs(v4.sin_port));
}

}  // namespace

Result<Listening> listen_unix(const std::string& path) {
  const Result<sockaddr_un> address = unix_address(path);
  if (!address) return address.error();
  if (Result<void> free = remove_stale(path, *address); !free) return free.error();
  FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // The file never exists with wider rights than it is to have.
  const mode_t before = ::umask(0177);
  const int bound =
      ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(sockaddr_un));
  const int error = errno;
  ::umask(before);
  if (bound != 0) return unreachable("unix:" + path, std::strerror(error));
  if (::listen(socket.get(), kQueueLength) != 0) {
    return unreachable("unix:" + path, std::strerror(errno));
  }
  return Listening{std::move(socket), false, path};
}

Result<TcpAddress> parse_tcp_address(std::string_view address) {
  const Failure wrong{ErrorCode::kInvalidArgument,
                      fmt::format("--tcp {}: wanted HOST:PORT, such as 127.0.0.1:4711, [::1]:4711, "
                                  "or 127.0.0.1:0 for any free port",
                                  in_quotes(address))};
  const std::size_t colon = address.rfind(':');
  if (colon == std::string_view::npos) return wrong;
  std::string_view host = address.substr(0, colon);
  const std::string_view digits = address.substr(colon + 1);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.empty() || host.find(':') != std::string_view::npos) {
    return wrong;
  }
  TcpAddress result{std::string(host), 0};
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), result.port);
  if (error != std::errc() || end != digits.data() + digits.size()) return wrong;
  return result;
}

Result<Listening> listen_tcp(std::string_view text) {
  const Result<TcpAddress> address = parse_tcp_address(text);
  if (!address) return address.error();
  socklen_t size = 0;
  const Result<sockaddr_storage> bound_to = loopback_address(*address, size);
  if (!bound_to) return bound_to.error();
  FileDescriptor socket(
      ::socket(bound_to->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.is_open()) return unreachable(fmt::format("tcp:{}", text), std::strerror(errno));
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&*bound_to), size) != 0 ||
      ::listen(socket.get(), kQueueLength) != 0) {
    return unreachable(fmt::format("tcp:{}", text),
                       errno == EADDRINUSE ? "the port is in use; choose another, or 0 for any"
                                           : std::strerror(errno));
  }
  std::string name = name_of_bound(socket.get());
  return Listening{std::move(socket), true, std::move(name)};
}

}  // namespace linden::server

// api/data/interfaces.cpp
#include "api/data/interfaces.h"

#include <ifaddrs.h>
#include <netdb.h>
#include <net/if.h>
#include <sys/socket.h>

#include <array>
#include <memory>

#include "api/client/address.h"
#include "api/client/socket.h"

namespace linden::data {
namespace {

using client::Descriptor;

std::string host_text(const sockaddr* address, socklen_t size) {
  std::array<char, NI_MAXHOST> text{};
  const int failed =
      ::getnameinfo(address, size, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST);
  return failed == 0 ? std::string(text.data()) : std::string();
}

}  // namespace

std::string interface_towards(const std::string& server) {
  const auto address = client::parse_address(server);
  if (!address || address->kind != client::Address::Kind::kTcp) return {};
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(address->host.c_str(), std::to_string(address->port).c_str(), &hints, &found) !=
      0)
    return {};
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> keeper(found, &::freeaddrinfo);
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    // Connecting a datagram socket sends nothing; the system only chooses the way.
    const Descriptor socket(::socket(each->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_storage own{};
    socklen_t size = sizeof own;
    if (socket && ::connect(socket.get(), each->ai_addr, each->ai_addrlen) == 0 &&
        ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&own), &size) == 0)
      return host_text(reinterpret_cast<const sockaddr*>(&own), size);
  }
  return {};
}

std::vector<std::string> advertised_addresses(const std::string& listening) {
  const auto address = client::parse_address(listening);
  if (!address) return {};
  const bool every = address->host == "0.0.0.0" || address->host == "::";
  if (!every) return {listening};
  ifaddrs* found = nullptr;
  if (::getifaddrs(&found) != 0) return {};
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> keeper(found, &::freeifaddrs);
  std::vector<std::string> addresses;
  for (const ifaddrs* each = found; each != nullptr; each = each->ifa_next) {
    if (each->ifa_addr == nullptr || (each->ifa_flags & IFF_UP) == 0 ||
        (each->ifa_flags & IFF_LOOPBACK) != 0 || each->ifa_addr->sa_family != AF_INET)
      continue;
    addresses.push_back("tcp:" + host_text(each->ifa_addr, sizeof(sockaddr_in)) + ":" +
                        std::to_string(address->port));
  }
  return addresses;
}

}  // namespace linden::data

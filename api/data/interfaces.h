// api/data/interfaces.h: at which addresses other hosts find this one.
#pragma once

#include <string>
#include <vector>

namespace linden::data {

// The address of the interface by which packets go to `server` ("tcp:host:port"); "" if that is a
// Unix socket, or unknown.
[[nodiscard]] std::string interface_towards(const std::string& server);

// `listening` ("tcp:host:port") or, if that is every interface, one address for each of them that
// is up and not loopback.
[[nodiscard]] std::vector<std::string> advertised_addresses(const std::string& listening);

}  // namespace linden::data

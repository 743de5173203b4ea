// workers/cpp/connection_file.h: where the farm is, as python/linden/connection_file.py finds it.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace linden::worker {

struct Farm {
  std::vector<std::string> addresses;  // to try from here, best first
  std::string space = "farm";
};

// `where` is an address, or several with commas between, the path of a connection file, or empty:
// $LINDEN_CONNECTION if it is set and no cluster is named, else the connection file of the cluster
// `cluster_id` (empty: "default"). Waits `timeout` for the file to appear.  Throws Error
// kUnreachable (no file in time) and kInvalidArgument (it is no connection file).
[[nodiscard]] Farm find_farm(const std::string& where, const std::string& cluster_id,
                             std::chrono::milliseconds timeout);

// What a connection file says; `source` names it in messages.  Throws Error kInvalidArgument.
[[nodiscard]] Farm parse_connection(const std::string& json, const std::string& source);

}  // namespace linden::worker

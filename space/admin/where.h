// space/admin/where.h: which server and which space a command is about.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <linden/result.h>

namespace linden::admin {

struct Where {
  std::string address;
  std::string space = "farm";
};

// What the outside is asked; tests answer it themselves.
struct Outside {
  std::function<std::optional<std::string>(const std::string& name)> variable;
  std::function<Result<std::string>(const std::string& path)> read_file;
  std::function<bool(const std::string& path)> exists;
};
[[nodiscard]] Outside real_outside();

// `connection` is an address or the path of a connection file.  Without it: $LINDEN_CONNECTION
// unless a cluster is named, else connection.json of the cluster ("default" if none is named) below
// $LINDEN_HOME/clusters or ~/.linden/clusters.
//
// Fails with kUnreachable (no such file) or kInvalidArgument (it is no connection file).
[[nodiscard]] Result<Where> find_server(const std::optional<std::string>& connection,
                                        const std::optional<std::string>& cluster_id,
                                        const Outside& outside);

}  // namespace linden::admin

// workers/cpp/options.h: the command line of space-worker.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <linden/client.h>
#include <linden/engine.h>

namespace linden::worker {

// Exit codes.
inline constexpr int kExitStopped = 0;
inline constexpr int kExitNoFarm = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitLost = 3;
inline constexpr int kExitLibrary = 4;

struct Options {
  std::string connection;  // empty: as find_farm says
  std::string cluster_id;
  std::string space;  // empty: as the connection file says
  ConnectOptions connect;
  EngineOptions engine;
  std::vector<std::string> libraries;
  std::int64_t parent_pid = 0;
  bool list = false;
  bool quiet = false;
};

// What main has to do.
struct ParsedOptions {
  std::optional<Options> options;  // none: print `text` and end with `exit_code`
  std::string text;
  int exit_code = 0;
};

// `arguments` without the program's name.
[[nodiscard]] ParsedOptions parse_options(const std::vector<std::string>& arguments);

}  // namespace linden::worker

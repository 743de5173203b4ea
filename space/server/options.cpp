#include "space/server/options.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <utility>
#include <CLI/CLI.hpp>
#include <toml++/toml.h>

#include <fmt/format.h>

#include "space/server/log.h"

namespace linden::server {
namespace {

constexpr std::uint32_t kThreadsMax = 256;
constexpr std::uint32_t kFrameMebibytesMax = 1024;
constexpr std::uint32_t kBusyPollMax = 10'000;
constexpr std::uint64_t kMebibytesMax = std::uint64_t{1} << 30;  // a pebibyte

// As they are written, before they are checked against each other.
struct Raw {
  std::string directory;
  bool verify = false;
  std::string durability;
  std::string unix_path;
  std::string tcp;
  std::uint32_t threads = 1;
  std::uint32_t connections_max = 10'000;
  std::uint32_t frame_mebibytes_max = kFrameMebibytesMax;
  std::uint32_t busy_poll_us = 200;
  std::uint64_t space_mebibytes_max = 0;
  std::optional<std::uint64_t> disk_reserve_mebibytes;
  std::int64_t parent_pid = 0;
  std::string log_level = "info";
  std::string ready_file;
  std::optional<int> ready_fd;
  std::string config;
};

constexpr const char* kAbout =
    "space-server keeps tuple spaces for the clients and engines of one computation.\n"
    "\n"
    "It listens on a Unix socket or on a loopback TCP port, keeps its spaces in a directory, and\n"
    "goes on where it was after any crash. Give it a directory, or --durability memory.\n";

constexpr const char* kFooter = R"(
DURABILITY (what an answer waits for; each space has its own, this is the default for new ones)
  memory   nothing is kept: a restart finds the space empty
  process  survives kill -9 of the server, not a power failure (the default)
  sync     survives a power failure: one fsync for each group of requests

EXAMPLES
  space-server --directory ~/linden
      Serves the spaces in ~/linden on the Unix socket ~/linden/space-server.sock.
  space-server --directory ~/linden --tcp 127.0.0.1:4711 --durability sync
      The same over TCP, for an ssh tunnel say, on a port of your choice.
  space-server --durability memory --tcp 127.0.0.1:0 --ready-fd 3 3>ready.json
      Keeps nothing, takes any free port and writes which into ready.json.
  space-server --config /etc/linden/space-server.toml
      Takes its options from a file: the same names, such as `directory = "/srv/linden"`.
  space-server --verify --directory /backup/monday
      Checks a backup (space-admin backup) or a stopped server's data, and says what is in it.

WHEN IT LISTENS it writes one line of JSON to --ready-fd and --ready-file:
  {"pid":1234,"unix":"/path/or/null","tcp":"127.0.0.1:4711","version":"0.1.0"}

SIGNALS
  TERM, INT, HUP  answer what has come in, close all connections, end with 0. Clients reconnect to
                  the next server on this directory by themselves. A second one ends it at once.
  KILL            loses nothing that was answered, unless durability is memory.

EXIT CODES
  0 ended as asked   1 a bug; please report it   2 wrong options   3 cannot listen
  4 storage: in use, damaged, not writable, or full   5 ended at once by a second signal
)";

// Every option is declared once, for the command line here and for the file in apply_file.
void declare(CLI::App& app, Raw& raw) {
  app.add_option("-d,--directory", raw.directory, "where spaces are kept; made if it is missing")
      ->type_name("DIR");
  app.add_flag("--verify", raw.verify,
               "check the data of a stopped server, or a backup, and serve nothing");
  app.add_option("--durability", raw.durability,
                 "of new spaces: memory, process or sync (default: process; memory without a "
                 "directory)")
      ->type_name("NAME");
  app.add_option("--unix", raw.unix_path,
                 "listen on this socket (default: DIR/space-server.sock, unless --tcp is given)")
      ->type_name("PATH");
  app.add_option("--tcp", raw.tcp, "listen on this loopback address; port 0 takes any free one")
      ->type_name("HOST:PORT");
  app.add_option("--threads", raw.threads,
                 "I/O threads; one serves most machines best, as spaces are what is spread over "
                 "threads")
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--connections-max", raw.connections_max, "connections beyond it are turned away")
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--frame-mebibytes-max", raw.frame_mebibytes_max, "largest request, in MiB")
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--busy-poll-us", raw.busy_poll_us,
                 "wait awake for a message that is expected within so many microseconds, on a core "
                 "that nobody else wants; 0: always sleep")
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--space-mebibytes-max", raw.space_mebibytes_max,
                 "puts into a space that has so many MiB of tuples are refused; 0: no limit")
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--disk-reserve-mebibytes", raw.disk_reserve_mebibytes,
                 "puts are refused while less is free on the disk; 0: never (default: 512, or a "
                 "twentieth of a small disk)")
      ->type_name("N");
  app.add_option("--parent-pid", raw.parent_pid, "end cleanly when this process is gone")
      ->type_name("PID");
  app.add_option("--ready-fd", raw.ready_fd, "write a line of JSON here when it listens")
      ->type_name("FD");
  app.add_option("--ready-file", raw.ready_file,
                 "write a line of JSON into this file (mode 0600) when it listens; removed at a "
                 "clean end")
      ->type_name("PATH");
  app.add_option("--log-level", raw.log_level,
                 "trace, debug, info, warn, error or off; the log goes to standard error")
      ->type_name("LEVEL")
      ->capture_default_str();
  app.add_option("--config", raw.config, "take options from this TOML file; the command line wins")
      ->type_name("FILE");
}

Failure usage(std::string message) {
  return Failure{ErrorCode::kInvalidArgument, std::move(message)};
}

// One key of the file into `into`, unless the command line has said it.
template <class T>
Result<void> take_key(const toml::node& node, std::string_view key, T& into) {
  const auto value = node.value<T>();
  if (!value) {
    return usage(fmt::format("key {}: wanted {}", in_quotes(key),
                             std::is_same_v<T, std::string> ? "a text" : "a whole number"));
  }
  into = *value;
  return {};
}

template <class T>
Result<void> take_key(const toml::node& node, std::string_view key, std::optional<T>& into) {
  T value{};
  Result<void> taken = take_key(node, key, value);
  if (taken) into = value;
  return taken;
}

Result<void> apply_key(const CLI::App& app, std::string_view key, const toml::node& node,
                       Raw& raw) {
  const std::pair<std::string_view, std::function<Result<void>()>> keys[] = {
      {"directory", [&] { return take_key(node, key, raw.directory); }},
      {"durability", [&] { return take_key(node, key, raw.durability); }},
      {"unix", [&] { return take_key(node, key, raw.unix_path); }},
      {"tcp", [&] { return take_key(node, key, raw.tcp); }},
      {"threads", [&] { return take_key(node, key, raw.threads); }},
      {"connections-max", [&] { return take_key(node, key, raw.connections_max); }},
      {"frame-mebibytes-max", [&] { return take_key(node, key, raw.frame_mebibytes_max); }},
      {"busy-poll-us", [&] { return take_key(node, key, raw.busy_poll_us); }},
      {"space-mebibytes-max", [&] { return take_key(node, key, raw.space_mebibytes_max); }},
      {"disk-reserve-mebibytes", [&] { return take_key(node, key, raw.disk_reserve_mebibytes); }},
      {"log-level", [&] { return take_key(node, key, raw.log_level); }},
      {"ready-file", [&] { return take_key(node, key, raw.ready_file); }},
  };
  std::string known;
  for (const auto& [name, take] : keys) {
    if (name == key) {
      return app.count("--" + std::string(name)) > 0 ? Result<void>() : take();
    }
    known += (known.empty() ? "" : ", ") + std::string(name);
  }
  return usage(fmt::format("unknown key {}; known are {}", in_quotes(key), known));
}

Result<void> apply_file(const CLI::App& app, Raw& raw) {
  if (raw.config.empty()) return {};
  toml::table table;
  try {
    table = toml::parse_file(raw.config);
  } catch (const toml::parse_error& error) {
    return usage(fmt::format("--config {}: line {}: {}", in_quotes(raw.config),
                             error.source().begin.line, error.description()));
  }
  for (const auto& [key, node] : table) {
    const Result<void> applied = apply_key(app, key.str(), node, raw);
    if (!applied) {
      return usage(fmt::format("--config {}: {}", in_quotes(raw.config), applied.error().message));
    }
  }
  return {};
}

Result<void> check_durability(const Raw& raw, ServerOptions& server) {
  if (raw.durability.empty()) {
    if (raw.directory.empty()) {
      return usage(
          "nowhere to keep spaces: give --directory DIR, or --durability memory to keep nothing");
    }
    return {};
  }
  const Result<storage::Durability> durability = storage::durability_named(raw.durability);
  if (!durability) return usage("--durability: " + durability.error().message);
  if (raw.directory.empty() && *durability != storage::Durability::kMemory) {
    return usage(fmt::format("--durability {} needs a --directory", raw.durability));
  }
  server.durability = *durability;
  return {};
}

Result<void> check_room(const Raw& raw, ServerOptions& server) {
  if (raw.space_mebibytes_max > kMebibytesMax) {
    return usage(fmt::format("--space-mebibytes-max {}: wanted 0 to {}", raw.space_mebibytes_max,
                             kMebibytesMax));
  }
  if (raw.space_mebibytes_max != 0) {
    server.space_limits.bytes_max = raw.space_mebibytes_max << 20;
  }
  if (!raw.disk_reserve_mebibytes) return {};
  if (*raw.disk_reserve_mebibytes > kMebibytesMax) {
    return usage(fmt::format("--disk-reserve-mebibytes {}: wanted 0 to {}",
                             *raw.disk_reserve_mebibytes, kMebibytesMax));
  }
  server.disk_reserve_bytes = *raw.disk_reserve_mebibytes << 20;
  return {};
}

Result<Options> check(const Raw& raw) {
  Options result;
  ServerOptions& server = result.server;
  if (raw.verify && raw.directory.empty()) return usage("--verify needs a --directory");
  result.verify = raw.verify;
  if (Result<void> checked = check_durability(raw, server); !checked) return checked.error();
  if (raw.threads < 1 || raw.threads > kThreadsMax) {
    return usage(fmt::format("--threads {}: wanted 1 to {}", raw.threads, kThreadsMax));
  }
  if (raw.connections_max < 1) return usage("--connections-max 0: wanted at least 1");
  if (raw.frame_mebibytes_max < 1 || raw.frame_mebibytes_max > kFrameMebibytesMax) {
    return usage(fmt::format("--frame-mebibytes-max {}: wanted 1 to {}", raw.frame_mebibytes_max,
                             kFrameMebibytesMax));
  }
  if (raw.busy_poll_us > kBusyPollMax) {
    return usage(fmt::format("--busy-poll-us {}: wanted 0 to {}", raw.busy_poll_us, kBusyPollMax));
  }
  if (Result<void> checked = check_room(raw, server); !checked) return checked.error();
  if (raw.parent_pid < 0) return usage("--parent-pid: wanted the number of a process");
  if (raw.ready_fd && *raw.ready_fd < 0) return usage("--ready-fd: wanted an open descriptor");
  if (!raw.directory.empty()) {
    server.directory = std::filesystem::absolute(raw.directory).lexically_normal().string();
  }
  server.unix_path = raw.unix_path;
  server.tcp_address = raw.tcp;
  if (server.unix_path.empty() && server.tcp_address.empty()) {
    if (server.directory.empty()) {
      return usage("nowhere to listen: give --unix PATH or --tcp 127.0.0.1:0");
    }
    server.unix_path = (std::filesystem::path(server.directory) / "space-server.sock").string();
  }
  server.threads = raw.threads;
  server.parent_pid = raw.parent_pid;
  server.limits.connections_max = raw.connections_max;
  server.limits.frame_bytes_max = raw.frame_mebibytes_max << 20;
  server.limits.busy_poll_max = std::chrono::microseconds(raw.busy_poll_us);
  result.log_level = raw.log_level;
  result.ready_file = raw.ready_file;
  result.ready_fd = raw.ready_fd;
  return result;
}

}  // namespace

ParsedOptions parse_options(const std::vector<std::string>& arguments) {
  Raw raw;
  CLI::App app{kAbout, "space-server"};
  app.footer(kFooter);
  app.set_version_flag("--version", std::string("space-server " LINDEN_VERSION));
  app.set_help_flag("-h,--help", "print this");
  declare(app, raw);
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // as CLI11 wants them
  try {
    app.parse(std::move(reversed));
  } catch (const CLI::CallForHelp&) {
    return {std::nullopt, app.help(), kExitClean};
  } catch (const CLI::CallForVersion&) {
    return {std::nullopt, "space-server " LINDEN_VERSION "\n", kExitClean};
  } catch (const CLI::ParseError& error) {
    return {std::nullopt, fmt::format("space-server: {}; see space-server --help\n", error.what()),
            kExitUsage};
  }
  Result<void> read = apply_file(app, raw);
  Result<Options> checked = read ? check(raw) : Result<Options>(read.error());
  if (!checked) {
    return {std::nullopt,
            fmt::format("space-server: {}; see space-server --help\n", checked.error().message),
            kExitUsage};
  }
  return {std::move(*checked), {}, kExitClean};
}

}  // namespace linden::server

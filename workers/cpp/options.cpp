// workers/cpp/options.cpp
#include "workers/cpp/options.h"

#include <unistd.h>
#include <CLI/CLI.hpp>

#include <array>
#include <cmath>

#include <linden/error.h>

namespace linden::worker {
namespace {

constexpr const char* kAbout =
    "space-worker runs tasks of a Linden farm with functions in C++, from shared libraries that "
    "it\n"
    "loads, until it is told to stop.\n";

constexpr const char* kFooter = R"(
EXAMPLES
  space-worker --load ./libmine.so
      Serves the running cluster of this user with the functions of libmine.so.
  space-worker --connection tcp:127.0.0.1:4711 --load ./libmine.so --threads 4 --tag big
      Runs four tasks at a time, and also those that ask for engines with the tag "big".
  space-worker --load ./libmine.so --threads 1 --concurrency 8
      One task at a time, whose parallel loops (oneTBB) use eight threads.
  space-worker --load ./libmine.so --list
      Names the functions, and serves nobody.

From Python: view.apply(linden.native("mul"), 6, 7)

SIGNALS
  TERM, INT  goes when what it has begun is done, and gives back what it has not. A second one ends
             it at once: what it had begun runs elsewhere, if its tasks may run twice.

EXIT CODES
  0 told to stop   1 no farm was found   2 wrong options   3 the server stayed away for longer than
  --reconnect   4 a library cannot be loaded
)";

// As they are written.
struct Raw {
  double timeout_s = 10.0;
  double hold_s = 5.0;
  double memory_s = 60.0;
  double reconnect_s = 60.0;
};

void declare(CLI::App& app, Options& options, Raw& raw) {
  app.add_option("--connection,--file", options.connection,
                 "connection file, or unix:/path or tcp:host:port (default: $LINDEN_CONNECTION, "
                 "else the running cluster)")
      ->type_name("FILE|ADDRESS");
  app.add_option("--cluster-id", options.cluster_id,
                 "which cluster of this user, instead of --connection")
      ->type_name("ID");
  app.add_option("--space", options.space,
                 "the farm's space (default: as the connection file says: farm)")
      ->type_name("NAME");
  app.add_option("--load", options.libraries, "a shared library of functions; may be repeated")
      ->type_name("LIBRARY")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--threads", options.engine.threads,
                 "tasks that run at a time (default: one per core)")
      ->type_name("N");
  app.add_option("--concurrency", options.engine.concurrency,
                 "threads that parallel loops inside of a task may use (default: as --threads)")
      ->type_name("N");
  app.add_option("--prefetch-max", options.engine.prefetch_max,
                 "most tasks that a thread holds, however short they are")
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--tag", options.engine.tags,
                 "it also runs tasks that ask for this tag; may be repeated, up to five times")
      ->type_name("TAG")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--name", options.engine.name,
                 "what lists of engines call this one (default: host:pid)")
      ->type_name("NAME");
  app.add_option("--timeout", raw.timeout_s, "wait so long for file and server")
      ->type_name("S")
      ->capture_default_str();
  app.add_option("--hold", raw.hold_s,
                 "after a broken connection others get our tasks so much later")
      ->type_name("S")
      ->capture_default_str();
  app.add_option("--memory", raw.memory_s,
                 "after so long a silence the server forgets us, and we join anew under another id")
      ->type_name("S")
      ->capture_default_str();
  app.add_option("--reconnect", raw.reconnect_s,
                 "give up when the server has been away for so long")
      ->type_name("S")
      ->capture_default_str();
  app.add_option("--parent-pid", options.parent_pid, "stop when this process has gone")
      ->type_name("PID");
  app.add_flag("--list", options.list, "print the names of the functions, and end");
  app.add_flag("--quiet", options.quiet, "say nothing but failures");
}

ParsedOptions wrong(const std::string& what) {
  return {std::nullopt, "space-worker: " + what + "; see space-worker --help\n", kExitUsage};
}

std::string host_and_pid() {
  std::array<char, 256> name{};
  (void)::gethostname(name.data(), name.size() - 1);
  return std::string(name.data()) + ":" + std::to_string(::getpid());
}

bool is_duration(double seconds) {
  return std::isfinite(seconds) && seconds >= 0 && seconds < 1e9;
}

Duration duration_of(double seconds) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

}  // namespace

ParsedOptions parse_options(const std::vector<std::string>& arguments) {
  Options options;
  options.engine.name.clear();
  options.engine.report_crashes = true;
  Raw raw;
  CLI::App app{kAbout, "space-worker"};
  app.footer(kFooter);
  app.set_version_flag("--version", std::string("space-worker " LINDEN_VERSION));
  app.set_help_flag("-h,--help", "print this");
  declare(app, options, raw);
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // as CLI11 wants them
  try {
    app.parse(std::move(reversed));
  } catch (const CLI::CallForHelp&) {
    return {std::nullopt, app.help(), kExitStopped};
  } catch (const CLI::CallForVersion&) {
    return {std::nullopt, "space-worker " LINDEN_VERSION "\n", kExitStopped};
  } catch (const CLI::ParseError& error) {
    return wrong(error.what());
  }
  if (options.libraries.empty()) return wrong("no functions: give --load LIBRARY");
  for (const double seconds : {raw.timeout_s, raw.hold_s, raw.memory_s, raw.reconnect_s}) {
    if (!is_duration(seconds)) return wrong("times are seconds, at least 0");
  }
  if (options.parent_pid < 0) return wrong("--parent-pid: wanted the number of a process");
  try {
    options.engine.tags = farm::checked_tags(std::move(options.engine.tags));
  } catch (const Error& error) {
    return wrong(std::string("--tag: ") + error.what());
  }
  if (options.engine.name.empty()) options.engine.name = host_and_pid();
  options.connect.name = "engine " + options.engine.name;
  options.connect.timeout = duration_of(raw.timeout_s);
  options.connect.hold = duration_of(raw.hold_s);
  options.connect.memory = duration_of(raw.memory_s);
  options.connect.reconnect = duration_of(raw.reconnect_s);
  return {std::move(options), "", 0};
}

}  // namespace linden::worker

// workers/cpp/space_worker.cpp: the program space-worker: options in, exit code out.
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <iostream>
#include <stop_token>
#include <thread>

#include <linden/client.h>
#include <linden/engine.h>

#include "workers/cpp/connection_file.h"
#include "workers/cpp/load_library.h"
#include "workers/cpp/options.h"

namespace linden::worker {
namespace {

constexpr std::chrono::milliseconds kParentCheck{500};
constexpr Duration kEachAddress = std::chrono::seconds(2);  // where there are several

// For the signal handler, which cannot be given anything.
std::atomic<Engine*> running{nullptr};
std::atomic<bool> told_to_stop{false};

void on_signal(int /*number*/) {
  if (told_to_stop.exchange(true)) ::_exit(kExitStopped);
  if (Engine* engine = running.load()) engine->stop();
}

void handle_signals() {
  std::signal(SIGTERM, &on_signal);
  std::signal(SIGINT, &on_signal);
  std::signal(SIGPIPE, SIG_IGN);
}

class Log {
 public:
  explicit Log(bool quiet) : quiet_(quiet) {}
  void event(const std::string& text) const {
    if (!quiet_) std::cerr << "space-worker: " << text << std::endl;
  }
  static void failure(const std::string& text) {
    std::cerr << "space-worker: " << text << std::endl;
  }

 private:
  bool quiet_;
};

// Stops the engine when that process has gone.
std::jthread watch(std::int64_t parent_pid) {
  if (parent_pid == 0) return {};
  return std::jthread([parent_pid](const std::stop_token& ended) {
    while (!ended.stop_requested()) {
      if (::kill(static_cast<pid_t>(parent_pid), 0) != 0 && errno == ESRCH) {
        if (!told_to_stop.load()) on_signal(0);
        return;
      }
      std::this_thread::sleep_for(kParentCheck);
    }
  });
}

// To the first of the addresses that answers; round and round until the time is over.
Client connect(const Farm& farm, ConnectOptions options) {
  const auto deadline = std::chrono::steady_clock::now() + options.timeout;
  if (farm.addresses.size() > 1)
    options.timeout = std::min<Duration>(options.timeout, kEachAddress);
  for (;;) {
    std::string why;
    for (const auto& address : farm.addresses) {
      options.address = address;
      try {
        return Client::connect(options);
      } catch (const Error& error) {
        if (error.code() != ErrorCode::kUnreachable) throw;
        why += (why.empty() ? "" : "; ") + std::string(error.what());
      }
    }
    if (told_to_stop.load() || std::chrono::steady_clock::now() >= deadline)
      throw Error(ErrorCode::kUnreachable, why);
  }
}

enum class SessionEnd : std::uint8_t { kStopped, kRestart, kExpired };

// Joins the farm and serves until told to stop, or until the server has forgotten us.
SessionEnd serve(const Farm& farm, const FunctionRegistry& functions, const Options& options,
                 const Log& log) {
  auto client = connect(farm, options.connect);
  SpaceOptions opening;
  opening.create = true;
  opening.initial = farm::initial_tuples();
  const auto space = client.open_space(options.space.empty() ? farm.space : options.space, opening);
  log.event("serves " + client.address() + " with " + std::to_string(functions.names().size()) +
            " functions");
  Engine engine(space, functions, options.engine);
  running.store(&engine);
  if (told_to_stop.load()) engine.stop();
  SessionEnd end = SessionEnd::kStopped;
  try {
    if (engine.run() == EngineEnd::kRestart) end = SessionEnd::kRestart;
  } catch (const Error& error) {
    running.store(nullptr);
    if (error.code() != ErrorCode::kSessionExpired) throw;
    log.event(std::string(error.what()) + "; joining anew under another id");
    return SessionEnd::kExpired;
  }
  running.store(nullptr);
  log.event("stopped after " + std::to_string(engine.done()) + " tasks");
  client.close();
  return end;
}

// In the same process, with the same arguments, under a new id.
[[noreturn]] void start_over(char** arguments) {
  ::execv("/proc/self/exe", arguments);
  Log::failure("cannot start over");
  std::exit(kExitNoFarm);
}

int list(const FunctionRegistry& functions) {
  for (const auto& name : functions.names()) std::cout << name << "\n";
  return kExitStopped;
}

int work(const Options& options, char** arguments) {
  const Log log(options.quiet);
  FunctionRegistry functions;
  try {
    for (const auto& library : options.libraries) load_library(library, functions);
  } catch (const Error& error) {
    Log::failure(error.what());
    return kExitLibrary;
  }
  if (options.list) return list(functions);
  handle_signals();
  const auto parent = watch(options.parent_pid);
  bool joined = false;
  try {
    const auto farm =
        find_farm(options.connection, options.cluster_id,
                  std::chrono::duration_cast<std::chrono::milliseconds>(options.connect.timeout));
    SessionEnd end = SessionEnd::kExpired;
    while (end == SessionEnd::kExpired && !told_to_stop.load()) {
      end = serve(farm, functions, options, log);
      joined = true;
    }
    if (end == SessionEnd::kRestart) start_over(arguments);
    return kExitStopped;
  } catch (const Error& error) {
    Log::failure(error.what());
    const bool lost = error.code() == ErrorCode::kConnectionLost ||
                      error.code() == ErrorCode::kShuttingDown ||
                      error.code() == ErrorCode::kSpaceGone;
    return lost || joined ? kExitLost : kExitNoFarm;
  }
}

}  // namespace
}  // namespace linden::worker

int main(int count, char** arguments) {
  const auto parsed =
      linden::worker::parse_options(std::vector<std::string>(arguments + 1, arguments + count));
  if (!parsed.options) {
    (parsed.exit_code == 0 ? std::cout : std::cerr) << parsed.text;
    return parsed.exit_code;
  }
  return linden::worker::work(*parsed.options, arguments);
}

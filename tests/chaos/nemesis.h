// tests/chaos/nemesis.h: what happens to the processes of a chaos run.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <linden/space.h>

#include "tests/chaos/history.h"
#include "tests/chaos/process.h"
#include "tests/chaos/recorder.h"
#include "tests/chaos/relay.h"

namespace linden::chaos {

enum class Fault : std::uint8_t {
  kServerKilled,
  kServerStopped,
  kClientKilled,
  kClientStopped,
  kClientEnded,  // told to end, and says goodbye
  kConnectionsCut,
  kConnectionsHeldUp,
};
inline constexpr std::size_t kFaults = 7;
[[nodiscard]] std::string_view name_of(Fault fault);

struct NemesisOptions {
  std::filesystem::path directory;
  std::string program;  // that is a worker when its first argument is "worker"
  std::uint64_t seed = 0;
  std::size_t clients = 6;
};

// Keeps so many clients running and lets faults happen, at random moments.  One thread; step() is
// called all the time.
class Nemesis {
 public:
  // The server runs already.  `controller` is a session of its own, which no fault concerns.
  Nemesis(NemesisOptions options, Server& server, Recorder& controller);

  void step();
  // No more faults; the clients say goodbye.  False if one does not end in time.
  [[nodiscard]] bool finish();

  [[nodiscard]] std::uint64_t count(Fault fault) const {
    return counts_[static_cast<std::size_t>(fault)];
  }
  [[nodiscard]] ProcessNumber processes() const { return last_number_; }
  // Clients that ended when nobody wanted it.
  [[nodiscard]] const std::vector<std::string>& surprises() const { return surprises_; }

 private:
  struct Client {
    Process process;
    bool ending = false;  // killed or told to end
  };

  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  void later(std::uint64_t milliseconds, std::function<void()> what);
  void note_disturbed(Moment from);
  void start_client();
  void reap();
  void watch_gone();
  void let_happen(Fault fault);
  void kill_server();
  void stop_server();
  void hold_up();
  void with_some_client(const std::function<void(ProcessNumber, Client&)>& what);

  NemesisOptions options_;
  Server& server_;
  Recorder& controller_;
  Relay relay_;
  std::mt19937_64 random_;
  std::map<ProcessNumber, Client> clients_;
  ProcessNumber last_number_ = 0;
  std::multimap<Moment, std::function<void()>> due_;
  Moment next_fault_;
  Moment last_step_;
  bool server_is_well_ = true;
  bool relay_is_well_ = true;

  // Processes that have ended, and how often the space has said since that it knows no connection
  // of theirs.  After the second time nothing of them can be on its way.
  std::map<ProcessNumber, int> ended_;
  std::set<ProcessNumber> asked_about_;
  std::optional<RequestId> question_;
  Moment next_question_ = 0;

  std::array<std::uint64_t, kFaults> counts_{};
  std::vector<std::string> surprises_;
};

}  // namespace linden::chaos

// tests/chaos/relay.h: a wire between clients and a server that can be cut and held up.
#pragma once

#include <atomic>
#include <filesystem>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace linden::chaos {

// Listens on one Unix socket and passes bytes on to another, in a thread of its own.
class Relay {
 public:
  Relay(const std::filesystem::path& listen_at, std::filesystem::path pass_to, std::uint64_t seed);
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  // Breaks about half of the connections, wherever they are in a message.
  void cut();
  // Passes nothing on, in neither direction, until it is told otherwise.
  void hold_up(bool yes);

 private:
  struct Wire {
    int client = -1;
    int server = -1;
    std::string to_server;
    std::string to_client;
  };
  void run();
  void accept_one();
  static bool carry(int from, std::string& held);
  static bool pass(std::string& held, int to);
  void close_all(Wire& wire);

  std::filesystem::path pass_to_;
  std::mt19937_64 random_;
  int listening_ = -1;
  int wake_ = -1;
  std::vector<Wire> wires_;
  std::atomic<bool> cut_{false};
  std::atomic<bool> held_up_{false};
  std::atomic<bool> ends_{false};
  std::thread thread_;
};

}  // namespace linden::chaos

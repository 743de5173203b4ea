// tests/chaos/process.h: the processes of a chaos run: a server and its clients.
#pragma once

#include <sys/types.h>

#include <csignal>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace linden::chaos {

// A child that runs a program; ends with us.
class Process {
 public:
  // Its standard output and error are appended to `log`; it inherits `keep` if that is one.
  Process(const std::vector<std::string>& words, const std::filesystem::path& log, int keep = -1);
  ~Process();  // kill -9
  Process(Process&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  Process& operator=(Process&& other) noexcept {
    std::swap(pid_, other.pid_);
    return *this;
  }

  void signal(int number) const;
  // The exit status once it has ended; a signal that ended it counts 128 more.
  [[nodiscard]] std::optional<int> ended();
  int wait();

 private:
  pid_t pid_ = -1;
};

class Server {
 public:
  Server(std::filesystem::path directory, std::string durability)
      : directory_(std::move(directory)), durability_(std::move(durability)) {}

  // Returns once it listens, each time at the same addresses.
  void start();
  void kill();
  int terminate();
  void stop() const { process_->signal(SIGSTOP); }
  void go_on() const { process_->signal(SIGCONT); }

  [[nodiscard]] std::filesystem::path socket() const { return directory_ / "server.sock"; }
  [[nodiscard]] const std::string& tcp() const { return tcp_; }  // host:port

 private:
  std::filesystem::path directory_;
  std::string durability_;
  std::string tcp_ = "127.0.0.1:0";
  std::optional<Process> process_;
};

}  // namespace linden::chaos

// tests/integration/cpp/server_process.h: a real space-server in a directory of its own.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace linden::testing {

// Starts LINDEN_SPACE_SERVER on a Unix socket in a new temporary directory; ends it and removes the
// directory when destroyed.
class ServerProcess {
 public:
  explicit ServerProcess(std::vector<std::string> options = {});
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  [[nodiscard]] std::string address() const { return "unix:" + (directory_ / "s.sock").string(); }
  [[nodiscard]] pid_t pid() const { return pid_; }

  // kill -9, and waits until it is gone.
  void kill();
  // On the same data; returns when it listens.
  void start();
  // SIGTERM; the exit status.
  int terminate();

 private:
  int wait();

  // Large data lie below it, too, and go with it.
  std::filesystem::path directory_;
  std::vector<std::string> options_;
  pid_t pid_ = -1;
};

}  // namespace linden::testing

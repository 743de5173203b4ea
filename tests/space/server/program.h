// tests/space/server/program.h: the real space-server as a process of its own.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace linden::server {

class Program {
 public:
  // Starts it with these options and `--ready-fd`; standard error goes into the file `log_path`.
  Program(const std::vector<std::string>& options, const std::string& log_path);
  // Ends it with SIGKILL if it still runs.
  ~Program();
  Program(const Program&) = delete;

  // The line of JSON; empty if the process ended without one.
  [[nodiscard]] const std::string& ready_line() const { return ready_line_; }
  [[nodiscard]] pid_t pid() const { return pid_; }
  void signal(int number) const;
  // Waits for its end: the exit code, or 1000 + the signal that ended it.
  int wait();

 private:
  pid_t pid_ = -1;
  std::string ready_line_;
};

[[nodiscard]] std::string contents_of(const std::string& path);

}  // namespace linden::server

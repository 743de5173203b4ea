// tests/integration/cpp/server_process.cpp
#include "tests/integration/cpp/server_process.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <array>
#include <csignal>
#include <stdexcept>
#include <utility>

namespace linden::testing {

ServerProcess::ServerProcess(std::vector<std::string> options) : options_(std::move(options)) {
  std::string name = (std::filesystem::temp_directory_path() / "linden-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
  directory_ = name;
  for (const auto& [variable, part] : {std::pair{"LINDEN_DATA_DIRECTORY", "memory"},
                                       std::pair{"LINDEN_SPILL_DIRECTORY", "spill"}}) {
    std::filesystem::create_directory(directory_ / part);
    ::setenv(variable, (directory_ / part).c_str(), 1);
  }
  start();
}

ServerProcess::~ServerProcess() {
  kill();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

void ServerProcess::start() {
  std::array<int, 2> ready{};
  if (::pipe2(ready.data(), 0) != 0) throw std::runtime_error("no pipe");
  ::fcntl(ready[0], F_SETFD, FD_CLOEXEC);
  std::vector<std::string> words{LINDEN_SPACE_SERVER,
                                 "--directory",
                                 (directory_ / "data").string(),
                                 "--unix",
                                 (directory_ / "s.sock").string(),
                                 "--ready-fd",
                                 std::to_string(ready[1])};
  words.insert(words.end(), options_.begin(), options_.end());
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  ::close(ready[1]);
  // One line when it listens, or the end of the file if it could not.
  pollfd entry{ready[0], POLLIN, 0};
  char line[512];
  const bool listens = ::poll(&entry, 1, 20'000) == 1 && ::read(ready[0], line, sizeof(line)) > 0;
  ::close(ready[0]);
  if (!listens) throw std::runtime_error("space-server did not start");
}

void ServerProcess::kill() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  wait();
}

int ServerProcess::terminate() {
  ::kill(pid_, SIGTERM);
  return wait();
}

int ServerProcess::wait() {
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace linden::testing

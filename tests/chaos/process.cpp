#include "tests/chaos/process.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <array>
#include <stdexcept>

namespace linden::chaos {

Process::Process(const std::vector<std::string>& words, const std::filesystem::path& log,
                 int keep) {
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const int output = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::dup2(output, STDOUT_FILENO);
    ::dup2(output, STDERR_FILENO);
    if (keep >= 0) ::fcntl(keep, F_SETFD, 0);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  ::close(output);
  if (pid_ < 0) throw std::runtime_error("cannot start " + words.at(0));
}

Process::~Process() {
  if (pid_ <= 0) return;
  signal(SIGKILL);
  wait();
}

void Process::signal(int number) const {
  if (pid_ > 0) ::kill(pid_, number);
}

std::optional<int> Process::ended() {
  int status = 0;
  if (pid_ > 0 && ::waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int Process::wait() {
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void Server::start() {
  std::array<int, 2> ready{};
  if (::pipe2(ready.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  process_.emplace(
      std::vector<std::string>{LINDEN_SPACE_SERVER, "--directory", (directory_ / "data").string(),
                               "--unix", socket().string(), "--tcp", tcp_, "--durability",
                               durability_, "--ready-fd", std::to_string(ready[1])},
      directory_ / "server.log", ready[1]);
  ::close(ready[1]);
  // One line when it listens, or the end of the file if it could not.
  std::string line;
  std::array<char, 512> bytes;
  pollfd entry{ready[0], POLLIN, 0};
  while (line.find('\n') == std::string::npos && ::poll(&entry, 1, 120'000) == 1) {
    const auto count = ::read(ready[0], bytes.data(), bytes.size());
    if (count <= 0) break;
    line.append(bytes.data(), static_cast<std::size_t>(count));
  }
  ::close(ready[0]);
  static constexpr std::string_view kTcp = "\"tcp\":\"";
  const auto at = line.find(kTcp);
  if (at == std::string::npos) throw std::runtime_error("space-server did not start");
  const auto from = at + kTcp.size();
  tcp_ = line.substr(from, line.find('"', from) - from);
}

void Server::kill() {
  process_->signal(SIGKILL);
  process_->wait();
  process_.reset();
}

int Server::terminate() {
  process_->signal(SIGTERM);
  const int status = process_->wait();
  process_.reset();
  return status;
}

}  // namespace linden::chaos

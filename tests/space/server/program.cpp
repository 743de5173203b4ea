#include "tests/space/server/program.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>
#include <sys/wait.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace linden::server {
namespace {

[[noreturn]] void become(const std::vector<std::string>& options, const std::string& log_path,
                         int ready_fd) {
  const int log = ::open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::dup2(log, STDERR_FILENO);
  std::vector<std::string> arguments = {LINDEN_SPACE_SERVER};
  arguments.insert(arguments.end(), options.begin(), options.end());
  arguments.push_back("--ready-fd");
  arguments.push_back(std::to_string(ready_fd));
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  ::execv(LINDEN_SPACE_SERVER, pointers.data());
  ::_exit(127);
}

// Until the line feed, or until nobody can write any more.
std::string line_from(int fd) {
  std::string line;
  char byte = 0;
  while (true) {
    const ssize_t count = ::read(fd, &byte, 1);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0 || byte == '\n') return line;
    line += byte;
  }
}

}  // namespace

Program::Program(const std::vector<std::string>& options, const std::string& log_path) {
  int pipe[2];
  if (::pipe(pipe) != 0) throw std::runtime_error("pipe");
  ::fcntl(pipe[0], F_SETFD, FD_CLOEXEC);
  pid_ = ::fork();
  if (pid_ == 0) become(options, log_path, pipe[1]);
  ::close(pipe[1]);
  ready_line_ = line_from(pipe[0]);
  ::close(pipe[0]);
}

Program::~Program() {
  if (pid_ < 0) return;
  signal(SIGKILL);
  wait();
}

void Program::signal(int number) const {
  ::kill(pid_, number);
}

int Program::wait() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

std::string contents_of(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace linden::server

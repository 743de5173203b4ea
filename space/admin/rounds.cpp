// space/admin/rounds.cpp
#include "space/admin/rounds.h"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <iostream>
#include <sstream>
#include <vector>

#include "space/admin/columns.h"
#include "space/admin/commands.h"
#include "space/admin/table.h"

namespace linden::admin {
namespace {

using Clock = std::chrono::steady_clock;

// Other screen, no cursor, and a line that is too wide after all does not wrap; and all of it back.
constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l\x1b[?7l";
constexpr std::string_view kLeave = "\x1b[?7h\x1b[?25h\x1b[?1049l";

sigset_t told_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGWINCH}) sigaddset(&set, signal);
  return set;
}

void write_all(std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written < 0 && errno != EINTR && errno != EAGAIN) return;
    if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
  }
}

// What is written to standard output meanwhile is kept.
class Capture {
 public:
  Capture() : standard_(std::cout.rdbuf(kept_.rdbuf())) {}
  ~Capture() { std::cout.rdbuf(standard_); }
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;
  [[nodiscard]] std::string text() const { return kept_.str(); }

 private:
  std::ostringstream kept_;
  std::streambuf* standard_;
};

// Standard output while something is shown on it again and again.
class Screen {
 public:
  Screen() : is_terminal_(::isatty(STDOUT_FILENO) == 1) {
    if (is_terminal_) write_all(kEnter);
  }
  ~Screen() {
    if (is_terminal_) write_all(kLeave);
  }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  void show(const std::string& text, bool separate) const {
    if (!is_terminal_) {
      if (separate) std::cout << "\n";
      std::cout << text << std::flush;
      return;
    }
    winsize size{};
    const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0;
    write_all(known ? frame(text, size.ws_col, size.ws_row) : frame(text, 80, 24));
  }

 private:
  bool is_terminal_;
};

}  // namespace

struct Signals::Inside {
  sigset_t before{};
  int fd = -1;
  void (*pipe_before)(int) = SIG_DFL;
  Session* ended = nullptr;
  bool over = false;
  bool resized = false;

  void read_signals() {
    signalfd_siginfo info{};
    while (::read(fd, &info, sizeof(info)) == static_cast<ssize_t>(sizeof(info)))
      (info.ssi_signo == SIGWINCH ? resized : over) = true;
  }
  // Without a wish for events, poll still tells that nobody reads any more.
  void look(std::chrono::milliseconds time) {
    std::array<pollfd, 2> watched{{{fd, POLLIN, 0}, {STDOUT_FILENO, 0, 0}}};
    ::poll(watched.data(), watched.size(), static_cast<int>(time.count()));
    if ((watched[1].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0 || !std::cout) over = true;
    read_signals();
  }
};

Signals::Signals(Session* ended) : inside_(std::make_unique<Inside>()) {
  const sigset_t set = told_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, &inside_->before);
  inside_->fd = ::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  inside_->pipe_before = ::signal(SIGPIPE, SIG_IGN);
  inside_->ended = ended;
  if (ended != nullptr) ended->set_interrupt(interrupt());
}

Signals::~Signals() {
  if (inside_->ended != nullptr) inside_->ended->set_interrupt({});
  // What came and was not read is what ended it: it must not end the process now.
  inside_->read_signals();
  ::close(inside_->fd);
  ::signal(SIGPIPE, inside_->pipe_before);
  ::pthread_sigmask(SIG_SETMASK, &inside_->before, nullptr);
}

bool Signals::wait(Duration time) {
  const auto until = Clock::now() + std::min<Duration>(time, std::chrono::hours(24 * 365));
  while (!is_over() && !inside_->resized) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
    if (left.count() <= 0) return true;
    inside_->look(std::min<std::chrono::milliseconds>(left, std::chrono::minutes(1)));
  }
  inside_->resized = false;
  return !inside_->over;
}

bool Signals::is_over() {
  if (!inside_->over) inside_->look(std::chrono::milliseconds(0));
  return inside_->over;
}

Interrupt Signals::interrupt() {
  return [this] { return is_over(); };
}

std::string frame(std::string_view text, std::size_t columns, std::size_t rows) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  const bool fits = lines.size() <= rows;
  const std::size_t shown = fits ? lines.size() : std::max<std::size_t>(rows, 1) - 1;
  std::string drawn = "\x1b[H";
  for (std::size_t i = 0; i < shown; ++i) {
    if (i > 0) drawn += "\r\n";
    drawn += cut_to(lines[i], columns);
    drawn += "\x1b[K";
  }
  if (!fits) {
    const std::string rest = fmt::format("... and {} more", counted(lines.size() - shown, "line"));
    if (shown > 0) drawn += "\r\n";
    drawn += cut_to(rest, columns);
    drawn += "\x1b[K";
  }
  return drawn + "\x1b[J";
}

void show_in_rounds(Desk& desk, Duration every, std::size_t rounds,
                    const std::function<void()>& show) {
  Signals signals(&desk.session);
  const Screen screen;
  for (std::size_t round = 1; !signals.is_over(); ++round) {
    desk.exit_code = kExitOk;
    std::string text;
    try {
      const Capture capture;
      show();
      text = capture.text();
    } catch (const Error&) {
      if (signals.is_over()) break;  // that is why
      throw;
    }
    screen.show(text, round > 1 && !desk.options.json);
    if (round == rounds || !signals.wait(every)) break;
  }
  if (signals.is_over()) desk.exit_code = kExitOk;
}

}  // namespace linden::admin

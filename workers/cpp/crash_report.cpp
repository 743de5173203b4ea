// workers/cpp/crash_report.cpp
#include "workers/cpp/crash_report.h"

#include <signal.h>  // NOLINT(modernize-deprecated-headers): sigaction is not in <csignal>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

namespace linden {
namespace {

constexpr std::array kSignals{SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
constexpr std::size_t kStackBytes = std::size_t{64} << 10;

// Read by a signal handler of the same thread.
struct Now {
  std::string_view function;
  std::string_view client;
  std::int64_t number = 0;
};
thread_local Now now;

// In a handler nothing may be allocated or locked, so the line is put together here.
class Line {
 public:
  Line& operator<<(std::string_view text) {
    const auto count = std::min(text.size(), bytes_.size() - used_);
    std::memcpy(bytes_.data() + used_, text.data(), count);
    used_ += count;
    return *this;
  }
  Line& operator<<(std::int64_t number) {
    std::array<char, 20> digits{};
    std::size_t at = digits.size();
    auto left = static_cast<std::uint64_t>(number < 0 ? -number : number);
    do {
      digits[--at] = static_cast<char>('0' + left % 10);
      left /= 10;
    } while (left != 0);
    if (number < 0) *this << "-";
    return *this << std::string_view(digits.data() + at, digits.size() - at);
  }
  void write() const { (void)!::write(STDERR_FILENO, bytes_.data(), used_); }

 private:
  std::array<char, 512> bytes_{};
  std::size_t used_ = 0;
};

std::string_view name_of_signal(int number) {
  switch (number) {
    case SIGSEGV:
      return "SIGSEGV";
    case SIGBUS:
      return "SIGBUS";
    case SIGFPE:
      return "SIGFPE";
    case SIGILL:
      return "SIGILL";
    default:
      return "SIGABRT";
  }
}

// SA_RESETHAND has put the usual end of the process back: raised again, the signal is that.
void report(int number) {
  Line line;
  line << "linden engine: " << name_of_signal(number);
  if (!now.function.empty()) {
    line << " in function '" << now.function << "', task " << now.client << "_" << now.number;
  } else {
    line << " in a thread that runs no task";
  }
  line << "; the process ends\n";
  line.write();
  ::raise(number);
}

std::array<struct sigaction, kSignals.size()> before;

}  // namespace

CrashReport::CrashReport() {
  struct sigaction action {};
  action.sa_handler = &report;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_ONSTACK | SA_NODEFER);
  for (std::size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &action, &before[i]);
}

CrashReport::~CrashReport() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &before[i], nullptr);
}

CrashReport::Running::Running(std::string_view function, std::string_view client,
                              std::int64_t number) noexcept {
  now = {function, client, number};
}

CrashReport::Running::~Running() {
  now = {};
}

CrashReport::Stack::Stack() : bytes_(std::make_unique<char[]>(kStackBytes)) {
  const stack_t stack{.ss_sp = bytes_.get(), .ss_flags = 0, .ss_size = kStackBytes};
  ::sigaltstack(&stack, nullptr);
}

CrashReport::Stack::~Stack() {
  const stack_t none{.ss_sp = nullptr, .ss_flags = SS_DISABLE, .ss_size = 0};
  ::sigaltstack(&none, nullptr);
}

}  // namespace linden

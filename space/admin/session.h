// space/admin/session.h: the options that every command has, and the server that they lead to.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <linden/client.h>
#include <linden/space.h>

namespace linden::admin {

struct Options {
  std::optional<std::string> connection;
  std::optional<std::string> cluster_id;
  std::optional<std::string> space;
  double timeout_s = 10;
  bool json = false;
};

// Exit codes, as --help and docs/reference/space-admin.1.md tell them.
inline constexpr int kExitOk = 0;
inline constexpr int kExitNothing = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitUnreachable = 3;
inline constexpr int kExitRefused = 4;
[[nodiscard]] int exit_code_of(ErrorCode code) noexcept;

// Options in seconds.
[[nodiscard]] Duration duration_of(double seconds);

// Connects and opens the space when they are first needed.  Everything throws Error.
class Session {
 public:
  explicit Session(const Options& options) : options_(options) {}

  [[nodiscard]] const Options& options() const { return options_; }
  [[nodiscard]] Duration timeout() const { return duration_of(options_.timeout_s); }
  // Asked while a call waits; true ends the wait, and the call throws.
  void set_interrupt(Interrupt interrupt) { interrupt_ = std::move(interrupt); }
  [[nodiscard]] const Interrupt& interrupt() const { return interrupt_; }
  [[nodiscard]] Client& client();
  // `create`: make it if there is none.
  Space& space(bool create = false);
  [[nodiscard]] std::vector<SpaceStatus> spaces() { return client().spaces(timeout(), interrupt_); }
  [[nodiscard]] ServerInfo server() { return client().server(timeout(), interrupt_); }

  // The answer of the space within the timeout.
  template <class Wanted>
  Wanted ask(Operation operation) {
    return ask<Wanted>(space().number(), std::move(operation));
  }
  template <class Wanted>
  Wanted ask(SpaceNumber number, Operation operation) {
    Answer answer = ask_any(number, std::move(operation));
    if (auto* wanted = std::get_if<Wanted>(&answer)) return std::move(*wanted);
    throw Error(ErrorCode::kMalformed, "the server gave an answer of another kind");
  }

 private:
  Answer ask_any(SpaceNumber number, Operation operation);

  const Options& options_;
  Interrupt interrupt_;
  std::string space_name_;
  std::optional<Client> client_;
  std::optional<Space> space_;
};

}  // namespace linden::admin

// tests/space/core/scenario.h: a SpaceState, some clients, and a clock that is moved by hand.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "space/core/space_state.h"

namespace linden::core {

using namespace std::chrono_literals;

inline constexpr SessionId kAlice{1, 1};
inline constexpr SessionId kBob{1, 2};
inline constexpr SessionId kCarol{1, 3};

// Shorthand for tuples and templates of tests.
inline Tuple task(std::int64_t number) {
  return Tuple{Value("task"), Value(number)};
}
inline Tuple result(std::int64_t number) {
  return Tuple{Value("result"), Value(number)};
}
inline Template any_task() {
  return Template{"task", kInt};
}
inline Template any_result() {
  return Template{"result", kInt};
}
using Tuples = std::vector<Tuple>;
using Tokens = std::vector<Token>;

class Scenario {
 public:
  // Alice, Bob and Carol are attached.
  explicit Scenario(const Limits& limits = {});

  // Moves the clock to `since_start`; what is due until then happens on time.
  Scenario& at(Duration since_start);

  // One request; its number is the answer's address.  `as` repeats an earlier number.
  RequestId ask(SessionId who, Operation operation, std::optional<RequestId> as = {});
  // One step of this space and of `other` (P28).
  RequestId collect(SessionId who, Scenario& other, CollectOp op, std::optional<RequestId> as = {});
  RequestId put(SessionId who, Tuple tuple, Attributes attributes = {});
  RequestId put_all(SessionId who, std::vector<NewTuple> tuples);
  RequestId take(SessionId who, Template form, Duration timeout = kForever);
  RequestId read(SessionId who, Template form, Duration timeout = kForever);
  RequestId reserve(SessionId who, Template form, Duration timeout = kForever,
                    Duration lease = 30s);
  RequestId stream(SessionId who, TakeMode mode, Template form, std::uint32_t credit = 1,
                   Duration lease = 30s);
  ErrorCode finish(SessionId who, Token token, Tuples puts = {});
  ErrorCode release(SessionId who, Token token, bool started = true);
  void started(SessionId who, Token token);

  void attach(SessionId who, Duration hold = 5s, Duration memory = 60s);
  void hear(SessionId who, RequestId acknowledged = {});
  void lose(SessionId who);
  void close(SessionId who);
  void set_disk_low(bool is_low) { apply(DiskSpace{is_low}); }

  // What was said to a request so far.
  [[nodiscard]] bool waiting(SessionId who, RequestId request) const;
  [[nodiscard]] const Answer& answer(SessionId who, RequestId request) const;
  template <class What>
  [[nodiscard]] const What& answer_as(SessionId who, RequestId request) const {
    return std::get<What>(answer(who, request));
  }
  [[nodiscard]] ErrorCode code(SessionId who, RequestId request) const;  // kOk if not refused
  [[nodiscard]] std::vector<Handout> handouts(SessionId who, RequestId request) const;
  [[nodiscard]] Tuples got(SessionId who, RequestId request) const;
  [[nodiscard]] std::vector<Gap> gaps(SessionId who, RequestId subscription) const;
  [[nodiscard]] Token token(SessionId who, RequestId request) const;  // of the latest hand-out
  [[nodiscard]] Tokens recalled(SessionId who, RequestId stream) const;
  // Forgets what was said, so that a test can look at what comes next.
  void forget() { said_.clear(); }

  [[nodiscard]] std::uint64_t count(Template form);
  [[nodiscard]] std::vector<ListedTuple> list(bool all_states = true);
  [[nodiscard]] const std::vector<LeaseWarning>& warnings() const { return effects_.warnings; }
  [[nodiscard]] const std::vector<Mutation>& mutations() const { return effects_.mutations; }
  [[nodiscard]] SpaceState& state() { return state_; }

  // The server is killed after its last commit and restored from all mutations.
  void restart();

 private:
  void apply(Command&& command);
  void note_said();

  Limits limits_;
  SpaceState state_;
  Time now_{};
  Effects effects_;  // all mutations since the beginning
  std::map<Origin, std::vector<Message>> said_;
  std::map<SessionId, RequestId> next_;
};

}  // namespace linden::core

// tests/simulation/reference_space.h: the space once more, naive on purpose: plain lists that are
// scanned from the front, no index, no heap, no slot.  A value that can be copied, so a simulated
// crash is an assignment.
//
// It knows everything but recalls (F4), which change nothing but who is asked: the simulation
// checks those by themselves.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "space/core/command.h"
#include "space/core/effect.h"

namespace linden::simulation {

using core::Command;
using core::Message;
using core::Origin;

struct ReferenceSpace {
  enum class State { kReady, kReserved, kTaken, kDead, kDelayed, kBehind, kGuarded };
  struct Item {
    TupleId id;
    NewTuple put;
    Time expires_at = kNever;
    Time visible_at{};
    std::vector<bool> met;  // of its guards
    State state = State::kReady;
    std::uint32_t attempt = 0;
    std::uint32_t started_before = 0;
    // kReserved, kTaken
    Origin holder;
    Duration lease{0};
    std::uint32_t form = 0;
    std::uint64_t order = 0;  // of hand-out
    bool started = false;
    bool streamed = false;
    RequestId forgotten_with;  // kTaken: with the answer to this request; 0: when named in AckOp
  };
  struct Waiter {
    Origin origin;
    TakeMode mode = TakeMode::kTake;
    bool stream = false;
    bool in_line = false;  // is looked at when a tuple comes
    std::vector<Template> forms;
    Duration lease{0};
    Time deadline = kNever;
    std::uint64_t number = 0;
    std::uint64_t turn = 0;
    std::uint32_t credit = 1;
    std::uint32_t reading = 0;  // kRead streams: deliveries not acknowledged
    TupleId cursor;
    std::uint64_t acknowledged = 0;
    std::vector<TupleId> unacknowledged;  // kTake streams, in order of delivery
  };
  struct Session {
    Duration hold{0};
    Duration memory{0};
    bool connected = false;
    bool over_hold = false;
    bool restored = false;
    bool silent = false;
    Time heard_at{};
    Time lost_at{};
    RequestId acknowledged;
    std::map<RequestId, Answer> answers;  // of puts, finishes, releases
  };

  // An idempotency key that was used, by itself: it outlives its tuple.
  struct Key {
    TupleId id;
    NewTuple put;
    Time until = kNever;
  };

  std::map<TupleId, Item> items;
  std::map<std::string, Key> keys;
  std::vector<Waiter> waiters;  // oldest first
  std::map<SessionId, Session> sessions;
  TupleId next_id{1};
  Time now{};
  std::uint64_t numbers = 0;
  std::vector<Message> said;  // by the last apply

  void apply(const Command& command, Time at);
  // The server was killed and comes back from what is here.
  void restart(Time at);

  // Whether some waiter could have a ready tuple, or something due has not happened: what says so,
  // or empty.
  [[nodiscard]] std::string lost_wake_up() const;
  [[nodiscard]] std::uint32_t held_by(const Waiter& waiter) const;
  [[nodiscard]] const Waiter* find_waiter(const Origin& origin) const;

 private:
  Waiter* waiter(const Origin& origin);
  void say(const Origin& to, Answer answer);
  void heard(Session& session, const SessionId& id);
  void run_due();
  bool run_next_due();
  void settle();

  void operate(const Origin& from, const PutOp& op);
  void operate(const Origin& from, const TakeOp& op);
  void operate(const Origin& from, const StreamOp& op);
  void operate(const Origin& from, const AckOp& op);
  void operate(const Origin& from, const CreditOp& op);
  void operate(const Origin& from, const CancelOp& op);
  void operate(const Origin& from, const FinishOp& op);
  void operate(const Origin& from, const ReleaseOp& op);
  void operate(const Origin& from, const CountOp& op);
  void operate(const Origin& from, const ListOp& op);
  void operate(const Origin&, const SummarizeOp&) {}
  void operate(const Origin&, const ListSessionsOp&) {}
  void operate(const Origin& from, const RenewOp& op);

  bool answer_again(const Origin& from, const Operation& operation);
  void attach(const core::SessionAttached& command);
  void lose(const SessionId& id);
  void end_session(const SessionId& id);
  void end_hold(const SessionId& id);
  void end_bound(const SessionId& id);
  void forget(const SessionId& id, RequestId below);
  [[nodiscard]] Time due_of(const SessionId& id, const Session& session) const;
  void session_due(const SessionId& id, Time at);
  void give_back_all(const SessionId& id, Duration silence);

  [[nodiscard]] bool has_key_conflict(const std::vector<NewTuple>& tuples) const;
  std::vector<TupleId> put_all(const std::vector<NewTuple>& tuples);
  void put_one(TupleId id, const NewTuple& put);
  void place(Item& item, bool fresh);
  void advance(Item& item);
  [[nodiscard]] static bool all_met(const Item& item);
  static void meet(Item& item, std::size_t guard, const Tuple& by);
  void meet_guards(const Tuple& by);
  [[nodiscard]] bool is_behind(const Item& item) const;
  [[nodiscard]] std::vector<TupleId> next_in_line() const;  // nothing keeps them back now
  void give_back(Item& item, bool started, Duration delay = {});
  void leave(const Item& item);  // with its will
  Item* holding(const SessionId& session, const Token& token);
  void let_go(Item& item);
  void hand(const Origin& to, TakeMode mode, Duration lease, Item& item, std::uint32_t form,
            bool streamed, bool started);
  void deliver(Waiter& stream, Item& item, std::uint32_t form);
  void deliver_event(const Origin& stream, Handout handout);
  void refill_later(const Origin& stream);
  void refill(Waiter& stream);
  bool serve(const Origin& from, const TakeOp& op);
  void end_waiter(const Origin& origin);
  [[nodiscard]] std::vector<std::pair<Item*, std::uint32_t>> matches(
      const std::vector<Template>& forms);
  [[nodiscard]] static std::optional<std::uint32_t> first_match(const std::vector<Template>& forms,
                                                                const Tuple& tuple);
  [[nodiscard]] Handout show(const Item& item, std::uint32_t form) const;
  [[nodiscard]] std::vector<Item*> held_under(const Origin& origin, State state);
  Waiter& add_waiter(const Origin& from, TakeMode mode, const std::vector<Template>& forms);

  std::vector<NewTuple> wills_;
  std::vector<Origin> refills_;
};

}  // namespace linden::simulation

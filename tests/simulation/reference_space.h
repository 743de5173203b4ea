// tests/simulation/reference_space.h: the space once more, naive on purpose: plain lists that are
// scanned from the front, no index, no heap, no slot.  A value that can be copied, so a simulated
// crash is an assignment.
//
// It knows everything but recalls (F4), which change nothing but who is asked: the simulation
// checks those by themselves.
#pragma once

#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "space/core/command.h"
#include "space/core/effect.h"

namespace linden::simulation {

using core::Command;
using core::Message;
using core::Origin;

struct ReferenceSpace {
  enum class State { kReady, kReserved, kHeld, kTaken, kDead, kDelayed, kBehind, kGuarded };
  struct Item {
    TupleId id;
    NewTuple put;
    Time expires_at = kNever;
    Time visible_at{};
    std::vector<bool> met;  // of its guards
    State state = State::kReady;
    std::uint32_t attempt = 0;
    std::uint32_t started_before = 0;
    // kReserved, kTaken; kHeld: the transaction
    Origin holder;
    Duration lease{0};
    std::uint32_t form = 0;
    std::uint64_t order = 0;  // of hand-out
    bool started = false;
    bool streamed = false;
  };
  struct Transaction {
    struct Put {
      NewTuple put;
      bool taken = false;
    };
    struct Taken {
      RequestId request;
      TupleId id;  // 0: one of `puts`
      std::size_t put = 0;
      std::uint32_t form = 0;
      bool acknowledged = false;
    };
    Duration lease{0};
    std::vector<Put> puts;
    std::map<RequestId, std::uint32_t> put_requests;
    std::vector<Taken> taken;
    std::set<TupleId> read;
    std::vector<std::pair<TakeMode, std::vector<Template>>> nones;
    bool conflict = false;
  };
  struct Waiter {
    Origin origin;
    RequestId transaction;  // 0: none
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
  struct Subscription {
    struct Told {
      std::uint64_t number = 0;
      Handout handout;
      bool droppable = false;  // put, and never told
      bool forgotten = false;  // no put: the gap of unknown size
    };
    Origin origin;
    std::vector<Template> forms;
    std::uint32_t credit = 0;
    bool follow = true;
    bool attached = true;
    std::uint64_t last = 0;  // the number given last
    std::uint64_t told = 0;  // the number told last, gaps included
    std::uint64_t initial = 0;
    std::vector<Told> items;  // not acknowledged, told or not
  };
  static constexpr std::size_t kBacklogMax = 4;  // of a subscription

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
    std::map<RequestId, Answer> answers;  // of puts, finishes, releases, commits
    std::map<RequestId, Transaction> transactions;
  };

  // An idempotency key that was used, by itself: it outlives its tuple.
  struct Key {
    TupleId id;
    NewTuple put;
    Time until = kNever;
  };

  std::map<TupleId, Item> items;
  // The space, or what matches the template, is paused or drained.
  struct Pause {
    PauseKind kind = PauseKind::kPause;
    std::optional<Template> form;
    Time since{};
  };

  std::map<std::string, Key> keys;
  std::vector<Pause> pauses;                // oldest first
  std::map<std::string, TupleId> fronts;    // of groups: may be out or visible, the rest are behind
  std::vector<Waiter> waiters;              // oldest first
  std::vector<Subscription> subscriptions;  // oldest first
  std::map<SessionId, Session> sessions;
  TupleId next_id{1};
  Time now{};
  std::uint64_t numbers = 0;
  std::uint64_t bytes_max = std::numeric_limits<std::uint64_t>::max();
  bool disk_is_low = false;
  std::vector<Message> said;  // by the last apply

  void apply(const Command& command, Time at);
  // P28.
  void collect(ReferenceSpace& target, const core::Perform& collect, Time at);
  // The server was killed and comes back from what is here.
  void restart(Time at);

  // Whether some waiter could have a ready tuple, or something due has not happened: what says so,
  // or empty.
  [[nodiscard]] std::string lost_wake_up() const;
  [[nodiscard]] std::uint32_t held_by(const Waiter& waiter) const;
  [[nodiscard]] bool is_paused(const Item& item) const;
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
  void operate(const Origin& from, const SubscribeOp& op);
  void operate(const Origin& from, const AckOp& op);
  void operate(const Origin& from, const CreditOp& op);
  void operate(const Origin& from, const CancelOp& op);
  void operate(const Origin& from, const FinishOp& op);
  void operate(const Origin& from, const ReleaseOp& op);
  void operate(const Origin& from, const CountOp& op);
  void operate(const Origin& from, const ExplainOp& op);
  void operate(const Origin& from, const ListOp& op);
  void operate(const Origin&, const SummarizeOp&) {}
  void operate(const Origin&, const ListSessionsOp&) {}
  void operate(const Origin& from, const CommitOp& op);
  void operate(const Origin& from, const BeginOp& op);
  void operate(const Origin& from, const EndOp& op);

  // Transactions (reference_transaction.cpp).  An origin names the session and the BeginOp.
  Transaction* transaction(const Origin& name);
  Transaction* enter(const Origin& from, RequestId name);
  void put_inside(const Origin& from, const PutOp& op);
  bool serve_inside(const Origin& from, const TakeOp& op);
  Handout take_own(const Origin& name, RequestId request, TakeMode mode, std::size_t put,
                   std::uint32_t form);
  void hold(const Origin& name, RequestId request, Item& item, std::uint32_t form);
  bool answer_again_inside(const Origin& from, const Operation& operation);
  void note_none(const Origin& name, TakeMode mode, const std::vector<Template>& forms);
  [[nodiscard]] bool locked_against(const Origin& name, TupleId id) const;
  void unlock_all(const Origin& name);
  void remove(TupleId id);  // for everybody who relied on it
  std::optional<ErrorCode> commit_transaction(const Origin& name, Answer& done);
  [[nodiscard]] static std::vector<NewTuple> left_of(const Transaction& open);
  [[nodiscard]] std::optional<ErrorCode> refusal(const Transaction& open) const;
  void abort_transaction(const Origin& name);
  void end_own_waiters(const Origin& name);
  void operate(const Origin& from, const RenewOp& op);
  void operate(const Origin& from, const CollectOp& op);
  void operate(const Origin& from, const ReviveOp& op);
  void operate(const Origin& from, const PauseOp& op);
  void operate(const Origin& from, const ResumeOp& op);
  void operate(const Origin& from, const ListPausesOp& op);
  void revive(Item& item);
  void stand_by_id(Item& item);
  void put_back(Item& item);

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

  [[nodiscard]] std::optional<ErrorCode> refusal(const std::vector<NewTuple>& tuples) const;
  [[nodiscard]] bool has_key_conflict(const std::vector<NewTuple>& tuples) const;
  std::vector<TupleId> put_all(const std::vector<NewTuple>& tuples);
  Answer put_and_answer(const std::vector<NewTuple>& tuples);
  void put_one(TupleId id, const NewTuple& put);
  void place(Item& item, bool fresh);
  void advance(Item& item);
  [[nodiscard]] static bool all_met(const Item& item);
  static void meet(Item& item, std::size_t guard, const Tuple& by);
  void meet_guards(const Tuple& by);
  [[nodiscard]] static bool is_in_line(const Item& item, const std::string& group);
  [[nodiscard]] bool is_behind(const Item& item) const;
  void renew_fronts();
  [[nodiscard]] TupleState state_of(const Item& item) const;
  [[nodiscard]] bool is_drained(const std::vector<NewTuple>& tuples) const;
  [[nodiscard]] std::vector<TupleId> next_in_line() const;  // nothing keeps them back now
  void give_back(Item& item, bool started, Duration delay = {});
  void leave(const Item& item);  // with its will
  Item* holding(const SessionId& session, const Token& token);
  void let_go(Item& item);
  void hand(const Origin& to, TakeMode mode, Duration lease, Item& item, std::uint32_t form,
            bool streamed, bool started);
  void deliver(Waiter& stream, Item& item, std::uint32_t form);
  void notify(const Origin& stream, Event event);
  void deliver_event(const Origin& stream, Handout handout);
  void refill_later(const Origin& stream);
  void refill(Waiter& stream);
  bool serve(const Origin& from, const TakeOp& op);
  void offer(Item& item);  // to those who wait to take
  void end_waiter(const Origin& origin);
  Subscription* subscription(const Origin& origin);
  void tell_due(Subscription& subscription);
  void tell_put(const Item& item);
  // `name`: the transaction that looks; its request is 0 outside of one.
  [[nodiscard]] std::vector<std::pair<Item*, std::uint32_t>> matches(
      const std::vector<Template>& forms, TakeMode mode, const Origin& name = {});
  [[nodiscard]] static std::optional<std::uint32_t> first_match(const std::vector<Template>& forms,
                                                                const Tuple& tuple);
  [[nodiscard]] Handout show(const Item& item, std::uint32_t form) const;
  [[nodiscard]] std::vector<Item*> held_under(const Origin& origin, State state);
  Waiter& add_waiter(const Origin& from, TakeMode mode, const std::vector<Template>& forms);

  std::vector<NewTuple> wills_;
  std::vector<Origin> refills_;
  ReferenceSpace* collect_target_ = nullptr;  // during collect()
};

}  // namespace linden::simulation

// space/core/space_machine.h: the parts of a space and how they work together.
//
// One command is one step: it is applied, then what it set free is handed on (settle), so that
// after every step no waiting request matches a ready tuple that it may have.
// space_machine.cpp    commands, deadlines, putting and placing tuples
// space_take.cpp       takes, reads, reservations and their repetition
// space_stream.cpp     streams
// space_commit.cpp     several operations as one
// space_transaction.cpp  transactions
// space_collect.cpp    what two spaces do together
// space_subscribe.cpp  subscriptions and snapshots
// space_finish.cpp     finish, release, the ends of leases
// space_session.cpp    sessions come, fall silent, go
// space_key.cpp        idempotency keys
// space_guard.cpp      guards
// space_hidden.cpp     tuples that are not visible yet; new times to live
// space_revive.cpp     dead tuples come back
// space_pause.cpp      pauses and drains
// space_inspect.cpp    count, list, summarize, sessions, counters
// space_restore.cpp    the durable state, out and in
#pragma once

#include <array>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "space/core/deadline_queue.h"
#include "space/core/guard_index.h"
#include "space/core/key_table.h"
#include "space/core/recall.h"
#include "space/core/session_table.h"
#include "space/core/space_state.h"
#include "space/core/template_index.h"
#include "space/core/transaction.h"
#include "space/core/tuple_table.h"
#include "space/core/wait_index.h"

namespace linden::core {

class SpaceState::Machine {
 public:
  explicit Machine(const Limits& limits);
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  void apply(Command&& command, Time now, Effects& effects);
  void collect(Machine& target, Perform&& collect, Time now, Effects& effects, Effects& of_target);
  [[nodiscard]] Time next_deadline() const { return deadlines_.next(); }
  void foresee(std::span<const Template* const> forms) const { ready_.foresee(forms); }
  void restore(Mutation&& mutation);
  void restored(Time now);
  bool describe(TupleId id, std::vector<Mutation>& out) const;
  void describe_rest(std::vector<Mutation>& out) const;
  void visit_ids(const std::function<void(TupleId)>& visit) const;
  [[nodiscard]] bool knows_session(SessionId id) const { return sessions_.find(id) != nullptr; }
  [[nodiscard]] SpaceCounters counters() const;

 private:
  struct Match {
    Slot slot = kNoSlot;
    std::uint32_t template_index = 0;
  };
  // Who looks for a tuple.  What an open transaction has read is not taken by anybody else.
  struct Seeker {
    bool reads = false;
    Slot transaction = kNoSlot;
  };
  // What a transaction found: a tuple of the space, or one that it put itself.
  struct Inside {
    Match match;
    std::size_t put = 0;  // if match.slot is kNoSlot
  };

  // ---- Commands and answers
  void begin_step(Time now, Effects& effects);
  void end_step();
  void on(Perform&& command);
  void on(SessionAttached&& command);
  void on(SessionHeard&& command);
  void on(SessionLost&& command);
  void on(SessionClosed&& command);
  void on(TimePassed&&) {}
  void on(DiskSpace&& command) { disk_is_low_ = command.is_low; }
  void operate(Session& session, RequestId request, PutOp&& op);
  void operate(Session& session, RequestId request, TakeOp&& op);
  void operate(Session& session, RequestId request, StreamOp&& op);
  void operate(Session& session, RequestId request, SubscribeOp&& op);
  void operate(Session& session, RequestId request, AckOp&& op);
  void operate(Session& session, RequestId request, CreditOp&& op);
  void operate(Session& session, RequestId request, CancelOp&& op);
  void operate(Session& session, RequestId request, FinishOp&& op);
  void operate(Session& session, RequestId request, ReleaseOp&& op);
  void operate(Session& session, RequestId request, CountOp&& op);
  void operate(Session& session, RequestId request, ExplainOp&& op);
  void operate(Session& session, RequestId request, ListOp&& op);
  void operate(Session& session, RequestId request, SummarizeOp&& op);
  void operate(Session& session, RequestId request, ListSessionsOp&& op);
  void operate(Session& session, RequestId request, CommitOp&& op);
  void operate(Session& session, RequestId request, BeginOp&& op);
  void operate(Session& session, RequestId request, EndOp&& op);
  void operate(Session& session, RequestId request, RenewOp&& op);
  void operate(Session& session, RequestId request, CollectOp&& op);
  void operate(Session& session, RequestId request, ReviveOp&& op);
  void operate(Session& session, RequestId request, PauseOp&& op);
  void operate(Session& session, RequestId request, ResumeOp&& op);
  void operate(Session& session, RequestId request, ListPausesOp&& op);
  void reply(const Session& session, RequestId request, Answer&& answer);
  void refuse(const Session& session, RequestId request, ErrorCode code, std::string message);
  void emit(Mutation&& mutation) { effects_->mutations.push_back(std::move(mutation)); }
  // What the step set free: wills, tuples that come forward, streams with new credit, recalls.
  void settle();

  // ---- Deadlines
  void run_deadlines();
  void on_due(const Due& due);
  [[nodiscard]] bool is_current(const Due& due) const;
  void tuple_due(Slot slot);

  // ---- Tuples
  [[nodiscard]] std::optional<Refused> check(std::span<const NewTuple> tuples) const;
  [[nodiscard]] std::optional<Refused> check_rare(const NewTuple& put) const;
  // Whether the disk and the quota have room for so many bytes of tuples more (P33).
  [[nodiscard]] std::optional<Refused> check_room(std::uint64_t bytes) const;
  // The same, and whether what they match is drained.
  [[nodiscard]] std::optional<Refused> check_room(std::span<const NewTuple> puts) const;
  [[nodiscard]] std::optional<Refused> check_room(const Transaction& transaction) const;
  void add_tuple(TupleId id, NewTuple&& tuple);
  TupleId add_tuples(std::vector<NewTuple>&& tuples);
  // The tuple in its slot, where nobody sees it yet; kNoSlot if its owner is gone.
  Slot store_tuple(TupleId id, NewTuple&& tuple);
  // A tuple has become free: serves blocked reads, then one taker, or makes it ready.
  // `fresh`: it was just put, so read streams are shown it too.
  void place(Slot slot, bool fresh);
  void serve_readers(Slot slot, bool fresh);
  [[nodiscard]] WaitIndex::Match next_taker(Slot slot);  // of the tuple that is split in fields_
  void remove_tuple(Slot slot);  // whatever its state; its holding must be gone
  void set_state(Entry& entry, EntryState state);
  [[nodiscard]] bool before(Slot a, Slot b) const;  // in the order of P5
  void leave_with_will(Slot slot);
  // What its session and its group know of it ends.
  void untie(const Entry& entry);

  // ---- Idempotency keys
  struct KeyCheck {
    const NewTuple* conflict = nullptr;  // its key was used for something else
    std::size_t fresh = 0;               // keys that are not known yet
  };
  [[nodiscard]] static bool have_keys(std::span<const NewTuple> tuples);
  [[nodiscard]] KeyCheck check_keys(std::span<const NewTuple> tuples) const;
  [[nodiscard]] std::optional<Refused> check_room_for_keys(std::size_t fresh) const;
  // Adds those whose keys are not known; the id of each, or of the one that was put before it.
  std::vector<TupleId> add_keyed(std::vector<NewTuple>&& tuples);
  // Why keys and guards do not allow the puts now, if so (P23, P24).
  [[nodiscard]] std::optional<Refused> check_keys_and_guards(
      std::span<const NewTuple> tuples) const;
  // Puts them, and remembers the answer and gives it.
  void put_and_answer(Session& session, RequestId request, std::vector<NewTuple>&& tuples);
  void remember_key(TupleId id, NewTuple& put);
  void forget_key(TupleId id);

  // ---- Guards
  [[nodiscard]] std::optional<Refused> check_guards(const NewTuple& put) const;
  [[nodiscard]] static std::size_t count_guards(std::span<const NewTuple> tuples);
  [[nodiscard]] std::optional<Refused> check_room_for_guards(std::size_t fresh) const;
  void open_guards(Slot slot);
  // `fields_` has the fields of the tuple at `slot`, which has become visible.
  void meet_guards(Slot slot);
  void meet(Slot guarded, std::uint32_t number, const Tuple& by);
  static void note_met(Entry& entry, std::uint32_t number, const Tuple& bound);
  void close_guards(const Entry& entry);
  void describe_guards(const Entry& entry, std::vector<Mutation>& out) const;
  void give_up(Slot slot);

  // ---- Tuples that are not visible yet
  void arrive(Slot slot);
  // Makes the tuple visible if nothing keeps it back any more, else notes what does.
  void advance(Slot slot);
  void hold_back(Slot slot, Duration delay);
  [[nodiscard]] bool is_behind(const Entry& entry) const;
  void stand_in_line(const Entry& entry);
  void leave_group(const Entry& entry);
  void bring_forward();
  [[nodiscard]] ErrorCode renew(const RenewItem& item);

  // ---- Taking
  // Remembered answers to repeated requests; true if it was one.
  bool answer_again(Session& session, RequestId request, const Operation& operation);
  [[nodiscard]] Found give_again(std::vector<Slot> holdings);
  [[nodiscard]] std::vector<Match> find_ready(std::span<const Template> templates,
                                              std::size_t count, TemplateIndex::Exclusive exclusive,
                                              const Seeker& seeker);
  [[nodiscard]] std::vector<Match> find_answer(std::span<const Template> templates,
                                               std::size_t count, const Seeker& seeker);
  [[nodiscard]] std::vector<Match> find_by_id(std::span<const Template> templates, TupleId after,
                                              std::size_t count);
  [[nodiscard]] Match best_ready(std::span<const Template> templates,
                                 TemplateIndex::Exclusive exclusive, const Seeker& seeker);
  [[nodiscard]] Slot best_ready(const Template& form, TemplateIndex::Exclusive exclusive,
                                const Seeker& seeker);
  void serve(Session& session, RequestId request, const TakeOp& op,
             const std::vector<Match>& matches);
  bool serve_now(Session& session, RequestId request, const TakeOp& op, Slot transaction);
  Handout show(const Match& match) const;
  Handout take(Session& session, RequestId request, const Match& match, Slot stream);
  Handout reserve(Session& session, RequestId request, const Match& match, Duration lease,
                  Slot stream, bool started);
  void wait(Session& session, RequestId request, TakeOp&& op, Slot transaction);

  // ---- Several operations as one
  [[nodiscard]] std::optional<Refused> check(const Session& session, const CommitOp& op);

  // ---- Two spaces
  [[nodiscard]] std::optional<Refused> find_to_collect(const CollectOp& op,
                                                       std::vector<Match>& found,
                                                       std::uint64_t& bytes);
  [[nodiscard]] NewTuple as_put_anew(const Entry& entry) const;

  // ---- Transactions
  [[nodiscard]] Slot find_transaction(const Session& session, RequestId id) const;
  // Answers the request and returns kNoSlot if the transaction is not open or full.
  [[nodiscard]] Slot enter(const Session& session, RequestId request, RequestId id);
  void put_inside(Slot transaction, RequestId request, std::vector<NewTuple>&& tuples);
  void serve_own_waiters(Slot transaction, std::size_t put);
  [[nodiscard]] std::vector<Inside> find_inside(Slot transaction, const TakeOp& op);
  bool serve_inside(Slot transaction, RequestId request, const TakeOp& op);
  Handout hand_inside(Slot transaction, RequestId request, TakeMode mode, const Inside& found);
  void hold(Slot transaction, RequestId request, const Match& match);
  bool answer_again_inside(const Session& session, RequestId request, const Operation& operation);
  void acknowledge_inside(Session& session, RequestId take);
  void note_none(Slot transaction, TakeMode mode, const std::vector<Template>& templates);
  [[nodiscard]] std::uint64_t count_own(Slot transaction, const Template& form) const;
  // What an open transaction has read: whether `seeker` may take it; the lock and its end.
  [[nodiscard]] bool may_take(Slot slot, const Seeker& seeker) const;
  void lock(Slot transaction, Slot slot);
  void unlock(Slot transaction, TupleId id);
  void unlock_all(Slot transaction);
  void left_meanwhile(const Entry& entry, EntryState state);
  [[nodiscard]] std::optional<Refused> conflict_of(Slot transaction);
  void commit_transaction(Slot slot, RequestId request, std::vector<NewTuple>&& puts);
  void remember_for_good(const Transaction& transaction);
  static std::vector<NewTuple> take_puts_out(Transaction& transaction);
  void put_what_was_taken(const Transaction& transaction);
  void abort_transaction(Slot transaction);
  void abort_transactions(Session& session, Duration silence);
  void end_own_waiters(Slot transaction);
  void end_transaction(Slot transaction);

  // ---- Waiters
  Slot add_waiter(Session& session, RequestId request, TakeMode mode,
                  std::vector<Template>&& templates);
  // Each answers the request and returns false if a bound is reached.
  [[nodiscard]] bool may_wait(const Session& session, RequestId request);
  [[nodiscard]] bool may_remember(const Session& session, RequestId request);
  [[nodiscard]] bool check_credit(const Session& session, RequestId request, std::uint32_t credit,
                                  bool subscription);
  [[nodiscard]] bool check_templates(const Session& session, RequestId request,
                                     std::span<const Template> templates);
  void end_waiter(Slot slot);
  void index(Slot slot);
  void unindex(Slot slot);
  void serve_waiter(const WaitIndex::Match& match, Slot slot);
  void expire_waiter(Slot slot);
  void fall_silent(Session& session);
  void speak_again(Session& session);
  void try_again(Slot slot);

  // ---- Streams
  void attach_holdings(Slot stream, const std::vector<TupleId>& held);
  void detach_holdings(Slot stream);
  void deliver(Slot stream, const Match& match);
  void tell(Waiter& stream, Handout&& handout);
  void refill_later(Slot stream);
  void refill(Slot stream);
  void refill_reader(Slot stream);
  void acknowledge(Slot stream, std::uint64_t delivered);

  // ---- Subscriptions
  [[nodiscard]] bool may_subscribe(const Session& session, RequestId request);
  void begin_subscription(Session& session, RequestId request, SubscribeOp&& op);
  void resume_subscription(Slot slot, const SubscribeOp& op);
  void end_subscription(Slot slot);
  void end_subscriptions(Session& session);
  void detach_subscriptions(Session& session);
  void tell_subscribers(Slot slot);
  void tell_due(Slot slot);

  // ---- Leases
  ErrorCode finish(const Session& session, FinishItem&& item);
  [[nodiscard]] Slot current_holding(const Session& session, const Token& token) const;
  void let_go(Slot holding);
  void mark_started(Slot holding);
  void give_back(Slot slot, bool started, Duration delay = {});
  void give_back_all(Session& session, Duration silence);
  void recall_over(Slot holding);
  void try_recall_later(Slot waiter);
  void try_recall(Slot waiter);
  void try_recalls_of_all();

  // ---- Dead tuples
  void revive(Slot slot);
  void cut_in(const Entry& entry);
  // It is out no more: an earlier one of its group that was revived meanwhile comes first now.
  bool steps_back(const Entry& entry);

  // ---- Pauses and drains
  using Pauses = std::vector<PauseSet>;
  [[nodiscard]] Pauses::iterator find_pause(PauseKind kind, const std::optional<Template>& form);
  void add_pause(PauseSet&& pause);
  Pauses::iterator end_pause(Pauses::iterator pause);
  [[nodiscard]] bool is_paused(const encoding::FieldTable& tuple) const;
  void set_paused(Entry& entry, bool paused);
  [[nodiscard]] std::vector<Slot> ready_matches(const std::optional<Template>& form);
  void regroup(const std::optional<Template>& form);
  void hold_back_matches(const std::optional<Template>& form);
  void free_matches(const std::optional<Template>& form);
  // The tuple, which is ready, goes to whoever waits for it.
  void offer(Slot slot);
  [[nodiscard]] std::optional<Refused> check_drained(std::span<const NewTuple> puts) const;
  [[nodiscard]] std::optional<Refused> check_drained(const Tuple& put) const;

  // ---- Sessions
  void heard(Session& session);
  void forget_answers(Session& session, RequestId below);
  void forget_answer(Session& session, std::uint64_t request);
  void forget_taken(Slot first);
  void end_taking(Session& session, const CancelOp& op);
  void put_back(Slot holding);
  void remember(Session& session, RequestId request, Remembered&& answer);
  void drop_waiters(Session& session);
  void arm(Session& session);
  [[nodiscard]] Time deadline_of(const Session& session) const;
  [[nodiscard]] Duration shortest_lease(const Session& session) const;
  // Until a lease of it ends if nothing is heard of it.
  [[nodiscard]] Duration lease_left(const Session& session, Duration lease) const;
  void session_due(Session& session, Time at);
  // How long a silence is worth a warning; kForever if the lease is too short for one.
  [[nodiscard]] static Duration warned_after(Duration lease);
  [[nodiscard]] Duration warned_lease(const Session& session) const;
  void warn(Session& session, Duration silence);
  // Says which leases of the session are longer than `above` and at most as long as `most`, the
  // oldest tuple first; `left_of(lease)` is left of it.
  template <class LeftOf>
  void tell_leases(const Session& session, Time since, Duration above, Duration most,
                   const LeftOf& left_of);
  void tell_ended(const Session& session, Time since, Duration most);
  void end_hold(Session& session);
  void end_bound(Session& session);
  void end_session(Session& session);

  // ---- Looking
  [[nodiscard]] ListedTuple line_of(Slot slot) const;

  // ---- Recovery
  // What is out, until restored() knows that it still is.
  struct Out {
    Origin holder;
    Duration lease{0};
    std::uint32_t template_index = 0;
    bool started = false;
    bool streamed = false;
  };
  void set(TupleAdded&& added);
  void set(TupleReserved&& reserved);
  void set(TupleStarted&& started);
  void set(TupleReleased&& released);
  void set(TupleTaken&& taken);
  void set(TupleRemoved&& removed);
  void set(TupleDied&& died);
  void set(SessionOpened&& opened);
  void set(SessionEnded&& ended);
  void set(RequestAnswered&& answered);
  void set(NextTupleId&& next);
  void set(TupleDelayed&& delayed);
  void set(TupleRenewed&& renewed);
  void set(KeyRemembered&& remembered);
  void set(KeyForgotten&& forgotten);
  void set(GuardMet&& met);
  void set(PauseSet&& pause);
  void set(PauseEnded&& ended);
  void restore_tuple(Slot slot);
  void restore_guards(const Entry& entry);
  void restore_holding(Slot slot, bool reserved, Session& holder, const Out& out);
  boost::unordered_flat_map<TupleId, Out, std::hash<TupleId>> out_;

  const Limits limits_;
  TupleTable tuples_;
  TemplateIndex ready_;
  Slab<Waiter> waiters_;
  WaitIndex takers_;   // takes and reservations
  WaitIndex readers_;  // reads
  WaitIndex subscribers_;
  SessionTable sessions_;
  Slab<Transaction> transactions_;
  boost::unordered_flat_map<TupleId, std::vector<Slot>, std::hash<TupleId>> read_by_;
  Recall recall_;
  DeadlineQueue deadlines_;
  KeyTable keys_;
  GuardIndex guards_;
  // Who is in line, by id.  The front may be out or visible, the others are behind it; it has the
  // lowest id, unless an earlier one was revived while it was out or visible already.
  struct Line {
    std::set<TupleId> ids;
    TupleId front;
  };
  std::map<std::string, Line, std::less<>> groups_;
  std::set<TupleId> dead_;
  Pauses pauses_;  // in the order in which they were set
  // How many of each kind.
  std::size_t pausing_ = 0;
  std::size_t draining_ = 0;

  Time now_{};
  Effects* effects_ = nullptr;  // of the step under way
  std::uint64_t step_ = 0;
  TupleId next_id_{1};
  std::uint64_t turns_ = 0;
  std::uint64_t waiter_numbers_ = 0;
  std::uint64_t transaction_numbers_ = 0;

  // To be settled at the end of the step.
  std::vector<NewTuple> wills_;
  std::vector<TupleId> forward_;  // first of their groups now, or their guards have been met
  std::vector<std::pair<Slot, std::uint64_t>> refills_;  // slot and number of the stream
  std::vector<std::pair<Slot, std::uint64_t>> recall_tries_;

  encoding::FieldTable fields_;  // of the tuple that is placed
  std::vector<WaitIndex::Match> readers_found_;
  std::vector<WaitIndex::Match> subscribers_found_;
  std::vector<OpenGuard> guards_found_;
  SpaceCounters counts_;
  // How many entries are in each state; those that are ready are counted by `ready_`.
  std::array<std::uint64_t, kEntryStates> in_state_{};
  bool disk_is_low_ = false;
  Machine* collect_target_ = nullptr;  // during collect()
};

// Heads and attachments, as SpaceCounters::bytes counts them.
[[nodiscard]] std::uint64_t bytes_of(std::span<const NewTuple> tuples);

// Saturating: kForever stays kNever.
[[nodiscard]] Time later(Time now, Duration duration);

// The shortest ttl, lease, delay and window of a key (P-fine print of semantics): shorter ones
// would end before they began.
inline constexpr Duration kDurationMin = std::chrono::milliseconds(10);

}  // namespace linden::core

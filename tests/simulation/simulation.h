// tests/simulation/simulation.h: one seed, one history (docs/design/simulation.md).
//
// Several clients with connections that break, a server that commits in batches and is killed now
// and then, a disk that keeps what was committed, and time that is moved by hand.  Every command
// is also given to the naive ReferenceSpace, and everything that is said is compared.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "space/core/space_state.h"
#include "tests/simulation/describe.h"
#include "tests/simulation/reference_space.h"

namespace linden::simulation {

// A promise was broken; what() says which.
struct Broken : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Journal and table as in docs/design/storage-format.md, without bytes: when the oldest segment is
// retired, what it touched is described afresh, so recovery reads new states followed by older
// mutations.
class SimDisk {
 public:
  void commit(const std::vector<core::Mutation>& mutations);
  void rotate() { segments_.emplace_back(); }
  void retire(const core::SpaceState& state);
  [[nodiscard]] std::size_t segments() const { return segments_.size(); }
  void load(core::SpaceState& state) const;

 private:
  std::map<TupleId, std::vector<core::Mutation>> table_;
  std::vector<core::Mutation> rest_;
  std::deque<std::vector<core::Mutation>> segments_{1};
};

// What a client knows: what it asked and has no answer to, what it holds.
struct SimClient {
  struct Stream {
    StreamOp form;
    std::map<TupleId, Token> held;        // kReserve: not given back; kTake: not acknowledged
    std::vector<TupleId> unacknowledged;  // kTake: in order of delivery
    std::vector<TupleId> acknowledged;    // kTake: the space may not have heard of it
    std::uint64_t delivered = 0;
    TupleId last;
    bool standing = true;
  };
  struct Subscription {
    SubscribeOp form;
    bool answered = false;
    std::uint64_t received = 0;
    std::set<TupleId> told;  // since the space knows it
  };
  SessionId id;
  bool connected = false;
  bool attached = false;  // the server speaks to this connection, not to the one before
  RequestId next{1};
  std::deque<core::Command> sent;      // on the way to the server
  std::deque<core::Message> received;  // on the way to the client
  std::map<RequestId, Operation> unanswered;
  std::map<RequestId, Stream> streams;
  // Open as far as it knows, with what each took: consumed once the commit is answered.
  std::map<RequestId, std::vector<std::pair<core::Origin, TupleId>>> transactions;
  std::map<RequestId, Subscription> subscriptions;
  std::vector<Token> tokens;  // hand-outs that it has or had, so that it also uses stale ones

  std::vector<RequestId> taken;  // answered takes that the space does not know to have arrived

  // Takes that wait do not hold the watermark back: they are acknowledged by name.
  [[nodiscard]] RequestId acknowledged() const {
    for (const auto& [request, operation] : unanswered) {
      const auto* take = std::get_if<TakeOp>(&operation);
      if (take == nullptr || take->timeout <= Duration::zero()) return request;
    }
    return next;
  }
};

// A second space of the same server, which no client uses but to collect tuples there (P28).
struct OtherSpace {
  core::SpaceState state;
  core::Effects effects;  // not committed yet
  SimDisk disk;
  ReferenceSpace reference;
  ReferenceSpace committed;
};

class Simulation {
 public:
  Simulation(std::uint64_t seed, bool keep_history);
  // Throws Broken.
  void run(int steps);
  // Liveness: with no more faults, all are answered, and all that is free can be taken.  After
  // run().
  void come_to_rest();
  [[nodiscard]] const std::vector<std::string>& history() const { return history_; }

 private:
  // ---- Chance
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  bool chance(unsigned percent) { return below(100) < percent; }
  Duration some_time();
  Template some_form();
  std::vector<Template> some_forms();
  NewTuple some_tuple();
  // Of a tuple with so many fields.
  RareAttributes some_rare(std::size_t fields);
  Guard some_guard(std::size_t fields);
  std::vector<NewTuple> some_tuples(std::uint64_t most);
  Token some_token(SimClient& client);
  RequestId some_transaction(SimClient& client);
  CommitOp some_commit(SimClient& client);
  Operation some_revival();
  Operation some_pause();
  std::optional<Template> some_paused_form();
  Operation about_subscription(SimClient& client);
  CancelOp some_cancel(const SimClient& client, RequestId target);

  // ---- Clients
  void act(SimClient& client);
  void ask(SimClient& client, Operation operation);
  Operation some_operation(SimClient& client);
  void receive(SimClient& client);
  void take_in(SimClient& client, const core::Message& message);
  void take_in(SimClient& client, const core::Reply& reply);
  void take_in(SimClient& client, const core::Notice& notice);
  void take_in(SimClient::Subscription& subscription, const Event& event);
  void note_handout(const core::Origin& to, TakeMode mode, const Handout& handout);
  void note_consumed(const core::Origin& by, TupleId id);
  void note_removed(const core::Origin& by, const Operation& operation);
  void connect(SimClient& client);
  void lose_connection(SimClient& client, bool noticed);
  void forget_messages(SessionId session);
  void say_goodbye(SimClient& client);

  // ---- Rest (come_to_rest.cpp)
  void exchange_all();
  void check_everybody_is_answered();
  void leave_all();
  void take_all();

  // ---- Server
  void serve(SimClient& client);
  void look_ahead();
  void apply(core::Command&& command);
  void apply_to_both(core::Command&& command);
  void check_recall(const core::Notice& notice);
  void check_counters(const core::SpaceState& state, const ReferenceSpace& reference);
  void restart(core::SpaceState& state, const SimDisk& disk, ReferenceSpace& reference);
  void commit();
  void send(std::vector<core::Message>&& messages);
  void kill();
  void pass_time(Duration duration, bool late);
  void note(std::string line);
  [[noreturn]] void fail(const std::string& what);

  std::mt19937_64 random_;
  bool keep_history_;
  std::vector<std::string> history_;
  Time now_{};

  core::SpaceState state_;
  ReferenceSpace reference_;
  std::vector<ReferenceSpace::Waiter> waiters_before_;  // the last command
  std::map<TupleId, ReferenceSpace::Item> items_before_;
  TupleId next_id_before_;
  ReferenceSpace committed_;  // the reference as of the last commit
  core::Effects effects_;     // not committed yet
  SimDisk disk_;
  OtherSpace other_;
  std::vector<SimClient> clients_;
  std::uint64_t session_count_ = 0;

  // What clients have seen, which no crash may undo.
  std::map<TupleId, core::Origin> consumed_;  // taken or finished, by which request
  std::map<Token, core::Origin> handed_;      // reserved, by which request
  TupleId highest_seen_;
};

}  // namespace linden::simulation

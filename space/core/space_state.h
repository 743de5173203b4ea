// space/core/space_state.h: one space as a deterministic machine
// (docs/decisions/0001-pure-core.md).
//
//   command, now --> SpaceState::apply --> effects: mutations to make durable, then messages to
//   send
//
// No clock, I/O, thread, log or random in here; the same history in gives the same effects out.  It
// never fails and never throws: what it refuses is answered with Refused.  One strand owns it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "space/core/command.h"
#include "space/core/effect.h"
#include "space/core/limits.h"

namespace linden::core {

// Numbers for metrics and tests; monotonic unless said otherwise.
struct SpaceCounters {
  std::uint64_t tuples = 0;         // now, all states but taken
  std::uint64_t ready = 0;          // now, and not paused
  std::uint64_t paused = 0;         // now: free, but handed out to nobody
  std::uint64_t pauses = 0;         // now: pauses and drains that are set
  std::uint64_t reserved = 0;       // now, started or not
  std::uint64_t dead = 0;           // now
  std::uint64_t delayed = 0;        // now: not visible before their time
  std::uint64_t behind = 0;         // now: behind another of their group
  std::uint64_t guarded = 0;        // now: wait for their guards
  std::uint64_t keys = 0;           // now: idempotency keys that are remembered
  std::uint64_t waiters = 0;        // now: blocked requests and streams
  std::uint64_t subscriptions = 0;  // now
  std::uint64_t bytes = 0;          // now: heads and attachments
  std::uint64_t indexes = 0;        // now: learned mask indexes
  std::uint64_t puts = 0;
  std::uint64_t takes = 0;
  std::uint64_t finishes = 0;
  std::uint64_t stale = 0;
  std::uint64_t expired = 0;
  std::uint64_t scans = 0;  // look-ups that compared TemplateIndex::kScanMin tuples in vain
  std::uint64_t candidates_looked_at = 0;  // tuples and waiters compared in vain or not, for P6
};

class SpaceState {
 public:
  explicit SpaceState(const Limits& limits = {});
  ~SpaceState();
  SpaceState(SpaceState&&) noexcept;
  SpaceState& operator=(SpaceState&&) noexcept;

  // Applies `command` at `now` (never earlier than at the call before) and appends to `effects`.
  void apply(Command&& command, Time now, Effects& effects);

  // Says what will be taken or read by the next commands, so that it is looked up sooner.  Changes
  // nothing.  Worth its while from a few templates on.
  void foresee(std::span<const Template* const> forms) const;

  // The one step that two spaces make together: `source` applies `collect`, a Perform of a
  // CollectOp, and `target` takes in what matches (P28).  Both at `now`, each with its own effects;
  // the two must be committed as one.
  static void collect(SpaceState& source, SpaceState& target, Perform&& collect, Time now,
                      Effects& of_source, Effects& of_target);

  // When TimePassed should be applied next; kNever if nothing is due.  May be earlier than needed,
  // never later.
  [[nodiscard]] Time next_deadline() const;

  // Recovery: mutations in the order in which they were made durable, then restored() once.  `now`
  // is the server time at which the space goes on: leases are re-armed in full from there (P20),
  // and sessions count as lost at that moment, with their leases held for the whole lease rather
  // than the hold time, because it was the server that went away.
  void restore(Mutation&& mutation);
  void restored(Time now);

  // The durable state of one tuple as mutations (its key, added, then its state), for the table;
  // nothing but its key if it does not live. False if neither is there.
  bool describe(TupleId id, std::vector<Mutation>& out) const;
  // Everything durable that is not a tuple: sessions, remembered answers, the next id.
  void describe_rest(std::vector<Mutation>& out) const;
  // Visits the ids of all that describe() knows, in ascending order.
  void visit_ids(const std::function<void(TupleId)>& visit) const;

  [[nodiscard]] bool knows_session(SessionId id) const;
  [[nodiscard]] SpaceCounters counters() const;

 private:
  class Machine;  // space_machine.h: the parts and how they work together
  std::unique_ptr<Machine> machine_;
};

}  // namespace linden::core

// space/core/session_table.h: the sessions that a space knows, and what is handed out to them.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "api/model/operation.h"
#include "space/core/command.h"
#include "space/core/slab.h"

namespace linden::core {

struct Session;

// One tuple that is out: reserved under a lease, or taken and not yet acknowledged.
struct Holding {
  Slot entry = kNoSlot;
  Slot session = kNoSlot;
  RequestId request;         // the one-shot request or the stream
  std::uint64_t number = 0;  // in order of hand-out
  Duration lease{0};
  Time since{};  // of the hand-out; zero: before the server was started
  std::uint32_t template_index = 0;
  bool reserved = false;  // false: taken
  bool streamed = false;  // taken by a stream
  bool started = false;
  bool recalled = false;
  Slot stream = kNoSlot;        // the stream while it stands
  Slot recalled_for = kNoSlot;  // the waiter that it was recalled for
  std::uint64_t recalled_for_number = 0;
  Slot previous = kNoSlot;  // of the session
  Slot next = kNoSlot;
  Slot unstarted_previous = kNoSlot;  // of the stream
  Slot unstarted_next = kNoSlot;
  Slot chain = kNoSlot;  // taken: the next one of the same answer
};

// The answer to a mutating request, kept until the client has it (P36).
struct TakenChain {  // of a take: forgotten when AckOp names it, not by the watermark
  Slot first = kNoSlot;
};
using Remembered = std::variant<PutDone, FinishDone, KeyedPutDone, TakenChain>;

struct Session {
  SessionId id;
  std::uint64_t number = 0;  // 0: the slot is free; never reused
  Slot slot = kNoSlot;
  std::string name;
  Duration hold{0};
  Duration memory{0};
  bool connected = false;
  bool over_hold = false;  // away for longer than `hold`: nothing is held for it any more
  bool restored = false;   // away because the server was: leases run in full (P20)
  bool silent = false;     // a lease ended in silence: gets nothing until it is heard again
  Time heard_at{};
  Time lost_at{};
  Time armed_at = kNever;         // the earliest entry of it in the deadline queue
  Duration lease_min = kForever;  // no lease that it holds is shorter
  Duration warned{0};             // of leases up to this one, in the silence since `warned_since`
  Time warned_since = kNever;
  RequestId acknowledged;
  RequestId newest;          // the highest request seen: a higher one is no repetition
  std::size_t reserved = 0;  // holdings under a lease
  Slot first_holding = kNoSlot;
  Slot last_holding = kNoSlot;
  std::map<RequestId, Slot> waiters;       // blocked requests and streams
  std::map<RequestId, Slot> transactions;  // open ones, by their BeginOp
  std::map<RequestId, Slot> subscriptions;
  std::set<TupleId> bound;  // tuples that live with it (P25)
  boost::unordered_flat_map<std::uint64_t, Remembered> remembered;  // by request
};

class SessionTable {
 public:
  Session& open(SessionId id);
  // All holdings must be gone.
  void end(Session& session);
  [[nodiscard]] Session* find(SessionId id);
  [[nodiscard]] const Session* find(SessionId id) const;
  [[nodiscard]] Session& at(Slot slot) { return sessions_[slot]; }
  [[nodiscard]] const Session& at(Slot slot) const { return sessions_[slot]; }
  // In order of id, so that effects do not depend on hashes.
  [[nodiscard]] std::vector<const Session*> sorted() const;
  [[nodiscard]] std::vector<Session*> sorted();

  Slot hold(Session& session);
  void let_go(Slot holding);
  [[nodiscard]] Holding& holding(Slot slot) { return holdings_[slot]; }
  [[nodiscard]] const Holding& holding(Slot slot) const { return holdings_[slot]; }
  // The holdings of one request or stream in order of hand-out.  O(holdings of the session).
  [[nodiscard]] std::vector<Slot> holdings_of(const Session& session, RequestId request) const;

 private:
  Slab<Session> sessions_;
  Slab<Holding> holdings_;
  boost::unordered_flat_map<SessionId, Slot, std::hash<SessionId>> by_id_;
  std::uint64_t session_number_ = 0;
  std::uint64_t holding_number_ = 0;
};

}  // namespace linden::core

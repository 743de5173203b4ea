// space/core/mutation.h: the durable changes of a space.
//
// Each sets absolute values, so applying one twice, or an older one and then all later ones, ends
// in the same state; recovery relies on it (docs/design/storage-format.md).  A space's whole
// durable state is itself a list of mutations.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "api/model/operation.h"
#include "space/core/command.h"

namespace linden::core {

// Of the rare attributes only those that a tuple has for life: its key and its delay have mutations
// of their own.
struct TupleAdded {
  TupleId id;
  Tuple tuple;
  Attributes attributes;
  Time expires_at = kNever;
};

// Handed out under a lease (P16).  `started_before` counts earlier started hand-outs that ended
// without a finish.
struct TupleReserved {
  TupleId id;
  std::uint32_t attempt = 0;
  Origin holder;  // the session and its request or stream
  Duration lease{0};
  bool started = false;
  std::uint32_t template_index = 0;
};

// The holder has begun.
struct TupleStarted {
  TupleId id;
};

// Back among the ready ones, visible after a delay, or revived.
struct TupleReleased {
  TupleId id;
  std::uint32_t started_before = 0;
};

// Put or given back, and not visible before `until` (P18, P22).
struct TupleDelayed {
  TupleId id;
  std::uint32_t started_before = 0;
  Time until = kNever;
};

// The `guard`th guard was met; `bound` has the values of its fills, in order (P24).
struct GuardMet {
  TupleId id;
  std::uint32_t guard = 0;
  Tuple bound;
};

// Lives until another time (P21).
struct TupleRenewed {
  TupleId id;
  Time expires_at = kNever;
};

// Taken for good, but the answer has not been acknowledged: kept invisible so that a repeated
// request is given it again (P36).
struct TupleTaken {
  TupleId id;
  Origin taker;
  std::uint32_t template_index = 0;
  bool streamed = false;  // by a stream: forgotten by AckOp, not by the session's watermark
};

// Finished, expired, or taken and acknowledged.
struct TupleRemoved {
  TupleId id;
};

// Attempts used up and no will: kept aside (P19).
struct TupleDied {
  TupleId id;
  std::uint32_t started_before = 0;
};

// The tuple was put with a key, which is remembered, also when the tuple is gone (P23).
struct KeyRemembered {
  TupleId id;
  std::string key;
  std::uint64_t content = 0;  // content_digest of what was put
  Time until = kNever;
};

// The window of the key that this tuple was put with is over.
struct KeyForgotten {
  TupleId id;
};

struct SessionOpened {
  SessionId id;
  std::string name;
  Duration hold{0};
  Duration memory{0};
};

struct SessionEnded {
  SessionId id;
};

// The answer to a mutating request, remembered until acknowledged (P36).
// Takes are remembered by TupleTaken and TupleReserved.
struct RequestAnswered {
  Origin request;
  std::variant<PutDone, FinishDone, KeyedPutDone> answer;
};

// The next id to give, so that ids are never reused even when the newest tuples are gone.
struct NextTupleId {
  TupleId next;
};

// The space, or what matches `form`, is paused or drained.
struct PauseSet {
  PauseKind kind = PauseKind::kPause;
  std::optional<Template> form;
  std::string set_by;
  Time since{};
};

struct PauseEnded {
  PauseKind kind = PauseKind::kPause;
  std::optional<Template> form;
};

using Mutation =
    std::variant<TupleAdded, TupleReserved, TupleStarted, TupleReleased, TupleTaken, TupleRemoved,
                 TupleDied, SessionOpened, SessionEnded, RequestAnswered, NextTupleId, TupleDelayed,
                 TupleRenewed, KeyRemembered, KeyForgotten, GuardMet, PauseSet, PauseEnded>;

}  // namespace linden::core

// space/core/mutation.h: the durable changes of a space.
//
// Each sets absolute values, so applying one twice, or an older one and then all later ones, ends
// in the same state; recovery relies on it (docs/design/storage-format.md).  A space's whole
// durable state is itself a list of mutations.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "api/model/operation.h"
#include "space/core/command.h"

namespace linden::core {

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

// Back among the ready ones.
struct TupleReleased {
  TupleId id;
  std::uint32_t started_before = 0;
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

struct SessionOpened {
  SessionId id;
  std::string name;
  Duration hold{0};
  Duration memory{0};
};

struct SessionEnded {
  SessionId id;
};

// The answer to a mutating request, remembered until acknowledged (P36): PutDone or FinishDone.
// Takes are remembered by TupleTaken and TupleReserved.
struct RequestAnswered {
  Origin request;
  std::variant<PutDone, FinishDone> answer;
};

// The next id to give, so that ids are never reused even when the newest tuples are gone.
struct NextTupleId {
  TupleId next;
};

using Mutation =
    std::variant<TupleAdded, TupleReserved, TupleStarted, TupleReleased, TupleTaken, TupleRemoved,
                 TupleDied, SessionOpened, SessionEnded, RequestAnswered, NextTupleId>;

}  // namespace linden::core

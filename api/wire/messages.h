// api/wire/messages.h: everything that crosses the wire, as plain values.  codec.h turns them into
// frames and back.
//
// docs/design/wire-protocol.md tells the conversation: Hello and Welcome, then requests, pipelined
// and answered in any order, with heartbeats between them and a goodbye at the end.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <linden/version.h>

#include "api/model/operation.h"

namespace linden::wire {

using linden::kProtocolVersion;

// ---- Client to server
// -------------------------------------------------------------------------------------------------------

// The first message of every connection.
struct Hello {
  std::uint32_t protocol = kProtocolVersion;
  SessionId session;    // made by the client
  bool resume = false;  // the session has been welcomed before
  Duration absent{0};   // resume: how long the client has not heard from the server
  std::string name;     // what the client calls itself: "engine pid=12 host=n1"
  Duration hold{std::chrono::seconds(5)};
  Duration memory{std::chrono::seconds(60)};
  RequestId acknowledged;
};

// An operation on one space.
struct Request {
  RequestId id;
  RequestId acknowledged;  // the answers to all requests below it have arrived
  SpaceNumber space;
  Operation operation;
  bool patient = false;  // unless it is a refusal, the answer may travel with the next message
};

// Requests to the server rather than to a space.
struct OpenSpaceOp {    // answer: SpaceOpened, or Refused with kNoSuchSpace
  std::string name;     // 1 to 200 bytes of UTF-8 without control characters
  bool create = false;  // make it if it does not exist
  std::optional<std::uint8_t>
      durability;  // storage::Durability; none: the server's default.  Only looked at when created.
  std::vector<NewTuple>
      initial;  // put in the same step if and only if this request creates the space
};
struct DropSpaceOp {  // answer: Done, or Refused with kNoSuchSpace
  std::string name;
};
struct ListSpacesOp {};    // answer: SpacesListed
struct ServerStatusOp {};  // answer: ServerStatus
struct BackupOp {          // answer: Done, or Refused
  std::string directory;   // on the server's host, absolute; nothing of that name may be there
};
using ServerOperation =
    std::variant<OpenSpaceOp, DropSpaceOp, ListSpacesOp, ServerStatusOp, BackupOp>;
struct ServerRequest {
  RequestId id;
  RequestId acknowledged;
  ServerOperation operation;
};

// Keeps session and leases alive when there is nothing else to say.  Answered by HeartbeatBack.
struct Heartbeat {
  RequestId acknowledged;
};

// Ends the session: its leases are released, its session-bound tuples vanish.  Answered by closing
// the connection.
struct Goodbye {};

using ClientMessage = std::variant<Hello, Request, ServerRequest, Heartbeat, Goodbye>;

// ---- Server to client
// -------------------------------------------------------------------------------------------------------

struct Welcome {
  std::uint32_t protocol = kProtocolVersion;
  std::string version;   // of the server, for people
  SessionId server;      // drawn anew at each start of the server
  bool resumed = false;  // the session was known; false after resume = true with a short absence:
                         // nothing was lost either
  Duration heartbeat{std::chrono::seconds(1)};  // the client says something at least so often
  std::uint32_t frame_bytes_max = 0;
  std::uint32_t server_pid = 0;
};

// Instead of Welcome, or because of a broken frame; the server closes the connection after it.
struct Rejected {
  Refused why;
};

struct SpaceOpened {
  SpaceNumber number;
  std::uint8_t durability = 0;
  bool created = false;
};
struct SpaceListed {
  SpaceNumber number;
  std::string name;
  std::uint8_t durability = 0;
  std::uint64_t tuples = 0;
  std::uint64_t ready = 0;
  std::uint64_t reserved = 0;
  std::uint64_t dead = 0;
  std::uint64_t waiters = 0;
  std::uint64_t bytes = 0;
  std::uint64_t scans = 0;  // look-ups that compared many tuples in vain
  std::uint64_t paused = 0;
  std::uint64_t pauses = 0;  // pauses and drains that are set
  std::uint64_t delayed = 0;
  std::uint64_t behind = 0;
  std::uint64_t guarded = 0;
  std::uint64_t subscriptions = 0;
  // Since the server was started.
  std::uint64_t puts = 0;
  std::uint64_t takes = 0;  // under a lease or not
  std::uint64_t finishes = 0;
  std::uint64_t expired = 0;
};
struct SpacesListed {
  std::vector<SpaceListed> spaces;
};
struct ServerStatus {
  std::string version;
  std::uint32_t pid = 0;
  Duration up{0};
  std::string directory;
  std::string durability;
  std::uint64_t connections = 0;
  std::uint64_t sessions = 0;
  std::uint64_t requests = 0;
  std::uint64_t commits = 0;
};
using ServerAnswer = std::variant<SpaceOpened, SpacesListed, ServerStatus>;

// The answer to a Request or ServerRequest.
struct Reply {
  RequestId to;
  std::variant<Answer, ServerAnswer> answer;
};
struct StreamEvent {
  RequestId stream;
  Event event;
};
struct HeartbeatBack {};

using ServerMessage = std::variant<Welcome, Rejected, Reply, StreamEvent, HeartbeatBack>;

}  // namespace linden::wire

// space/core/command.h: what goes into a space.
#pragma once

#include <string>
#include <variant>

#include "api/model/operation.h"

namespace linden::core {

// Who asked, and under which number the answer is to be sent.
struct Origin {
  SessionId session;
  RequestId request;
  friend auto operator<=>(const Origin&, const Origin&) = default;
};

// A client's request.
struct Perform {
  Origin from;
  Operation operation;
};

// A session speaks to this space for the first time, or again after a broken connection.  Must come
// before its first Perform. `acknowledged`: answers to requests below it have arrived and need not
// be remembered (P36).
struct SessionAttached {
  SessionId session;
  std::string name;
  Duration hold{
      std::chrono::seconds(5)};  // after a broken connection its reservations stay so long (P18)
  Duration memory{
      std::chrono::seconds(60)};  // and its answers and the session itself so long (P36)
  RequestId acknowledged;
};

// A frame or heartbeat of the session came: renews all its leases (P18) and trims remembered
// answers.
struct SessionHeard {
  SessionId session;
  RequestId acknowledged;
};

// Its connection broke.  Waiters and streams end at once (P10; the client repeats them); the rest
// waits for the hold time.
struct SessionLost {
  SessionId session;
};

// It said goodbye: everything of it ends now.
struct SessionClosed {
  SessionId session;
};

// The time that next_deadline() named has come.
struct TimePassed {};

// Whether the disk below the space is nearly full.  While it is, puts are refused and whatever ends
// tuples is not (P33).
struct DiskSpace {
  bool is_low = false;
};

using Command = std::variant<Perform, SessionAttached, SessionHeard, SessionLost, SessionClosed,
                             TimePassed, DiskSpace>;

}  // namespace linden::core

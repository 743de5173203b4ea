// space/server/session_table.h: which sessions the server remembers, and which connection speaks
// for each.  Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <linden/ids.h>

#include "api/wire/messages.h"

namespace linden::server {

using ConnectionNumber = std::uint64_t;  // counts from 1 over the life of the process

struct Admission {
  enum class Kind : std::uint8_t {
    kOpened,   // a new session, or one whose absence was short enough to have lost nothing
    kResumed,  // known: spaces may hold something of it
    kExpired,  // it was away for longer than it is remembered (P36)
    kFull,     // there is room for no more sessions
  };
  Kind kind = Kind::kOpened;
  std::optional<ConnectionNumber> replaced;  // spoke for the session until now; close it
};

// A session outlives its connections by its `memory` (P36).  Belongs to the home strand.
class SessionTable {
 public:
  explicit SessionTable(std::size_t sessions_max) : sessions_max_(sessions_max) {}

  // `by` says hello for hello.session and speaks for it from now on, unless the answer is kExpired
  // or kFull.
  Admission admit(const wire::Hello& hello, ConnectionNumber by, Time now);

  // A space that was restored knows this session; it counts as lost since `now`.
  void restored(SessionId session, std::string_view name, Duration memory, Time now);

  // The connection broke, or said goodbye.  Nothing happens if another one speaks by now.
  void lost(SessionId session, ConnectionNumber by, Time now);
  void closed(SessionId session, ConnectionNumber by);

  // Drops what has been lost for longer than its memory.  O(sessions); call it about once a second.
  void forget(Time now);

  // That request dropped a space or made a backup: its repetition is answered as before (P36).
  // Those below `acknowledged` will not be repeated.
  void remember_done(SessionId session, RequestId request, RequestId acknowledged);
  [[nodiscard]] bool has_done(SessionId session, RequestId request) const;

  [[nodiscard]] std::size_t size() const noexcept { return records_.size(); }

 private:
  struct Record {
    std::string name;
    Duration memory{0};
    ConnectionNumber connection = 0;  // 0: lost
    Time lost_at{};
    std::vector<RequestId> done;
  };
  [[nodiscard]] static bool is_over(const Record& record, Time now);

  std::size_t sessions_max_;
  std::unordered_map<SessionId, Record> records_;
};

}  // namespace linden::server

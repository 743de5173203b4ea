// space/core/effect.h: what comes out of a space: changes to make durable, and messages to send
// after that.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "space/core/mutation.h"

namespace linden::core {

// The one answer to a request.
struct Reply {
  Origin to;
  Answer answer;
};

// Something that a stream has to say; several may follow each other.
struct Notice {
  Origin stream;
  Event event;
};

using Message = std::variant<Reply, Notice>;

// The request that it answers, or the stream that it belongs to.
[[nodiscard]] inline const Origin& origin_of(const Message& message) {
  if (const auto* reply = std::get_if<Reply>(&message)) return reply->to;
  return std::get<Notice>(message).stream;
}

// A lease that ends soon because nothing is heard of its session, or that has just ended so.  It
// goes into the log, before somebody asks why a task runs twice; no client is told.
struct LeaseWarning {
  SessionId session;
  std::string session_name;
  TupleId tuple;
  std::uint32_t attempt = 0;
  Duration silent_for{0};
  Duration left{0};          // zero: it has ended
  std::uint64_t others = 0;  // tuples of the session of which the same is true, not named
};

// Appended to by SpaceState::apply and cleared by the owner, so that the vectors keep their memory.
struct Effects {
  std::vector<Mutation> mutations;
  std::vector<Message> messages;
  std::vector<LeaseWarning> warnings;
  void clear() {
    mutations.clear();
    messages.clear();
    warnings.clear();
  }
};

}  // namespace linden::core

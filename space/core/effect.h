// space/core/effect.h: what comes out of a space: changes to make durable, and messages to send
// after that.
#pragma once

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

// Appended to by SpaceState::apply and cleared by the owner, so that the vectors keep their memory.
struct Effects {
  std::vector<Mutation> mutations;
  std::vector<Message> messages;
  void clear() {
    mutations.clear();
    messages.clear();
  }
};

}  // namespace linden::core

// space/server/traffic.h: what passes between connections and hosts, as values, so that it can be
// posted from thread to thread.
#pragma once

#include <cstddef>
#include <memory>
#include <variant>

#include "space/core/command.h"
#include "space/core/effect.h"

namespace linden::server {

class Connection;
class SpaceHost;

// A connection to a host.  From no connection: the host's own timer.
struct Inbound {
  std::shared_ptr<Connection> from;
  core::Command command;
  std::size_t bytes = 0;       // weighs on the host's backlog
  bool only_if_known = false;  // SessionAttached: not if the space has never heard of the session
};

// The host has ended the session as its goodbye asked, durably.
struct Farewell {};

// A host to a connection.
using Outbound = std::variant<core::Message, Farewell>;

}  // namespace linden::server

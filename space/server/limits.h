// space/server/limits.h: every bound of the shell in one place, each with its answer (P38).
#pragma once

#include <cstddef>
#include <cstdint>

#include <linden/ids.h>

#include "api/wire/frame.h"

namespace linden::server {

struct Limits {
  // A connection beyond it is told kOverloaded and closed.
  std::size_t connections_max = 10'000;
  // A session beyond it, connected or remembered, is told kOverloaded.
  std::size_t sessions_max = 100'000;
  // A larger frame is answered kLimitExceeded and its connection closed.
  std::uint32_t frame_bytes_max = wire::kFrameBytesMaxDefault;

  // A connection whose unsent answers pass the mark is not read from until they fall to a half.
  std::size_t outbox_pause_bytes = std::size_t{4} << 20;
  // Beyond this, or with no byte taken for so long, the peer does not read: the connection is lost.
  std::size_t outbox_bytes_max = std::size_t{512} << 20;
  Duration write_stalled_max = std::chrono::seconds(30);

  // Requests that wait for their space to apply them; beyond it, who sends to that space is not
  // read from until it has caught up.
  std::size_t backlog_bytes_max = std::size_t{64} << 20;

  // So long the answer to a patient request waits for company, and so many bytes of them.
  Duration patient_answer_max = std::chrono::milliseconds(4);
  std::size_t patient_bytes_max = std::size_t{16} << 10;

  // A thread whose next message is expected within so long waits for it awake; 0: it always sleeps.
  Duration busy_poll_max = std::chrono::microseconds(200);

  // A batch that has so many commands is applied and committed at once, though more sockets are
  // ready: what it works on stays in the processor's caches, and its clients go on meanwhile.  A
  // commit that syncs is dear, so more of them share one.
  std::size_t batch_commands_max = 512;
  std::size_t batch_commands_max_sync = 4096;

  // What one connection may read before others get their turn.
  int read_rounds_max = 4;

  Duration hello_within = std::chrono::seconds(10);   // else the connection is closed
  Duration silence_max = std::chrono::seconds(15);    // then the connection counts as broken
  Duration heartbeat = std::chrono::seconds(1);       // what Welcome asks for
  Duration last_words_max = std::chrono::seconds(2);  // for what is unsent when a connection ends
  Duration heard_interval = std::chrono::milliseconds(100);  // between two SessionHeard to a space

  // While the disk is low, what nobody needs any more is given back so often.
  Duration reclaim_interval = std::chrono::seconds(10);

  // Several hand-outs to one stream travel in one frame up to these.
  std::size_t delivery_tuples_max = 1024;
  std::size_t delivery_bytes_max = std::size_t{1} << 20;
};

}  // namespace linden::server

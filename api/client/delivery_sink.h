// api/client/delivery_sink.h: who takes what a reading stream is handed, at once and instead of its
// queue.
#pragma once

#include <linden/operation.h>

namespace linden::client {

// Called with the session locked: it may not call the session, and should be quick.
class DeliverySink {
 public:
  virtual ~DeliverySink() = default;
  virtual void deliver(Handout&& one) = 0;
  // The stream, or the session, has ended; nothing comes any more.
  virtual void end(const Refused& why) = 0;
};

}  // namespace linden::client

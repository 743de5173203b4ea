// linden/stream.h: a standing take, read or reservation: tuples come by themselves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include <linden/client.h>
#include <linden/operation.h>

namespace linden {

namespace client {
struct StreamState;  // api/client/stream_state.h
}

// Made by Space::open_stream.  Copies share it; every method may be called from any thread.  Over a
// reconnect nothing is lost and nothing comes twice.
//
// kReserve: a worker's inbox.  The hand-out that next() returned last counts as started; those that
// wait in the local queue do not, and are given back by themselves when the space recalls them for
// somebody idle (F4).  Finishes are gathered while there are tuples in the queue, for 4 ms at most.
// kTake, kRead: what was consumed is acknowledged by itself.
class Stream {
 public:
  // The next tuple; nullopt after `timeout` or if interrupted.  Reads the socket in the calling
  // thread when the local queue is empty. Throws Error with the reason when the stream or session
  // has ended.
  [[nodiscard]] std::optional<Handout> next(Duration timeout, const Interrupt& interrupt = {});
  // All that is there, at least one and at most `count_max`; empty after `timeout` or if
  // interrupted.
  [[nodiscard]] std::vector<Handout> next_batch(Duration timeout, std::size_t count_max,
                                                const Interrupt& interrupt = {});

  // Queues one atomic finish (P17).  A stale token is dropped silently: the tuple belongs to
  // somebody else by now.
  void finish(Token token, std::vector<NewTuple> puts, bool flush = false);
  // Puts that keep their order with the finishes.
  void put(std::vector<NewTuple> puts, bool flush = false);
  // Gives a hand-out back; `started` says whether it counts against max_attempts.
  void release(Token token, bool started);
  // Sends what is queued now.
  void flush();

  void set_credit(std::uint32_t credit);     // most hand-outs un-acknowledged
  [[nodiscard]] std::size_t queued() const;  // hand-outs in the local queue
  [[nodiscard]] RequestId id() const;        // of the request that opened it

  // Calls `news`, once soon if there is something already, when next() would not wait any more: a
  // tuple has come, or the stream or session has ended; and when the client has reached the server
  // again.  For threads that look after others: one that waited in next() would read the socket for
  // them, or be woken by all that comes for them.  `news` is called by whoever reads, with the
  // session locked: it calls nothing of the session, and is quick (Bell::ring).  Replaces the one
  // before; an empty one ends it.
  void on_news(std::function<void()> news);

  // Ends it.  What next() has not returned goes back, also what was still on its way: reserved
  // tuples un-started and with their age, taken ones as they were put.  Waiting calls throw
  // kClosed.
  void close();

 private:
  friend class Space;
  Stream(Client client, std::shared_ptr<client::StreamState> state)
      : client_(std::move(client)), state_(std::move(state)) {}
  Client client_;
  std::shared_ptr<client::StreamState> state_;
};

}  // namespace linden

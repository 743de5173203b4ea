// api/client/stream_state.h: one standing request as the client sees it.  Pure; guarded by its
// Core's mutex.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include <linden/operation.h>

#include "api/client/delivery_sink.h"

namespace linden::client {

using SteadyTime = std::chrono::steady_clock::time_point;

// So long a finish waits at most for others to go along.  A message wakes the server and whoever
// waits for the results, which on a machine whose cores are busy costs more than a short task does
// (docs/decisions/0006-who-reads-the-socket.md).
inline constexpr std::chrono::milliseconds kGatherFor{4};

// What comes in waits in `queue`; what goes out (finishes and news of what has started) is gathered
// until the next flush.
//
// Which hand-outs count as started is the space's decision where it can make it (a hand-out to a
// stream that holds nothing will begin at once: Handout::started); the others are reported when
// next() gives them out.
struct StreamState {
  RequestId id;
  SpaceNumber space;
  StreamOp form;  // as first asked: mode, templates, credit, lease

  std::shared_ptr<DeliverySink> sink;  // takes what comes; null: it waits in `queue`

  std::deque<Handout> queue;
  std::unordered_map<TupleId, std::uint32_t>
      held;  // kReserve: not finished or released; kTake: not acknowledged

  std::vector<FinishItem> items;   // to be sent
  std::size_t gathered_bytes = 0;  // of the items
  std::vector<Token> started;      // to be sent
  SteadyTime gathering_since{};    // of the oldest item
  SteadyTime asked{};              // when next() was called last
  SteadyTime::duration pace{};     // between the last two calls of next()

  std::uint64_t delivered = 0;  // kTake, kRead: since (re)opened
  std::uint64_t consumed = 0;
  std::uint64_t acknowledged = 0;
  std::uint64_t uncounted = 0;  // kRead: of the queue, from before the stream was opened again
  TupleId last;                 // kRead: where to go on
  std::vector<TupleId> to_acknowledge;  // kTake: consumed, and the space does not know it yet
  std::vector<std::pair<RequestId, std::size_t>> acks;  // kTake: under way, and how many each tells

  std::optional<Refused> ended;
  std::function<void()> news;  // see Stream::on_news

  // Tuples came from the space.
  void deliver(std::vector<Handout>&& tuples);

  void tell() const {
    if (news) news();
  }

  // The caller takes the oldest one; there must be one.
  Handout pop();

  // The space asks for a hand-out back.  Returns what to answer: a release if it has not begun, the
  // news that it has begun, or nothing if it is no longer held.
  std::optional<Operation> recall(Token token);

  void add_finish(std::optional<Token> token, std::vector<NewTuple>&& puts, SteadyTime now);
  // The caller wants the next one.
  void ask(SteadyTime now);
  // When the items have to go, if there are any.
  [[nodiscard]] SteadyTime due() const { return gathering_since + kGatherFor; }
  // Whether they should go now, since by the next call, at this pace, they would be late.
  [[nodiscard]] bool is_last_call() const { return !items.empty() && asked + pace >= due(); }
  // What was gathered as one request; nullopt if nothing was.
  std::optional<FinishOp> gather();

  // An acknowledgement if enough was consumed for it to be worth a request; then say under which
  // number it was sent, and confirm() when it is answered.
  std::optional<AckOp> acknowledgement();
  void acknowledging(RequestId request);
  void confirm(RequestId request);

  // What to say to open it again after a reconnect.
  [[nodiscard]] StreamOp reopened();

  // Closed by its owner: ends it.  Of what was taken the space puts back what is not named here.
  [[nodiscard]] CancelOp cancel() const { return {id, to_acknowledge}; }

  // Closed by its owner: empties the queue.  What was reserved is released un-started; nullopt:
  // there is nothing to release.
  std::optional<ReleaseOp> give_back_queue();
};

}  // namespace linden::client

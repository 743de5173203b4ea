// api/client/core.cpp: sending, waiting and who reads.  Connecting: core_connect.cpp; streams:
// core_streams.cpp.
#include "api/client/core.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "api/client/interrupt_pace.h"

namespace linden::client {

namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr milliseconds kLeadAgainAfter{5};
constexpr milliseconds kCallerStillNear{2};
constexpr microseconds kGatherRequestsFor{200};
constexpr std::chrono::seconds kSilenceMax{15};
constexpr milliseconds kPaceMin{3};       // of heartbeats, however short a lease is
constexpr std::size_t kPipelineDeep = 8;  // so many answers under way hide a short delay
constexpr std::size_t kWriteAtOnceBytes = 32 * 1024;
constexpr std::size_t kTakenUntold = 64;               // takes that the space may keep for us
constexpr std::size_t kTakenUntoldBytes = 256 * 1024;  // and their bytes
constexpr std::size_t kUnsentBytesMax = std::size_t{64} << 20;

int poll_timeout_ms(SteadyTime until) {
  if (until == SteadyTime::max()) return -1;
  const auto left =
      std::chrono::ceil<milliseconds>(until - std::chrono::steady_clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

}  // namespace

SteadyTime deadline_after(Duration timeout) {
  const auto now = std::chrono::steady_clock::now();
  // Asked for by name: as nanoseconds it overflows, and a wait for ever would be none at all.
  if (timeout == kForever || timeout > SteadyTime::max() - now) return SteadyTime::max();
  return now + timeout;
}

// No take that waits and nothing that stands.
bool Core::is_quick(const std::variant<Operation, wire::ServerOperation>& operation) {
  const auto* of_space = std::get_if<Operation>(&operation);
  if (of_space == nullptr) return true;
  const auto* take = std::get_if<TakeOp>(of_space);
  return !(take != nullptr && take->timeout > Duration::zero()) &&
         !std::holds_alternative<StreamOp>(*of_space) &&
         !std::holds_alternative<SubscribeOp>(*of_space);
}

// ---- Sending
// ----------------------------------------------------------------------------------------------------------------

void Core::check_alive() const {
  if (state_ == State::kFailed || state_ == State::kClosed)
    throw Error(failure_.code, failure_.message);
}

void Core::wait_for_room(Lock& lock) {
  check_alive();
  if (out_.size() > kUnsentBytesMax) {
    wait_until(lock, SteadyTime::max(), {}, [this] { return out_.size() <= kUnsentBytesMax; });
  }
}

RequestId Core::send(SpaceNumber space, std::variant<Operation, wire::ServerOperation> operation,
                     AnswerTo answer_to) {
  Lock lock(mutex_);
  wait_for_room(lock);
  const bool quick = is_quick(operation);
  const auto id = enqueue(space, std::move(operation), answer_to, quick);
  write_soon();
  return id;
}

RequestId Core::enqueue(SpaceNumber space,
                        std::variant<Operation, wire::ServerOperation>&& operation,
                        AnswerTo answer_to, bool quick) {
  const bool patient = answer_to == AnswerTo::kNobody || answer_to == AnswerTo::kPatientWaiter;
  PendingRequest request{space, std::move(operation), answer_to, SteadyTime::max(), quick, patient};
  if (const auto* of_space = std::get_if<Operation>(&request.operation)) {
    if (const auto* take = std::get_if<TakeOp>(of_space);
        take != nullptr && take->timeout != Duration::zero()) {
      request.deadline = deadline_after(take->timeout);
    }
    if (const auto* take = std::get_if<TakeOp>(of_space);
        take != nullptr && take->mode == TakeMode::kReserve) {
      keep_pace_with(take->lease);
    }
    if (const auto* begin = std::get_if<BeginOp>(of_space)) keep_pace_with(begin->lease);
  }
  const auto id = pending_.add(std::move(request));
  if (state_ != State::kConnected) return id;
  try {
    encode_request(id, *pending_.find(id));
  } catch (
      const Error&) {  // more than the server takes in one frame: as if it had never been asked
    pending_.finish(id);
    throw;
  }
  return id;
}

// P18: the server counts our silence from the last thing that it heard, so a lease that is shorter
// than its heartbeat needs more of them.
void Core::keep_pace_with(Duration lease) {
  const Duration pace = std::max<Duration>(lease / 3, kPaceMin);
  if (pace >= lease_pace_) return;
  lease_pace_ = pace;
  native_wake_.signal();  // it sleeps until the beat that was next
}

void Core::encode_request(RequestId id, const PendingRequest& request) {
  if (const auto* of_space = std::get_if<Operation>(&request.operation)) {
    encode_operation(id, request, *of_space);
  } else {
    encoder_.encode(
        wire::ClientMessage(wire::ServerRequest{
            id, pending_.acknowledged(), std::get<wire::ServerOperation>(request.operation)}),
        out_);
  }
}

void Core::encode_operation(RequestId id, const PendingRequest& request,
                            const Operation& operation) {
  encoder_.encode_request(id, pending_.acknowledged(), request.space, operation, request.patient,
                          out_);
}

// Writes what the socket takes; the rest waits for whoever leads.
void Core::write_out() {
  if (state_ != State::kConnected) return;
  std::array<iovec, 64> pieces;
  while (!out_.empty()) {
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = out_.gather(pieces.data(), pieces.size());
    const auto written = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (written > 0) {
      out_.consume(static_cast<std::size_t>(written));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK)
      ::shutdown(socket_.get(), SHUT_RDWR);  // the reader sees the end and reconnects
    wake_leader();
    break;
  }
  last_sent_ = std::chrono::steady_clock::now();
}

// At once if little is under way; otherwise gathers for a moment, since answers are still coming
// anyway.
void Core::write_soon() {
  if (pending_.urgent_count() > kPipelineDeep && out_.size() < kWriteAtOnceBytes &&
      leader_ != Leader::kCaller) {
    timer_.arm(kGatherRequestsFor);
  } else {
    write_out();
  }
}

void Core::wake_leader() {
  if (leader_ == Leader::kCaller) {
    leader_wake_.signal();
  } else {
    native_wake_.signal();
  }
}

void Core::forget(RequestId id) {
  const Lock lock(mutex_);
  answers_.erase(id);
  if (auto* request = pending_.find(id)) request->answer_to = AnswerTo::kNobody;
}

void Core::cancel(SpaceNumber space, RequestId id) {
  const Lock lock(mutex_);
  if (pending_.find(id) == nullptr || state_ == State::kFailed || state_ == State::kClosed) return;
  enqueue(space, Operation(CancelOp{id}), AnswerTo::kNobody, true);
  write_out();
}

// ---- Waiting
// ----------------------------------------------------------------------------------------------------------------

bool Core::wait_until(Lock& lock, SteadyTime deadline, const Interrupt& interrupt,
                      Condition ready) {
  if (ready()) return true;
  if (!out_.empty()) write_out();
  ++callers_;
  bool interrupted = false;
  bool done = false;
  auto now = std::chrono::steady_clock::now();
  InterruptPace pace(now, options_.interrupt_check);
  for (;;) {
    if (interrupted) break;  // what has come meanwhile is kept for the next call
    done = ready();
    if (done || state_ == State::kFailed || state_ == State::kClosed) break;
    if (now >= deadline) break;
    const bool leads = state_ == State::kConnected && leader_ == Leader::kNobody;
    const auto slice = interrupt ? std::min(deadline, pace.due(leads)) : deadline;
    bool signalled = false;
    if (leads) {
      signalled = lead(lock, Leader::kCaller, slice) == Pumped::kSignal;
    } else {
      if (leader_ == Leader::kNative) native_wake_.signal();
      if (slice == SteadyTime::max()) {
        changed_.wait(lock);
      } else {
        changed_.wait_until(lock, slice);
      }
    }
    now = std::chrono::steady_clock::now();
    if (interrupt && (signalled || now >= pace.due(leads))) {
      lock.unlock();
      interrupted = interrupt();
      lock.lock();
      pace.asked(now);
    }
  }
  --callers_;
  if (callers_ > 0) {
    changed_.notify_all();  // somebody else may lead now
  } else {
    caller_left_ = std::chrono::steady_clock::now();
    timer_.arm(kLeadAgainAfter);
  }
  if (!done && !interrupted) check_alive();
  return done;
}

// Reads once as the leader.
Core::Pumped Core::lead(Lock& lock, Leader who, SteadyTime until) {
  leader_ = who;
  const bool want_write = !out_.empty();
  lock.unlock();
  const auto pumped = pump(until, want_write);
  lock.lock();
  leader_ = Leader::kNobody;
  if (!out_.empty()) write_out();
  if (!inbox_.empty()) {
    last_heard_ = std::chrono::steady_clock::now();
    for (auto& message : inbox_) dispatch(std::move(message));
    inbox_.clear();
    for (std::size_t i = 0; i < from_events_.size(); ++i) {
      enqueue(from_events_space_[i], std::move(from_events_[i]), AnswerTo::kNobody, true);
    }
    if (!from_events_.empty()) write_out();
    from_events_.clear();
    from_events_space_.clear();
  }
  if (pumped == Pumped::kBroken && state_ == State::kConnected)
    break_connection(std::chrono::steady_clock::now());
  const std::size_t others = callers_ - (who == Leader::kCaller ? 1 : 0);
  if (others > 0 || state_ != State::kConnected) changed_.notify_all();  // close() waits for us too
  return pumped;
}

// Waits for bytes and decodes them into inbox_; unlocked.
Core::Pumped Core::pump(SteadyTime until, bool want_write) {
  const int wake = leader_ == Leader::kNative ? native_wake_.fd() : leader_wake_.fd();
  std::array<pollfd, 3> entries{
      pollfd{socket_.get(), static_cast<short>(POLLIN | (want_write ? POLLOUT : 0)), 0},
      pollfd{wake, POLLIN, 0}, pollfd{timer_.fd(), POLLIN, 0}};
  const nfds_t count = leader_ == Leader::kNative ? 3 : 2;
  const int ready = ::poll(entries.data(), count, poll_timeout_ms(until));
  if (ready < 0) return errno == EINTR ? Pumped::kSignal : Pumped::kBroken;
  if (ready == 0) return Pumped::kNothing;
  if (leader_ != Leader::kNative && (entries[1].revents & POLLIN) != 0) leader_wake_.drain();
  if ((entries[0].revents & (POLLIN | POLLHUP | POLLERR)) == 0) return Pumped::kNothing;
  for (;;) {
    const auto space = reader_.prepare();
    const auto count_read = ::recv(socket_.get(), space.data(), space.size(), MSG_DONTWAIT);
    if (count_read == 0) return Pumped::kBroken;
    if (count_read < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN || errno == EWOULDBLOCK ? Pumped::kRead : Pumped::kBroken;
    }
    reader_.commit(static_cast<std::size_t>(count_read));
    for (;;) {
      auto frame = reader_.next();
      if (!frame) return Pumped::kBroken;
      if (!frame->has_value()) break;
      auto message = decoder_.decode_server(**frame, reader_);
      if (!message) return Pumped::kBroken;
      inbox_.push_back(std::move(*message));
    }
    if (static_cast<std::size_t>(count_read) < space.size()) return Pumped::kRead;
  }
}

std::optional<AnyAnswer> Core::wait(RequestId id, Duration timeout, const Interrupt& interrupt) {
  Lock lock(mutex_);
  const auto deadline = deadline_after(timeout);
  const bool over = wait_until(lock, deadline, interrupt, [&] {
    return answers_.contains(id) || pending_.find(id) == nullptr;
  });
  if (!over) return std::nullopt;
  auto answer = answers_.extract(id);
  if (answer.empty()) {
    throw Error(
        ErrorCode::kInvalidArgument,
        "request " + std::to_string(id.value) +
            " has no answer to wait for: it was given out before, was sent for another way "
            "of answering, or was never sent; wait once for what was sent to be waited for");
  }
  return std::move(answer.mapped());
}

std::vector<Completion> Core::completions(Duration timeout, const Interrupt& interrupt) {
  Lock lock(mutex_);
  wait_until(lock, deadline_after(timeout), interrupt,
             [&] { return !completions_.empty() || state_ == State::kClosed; });
  return std::exchange(completions_, {});
}

// ---- What comes in
// ----------------------------------------------------------------------------------------------------------

void Core::dispatch(wire::ServerMessage&& message) {
  if (auto* reply = std::get_if<wire::Reply>(&message)) {
    std::visit([&](auto& answer) { take_answer(reply->to, AnyAnswer(std::move(answer))); },
               reply->answer);
  } else if (auto* event = std::get_if<wire::StreamEvent>(&message)) {
    take_event(event->stream, std::move(event->event));
  } else if (auto* rejected = std::get_if<wire::Rejected>(&message)) {
    fail({rejected->why.code, "the server ended the session: " + rejected->why.message});
  }
}

void Core::take_answer(RequestId id, AnyAnswer&& answer) {
  auto request = pending_.finish(id);
  if (const auto stream = streams_.find(id); stream != streams_.end()) {
    const auto* of_space = std::get_if<Answer>(&answer);
    const auto* refused = of_space != nullptr ? std::get_if<Refused>(of_space) : nullptr;
    if (refused != nullptr) {
      stream->second->ended = *refused;
      stream->second->tell();
      if (stream->second->sink) stream->second->sink->end(*refused);
    }
    return;
  }
  if (const auto told = subscriptions_.find(id); told != subscriptions_.end()) {
    return take_answer(*told->second, answer);
  }
  if (!request) return;
  if (!closing_.empty()) closing_.erase(id);
  note_taken(id, *request, answer);
  if (request->future) return answer_future(*request, std::move(answer));
  if (request->answer_to == AnswerTo::kWaiter || request->answer_to == AnswerTo::kPatientWaiter) {
    answers_.emplace(id, std::move(answer));
  } else if (request->answer_to == AnswerTo::kQueue) {
    if (auto* of_space = std::get_if<Answer>(&answer))
      completions_.push_back({id, std::move(*of_space)});
  }
}

// The space keeps what was taken until it knows that we have it (P36).
void Core::note_taken(RequestId id, const PendingRequest& request, const AnyAnswer& answer) {
  const auto* of_space = std::get_if<Operation>(&request.operation);
  if (of_space == nullptr) return;
  if (const auto* ack = std::get_if<AckOp>(of_space)) {
    const auto stream = streams_.find(ack->stream);
    if (stream != streams_.end()) stream->second->confirm(id);
    return;
  }
  const auto* take = std::get_if<TakeOp>(of_space);
  const auto* reply = std::get_if<Answer>(&answer);
  const auto* found = reply != nullptr ? std::get_if<Found>(reply) : nullptr;
  if (take == nullptr || take->mode != TakeMode::kTake || found == nullptr) return;
  taken_[request.space].push_back(id);
  for (const auto& one : found->tuples) taken_bytes_ += one.tuple.byte_size();
  ++taken_count_;
  if (taken_count_ < kTakenUntold && taken_bytes_ < kTakenUntoldBytes) return;
  for (auto& [space, takes] : std::exchange(taken_, {}))
    say_later(space, AckOp{{}, 0, std::move(takes)});
  taken_count_ = taken_bytes_ = 0;
}

void Core::say_later(SpaceNumber space, Operation operation) {
  from_events_.push_back(std::move(operation));
  from_events_space_.push_back(space);
}

void Core::take_event(RequestId id, Event&& event) {
  if (const auto told = subscriptions_.find(id); told != subscriptions_.end()) {
    return take_event(*told->second, std::move(event));
  }
  const auto found = streams_.find(id);
  if (found == streams_.end()) return take_late_event(id, std::move(event));
  auto& stream = *found->second;
  if (auto* delivered = std::get_if<Delivered>(&event)) {
    stream.deliver(std::move(delivered->tuples));
    if (stream.sink) deliver_to_sink(stream);
    stream.tell();
  } else if (const auto* recalled = std::get_if<Recalled>(&event)) {
    if (auto reply = stream.recall(recalled->token)) {
      say_later(stream.space, std::move(*reply));
    }
  } else if (auto* ended = std::get_if<StreamEnded>(&event)) {
    stream.ended = std::move(ended->why);
    stream.tell();
    if (stream.sink) stream.sink->end(*stream.ended);
  }
}

void Core::deliver_to_sink(StreamState& stream) {
  while (!stream.queue.empty()) stream.sink->deliver(stream.pop());
  if (auto acknowledgement = stream.acknowledgement())
    say_later(stream.space, std::move(*acknowledgement));
}

// The stream was closed a moment ago.  What was on its way to it goes back; of what it took the
// space knows that it was not given out.
void Core::take_late_event(RequestId id, Event&& event) {
  auto* delivered = std::get_if<Delivered>(&event);
  if (delivered == nullptr) return;
  for (auto& [cancel, stream] : closing_) {
    if (stream->id != id) continue;
    stream->deliver(std::move(delivered->tuples));
    if (auto back = stream->give_back_queue())
      say_later(stream->space, Operation(std::move(*back)));
    return;
  }
}

// ---- The native thread
// ------------------------------------------------------------------------------------------------------

// Sends what is due; returns when to look again.
SteadyTime Core::do_duties(SteadyTime now) {
  for (auto& [id, stream] : streams_) {
    if (stream->items.empty()) continue;
    if (stream->due() <= now) {
      flush_stream(*stream);
    } else {  // younger than those that the timer was set for
      timer_.arm(std::chrono::ceil<microseconds>(stream->due() - now));
    }
  }
  if (now - taken_told_ >= heartbeat_) {
    taken_told_ = now;
    for (auto& [space, takes] : std::exchange(taken_, {})) {
      enqueue(space, Operation(AckOp{{}, 0, std::move(takes)}), AnswerTo::kNobody, true);
    }
    taken_count_ = taken_bytes_ = 0;
  }
  const Duration beat = std::min(heartbeat_, lease_pace_);
  if (now - last_sent_ >= beat) {
    encoder_.encode(wire::ClientMessage(wire::Heartbeat{pending_.acknowledged()}), out_);
  }
  if (!out_.empty()) write_out();
  if (now - last_heard_ > kSilenceMax)
    ::shutdown(socket_.get(), SHUT_RDWR);  // a half-open connection; whoever leads sees its end
  return last_sent_ + beat;
}

void Core::run_native() {
  Lock lock(mutex_);
  while (state_ != State::kClosed && state_ != State::kFailed) {
    if (state_ == State::kBroken) {
      reconnect(lock);
      continue;
    }
    const auto now = std::chrono::steady_clock::now();
    const auto next_duty = do_duties(now);
    if (leader_ == Leader::kNobody && callers_ == 0 && now - caller_left_ >= kCallerStillNear) {
      lead(lock, Leader::kNative, next_duty);
      native_wake_.drain();
      timer_.drain();
      continue;
    }
    if (leader_ == Leader::kNobody && callers_ == 0) timer_.arm(kLeadAgainAfter);
    lock.unlock();
    std::array<pollfd, 2> entries{pollfd{native_wake_.fd(), POLLIN, 0},
                                  pollfd{timer_.fd(), POLLIN, 0}};
    ::poll(entries.data(), entries.size(), poll_timeout_ms(next_duty));
    lock.lock();
    native_wake_.drain();
    timer_.drain();
  }
}

bool Core::connected() {
  const Lock lock(mutex_);
  return state_ == State::kConnected;
}

std::uint64_t Core::reconnects() {
  const Lock lock(mutex_);
  return reconnects_;
}

std::optional<Failure> Core::failure() {
  const Lock lock(mutex_);
  if (state_ == State::kFailed || state_ == State::kClosed) return failure_;
  return std::nullopt;
}

}  // namespace linden::client

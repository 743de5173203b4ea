// api/client/core_streams.cpp: standing requests: what the application does with them.
#include "api/client/core.h"

namespace linden::client {

namespace {

constexpr std::size_t kGatherBytesMax = std::size_t{16} << 20;
constexpr std::size_t kFrameSlackBytes = std::size_t{1}
                                         << 20;  // for what a frame says beside its tuples

std::size_t bytes_of(const std::vector<NewTuple>& puts) {
  std::size_t bytes = 0;
  for (const auto& put : puts)
    bytes += put.tuple.byte_size() + (put.attributes.will ? put.attributes.will->byte_size() : 0);
  return bytes;
}

}  // namespace

std::shared_ptr<StreamState> Core::open_stream(SpaceNumber space, StreamOp form,
                                               std::shared_ptr<DeliverySink> sink) {
  const Lock lock(mutex_);
  check_alive();
  auto stream = std::make_shared<StreamState>();
  stream->space = space;
  stream->form = form;
  stream->sink = std::move(sink);
  if (form.mode == TakeMode::kReserve) keep_pace_with(form.lease);
  stream->last = form.after;
  stream->id = enqueue(space, Operation(std::move(form)), AnswerTo::kNobody, false);
  streams_.emplace(stream->id, stream);
  write_out();
  return stream;
}

std::vector<Handout> Core::next(StreamState& stream, Duration timeout, std::size_t count_max,
                                const Interrupt& interrupt) {
  Lock lock(mutex_);
  // What was gathered goes out before the next tuple is waited for, or begun if by its end it would
  // be late; the beginning goes along.
  stream.ask(std::chrono::steady_clock::now());
  std::vector<Handout> result;
  const auto take = [&] {
    while (!stream.queue.empty() && result.size() < count_max) result.push_back(stream.pop());
    if (auto acknowledgement = stream.acknowledgement()) {
      stream.acknowledging(
          enqueue(stream.space, Operation(*acknowledgement), AnswerTo::kNobody, true));
    }
    if (stream.is_last_call() || (stream.queue.empty() && !stream.started.empty()))
      flush_stream(stream);
    if (!out_.empty()) write_out();
  };
  if (!stream.queue.empty()) {
    take();
    return result;
  }
  flush_stream(stream);
  const bool ready = wait_until(lock, deadline_after(timeout), interrupt,
                                [&] { return !stream.queue.empty() || stream.ended.has_value(); });
  if (!ready) return result;
  if (stream.queue.empty()) throw Error(stream.ended->code, stream.ended->message);
  take();
  return result;
}

void Core::finish(StreamState& stream, std::optional<Token> token, std::vector<NewTuple> puts,
                  bool flush) {
  const auto bytes = bytes_of(puts);
  if (bytes + kFrameSlackBytes > frame_bytes_max_) {
    throw Error(ErrorCode::kLimitExceeded, "a finish with " + std::to_string(bytes) +
                                               " bytes of tuples; the server takes frames of " +
                                               std::to_string(frame_bytes_max_) +
                                               "; put large data in several tuples");
  }
  const Lock lock(mutex_);
  check_alive();
  if (stream.gathered_bytes + bytes >
      std::min<std::size_t>(kGatherBytesMax, frame_bytes_max_ - kFrameSlackBytes))
    flush_stream(stream);
  stream.gathered_bytes += bytes;
  stream.add_finish(token, std::move(puts), std::chrono::steady_clock::now());
  if (flush) {
    flush_stream(stream);
    write_out();
  } else {
    timer_.arm(kGatherFor);
  }
}

void Core::flush_stream(StreamState& stream) {
  auto gathered = stream.gather();
  if (!gathered || state_ == State::kFailed || state_ == State::kClosed) return;
  enqueue(stream.space, Operation(std::move(*gathered)), AnswerTo::kNobody, true);
}

void Core::release(StreamState& stream, Token token, bool started) {
  const Lock lock(mutex_);
  check_alive();
  stream.held.erase(token.tuple);
  flush_stream(stream);
  enqueue(stream.space, Operation(ReleaseOp{{{token, started}}}), AnswerTo::kNobody, true);
  write_out();
}

void Core::flush(StreamState& stream) {
  const Lock lock(mutex_);
  flush_stream(stream);
  write_out();
}

void Core::set_credit(StreamState& stream, std::uint32_t credit) {
  const Lock lock(mutex_);
  check_alive();
  if (stream.form.credit == credit) return;
  stream.form.credit = credit;
  enqueue(stream.space, Operation(CreditOp{stream.id, credit}), AnswerTo::kNobody, true);
  write_soon();
}

std::size_t Core::queued(const StreamState& stream) {
  const Lock lock(mutex_);
  return stream.queue.size();
}

void Core::on_news(StreamState& stream, std::function<void()> news) {
  const Lock lock(mutex_);
  stream.news = std::move(news);
  const bool is_over = stream.ended || state_ == State::kFailed || state_ == State::kClosed;
  if (is_over || !stream.queue.empty()) stream.tell();
}

void Core::close_stream(StreamState& stream) {
  const Lock lock(mutex_);
  end_stream(stream.id);
}

void Core::end_stream(RequestId id) {
  auto found = streams_.extract(id);
  if (found.empty()) return;
  StreamState& stream = *found.mapped();
  stream.ended = Refused{ErrorCode::kClosed, "the stream was closed"};
  stream.tell();
  changed_.notify_all();
  leader_wake_.signal();
  if (state_ != State::kConnected && state_ != State::kBroken) return;
  flush_stream(stream);
  const RequestId cancel =
      enqueue(stream.space, Operation(stream.cancel()), AnswerTo::kNobody, true);
  if (auto back = stream.give_back_queue())
    enqueue(stream.space, Operation(std::move(*back)), AnswerTo::kNobody, true);
  closing_.emplace(cancel, std::move(found.mapped()));
  write_out();
}

void Core::tell_streams() const {
  for (const auto& [id, stream] : streams_) stream->tell();
}

// Before the goodbye: with the session goes what it has reserved, and what it has taken is gone.
void Core::end_taking_streams(Lock& lock, SteadyTime deadline) {
  std::vector<RequestId> taking;
  for (const auto& [id, stream] : streams_) {
    if (stream->form.mode == TakeMode::kTake) taking.push_back(id);
  }
  if (taking.empty()) return;
  for (const RequestId id : taking) end_stream(id);
  wait_until(lock, deadline, {}, [this] { return closing_.empty(); });
}

}  // namespace linden::client

#include "space/server/connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <exception>
#include <utility>

#include <fmt/format.h>

#include "space/server/control.h"
#include "space/server/dispatch.h"
#include "space/server/space_host.h"

namespace linden::server {

namespace asio = boost::asio;

namespace {

// What a command weighs on a backlog beside its bytes.
constexpr std::size_t kCommandBytes = 256;

constexpr std::chrono::milliseconds kBacklogLook{1};

std::size_t bytes_of(const wire::Frame& frame) {
  std::size_t bytes = frame.message.size();
  for (const std::string_view attachment : frame.attachments) bytes += attachment.size();
  return bytes;
}

}  // namespace

Connection::Connection(IoThread& thread, Control& control, FileDescriptor socket,
                       ConnectionNumber number)
    : thread_(thread),
      control_(control),
      number_(number),
      socket_(std::in_place, thread.context(), socket.release()),
      reader_(wire::kFrameBytesMaxBeforeHello),
      pause_timer_(std::in_place, thread.context()),
      started_at_(thread.clock().now()),
      last_byte_at_(started_at_) {}

Connection::~Connection() = default;

void Connection::start() {
  thread_.add(shared_from_this());
  wait_readable();
}

// ---- Reading

void Connection::wait_readable() {
  if (is_waiting_readable_ || !may_read()) return;
  is_waiting_readable_ = true;
  socket_->async_wait(asio::posix::descriptor_base::wait_read,
                      [self = shared_from_this()](const boost::system::error_code& error) {
                        self->is_waiting_readable_ = false;
                        if (!error) self->on_readable();
                      });
}

bool Connection::may_read() const {
  if (!socket_ || reading_stopped_) return false;
  if (state_ == State::kClosing) return true;
  if (state_ != State::kAwaitingHello && state_ != State::kOpen) return false;
  return !is_outbox_full_ && !paused_for_;
}

void Connection::on_readable() {
  if (!may_read()) return;
  if (state_ == State::kClosing) {
    discard_input();
    return;
  }
  take_in(thread_.limits().read_rounds_max);
  thread_.end_of_round();
  wait_readable();
}

// The border where a bug in one connection's business ends that connection and nothing else.
void Connection::take_in(int rounds) {
  is_reading_ = true;
  try {
    if (rounds == 0) parse();
    for (int round = 0; round < rounds && may_read(); ++round) {
      const bool more = read_once();
      parse();
      if (!more) break;
    }
    if (state_ == State::kOpen) tell_hosts_heard(last_byte_at_);
  } catch (const std::exception& error) {
    thread_.log().error("internal_error connection={} what={}", number_, in_quotes(error.what()));
    reject(
        Refused{ErrorCode::kInternal, "the server failed to handle a request; please report it"});
  }
  is_reading_ = false;
  Counters::add(thread_.counters().requests, std::exchange(requests_, 0));
}

bool Connection::read_once() {
  const std::span<char> space = reader_.prepare();
  const ssize_t count = ::recv(socket_->native_handle(), space.data(), space.size(), MSG_DONTWAIT);
  if (count > 0) {
    reader_.commit(static_cast<std::size_t>(count));
    last_byte_at_ = thread_.clock().now();
    return static_cast<std::size_t>(count) == space.size();
  }
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  lose(count == 0 ? "closed by the client" : std::strerror(errno));
  return false;
}

// Until the peer has seen our last words and closes, so that they are not lost to a reset.
void Connection::discard_input() {
  std::array<char, 16384> scratch;
  const ssize_t count =
      ::recv(socket_->native_handle(), scratch.data(), scratch.size(), MSG_DONTWAIT);
  if (count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR))) {
    wait_readable();
  } else {
    close();
  }
}

void Connection::resume_reading() {
  if (is_reading_ || is_waiting_readable_ || !may_read()) return;
  last_byte_at_ = thread_.clock().now();  // it was we who did not listen
  if (state_ != State::kClosing) take_in(0);
  thread_.end_of_round();
  wait_readable();
}

void Connection::parse() {
  while (state_ != State::kClosing && may_read()) {
    Result<std::optional<wire::Frame>> next = reader_.next();
    if (!next) {
      reject(Refused{next.error().code, next.error().message});
      return;
    }
    if (!*next) return;
    on_frame(**next);
  }
}

void Connection::on_frame(const wire::Frame& frame) {
  if (wire::Request request;
      state_ == State::kOpen && decoder_.decode_common_request(frame, request)) {
    on_request(std::move(request), bytes_of(frame));
    return;
  }
  Result<wire::ClientMessage> decoded = decoder_.decode_client(frame, reader_);
  if (!decoded) {
    on_undecodable(decoded.error());
    return;
  }
  wire::ClientMessage& message = *decoded;
  if (auto* hello = std::get_if<wire::Hello>(&message)) {
    on_hello(std::move(*hello));
  } else if (state_ == State::kAwaitingHello) {
    reject(Refused{ErrorCode::kMalformed, "the first message of a connection must be a hello"});
  } else if (auto* request = std::get_if<wire::Request>(&message)) {
    on_request(std::move(*request), bytes_of(frame));
  } else if (auto* server_request = std::get_if<wire::ServerRequest>(&message)) {
    on_server_request(std::move(*server_request));
  } else if (const auto* heartbeat = std::get_if<wire::Heartbeat>(&message)) {
    acknowledged_ = std::max(acknowledged_, heartbeat->acknowledged);
    encoder_.encode(wire::ServerMessage(wire::HeartbeatBack{}), outbox_);
    touch();
  } else {
    on_goodbye();
  }
}

void Connection::on_undecodable(const Failure& why) {
  const RequestId id = decoder_.last_request_id();
  if (state_ == State::kOpen && id.value != 0) {
    reply(id, Refused{why.code, why.message});
  } else {
    reject(Refused{why.code, why.message});
  }
}

void Connection::on_hello(wire::Hello&& hello) {
  if (state_ != State::kAwaitingHello) {
    reject(Refused{ErrorCode::kMalformed, "a second hello on one connection"});
    return;
  }
  if (const std::optional<Refused> refused = check_hello(hello)) {
    reject(*refused);
    return;
  }
  hello_ = std::move(hello);
  acknowledged_ = hello_.acknowledged;
  state_ = State::kAdmitting;
  control_.admit(shared_from_this(), hello_);
}

void Connection::welcome(const wire::Welcome& welcome, bool attach_everywhere) {
  if (state_ != State::kAdmitting) return;
  state_ = State::kOpen;
  reader_.set_frame_bytes_max(thread_.limits().frame_bytes_max);
  encoder_.encode(wire::ServerMessage(welcome), outbox_);
  if (attach_everywhere) {
    for (const auto& [number, host] : thread_.hosts()) {
      attachments_.push_back(Attachment{host, false, false, last_byte_at_, acknowledged_});
      thread_.submit(host,
                     Inbound{shared_from_this(), to_attached(hello_, acknowledged_), 0, true});
    }
  }
  touch();
  resume_reading();
}

void Connection::on_request(wire::Request&& request, std::size_t bytes) {
  if (request.id.value == 0) {
    reject(Refused{ErrorCode::kMalformed, "a request without an id; ids rise from 1"});
    return;
  }
  ++requests_;
  acknowledged_ = std::max(acknowledged_, request.acknowledged);
  Attachment* to = attachment(request.space);
  if (to == nullptr) {
    reply(request.id, no_such_space(request.space));
    return;
  }
  to->was_asked = true;
  if (request.patient) patient_.insert(request.id);
  submit(*to, to_command(hello_.session, std::move(request)), bytes + kCommandBytes);
  if (to->host->backlog() > thread_.limits().backlog_bytes_max) pause_for(to->host);
}

Connection::Attachment* Connection::attachment(SpaceNumber space) {
  Attachment* found = nullptr;
  for (Attachment& candidate : attachments_) {
    if (candidate.host->info().number == space) {
      found = &candidate;
      break;
    }
  }
  if (found == nullptr) {
    std::shared_ptr<SpaceHost> host = thread_.host(space);
    if (!host) return nullptr;
    found = &attachments_.emplace_back(
        Attachment{std::move(host), false, false, last_byte_at_, acknowledged_});
  }
  if (!found->is_certain) {
    submit(*found, to_attached(hello_, acknowledged_));
    found->is_certain = true;
  }
  return found;
}

void Connection::submit(const Attachment& to, core::Command&& command, std::size_t bytes) {
  thread_.submit(to.host, Inbound{shared_from_this(), std::move(command), bytes, false});
}

void Connection::on_server_request(wire::ServerRequest&& request) {
  if (request.id.value == 0) {
    reject(Refused{ErrorCode::kMalformed, "a request without an id; ids rise from 1"});
    return;
  }
  ++requests_;
  acknowledged_ = std::max(acknowledged_, request.acknowledged);
  control_.ask(shared_from_this(), hello_.session, std::move(request));
}

void Connection::on_goodbye() {
  state_ = State::kLeaving;
  control_.closed(hello_.session, number_);
  farewells_awaited_ = attachments_.size();
  for (const Attachment& to : attachments_) submit(to, core::SessionClosed{hello_.session});
  if (farewells_awaited_ == 0) close_after_write();
}

// Renews leases and trims remembered answers: a space that was just asked hears of every
// acknowledgement, the others now and then.
void Connection::tell_hosts_heard(Time now) {
  for (Attachment& to : attachments_) {
    const bool has_news = to.was_asked && acknowledged_ > to.told_acknowledged;
    if (!has_news && now - to.told_at < thread_.limits().heard_interval) continue;
    to.was_asked = false;
    to.told_at = now;
    to.told_acknowledged = acknowledged_;
    submit(to, core::SessionHeard{hello_.session, acknowledged_});
  }
}

void Connection::pause_for(const std::shared_ptr<SpaceHost>& host) {
  if (paused_for_) return;
  paused_for_ = host;
  wait_for_backlog();
}

// The host may live on another thread, so its backlog is looked at rather than announced; this
// happens only to who sends faster than the space can follow.
void Connection::wait_for_backlog() {
  pause_timer_->expires_after(kBacklogLook);
  pause_timer_->async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (error || !self->paused_for_) return;
    if (self->paused_for_->backlog() > self->thread_.limits().backlog_bytes_max / 2) {
      self->wait_for_backlog();
      return;
    }
    self->paused_for_.reset();
    self->resume_reading();
  });
}

// ---- Writing

void Connection::reply(RequestId to, const Answer& answer) {
  close_delivery();
  encoder_.encode_reply(to, answer, outbox_);
  if (!may_wait(to, answer) || outbox_.size() >= thread_.limits().patient_bytes_max) {
    touch();
  } else if (!is_touched_ && !is_put_off_) {
    is_put_off_ = true;
    thread_.put_off(shared_from_this());
  }
}

bool Connection::may_wait(RequestId to, const Answer& answer) {
  if (patient_.empty() || patient_.erase(to) == 0) return false;
  return !std::holds_alternative<Refused>(answer);
}

void Connection::write_put_off() {
  is_put_off_ = false;
  if (!outbox_.empty()) touch();
}

void Connection::answer(RequestId to, const std::variant<Answer, wire::ServerAnswer>& answer) {
  if (state_ != State::kOpen && state_ != State::kLeaving) return;
  close_delivery();
  encoder_.encode(wire::ServerMessage(wire::Reply{to, answer}), outbox_);
  touch();
}

void Connection::send(Outbound&& outbound) {
  if (state_ == State::kClosed || state_ == State::kClosing) return;
  if (std::holds_alternative<Farewell>(outbound)) {
    if (--farewells_awaited_ == 0) close_after_write();
    return;
  }
  auto& message = std::get<core::Message>(outbound);
  if (const auto* answered = std::get_if<core::Reply>(&message)) {
    reply(answered->to.request, answered->answer);
    return;
  }
  auto& notice = std::get<core::Notice>(message);
  touch();
  if (auto* delivered = std::get_if<Delivered>(&notice.event)) {
    if (delivery_stream_ != notice.stream.request) close_delivery();
    delivery_stream_ = notice.stream.request;
    for (Handout& handout : delivered->tuples) {
      delivery_bytes_ += handout.tuple.byte_size();
      delivery_.push_back(std::move(handout));
    }
    if (delivery_.size() >= thread_.limits().delivery_tuples_max ||
        delivery_bytes_ >= thread_.limits().delivery_bytes_max) {
      close_delivery();
    }
    return;
  }
  close_delivery();
  encoder_.encode(
      wire::ServerMessage(wire::StreamEvent{notice.stream.request, std::move(notice.event)}),
      outbox_);
}

void Connection::close_delivery() {
  if (delivery_.empty()) return;
  encoder_.encode_delivery(delivery_stream_, delivery_, outbox_);
  delivery_.clear();
  delivery_bytes_ = 0;
}

void Connection::touch() {
  if (is_touched_) return;
  is_touched_ = true;
  thread_.mark_touched(shared_from_this());
}

void Connection::finish_round() {
  is_touched_ = false;
  if (state_ == State::kClosed) return;
  close_delivery();
  if (outbox_.size() > thread_.limits().outbox_bytes_max) {
    lose("it does not read its answers: too many bytes wait for it");
    return;
  }
  write();
}

void Connection::write() {
  if (is_waiting_writable_) return;
  while (!outbox_.empty()) {
    if (!write_once()) break;
  }
  if (!socket_) return;
  is_outbox_full_ =
      outbox_.size() > thread_.limits().outbox_pause_bytes / (is_outbox_full_ ? 2 : 1);
  if (outbox_.empty() && is_server_ending_) {
    close();
    return;
  }
  if (outbox_.empty() && state_ == State::kClosing) {
    ::shutdown(socket_->native_handle(), SHUT_WR);
  }
  if (!is_waiting_readable_) resume_reading();
}

bool Connection::write_once() {
  std::array<iovec, 64> pieces;
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = outbox_.gather(pieces.data(), pieces.size());
  const ssize_t count = ::sendmsg(socket_->native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (count >= 0) {
    outbox_.consume(static_cast<std::size_t>(count));
    write_stalled_at_ = kNever;
    return true;
  }
  if (errno == EINTR) return true;
  if (errno == EAGAIN) {
    if (write_stalled_at_ == kNever) write_stalled_at_ = thread_.clock().now();
    wait_writable();
  } else {
    lose(std::strerror(errno));
  }
  return false;
}

void Connection::wait_writable() {
  is_waiting_writable_ = true;
  socket_->async_wait(asio::posix::descriptor_base::wait_write,
                      [self = shared_from_this()](const boost::system::error_code& error) {
                        self->is_waiting_writable_ = false;
                        if (!error && self->socket_) self->write();
                      });
}

// ---- Ending

void Connection::tell_lost() {
  if (state_ != State::kAdmitting && state_ != State::kOpen) return;
  control_.lost(hello_.session, number_);
  for (const Attachment& to : attachments_) submit(to, core::SessionLost{hello_.session});
  attachments_.clear();
}

void Connection::reject(const Refused& why) {
  if (state_ == State::kClosed || state_ == State::kClosing) return;
  thread_.log().info("connection_rejected connection={} code={} message={}", number_,
                     name_of(why.code), in_quotes(why.message));
  tell_lost();
  close_delivery();
  encoder_.encode(wire::ServerMessage(wire::Rejected{why}), outbox_);
  close_after_write();
  thread_.end_of_round();
}

void Connection::close_after_write() {
  state_ = State::kClosing;
  closing_at_ = thread_.clock().now();
  touch();
}

void Connection::lose(std::string_view why) {
  if (state_ == State::kClosed) return;
  thread_.log().debug("connection_lost connection={} session={} why={}", number_,
                      to_string(hello_.session), in_quotes(why));
  tell_lost();
  close();
  thread_.end_of_round();
}

void Connection::replaced() {
  if (state_ == State::kClosed || state_ == State::kClosing) return;
  lose("another connection speaks for the session");
}

void Connection::close() {
  if (state_ == State::kClosed) return;
  const auto self = shared_from_this();
  shut();
  control_.disconnected(number_);
  thread_.remove(self);
}

void Connection::sweep(Time now, Duration stall) {
  last_byte_at_ += stall;
  const Limits& limits = thread_.limits();
  if (write_stalled_at_ != kNever) {
    write_stalled_at_ += stall;
    if (now - write_stalled_at_ > limits.write_stalled_max) {
      lose("it does not read its answers");
      return;
    }
  }
  switch (state_) {
    case State::kAwaitingHello:
      if (now - started_at_ > limits.hello_within) {
        reject(Refused{ErrorCode::kMalformed, "no hello came in time"});
      }
      break;
    case State::kOpen:
      if (may_read() && now - last_byte_at_ > limits.silence_max) lose("silent for too long");
      break;
    case State::kClosing:
      if (now - closing_at_ > limits.last_words_max) close();
      break;
    default:
      break;
  }
}

void Connection::stop_reading() {
  reading_stopped_ = true;
}

void Connection::say_last_words() {
  is_server_ending_ = true;
  if (state_ != State::kClosed) {
    close_delivery();
    closing_at_ = thread_.clock().now();
    if (state_ != State::kClosing) state_ = State::kClosing;
    write();
  }
}

void Connection::shut() {
  state_ = State::kClosed;
  socket_.reset();
  pause_timer_.reset();
  paused_for_.reset();
  attachments_.clear();
  delivery_.clear();
  outbox_.clear();
}

}  // namespace linden::server

// api/client/core_connect.cpp: the life of the connection: first connect, break, reconnect,
// goodbye.
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <random>

#include "api/client/core.h"
#include "api/client/retry_policy.h"

namespace linden::client {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kHandshakeMax{5'000};
constexpr milliseconds kGoodbyeMax{500};

SessionId random_session() {
  std::random_device random;
  const auto number = [&random] { return (std::uint64_t{random()} << 32) | random(); };
  SessionId session{number(), number()};
  if (session.is_none()) session.low = 1;
  return session;
}

std::uint64_t random_number() {
  thread_local std::minstd_rand random{std::random_device{}()};
  return random();
}

milliseconds left_until(SteadyTime deadline) {
  const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
  return std::clamp(left, milliseconds(0), kHandshakeMax);
}

// What trying again cannot mend.
bool is_final(ErrorCode code) {
  return code == ErrorCode::kProtocolMismatch || code == ErrorCode::kSessionExpired ||
         code == ErrorCode::kNotAllowed || code == ErrorCode::kInvalidArgument ||
         code == ErrorCode::kLimitExceeded || code == ErrorCode::kMalformed;
}

bool write_all(int fd, wire::WriteBuffer& out, SteadyTime deadline) {
  while (!out.empty()) {
    iovec piece{};
    if (out.gather(&piece, 1) == 0) return true;
    const auto written = ::send(fd, piece.iov_base, piece.iov_len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (written > 0) {
      out.consume(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      pollfd entry{fd, POLLOUT, 0};
      if (::poll(&entry, 1, static_cast<int>(left_until(deadline).count())) <= 0) return false;
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

}  // namespace

Core::Core(ConnectOptions options, Address address)
    : options_(std::move(options)), address_(std::move(address)), session_(random_session()) {}

std::shared_ptr<Core> Core::connect(const ConnectOptions& options, const Interrupt& interrupt) {
  auto address = parse_address(options.address);
  if (!address) throw Error(address.error().code, address.error().message);
  // The constructor is private; the pointer owns at once.
  std::shared_ptr<Core> core(new Core(options, std::move(*address)));
  const auto deadline = std::chrono::steady_clock::now() +
                        std::min<Duration>(options.timeout, std::chrono::hours(24));
  for (unsigned attempt = 0;; ++attempt) {
    auto connected = core->connect_once(false, {}, left_until(deadline));
    if (connected) {
      core->socket_ = std::move(*connected);
      break;
    }
    const auto delay = retry_delay(attempt, random_number());
    const auto& why = connected.error();
    if (is_final(why.code) || std::chrono::steady_clock::now() + delay >= deadline)
      throw Error(why.code, why.message);
    std::this_thread::sleep_for(delay);
    if (interrupt && interrupt())
      throw Error(ErrorCode::kCancelled, "connecting to " + options.address + " was interrupted");
  }
  core->state_ = State::kConnected;
  core->last_heard_ = core->last_sent_ = std::chrono::steady_clock::now();
  core->timer_.arm(std::chrono::milliseconds(1));
  make_source(core);
  core->native_ = std::thread([raw = core.get()] { raw->run_native(); });
  return core;
}

Core::~Core() {
  close(false);
  callbacks_->end();
}

Result<Descriptor> Core::connect_once(bool resume, Duration absent, milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  auto socket = connect_to(address_, timeout);
  if (!socket) return socket.error();
  const auto welcome = shake_hands(socket->get(), resume, absent, deadline);
  if (!welcome) return welcome.error();
  server_pid_ = welcome->server_pid;
  heartbeat_ = std::max<Duration>(welcome->heartbeat, milliseconds(10));
  frame_bytes_max_ = welcome->frame_bytes_max;
  encoder_.set_frame_bytes_max(frame_bytes_max_);
  return socket;
}

Result<wire::Welcome> Core::shake_hands(int fd, bool resume, Duration absent, SteadyTime deadline) {
  wire::Hello hello;
  hello.session = session_;
  hello.resume = resume;
  hello.absent = absent;
  hello.name = options_.name;
  hello.hold = options_.hold;
  hello.memory = options_.memory;
  hello.acknowledged = pending_.acknowledged();
  wire::Encoder encoder;
  wire::WriteBuffer out;
  encoder.encode(wire::ClientMessage(hello), out);
  const Failure silent{ErrorCode::kUnreachable,
                       "the server at " + options_.address +
                           " did not say welcome in time; is it a space server, and is it alive?"};
  if (!write_all(fd, out, deadline)) return silent;
  reader_ = wire::FrameReader(wire::kFrameBytesMaxDefault);
  for (;;) {
    auto frame = reader_.next();
    if (!frame) return frame.error();
    if (frame->has_value()) {
      auto message = decoder_.decode_server(**frame, reader_);
      if (!message) return message.error();
      if (const auto* welcome = std::get_if<wire::Welcome>(&*message)) return *welcome;
      if (const auto* rejected = std::get_if<wire::Rejected>(&*message))
        return Failure{rejected->why.code, rejected->why.message};
      return Failure{ErrorCode::kMalformed,
                     "the server at " + options_.address + " answered hello with something else"};
    }
    pollfd entry{fd, POLLIN, 0};
    if (::poll(&entry, 1, static_cast<int>(left_until(deadline).count())) == 0) return silent;
    const auto space = reader_.prepare();
    const auto count = ::recv(fd, space.data(), space.size(), MSG_DONTWAIT);
    if (count == 0) {
      return Failure{ErrorCode::kUnreachable, "the server at " + options_.address +
                                                  " closed the connection during the handshake"};
    }
    if (count > 0) reader_.commit(static_cast<std::size_t>(count));
  }
}

void Core::break_connection(SteadyTime now) {
  state_ = State::kBroken;
  broken_since_ = now;
  out_.clear();
  native_wake_.signal();
  changed_.notify_all();
}

void Core::fail(Failure why) {
  if (state_ == State::kClosed) return;
  state_ = State::kFailed;
  failure_ = std::move(why);
  native_wake_.signal();
  tell_streams();
  end_futures();
}

// Runs on the native thread, which alone may use reader_ and decoder_ while the state is kBroken.
void Core::reconnect(Lock& lock) {
  changed_.wait(lock, [this] { return leader_ == Leader::kNobody; });
  for (unsigned attempt = 0; state_ == State::kBroken; ++attempt) {
    const auto absent =
        std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - last_heard_);
    lock.unlock();
    auto connected = connect_once(true, absent, kHandshakeMax);
    if (!connected) {
      pollfd entry{native_wake_.fd(), POLLIN, 0};
      ::poll(&entry, 1,
             static_cast<int>(
                 std::chrono::ceil<milliseconds>(retry_delay(attempt, random_number())).count()));
      native_wake_.drain();
    }
    lock.lock();
    const auto now = std::chrono::steady_clock::now();
    if (state_ != State::kBroken) return;
    if (connected) {
      socket_ = std::move(*connected);
      // What streams have gathered is said with the rest: they name it no more among what they
      // hold, so the space would hand it out again.
      for (auto& [id, stream] : streams_) flush_stream(*stream);
      state_ = State::kConnected;
      ++reconnects_;
      last_heard_ = last_sent_ = now;
      say_everything_again(now);
      tell_streams();
      changed_.notify_all();
    } else if (is_final(connected.error().code)) {
      fail(connected.error());
    } else if (now - broken_since_ > options_.reconnect) {
      const auto seconds =
          std::chrono::duration_cast<std::chrono::seconds>(now - broken_since_).count();
      fail({ErrorCode::kConnectionLost,
            "the connection to " + options_.address + " broke " + std::to_string(seconds) +
                " s ago and the server did not come back: " + connected.error().message});
    }
  }
}

// P36: requests in the order in which they were asked, then streams with what they hold and
// subscriptions with what they have.
void Core::say_everything_again(SteadyTime now) {
  out_.clear();
  const auto say = [&](StreamState& stream) {
    encoder_.encode_request(stream.id, pending_.acknowledged(), stream.space,
                            Operation(stream.reopened()), true, out_);
  };
  // Those that are being closed are opened once more, so that what was on its way to them comes and
  // can be given back; the request that ends them follows.
  for (const auto& [cancel, stream] : closing_) say(*stream);
  pending_.for_each([&](RequestId id, const PendingRequest& request) {
    if (streams_.contains(id) || subscriptions_.contains(id) || is_closing(id)) return;
    const auto* of_space = std::get_if<Operation>(&request.operation);
    const auto* take = of_space != nullptr ? std::get_if<TakeOp>(of_space) : nullptr;
    if (take == nullptr || request.deadline == SteadyTime::max()) {
      encode_request(id, request);
      return;
    }
    auto shorter = *take;
    shorter.timeout =
        std::max(Duration(1), std::chrono::duration_cast<Duration>(request.deadline - now));
    encode_operation(id, request, Operation(std::move(shorter)));
  });
  std::vector<std::shared_ptr<StreamState>> standing;
  for (const auto& [id, stream] : streams_) standing.push_back(stream);
  std::sort(standing.begin(), standing.end(),
            [](const auto& a, const auto& b) { return a->id < b->id; });
  for (const auto& stream : standing) {
    say(*stream);
    // What it has consumed and the space may not know: else it would wait for credit that it has.
    if (auto consumed = stream->acknowledgement()) {
      stream->acknowledging(
          enqueue(stream->space, Operation(std::move(*consumed)), AnswerTo::kNobody, true));
    }
  }
  for (const auto& [id, told] : subscriptions_) {
    if (told->ended) continue;
    encoder_.encode_request(id, pending_.acknowledged(), told->space, Operation(told->resumed()),
                            true, out_);
  }
  write_out();
}

bool Core::is_closing(RequestId stream) const {
  return std::any_of(closing_.begin(), closing_.end(),
                     [&](const auto& each) { return each.second->id == stream; });
}

void Core::close(bool goodbye) {
  {
    Lock lock(mutex_);
    if (state_ == State::kConnected && goodbye) {
      end_taking_streams(lock, std::chrono::steady_clock::now() + kGoodbyeMax);
    }
    if (state_ != State::kClosed) {
      const bool reachable = state_ == State::kConnected;
      if (reachable && goodbye) {
        for (auto& [id, stream] : streams_) flush_stream(*stream);
        encoder_.encode(wire::ClientMessage(wire::Goodbye{}), out_);
      }
      state_ = State::kClosed;
      failure_ = {ErrorCode::kClosed, "the client was closed"};
      native_wake_.signal();
      tell_streams();
      end_futures();
      changed_.wait(lock, [this] { return leader_ == Leader::kNobody; });
      if (reachable && goodbye) {
        const auto deadline = std::chrono::steady_clock::now() + kGoodbyeMax;
        const bool said = write_all(socket_.get(), out_, deadline);
        ::shutdown(socket_.get(), SHUT_WR);
        // The server closes once the goodbye has taken effect; what it still sends is not wanted.
        char rest[4096];
        for (bool open = said; open;) {
          pollfd entry{socket_.get(), POLLIN, 0};
          if (::poll(&entry, 1, static_cast<int>(left_until(deadline).count())) <= 0) break;
          open = ::recv(socket_.get(), rest, sizeof(rest), MSG_DONTWAIT) > 0;
        }
      }
      socket_ = Descriptor();
    }
  }
  const Lock joining(join_mutex_);  // two threads may close at once
  if (native_.joinable() && native_.get_id() != std::this_thread::get_id()) native_.join();
}

}  // namespace linden::client

// tests/space/server/conversation.h: a client of api/wire alone, and a server in this process to
// talk with.
#pragma once

#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "api/wire/codec.h"
#include "space/server/file_descriptor.h"
#include "space/server/server.h"

namespace linden::server {

// A directory of its own, gone at the end.
class Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  [[nodiscard]] std::string path(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

// A server on a Unix socket, run by a thread of its own.
class RunningServer {
 public:
  // `options.unix_path` is set here; so is a durability of memory if there is no directory.
  explicit RunningServer(ServerOptions options = {}, std::shared_ptr<Log> log = make_silent_log());
  ~RunningServer() { (void)stop(); }
  // Returns the exit code.
  int stop();
  // Waits for it to end by itself and returns the exit code.
  int wait();
  [[nodiscard]] const std::string& unix_path() const { return unix_path_; }
  [[nodiscard]] std::string tcp_address() const { return server_->tcp_address(); }

 private:
  Scratch scratch_;
  std::string unix_path_;
  std::shared_ptr<Log> log_;
  std::unique_ptr<Server> server_;
  std::thread thread_;
  int exit_code_ = -1;
};

// One connection.  Everything waits for at most 20 s and fails the test then.
class Peer {
 public:
  explicit Peer(const std::string& unix_path);
  // "127.0.0.1:4711".
  [[nodiscard]] static Peer over_tcp(const std::string& address);
  Peer(Peer&&) = default;

  void send(const wire::ClientMessage& message);
  void send_bytes(std::string_view bytes);
  // The same without waiting for room; returns how many bytes went.
  std::size_t try_send_bytes(std::string_view bytes);

  // The next message; none: the server has closed the connection.
  [[nodiscard]] std::optional<wire::ServerMessage> receive();
  // The next message of that kind; others are kept for later.
  template <class Message>
  Message expect();
  [[nodiscard]] wire::Reply reply_to(RequestId id);
  // Whether the server closes the connection, whatever it says before.
  [[nodiscard]] bool ends();
  // Whether nothing has come by now; for what must not come, after something else that did.
  [[nodiscard]] bool has_nothing();

  wire::Welcome hello(SessionId session, bool resume = false);
  SpaceNumber open(const std::string& name, std::vector<NewTuple> initial = {},
                   std::optional<storage::Durability> durability = std::nullopt);
  // Sends and returns the id; the space is the one that was opened last.
  RequestId request(Operation operation);
  RequestId request_to(SpaceNumber space, Operation operation);
  // The same, and its answer may wait for company.
  RequestId request_patiently(Operation operation);
  RequestId request_server(wire::ServerOperation operation);
  // Sends and waits for the answer.
  Answer ask(Operation operation);
  std::variant<Answer, wire::ServerAnswer> ask_server(wire::ServerOperation operation);

  // So that repetitions can be sent.
  void set_next_request(std::uint64_t id) { next_request_ = id; }
  [[nodiscard]] SpaceNumber space() const { return space_; }
  void set_space(SpaceNumber space) { space_ = space; }
  void acknowledge(RequestId below) { acknowledged_ = below; }
  void close() { socket_ = FileDescriptor(); }

 private:
  explicit Peer(FileDescriptor socket);
  [[nodiscard]] std::optional<wire::ServerMessage> receive_from_socket();
  [[nodiscard]] std::optional<wire::ServerMessage> next_in_reader();
  // False: closed.
  [[nodiscard]] bool fill_reader();

  FileDescriptor socket_;
  wire::FrameReader reader_{wire::kFrameBytesMaxDefault};
  wire::Encoder encoder_;
  wire::Decoder decoder_;
  std::deque<wire::ServerMessage> kept_;
  std::uint64_t next_request_ = 1;
  RequestId acknowledged_;
  SpaceNumber space_;
};

template <class Message>
Message Peer::expect() {
  for (std::size_t i = 0; i < kept_.size(); ++i) {
    if (auto* found = std::get_if<Message>(&kept_[i])) {
      Message result = std::move(*found);
      kept_.erase(kept_.begin() + static_cast<long>(i));
      return result;
    }
  }
  while (auto message = receive_from_socket()) {
    if (auto* found = std::get_if<Message>(&*message)) return std::move(*found);
    kept_.push_back(std::move(*message));
  }
  throw std::runtime_error("the connection ended before the message came");
}

inline SessionId session(std::uint64_t number) {
  return SessionId{77, number};
}
inline NewTuple task(std::int64_t number) {
  return NewTuple{Tuple{"task", number}, {}};
}
inline Template any_task() {
  return Template{"task", kInt};
}
inline PutOp put(std::int64_t number) {
  return PutOp{{task(number)}};
}
inline TakeOp take(Duration timeout = Duration{0}, TakeMode mode = TakeMode::kTake) {
  TakeOp op;
  op.mode = mode;
  op.templates = {any_task()};
  op.timeout = timeout;
  return op;
}

template <class Wanted>
Wanted as(const Answer& answer) {
  if (const auto* refused = std::get_if<Refused>(&answer);
      refused != nullptr && !std::is_same_v<Wanted, Refused>) {
    throw std::runtime_error("refused: " + refused->message);
  }
  return std::get<Wanted>(answer);
}
template <class Wanted>
Wanted as(const std::variant<Answer, wire::ServerAnswer>& answer) {
  if constexpr (std::is_same_v<Wanted, wire::SpaceOpened> ||
                std::is_same_v<Wanted, wire::SpacesListed> ||
                std::is_same_v<Wanted, wire::ServerStatus>) {
    if (const auto* plain = std::get_if<Answer>(&answer)) {
      throw std::runtime_error("refused: " + std::get<Refused>(*plain).message);
    }
    return std::get<Wanted>(std::get<wire::ServerAnswer>(answer));
  } else {
    return as<Wanted>(std::get<Answer>(answer));
  }
}

}  // namespace linden::server

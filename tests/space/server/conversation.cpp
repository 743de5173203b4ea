#include "tests/space/server/conversation.h"

#include <poll.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace linden::server {
namespace {

constexpr int kWaitMilliseconds = 20'000;

FileDescriptor connect_to(int family, const sockaddr* address, socklen_t size) {
  FileDescriptor socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(socket.get(), address, size) != 0) {
    throw std::runtime_error(std::string("connect: ") + std::strerror(errno));
  }
  return socket;
}

FileDescriptor connect_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), std::min(path.size(), sizeof(address.sun_path) - 1));
  return connect_to(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
}

}  // namespace

Scratch::Scratch() {
  std::string name = (std::filesystem::temp_directory_path() / "linden-server-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
  path_ = name;
}

Scratch::~Scratch() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

RunningServer::RunningServer(ServerOptions options, std::shared_ptr<Log> log)
    : unix_path_(scratch_.path("socket")), log_(std::move(log)) {
  options.unix_path = unix_path_;
  options.handle_signals = false;
  if (options.directory.empty()) options.durability = storage::Durability::kMemory;
  server_ = Server::make(std::move(options), *log_).value_or_throw();
  thread_ = std::thread([this] { exit_code_ = server_->run(); });
}

int RunningServer::stop() {
  if (thread_.joinable()) {
    server_->stop();
    thread_.join();
  }
  return exit_code_;
}

int RunningServer::wait() {
  if (thread_.joinable()) thread_.join();
  return exit_code_;
}

Peer::Peer(FileDescriptor socket) : socket_(std::move(socket)) {}
Peer::Peer(const std::string& unix_path) : Peer(connect_unix(unix_path)) {}

Peer Peer::over_tcp(const std::string& address) {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.find(':') + 1))));
  v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return Peer(connect_to(AF_INET, reinterpret_cast<const sockaddr*>(&v4), sizeof(v4)));
}

// ---- Bytes

void Peer::send_bytes(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0) throw std::runtime_error(std::string("send: ") + std::strerror(errno));
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

std::size_t Peer::try_send_bytes(std::string_view bytes) {
  const ssize_t count =
      ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  return count > 0 ? static_cast<std::size_t>(count) : 0;
}

void Peer::send(const wire::ClientMessage& message) {
  wire::WriteBuffer out;
  encoder_.encode(message, out);
  while (!out.empty()) {
    iovec piece{};
    out.gather(&piece, 1);
    send_bytes({static_cast<const char*>(piece.iov_base), piece.iov_len});
    out.consume(piece.iov_len);
  }
}

bool Peer::fill_reader() {
  pollfd ready{socket_.get(), POLLIN, 0};
  if (::poll(&ready, 1, kWaitMilliseconds) != 1) {
    throw std::runtime_error("nothing came from the server in time");
  }
  const std::span<char> space = reader_.prepare();
  const ssize_t count = ::recv(socket_.get(), space.data(), space.size(), 0);
  if (count <= 0) return false;
  reader_.commit(static_cast<std::size_t>(count));
  return true;
}

std::optional<wire::ServerMessage> Peer::next_in_reader() {
  std::optional<wire::Frame> frame = reader_.next().value_or_throw();
  if (!frame) return std::nullopt;
  return decoder_.decode_server(*frame, reader_).value_or_throw();
}

std::optional<wire::ServerMessage> Peer::receive_from_socket() {
  do {
    if (auto message = next_in_reader()) return message;
  } while (fill_reader());
  return std::nullopt;
}

// ---- Messages

std::optional<wire::ServerMessage> Peer::receive() {
  if (kept_.empty()) return receive_from_socket();
  std::optional<wire::ServerMessage> message(std::move(kept_.front()));
  kept_.pop_front();
  return message;
}

bool Peer::has_nothing() {
  pollfd ready{socket_.get(), POLLIN, 0};
  while (::poll(&ready, 1, 0) == 1) {
    if (!fill_reader()) return false;
  }
  while (auto message = next_in_reader()) kept_.push_back(std::move(*message));
  return kept_.empty();
}

bool Peer::ends() {
  while (receive()) {
  }
  return true;
}

wire::Reply Peer::reply_to(RequestId id) {
  std::deque<wire::Reply> others;
  while (true) {
    wire::Reply reply = expect<wire::Reply>();
    if (reply.to == id) {
      for (wire::Reply& other : others) kept_.emplace_back(std::move(other));
      return reply;
    }
    others.push_back(std::move(reply));
  }
}

wire::Welcome Peer::hello(SessionId session, bool resume) {
  wire::Hello hello;
  hello.session = session;
  hello.resume = resume;
  hello.name = "test";
  hello.acknowledged = acknowledged_;
  send(hello);
  return expect<wire::Welcome>();
}

SpaceNumber Peer::open(const std::string& name, std::vector<NewTuple> initial,
                       std::optional<storage::Durability> durability) {
  wire::OpenSpaceOp op;
  op.name = name;
  op.create = true;
  op.initial = std::move(initial);
  if (durability) op.durability = static_cast<std::uint8_t>(*durability);
  space_ = as<wire::SpaceOpened>(ask_server(op)).number;
  return space_;
}

RequestId Peer::request_to(SpaceNumber space, Operation operation) {
  const RequestId id{next_request_++};
  send(wire::Request{id, acknowledged_, space, std::move(operation)});
  return id;
}

RequestId Peer::request_patiently(Operation operation) {
  const RequestId id{next_request_++};
  send(wire::Request{id, acknowledged_, space_, std::move(operation), true});
  return id;
}

RequestId Peer::request(Operation operation) {
  return request_to(space_, std::move(operation));
}

RequestId Peer::request_server(wire::ServerOperation operation) {
  const RequestId id{next_request_++};
  send(wire::ServerRequest{id, acknowledged_, std::move(operation)});
  return id;
}

Answer Peer::ask(Operation operation) {
  return std::get<Answer>(reply_to(request(std::move(operation))).answer);
}

std::variant<Answer, wire::ServerAnswer> Peer::ask_server(wire::ServerOperation operation) {
  return reply_to(request_server(std::move(operation))).answer;
}

}  // namespace linden::server

// api/data/peer.cpp
#include "api/data/peer.h"

#include <netdb.h>
#include <poll.h>
#include <arpa/inet.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "api/client/address.h"
#include "api/data/content_name.h"
#include "api/data/system_error.h"

namespace linden::data {
namespace {

constexpr std::string_view kMagic = "lindenD1";
constexpr std::size_t kRandomBytes = 32;
constexpr std::size_t kProofBytes = 32;
constexpr std::size_t kConnectionsMax = 64;
constexpr std::size_t kPiece = std::size_t{1} << 20;
// A side that says nothing for so long has gone.
constexpr int kSilenceMs = 10'000;
// So often a waiting fetch looks whether it was interrupted.
constexpr int kLookMs = 100;

using Random = std::array<char, kRandomBytes>;
using Proof = std::array<char, kProofBytes>;

Random random_bytes() {
  Random made{};
  if (RAND_bytes(reinterpret_cast<unsigned char*>(made.data()), static_cast<int>(made.size())) != 1)
    throw Error(ErrorCode::kInternal, "no random bytes to be had from OpenSSL");
  return made;
}

std::string_view view(const Random& bytes) {
  return {bytes.data(), bytes.size()};
}

Proof proof_of(std::string_view secret, std::string_view side, const Random& server,
               const Random& client) {
  const std::string said =
      std::string(side) + std::string(view(server)) + std::string(view(client));
  Proof proof{};
  unsigned size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(said.data()), said.size(),
       reinterpret_cast<unsigned char*>(proof.data()), &size);
  return proof;
}

bool equal(const Proof& a, const Proof& b) {
  return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

// One side of a connection: reads and writes whole things, or says why it cannot.
class Line {
 public:
  Line(int fd, const Interrupt& interrupt, int stop_fd = -1)
      : fd_(fd), interrupt_(interrupt), stop_fd_(stop_fd) {}

  // False: the other side ended the connection before the first byte.
  bool read(char* into, std::size_t count) {
    for (std::size_t done = 0; done < count;) {
      const ssize_t got = ::recv(fd_, into + done, count - done, MSG_DONTWAIT);
      if (got > 0) {
        done += static_cast<std::size_t>(got);
      } else if (got == 0) {
        if (done == 0) return false;
        throw gone("closed the connection");
      } else if (errno == EAGAIN) {
        wait(POLLIN);
      } else if (errno != EINTR) {
        throw gone(std::strerror(errno));
      }
    }
    return true;
  }

  void read_or_throw(char* into, std::size_t count) {
    if (!read(into, count)) throw gone("closed the connection");
  }

  void write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t put = ::send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (put > 0) {
        bytes.remove_prefix(static_cast<std::size_t>(put));
      } else if (errno == EAGAIN) {
        wait(POLLOUT);
      } else if (errno != EINTR) {
        throw gone(std::strerror(errno));
      }
    }
  }

  void write_file(int file, std::uint64_t size) {
    off_t offset = 0;
    while (static_cast<std::uint64_t>(offset) < size) {
      const ssize_t put =
          ::sendfile(fd_, file, &offset,
                     std::min<std::uint64_t>(size - static_cast<std::uint64_t>(offset), kPiece));
      if (put > 0) continue;
      if (put == 0) throw gone("the file is shorter than it was");
      if (errno == EAGAIN)
        wait(POLLOUT);
      else if (errno != EINTR)
        throw gone(std::strerror(errno));
    }
  }

  // Waits until there is something to read; false if this process is to stop.
  bool await_request() {
    std::array<pollfd, 2> fds{{{fd_, POLLIN, 0}, {stop_fd_, POLLIN, 0}}};
    while (::poll(fds.data(), fds.size(), -1) < 0 && errno == EINTR) {
    }
    return fds[1].revents == 0;
  }

 private:
  static Error gone(const std::string& why) {
    return {ErrorCode::kConnectionLost, "the other side of a data connection has gone: " + why};
  }

  void wait(short events) {
    for (int waited = 0; waited < kSilenceMs; waited += kLookMs) {
      std::array<pollfd, 2> fds{{{fd_, events, 0}, {stop_fd_, POLLIN, 0}}};
      const int ready = ::poll(fds.data(), fds.size(), kLookMs);
      if (ready < 0 && errno != EINTR) throw gone(std::strerror(errno));
      if (ready > 0 && fds[1].revents != 0) throw gone("this process stops");
      if (ready > 0) return;
      if (interrupt_ && interrupt_())
        throw Error(ErrorCode::kOutcomeUnknown, "interrupted while data were on their way");
    }
    throw gone("it says nothing for " + std::to_string(kSilenceMs / 1000) + " s");
  }

  int fd_;
  const Interrupt& interrupt_;
  int stop_fd_;
};

struct Listening {
  Descriptor socket;
  std::string address;
};

Listening listen_on(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICHOST;
  addrinfo* found = nullptr;
  if (const int failed = ::getaddrinfo(host.c_str(), "0", &hints, &found); failed != 0)
    throw Error(ErrorCode::kUnreachable,
                "cannot listen for data on " + host + ": " + ::gai_strerror(failed));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> keeper(found, &::freeaddrinfo);
  Descriptor socket(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (!socket || ::bind(socket.get(), found->ai_addr, found->ai_addrlen) != 0 ||
      ::listen(socket.get(), SOMAXCONN) != 0 ||
      ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&bound), &size) != 0)
    throw Error(ErrorCode::kUnreachable,
                "cannot listen for data on " + host + ": " + std::strerror(errno));
  const bool six = bound.ss_family == AF_INET6;
  const auto port = six ? reinterpret_cast<const sockaddr_in6&>(bound).sin6_port
                        : reinterpret_cast<const sockaddr_in&>(bound).sin_port;
  const std::string shown = six ? "[" + host + "]" : host;
  return {std::move(socket), "tcp:" + shown + ":" + std::to_string(ntohs(port))};
}

std::string size_bytes(std::uint64_t size) {
  std::string bytes(sizeof size, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(size >> (8 * i));
  return bytes;
}

}  // namespace

// ---- The server

PeerServer::PeerServer(std::shared_ptr<HostStore> store, std::string secret,
                       const std::string& host)
    : store_(std::move(store)), secret_(std::move(secret)) {
  Listening listening = listen_on(host);
  listener_ = std::move(listening.socket);
  address_ = std::move(listening.address);
  acceptor_ = std::thread([this] { accept_all(); });
}

PeerServer::~PeerServer() {
  stop_.signal();
  acceptor_.join();
  join(true);
}

void PeerServer::accept_all() {
  std::array<pollfd, 2> fds{{{listener_.get(), POLLIN, 0}, {stop_.fd(), POLLIN, 0}}};
  while (true) {
    if (::poll(fds.data(), fds.size(), -1) < 0) continue;
    if (fds[1].revents != 0) return;
    Descriptor socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) {
      // Out of descriptors, for one: the caller stays in the queue, and poll would return at once.
      if (errno != EINTR && errno != ECONNABORTED)
        std::this_thread::sleep_for(std::chrono::milliseconds(kLookMs));
      continue;
    }
    join(false);
    const std::scoped_lock lock(mutex_);
    // Who is turned away hears the end of the connection and tries another peer, or comes again.
    if (connections_.size() >= kConnectionsMax) continue;
    Connection& connection = connections_.emplace_back();
    connection.socket = std::move(socket);
    try {
      connection.thread = std::thread([this, &connection] { serve(connection); });
    } catch (const std::system_error&) {
      connections_.pop_back();  // there are as many threads as there may be
    }
  }
}

void PeerServer::join(bool all) {
  const std::scoped_lock lock(mutex_);
  connections_.remove_if([&](Connection& connection) {
    if (!all && !connection.over) return false;
    connection.thread.join();
    return true;
  });
}

void PeerServer::serve(Connection& connection) noexcept {
  try {
    const Interrupt none;
    Line line(connection.socket.get(), none, stop_.fd());
    const Random server = random_bytes();
    line.write(std::string(kMagic) + std::string(view(server)));
    Random client{};
    Proof proof{};
    line.read_or_throw(client.data(), client.size());
    line.read_or_throw(proof.data(), proof.size());
    if (equal(proof, proof_of(secret_, "client", server, client))) {
      const Proof own = proof_of(secret_, "server", server, client);
      line.write({own.data(), own.size()});
      unsigned char length = 0;
      while (line.await_request() && line.read(reinterpret_cast<char*>(&length), 1)) {
        std::string name(length, '\0');
        line.read_or_throw(name.data(), name.size());
        std::uint64_t size = 0;
        const auto kept = store_->find(name);
        const Descriptor file = kept ? store_->open(name, size) : Descriptor();
        if (!file) {
          line.write(std::string_view("\0", 1));
          continue;
        }
        line.write("\1" + size_bytes(size));
        line.write_file(file.get(), size);
      }
    }
  } catch (const Error&) {
    // The other side has gone, or the disk does not give the file: it hears the end.
  }
  ::shutdown(connection.socket.get(), SHUT_RDWR);
  connection.over = true;
}

// ---- The client

bool fetch_from_peer(const std::string& address, std::string_view secret, std::string_view name,
                     HostStore& store, Kept& kept, const Interrupt& interrupt) {
  const auto where = client::parse_address(address).value_or_throw();
  const Descriptor socket =
      client::connect_to(where, std::chrono::milliseconds(kSilenceMs / 2)).value_or_throw();
  Line line(socket.get(), interrupt);
  std::array<char, kMagic.size()> magic{};
  Random server{};
  line.read_or_throw(magic.data(), magic.size());
  if (std::string_view(magic.data(), magic.size()) != kMagic)
    throw Error(ErrorCode::kProtocolMismatch, "at " + address + " listens no data peer of Linden");
  line.read_or_throw(server.data(), server.size());
  const Random client = random_bytes();
  const Proof own = proof_of(secret, "client", server, client);
  line.write(std::string(view(client)) + std::string(own.data(), own.size()));
  Proof proof{};
  if (!line.read(proof.data(), proof.size()) ||
      !equal(proof, proof_of(secret, "server", server, client)))
    throw Error(
        ErrorCode::kNotAllowed,
        "the data peer at " + address + " does not know the secret of this farm, or refuses ours");
  line.write(static_cast<char>(name.size()) + std::string(name));
  char here = 0;
  line.read_or_throw(&here, 1);
  if (here == 0) return false;
  std::array<unsigned char, 8> bytes{};
  line.read_or_throw(reinterpret_cast<char*>(bytes.data()), bytes.size());
  std::uint64_t size = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) size |= std::uint64_t{bytes[i]} << (8 * i);
  std::uint64_t wanted = 0;
  if (!parse_content_name(name, wanted) || size != wanted)
    throw Error(ErrorCode::kMalformed, "wanted the data " + std::string(name) + " from " + address +
                                           ", and it offers " + std::to_string(size) + " bytes");
  const auto arrival = store.receive(name, size);
  std::vector<char> piece(kPiece);
  for (std::uint64_t left = size; left > 0;) {
    if (interrupt && interrupt())
      throw Error(ErrorCode::kOutcomeUnknown, "interrupted while data were on their way");
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left, piece.size()));
    line.read_or_throw(piece.data(), count);
    arrival->append({piece.data(), count});
    left -= count;
  }
  kept = arrival->finish();
  return true;
}

}  // namespace linden::data

#include "tests/chaos/relay.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace linden::chaos {
namespace {

constexpr std::size_t kHeldBytesMax = 1 << 20;

sockaddr_un address_of(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string text = path.string();
  if (text.size() >= sizeof(address.sun_path)) throw std::runtime_error(text + " is too long");
  std::memcpy(address.sun_path, text.c_str(), text.size() + 1);
  return address;
}

int new_socket() {
  return ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

}  // namespace

Relay::Relay(const std::filesystem::path& listen_at, std::filesystem::path pass_to,
             std::uint64_t seed)
    : pass_to_(std::move(pass_to)),
      random_(seed),
      listening_(new_socket()),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  const auto address = address_of(listen_at);
  if (::bind(listening_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      ::listen(listening_, 64) != 0) {
    throw std::runtime_error("cannot listen at " + listen_at.string());
  }
  thread_ = std::thread([this] { run(); });
}

Relay::~Relay() {
  ends_ = true;
  hold_up(false);
  thread_.join();
  for (Wire& wire : wires_) close_all(wire);
  ::close(listening_);
  ::close(wake_);
}

void Relay::cut() {
  cut_ = true;
  ::eventfd_write(wake_, 1);
}

void Relay::hold_up(bool yes) {
  held_up_ = yes;
  ::eventfd_write(wake_, 1);
}

void Relay::close_all(Wire& wire) {
  ::close(wire.client);
  ::close(wire.server);
  wire.client = wire.server = -1;
}

void Relay::accept_one() {
  const int client = ::accept4(listening_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (client < 0) return;
  const int server = new_socket();
  const auto address = address_of(pass_to_);
  if (::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    ::close(client);
    ::close(server);
    return;
  }
  wires_.push_back({client, server, {}, {}});
}

// False at the end of the connection.
bool Relay::carry(int from, std::string& held) {
  std::array<char, 65536> bytes;
  while (held.size() < kHeldBytesMax) {
    const auto count = ::recv(from, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    if (count == 0) return false;
    held.append(bytes.data(), static_cast<std::size_t>(count));
  }
  return true;
}

bool Relay::pass(std::string& held, int to) {
  while (!held.empty()) {
    const auto count = ::send(to, held.data(), held.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    held.erase(0, static_cast<std::size_t>(count));
  }
  return true;
}

void Relay::run() {
  std::vector<pollfd> entries;
  while (!ends_) {
    entries = {{wake_, POLLIN, 0}};
    if (!held_up_) {
      entries.push_back({listening_, POLLIN, 0});
      for (const Wire& wire : wires_) {
        const auto wanted = [](const std::string& in, const std::string& out) {
          return static_cast<short>((in.size() < kHeldBytesMax ? POLLIN : 0) |
                                    (out.empty() ? 0 : POLLOUT));
        };
        entries.push_back({wire.client, wanted(wire.to_server, wire.to_client), 0});
        entries.push_back({wire.server, wanted(wire.to_client, wire.to_server), 0});
      }
    }
    ::poll(entries.data(), entries.size(), -1);
    eventfd_t ignored = 0;
    ::eventfd_read(wake_, &ignored);
    const bool cut = cut_.exchange(false);
    for (Wire& wire : wires_) {
      if (cut && random_() % 2 == 0) {
        close_all(wire);
        continue;
      }
      if (held_up_) continue;
      const bool client_lives = carry(wire.client, wire.to_server);
      const bool server_lives = carry(wire.server, wire.to_client);
      const bool passed = pass(wire.to_server, wire.server) && pass(wire.to_client, wire.client);
      if (!client_lives || !server_lives || !passed) close_all(wire);
    }
    std::erase_if(wires_, [](const Wire& wire) { return wire.client < 0; });
    if (!held_up_) accept_one();
  }
}

}  // namespace linden::chaos

// api/data/peer.h: data from one host to another, over TCP, between processes that know a secret.
//
// Both sides prove that they know the secret before anything else is said, without saying it:
//
//   server -> client   8 bytes "lindenD1", 32 random bytes S
//   client -> server   32 random bytes C, HMAC-SHA256(secret, "client" S C)
//   server -> client   HMAC-SHA256(secret, "server" S C); nothing and the end if it was wrong
//   then, any number of times:
//   client -> server   length of a name (1 byte), the name
//   server -> client   1 byte: 1 here it is, 0 it is not here; if it is, its size (8 bytes, little
//                      endian) and its bytes
//
// What is fetched is not encrypted: as the server's own connections, it is for networks that are
// trusted.
#pragma once

#include <atomic>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include <linden/client.h>

#include "api/client/socket.h"
#include "api/data/host_store.h"

namespace linden::data {

// Gives what a store has to whoever asks with the secret.  A thread that listens, and one for each
// connection, of which there are few.
class PeerServer {
 public:
  // Listens on `host`, at a port that the system chooses.  Throws Error kUnreachable.
  PeerServer(std::shared_ptr<HostStore> store, std::string secret, const std::string& host);
  PeerServer(const PeerServer&) = delete;
  PeerServer& operator=(const PeerServer&) = delete;
  ~PeerServer();

  // "tcp:host:port".
  [[nodiscard]] const std::string& address() const noexcept { return address_; }

 private:
  struct Connection {
    Descriptor socket;
    std::atomic<bool> over{false};
    std::thread thread;
  };
  void accept_all();
  void serve(Connection& connection) noexcept;
  void join(bool all);

  std::shared_ptr<HostStore> store_;
  std::string secret_;
  std::string address_;
  Descriptor listener_;
  client::WakeUp stop_;
  std::mutex mutex_;
  std::list<Connection> connections_;
  std::thread acceptor_;
};

// Fetches `name` from a peer into `store`; false if it has none.  Throws Error: kUnreachable
// (nobody listens, or does not answer), kNotAllowed (it does not know the same secret),
// kConnectionLost (it went away), kMalformed (other bytes came), kOutcomeUnknown (interrupted),
// those of the store.
[[nodiscard]] bool fetch_from_peer(const std::string& address, std::string_view secret,
                                   std::string_view name, HostStore& store, Kept& kept,
                                   const Interrupt& interrupt = {});

}  // namespace linden::data

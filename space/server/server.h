// space/server/server.h: the composition root: makes storage, clock, threads, hosts and acceptors
// and connects them.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include <linden/result.h>

#include "space/core/limits.h"
#include "space/server/acceptor.h"
#include "space/server/control.h"
#include "space/server/disk_watch.h"
#include "space/server/limits.h"
#include "space/server/log.h"
#include "space/storage/storage.h"

namespace linden::server {

struct ServerOptions {
  std::string directory;                                           // empty: nothing is kept
  storage::Durability durability = storage::Durability::kProcess;  // of new spaces
  std::string unix_path;                                           // empty: no Unix socket
  std::string tcp_address;                                         // empty: no TCP
  std::uint32_t threads = 1;
  std::int64_t parent_pid = 0;  // 0: none
  bool handle_signals = true;   // SIGTERM, SIGINT, SIGHUP
  Limits limits;
  core::Limits space_limits;  // of each space
  storage::RocksdbOptions storage;
  // Puts are refused when less is free on the disk (P33); none: a default that suits the disk, 0:
  // never.
  std::optional<std::uint64_t> disk_reserve_bytes;
};

// What `run` ends with, and why a start failed; documented in docs/reference/space-server.1.md.
enum ExitCode : int {
  kExitClean = 0,
  kExitInternal = 1,
  kExitUsage = 2,
  kExitListen = 3,
  kExitStorage = 4,
  kExitTwiceSignalled = 5,
};
[[nodiscard]] int exit_code_of(const Failure& failure);

class Server {
 public:
  // Opens storage, restores its spaces and listens; clients wait in the kernel's queue until run().
  [[nodiscard]] static Result<std::unique_ptr<Server>> make(ServerOptions options, Log& log);
  ~Server();

  // Where it listens; empty: not on that kind.
  [[nodiscard]] std::string unix_path() const;
  [[nodiscard]] std::string tcp_address() const;

  // Serves until stop(), a signal or a failure, on this thread and as many others as were asked
  // for.  Once.
  [[nodiscard]] int run();
  // Any thread: answers what is in flight, closes connections and lets run() return 0.
  void stop();

 private:
  Server(ServerOptions options, Log& log);
  Result<void> open_storage();
  Result<void> restore();
  [[nodiscard]] std::uint64_t disk_reserve() const;
  Result<void> listen();
  Result<void> watch_parent();

  void accepted(FileDescriptor socket);
  void turn_away(FileDescriptor socket);
  void wait_for_signal();

  // A clean end, in this order; each step on every thread before the next begins.
  void begin_stop(std::string_view why);
  void settle_hosts();
  void settle_connections();
  void wait_for_connections(Time until);
  void halt();
  using Step = std::function<void(IoThread&, std::function<void()> done)>;
  void on_all_threads(const Step& step, std::function<void()> next);
  void fail(const Failure& failure);
  [[nodiscard]] std::uint64_t connections_now() const;

  const ServerOptions options_;
  Log& log_;
  std::unique_ptr<storage::Storage> storage_;
  std::unique_ptr<Clock> clock_;
  std::vector<std::unique_ptr<IoThread>> threads_;
  CommitThread commits_;
  CommitThread chores_;
  JointSteps joint_steps_;
  std::optional<DiskWatch> disk_;
  std::optional<HostTools> tools_;
  std::unique_ptr<Control> control_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  std::optional<boost::asio::signal_set> signals_;
  std::optional<boost::asio::posix::stream_descriptor> parent_;
  std::optional<boost::asio::steady_timer> end_timer_;
  ConnectionNumber next_connection_ = 1;
  bool is_stopping_ = false;
  std::atomic<int> exit_code_{kExitClean};
};

}  // namespace linden::server

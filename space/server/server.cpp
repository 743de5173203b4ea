#include "space/server/server.h"

#include <signal.h>
#include <unistd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <filesystem>
#include <thread>
#include <utility>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>

#include <fmt/format.h>

#include "api/wire/codec.h"
#include "space/server/connection.h"

namespace linden::server {

namespace asio = boost::asio;

namespace {

// For answers that are written but not yet taken when the server ends.
constexpr Duration kLastWordsMax = std::chrono::seconds(2);

SessionId random_id() {
  SessionId id;
  // Random bits of this size are there at once (getrandom(2)) once the machine has started.
  [[maybe_unused]] const ssize_t count = ::getrandom(&id, sizeof(id), 0);
  return id;
}

}  // namespace

int exit_code_of(const Failure& failure) {
  switch (failure.code) {
    case ErrorCode::kInvalidArgument:
      return kExitUsage;
    case ErrorCode::kUnreachable:
      return kExitListen;
    case ErrorCode::kInternal:
      return kExitInternal;
    default:
      return kExitStorage;
  }
}

// ---- Start

Server::Server(ServerOptions options, Log& log) : options_(std::move(options)), log_(log) {}

Result<std::unique_ptr<Server>> Server::make(ServerOptions options, Log& log) {
  ::signal(SIGPIPE, SIG_IGN);
  auto server = std::unique_ptr<Server>(new Server(std::move(options), log));
  if (Result<void> opened = server->open_storage(); !opened) return opened.error();
  if (Result<void> restored = server->restore(); !restored) return restored.error();
  if (Result<void> listening = server->listen(); !listening) return listening.error();
  if (Result<void> watching = server->watch_parent(); !watching) return watching.error();
  return server;
}

Result<void> Server::open_storage() {
  if (options_.directory.empty()) {
    storage_ = storage::open_memory_storage(storage::make_memory_disk());
    return {};
  }
  Result<std::unique_ptr<storage::Storage>> opened =
      storage::open_rocksdb_storage(options_.directory, options_.storage);
  if (!opened) return opened.error();
  storage_ = std::move(*opened);
  return {};
}

Result<void> Server::restore() {
  struct Restored {
    storage::SpaceInfo info;
    core::SpaceState state;
  };
  std::vector<Restored> spaces;
  Time last{};
  for (storage::SpaceInfo& info : storage_->spaces()) {
    core::SpaceState state(options_.space_limits);
    const Result<Time> time = storage_->load(
        info.number, [&](core::Mutation&& mutation) { state.restore(std::move(mutation)); });
    if (!time) return time.error();
    last = std::max(last, *time);
    spaces.push_back(Restored{std::move(info), std::move(state)});
  }
  clock_ = std::make_unique<SystemClock>(last);
  for (std::uint32_t i = 0; i < options_.threads; ++i) {
    threads_.push_back(
        std::make_unique<IoThread>(i, options_.threads, *clock_, options_.limits, log_));
  }
  for (const auto& thread : threads_) thread->meet(threads_);
  disk_.emplace(*storage_, disk_reserve());
  tools_.emplace(HostTools{*storage_, commits_, chores_, *disk_, joint_steps_,
                           [this](const Failure& why) { fail(why); }, log_});
  control_ =
      std::make_unique<Control>(ServerFacts{LINDEN_VERSION, options_.directory, options_.durability,
                                            random_id(), options_.space_limits},
                                threads_, *tools_);
  for (Restored& space : spaces) {
    log_.info("space_restored space={} number={} durability={} tuples={}",
              in_quotes(space.info.name), space.info.number.value,
              storage::name_of(space.info.durability), space.state.counters().tuples);
    control_->add_restored(std::move(space.info), std::move(space.state));
  }
  return {};
}

// Enough for the log and what is merged of it while spaces are emptied, and not most of a small
// disk.
std::uint64_t Server::disk_reserve() const {
  constexpr std::uint64_t kUsual = std::uint64_t{512} << 20;
  constexpr std::uint64_t kPart = 20;
  if (options_.disk_reserve_bytes) return *options_.disk_reserve_bytes;
  if (options_.directory.empty()) return 0;
  std::error_code unknown;
  const std::filesystem::space_info disk = std::filesystem::space(options_.directory, unknown);
  return unknown ? kUsual : std::min<std::uint64_t>(kUsual, disk.capacity / kPart);
}

Result<void> Server::listen() {
  const auto add = [&](Result<Listening>&& listening) -> Result<void> {
    if (!listening) return listening.error();
    acceptors_.push_back(std::make_unique<Acceptor>(
        threads_.front()->context(), std::move(*listening),
        [this](FileDescriptor socket) { accepted(std::move(socket)); }, log_));
    return {};
  };
  if (!options_.unix_path.empty()) {
    if (Result<void> added = add(listen_unix(options_.unix_path)); !added) return added;
  }
  if (!options_.tcp_address.empty()) {
    if (Result<void> added = add(listen_tcp(options_.tcp_address)); !added) return added;
  }
  return {};
}

// The descriptor of a process becomes readable when it ends, whoever its parent is.
Result<void> Server::watch_parent() {
  if (options_.parent_pid == 0) return {};
  const long fd = ::syscall(SYS_pidfd_open, static_cast<pid_t>(options_.parent_pid), 0);
  if (fd < 0) {
    return Failure{
        ErrorCode::kInvalidArgument,
        fmt::format("--parent-pid {}: {}", options_.parent_pid,
                    errno == ESRCH ? "there is no such process any more" : std::strerror(errno))};
  }
  parent_.emplace(threads_.front()->context(), static_cast<int>(fd));
  parent_->async_wait(asio::posix::descriptor_base::wait_read,
                      [this](const boost::system::error_code& error) {
                        if (!error) begin_stop("the parent process is gone");
                      });
  return {};
}

std::string Server::unix_path() const {
  for (const auto& acceptor : acceptors_) {
    if (!acceptor->is_tcp()) return acceptor->address();
  }
  return {};
}

std::string Server::tcp_address() const {
  for (const auto& acceptor : acceptors_) {
    if (acceptor->is_tcp()) return acceptor->address();
  }
  return {};
}

// ---- Serving

int Server::run() {
  if (options_.handle_signals) {
    signals_.emplace(threads_.front()->context(), SIGTERM, SIGINT, SIGHUP);
    wait_for_signal();
  }
  commits_.start();
  chores_.start();
  control_->start();
  for (const auto& acceptor : acceptors_) acceptor->start();
  for (const auto& thread : threads_) {
    asio::post(thread->context(), [thread = thread.get()] { thread->start_sweeps(); });
  }
  const auto work = [this](IoThread& thread) {
    try {
      thread.run();
    } catch (const std::exception& error) {
      fail(Failure{ErrorCode::kInternal, error.what()});
    }
  };
  std::vector<std::thread> others;
  for (std::size_t i = 1; i < threads_.size(); ++i) {
    others.emplace_back([&work, thread = threads_[i].get()] { work(*thread); });
  }
  work(*threads_.front());
  for (std::thread& other : others) other.join();
  commits_.stop();
  chores_.stop();
  return exit_code_;
}

Server::~Server() {
  // Threads have ended.  Everything that refers to their contexts lets go before these go.
  commits_.stop();
  chores_.stop();
  for (const auto& acceptor : acceptors_) acceptor->close();
  for (const auto& thread : threads_) {
    for (const auto& connection : thread->connections()) connection->shut();
    for (const auto& [number, host] : thread->hosts()) host->shut();
  }
  if (control_) control_->shut();
}

void Server::wait_for_signal() {
  signals_->async_wait([this](const boost::system::error_code& error, int signal) {
    if (error) return;
    if (is_stopping_) ::_exit(kExitTwiceSignalled);
    wait_for_signal();
    begin_stop(fmt::format("signal {}", signal));
  });
}

void Server::accepted(FileDescriptor socket) {
  if (connections_now() >= options_.limits.connections_max) {
    turn_away(std::move(socket));
    return;
  }
  const ConnectionNumber number = next_connection_++;
  IoThread& thread = *threads_[number % threads_.size()];
  auto connection = std::make_shared<Connection>(thread, *control_, std::move(socket), number);
  asio::dispatch(thread.context(), [connection] { connection->start(); });
}

// One write into an empty socket; if it does not fit, the peer just finds it closed.
void Server::turn_away(FileDescriptor socket) {
  log_.warn("connection_turned_away connections={}", options_.limits.connections_max);
  wire::Encoder encoder;
  wire::WriteBuffer out;
  encoder.encode(wire::ServerMessage(wire::Rejected{
                     Refused{ErrorCode::kOverloaded,
                             fmt::format("the server has {} connections, which is its limit; try "
                                         "again later or raise --connections-max",
                                         options_.limits.connections_max)}}),
                 out);
  iovec piece{};
  if (out.gather(&piece, 1) == 1) {
    ::send(socket.get(), piece.iov_base, piece.iov_len, MSG_NOSIGNAL | MSG_DONTWAIT);
  }
}

std::uint64_t Server::connections_now() const {
  std::uint64_t count = 0;
  for (const auto& thread : threads_) {
    count += thread->counters().connections.load(std::memory_order_relaxed);
  }
  return count;
}

// ---- The end

void Server::stop() {
  asio::post(threads_.front()->context(), [this] { begin_stop("asked to"); });
}

// Runs `step` on every thread; when all have said done, `next` on the home thread.
void Server::on_all_threads(const Step& step, std::function<void()> next) {
  auto missing = std::make_shared<std::size_t>(threads_.size());
  const auto done = [this, missing, next = std::move(next)] {
    asio::post(threads_.front()->context(), [missing, next] {
      if (--*missing == 0) next();
    });
  };
  for (const auto& thread : threads_) {
    asio::post(thread->context(), [thread = thread.get(), step, done] { step(*thread, done); });
  }
}

void Server::begin_stop(std::string_view why) {
  if (is_stopping_) return;
  is_stopping_ = true;
  log_.info("stopping why={}", in_quotes(why));
  for (const auto& acceptor : acceptors_) acceptor->close();
  control_->stop_admitting();
  on_all_threads(
      [](IoThread& thread, const std::function<void()>& done) {
        for (const auto& connection : thread.connections()) connection->stop_reading();
        thread.stop_timers();
        thread.end_of_round();
        done();
      },
      [this] { settle_hosts(); });
}

void Server::settle_hosts() {
  on_all_threads(
      [](IoThread& thread, const std::function<void()>& done) {
        thread.flush();
        auto missing = std::make_shared<std::size_t>(thread.hosts().size() + 1);
        const auto one_done = [missing, done] {
          if (--*missing == 0) done();
        };
        for (const auto& [number, host] : thread.hosts()) {
          if (&host->thread() == &thread) {
            host->when_idle(one_done);
          } else {
            one_done();
          }
        }
        one_done();
      },
      [this] { settle_connections(); });
}

void Server::settle_connections() {
  on_all_threads(
      [](IoThread& thread, const std::function<void()>& done) {
        const auto all = thread.connections();
        for (const auto& connection : all) connection->say_last_words();
        done();
      },
      [this] { wait_for_connections(clock_->now() + kLastWordsMax); });
}

void Server::wait_for_connections(Time until) {
  if (connections_now() == 0 || clock_->now() >= until) {
    halt();
    return;
  }
  end_timer_.emplace(threads_.front()->context(), std::chrono::milliseconds(5));
  end_timer_->async_wait([this, until](const boost::system::error_code& error) {
    if (!error) wait_for_connections(until);
  });
}

void Server::halt() {
  log_.info("stopped");
  for (const auto& thread : threads_) thread->context().stop();
}

// P33: nothing more is sent.
void Server::fail(const Failure& failure) {
  exit_code_ = exit_code_of(failure);
  // The whole of it: what to do stands at the end.
  constexpr std::size_t kMessageBytesMax = 4096;
  log_.error("server_failed code={} what={}", name_of(failure.code),
             in_quotes(failure.message, kMessageBytesMax));
  for (const auto& thread : threads_) thread->context().stop();
}

}  // namespace linden::server

// space/server/io_thread.h: one thread with its connections and its hosts, and how they join their
// work into batches (docs/design/concurrency.md).
//
//   readable sockets -> commands in hosts' inboxes -> flush: apply, commit, encode -> one write per
//   connection
// The flush is posted behind the sockets that are ready in the same round, so that they share one
// commit.  What lives on another thread is reached by values that are posted once per round.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <linden/ids.h>

#include "space/server/busy_poll.h"
#include "space/server/clock.h"
#include "space/server/limits.h"
#include "space/server/log.h"
#include "space/server/traffic.h"

namespace linden::server {

// Written by their own thread, read by any.
struct Counters {
  std::atomic<std::uint64_t> connections{0};  // now
  std::atomic<std::uint64_t> requests{0};
  std::atomic<std::uint64_t> commits{0};
  // Cheaper than fetch_add: there is one writer.
  static void add(std::atomic<std::uint64_t>& counter, std::uint64_t count) {
    counter.store(counter.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
  }
};

// Everything but the constructor, counters() and context() is for its own thread.
class IoThread {
 public:
  IoThread(std::uint32_t index, std::uint32_t threads, const Clock& clock, const Limits& limits,
           Log& log);
  ~IoThread();

  // Tells it of all threads, itself included; before any runs.
  void meet(const std::vector<std::unique_ptr<IoThread>>& all);
  // Until the context is stopped.
  void run();

  [[nodiscard]] boost::asio::io_context& context() { return context_; }
  [[nodiscard]] std::uint32_t index() const { return index_; }
  [[nodiscard]] const Clock& clock() const { return clock_; }
  [[nodiscard]] const Limits& limits() const { return limits_; }
  [[nodiscard]] Log& log() const { return log_; }
  [[nodiscard]] Counters& counters() { return counters_; }

  // The hosts that requests can name; the home strand tells every thread of each.
  void host_added(const std::shared_ptr<SpaceHost>& host);
  void host_removed(SpaceNumber number);
  [[nodiscard]] std::shared_ptr<SpaceHost> host(SpaceNumber number) const;
  [[nodiscard]] const auto& hosts() const { return hosts_; }

  void add(const std::shared_ptr<Connection>& connection);
  void remove(const std::shared_ptr<Connection>& connection);
  [[nodiscard]] const auto& connections() const { return connections_; }

  // Hands `inbound` to a host of any thread; it is applied at the next flush there.
  void submit(const std::shared_ptr<SpaceHost>& host, Inbound&& inbound);
  // Hands `outbound` to a connection of any thread; it is written at the end of the flush.
  void deliver(const std::shared_ptr<Connection>& to, Outbound&& outbound);
  // The host has something to do at the next flush.
  void mark_dirty(const std::shared_ptr<SpaceHost>& host);
  // A host has enough to do: the next end_of_round() flushes rather than to wait for other sockets.
  void batch_is_full() { batch_is_full_ = true; }
  // The connection has something to write at the end of this flush.
  void mark_touched(const std::shared_ptr<Connection>& connection);
  // The connection has something to write within limits().patient_answer_max.
  void put_off(const std::shared_ptr<Connection>& connection);

  // After a handler that may have submitted or touched something: sees to it that a flush follows.
  void end_of_round();
  // Runs all dirty hosts, writes all touched connections, posts what is for other threads.
  void flush();

  // Looks after deadlines of connections once a second.
  void start_sweeps();
  void stop_timers();

 private:
  // What is on its way to one other thread.
  struct Mailbox {
    std::vector<std::pair<std::shared_ptr<SpaceHost>, Inbound>> inbound;
    std::vector<std::pair<std::shared_ptr<Connection>, Outbound>> outbound;
    [[nodiscard]] bool empty() const { return inbound.empty() && outbound.empty(); }
  };
  void post_mailboxes();
  void receive(Mailbox&& mailbox);
  void sweep();

  const std::uint32_t index_;
  const Clock& clock_;
  const Limits& limits_;
  Log& log_;
  BusyPoll busy_poll_;
  boost::asio::io_context context_;
  boost::asio::steady_timer sweep_timer_;
  boost::asio::steady_timer put_off_timer_;
  Time swept_at_{};
  Counters counters_;
  std::vector<IoThread*> all_;
  std::vector<Mailbox> mailboxes_;  // by index of the thread
  std::unordered_map<SpaceNumber, std::shared_ptr<SpaceHost>> hosts_;
  std::unordered_set<std::shared_ptr<Connection>> connections_;

  // Each with a second vector that is worked on, so that both keep their memory.
  std::vector<std::shared_ptr<SpaceHost>> dirty_, flushing_;
  std::vector<std::shared_ptr<Connection>> touched_, writing_;
  std::vector<std::shared_ptr<Connection>> put_off_;
  bool batch_is_full_ = false;
  bool flush_posted_ = false;
  bool is_flushing_ = false;
};

}  // namespace linden::server

#include "space/server/io_thread.h"

#include <sched.h>

#include <utility>
#include <boost/asio/post.hpp>

#include "space/server/connection.h"
#include "space/server/space_host.h"

namespace linden::server {

namespace asio = boost::asio;

IoThread::IoThread(std::uint32_t index, std::uint32_t threads, const Clock& clock,
                   const Limits& limits, Log& log)
    : index_(index),
      clock_(clock),
      limits_(limits),
      log_(log),
      busy_poll_(limits.busy_poll_max),
      context_(1),
      sweep_timer_(context_),
      put_off_timer_(context_),
      mailboxes_(threads) {}

IoThread::~IoThread() = default;

void IoThread::meet(const std::vector<std::unique_ptr<IoThread>>& all) {
  for (const auto& thread : all) all_.push_back(thread.get());
}

void IoThread::run() {
  const auto work = asio::make_work_guard(context_);
  while (!context_.stopped()) {
    const Time looked_at = clock_.now();
    if (context_.poll() > 0) {
      busy_poll_.found(looked_at);
    } else if (const Time now = clock_.now(); busy_poll_.look_again(now)) {
      sched_yield();
      busy_poll_.offered(now, clock_.now());
    } else {
      context_.run_one();
      busy_poll_.found(clock_.now());
    }
  }
}

void IoThread::host_added(const std::shared_ptr<SpaceHost>& host) {
  hosts_[host->info().number] = host;
}

void IoThread::host_removed(SpaceNumber number) {
  hosts_.erase(number);
}

std::shared_ptr<SpaceHost> IoThread::host(SpaceNumber number) const {
  const auto found = hosts_.find(number);
  return found == hosts_.end() ? nullptr : found->second;
}

void IoThread::add(const std::shared_ptr<Connection>& connection) {
  connections_.insert(connection);
  Counters::add(counters_.connections, 1);
}

void IoThread::remove(const std::shared_ptr<Connection>& connection) {
  if (connections_.erase(connection) > 0) Counters::add(counters_.connections, -1);
}

void IoThread::submit(const std::shared_ptr<SpaceHost>& host, Inbound&& inbound) {
  host->weigh(inbound.bytes);
  IoThread& there = host->thread();
  if (&there == this) {
    host->enqueue(std::move(inbound));
  } else {
    mailboxes_[there.index_].inbound.emplace_back(host, std::move(inbound));
  }
}

void IoThread::deliver(const std::shared_ptr<Connection>& to, Outbound&& outbound) {
  IoThread& there = to->thread();
  if (&there == this) {
    to->send(std::move(outbound));
  } else {
    mailboxes_[there.index_].outbound.emplace_back(to, std::move(outbound));
  }
}

void IoThread::mark_dirty(const std::shared_ptr<SpaceHost>& host) {
  dirty_.push_back(host);
}

void IoThread::mark_touched(const std::shared_ptr<Connection>& connection) {
  touched_.push_back(connection);
}

void IoThread::put_off(const std::shared_ptr<Connection>& connection) {
  put_off_.push_back(connection);
  if (put_off_.size() > 1) return;
  put_off_timer_.expires_after(limits_.patient_answer_max);
  put_off_timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    for (const auto& waiting : std::exchange(put_off_, {})) waiting->write_put_off();
    end_of_round();
  });
}

void IoThread::stop_timers() {
  sweep_timer_.cancel();
  put_off_timer_.cancel();
}

void IoThread::end_of_round() {
  post_mailboxes();
  if (batch_is_full_ && !is_flushing_) return flush();
  if (flush_posted_ || (dirty_.empty() && touched_.empty())) return;
  flush_posted_ = true;
  asio::post(context_, [this] {
    flush_posted_ = false;
    flush();
  });
}

void IoThread::flush() {
  // What a flush sets off, such as a connection that is read from again, waits for the next one.
  if (std::exchange(is_flushing_, true)) return;
  batch_is_full_ = false;
  flushing_.swap(dirty_);
  for (const auto& host : flushing_) host->run_batch();
  flushing_.clear();
  writing_.swap(touched_);
  for (const auto& connection : writing_) connection->finish_round();
  writing_.clear();
  is_flushing_ = false;
  end_of_round();
}

void IoThread::post_mailboxes() {
  for (std::size_t i = 0; i < mailboxes_.size(); ++i) {
    if (mailboxes_[i].empty()) continue;
    IoThread& there = *all_[i];
    asio::post(there.context_, [&there, mailbox = std::exchange(mailboxes_[i], {})]() mutable {
      there.receive(std::move(mailbox));
    });
  }
}

void IoThread::receive(Mailbox&& mailbox) {
  for (auto& [host, inbound] : mailbox.inbound) host->enqueue(std::move(inbound));
  for (auto& [connection, outbound] : mailbox.outbound) connection->send(std::move(outbound));
  end_of_round();
}

void IoThread::start_sweeps() {
  swept_at_ = clock_.now();
  sweep_timer_.expires_after(std::chrono::seconds(1));
  sweep_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) sweep();
  });
}

void IoThread::sweep() {
  // After a long stall of this thread, bytes wait in the sockets: nobody was silent.
  const Time now = clock_.now();
  const Duration stall = now - swept_at_ - std::chrono::seconds(1);
  const std::vector<std::shared_ptr<Connection>> all(connections_.begin(), connections_.end());
  for (const auto& connection : all) {
    connection->sweep(now, stall > std::chrono::seconds(1) ? stall : Duration::zero());
  }
  start_sweeps();
  end_of_round();
}

}  // namespace linden::server

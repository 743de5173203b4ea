// space/server/space_host.h: one space at work: drains what has come in, applies it, commits one
// batch, and only then lets the answers go (P31, docs/decisions/0002-reply-after-commit.md).
//
//   enqueue()* -> run_batch(): apply all -> storage.commit -> deliver messages
// Durability memory and process commit in place.  A sync commit that is slow is done by the commit
// thread; meanwhile the next batch gathers in the inbox, unapplied, so that whatever it would see
// waits for the commit too (P32).
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <vector>
#include <boost/asio/steady_timer.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include <linden/result.h>

#include "api/wire/messages.h"
#include "space/core/space_state.h"
#include "space/server/commit_thread.h"
#include "space/server/disk_watch.h"
#include "space/server/io_thread.h"
#include "space/server/joint_steps.h"
#include "space/server/log.h"
#include "space/server/traffic.h"
#include "space/storage/storage.h"

namespace linden::server {

// What every host uses; outlives them.
struct HostTools {
  storage::Storage& storage;
  CommitThread& commits;
  CommitThread& chores;  // what takes seconds and nobody's answer waits behind
  DiskWatch& disk;
  JointSteps& joint_steps;
  std::function<void(const Failure&)> fatal;  // P33: stops the server
  Log& log;
};

// Belongs to one IoThread; only weigh(), backlog(), info() and thread() may be called from others.
class SpaceHost : public std::enable_shared_from_this<SpaceHost> {
 public:
  SpaceHost(storage::SpaceInfo info, core::SpaceState&& state, IoThread& thread, HostTools& tools);

  [[nodiscard]] const storage::SpaceInfo& info() const { return info_; }
  [[nodiscard]] IoThread& thread() const { return thread_; }

  // Bytes that were submitted and not yet applied.
  void weigh(std::size_t bytes) { backlog_.fetch_add(bytes, std::memory_order_relaxed); }
  [[nodiscard]] std::size_t backlog() const { return backlog_.load(std::memory_order_relaxed); }

  // Takes one command; it is applied at the next flush of the thread.  It was weighed before.
  void enqueue(Inbound&& inbound);
  // Applies and commits what has come in; delivers at once or when the commit is done.
  void run_batch();

  // Once after construction: arms the timer for what was restored.
  void start();
  // Calls `done` once nothing is queued and no commit is under way.
  void when_idle(std::function<void()> done);
  // The space is to be dropped: applies nothing more and calls `stopped` when no commit is under
  // way; the caller then drops it from storage.
  void stop_for_drop(std::function<void()> stopped);
  // It is dropped: wakes everyone who waits (P40).  What comes later is answered kSpaceGone.
  void dropped();
  // The server ends: lets go of timer and routes.
  void shut();

  [[nodiscard]] wire::SpaceListed listed() const;

 private:
  // Where answers to a session go, and what it would miss if the space were dropped.
  struct Route {
    std::shared_ptr<Connection> connection;
    boost::unordered_flat_set<RequestId, std::hash<RequestId>> waiting;
    boost::unordered_flat_set<RequestId, std::hash<RequestId>> streams;
  };

  // Who said goodbye in this batch.
  struct Leaving {
    std::shared_ptr<Connection> connection;
    SessionId session;
  };

  // What this space and another one are to do together; between two batches until it is done.
  struct JointStep {
    Inbound inbound;
    std::shared_ptr<SpaceHost> target;
    bool asked = false;  // for its turn
  };

  void apply(Inbound&& inbound, Time now);
  void apply_perform(Inbound&& inbound, Time now);
  void apply_attached(Inbound&& inbound, Time now);
  // The route of the session if `from` speaks for it; null: another connection does by now.
  [[nodiscard]] Route* route_of(SessionId session, const Connection* from);
  void drop_route(SessionId session);
  void answer_as_dropped(Inbound&& inbound);
  // Tells the core when the disk has become low, or is not any more.
  void see_to_disk(Time now);

  // ---- Steps of two spaces
  [[nodiscard]] std::shared_ptr<SpaceHost> target_of(const Inbound& inbound) const;
  void ask_for_joint_step();
  // Calls `lent(true)` between two batches: from then on the state belongs to whoever called, until
  // take_back().  `lent(false)`: the space is going.
  void lend(std::function<void(bool)> lent);
  void make_joint_step(const std::shared_ptr<SpaceHost>& target, bool lent);
  void apply_with(SpaceHost& target, Inbound&& inbound, Time now);
  void take_back(const Result<void>& committed);

  void commit(Time now);
  void fill_batch(Time now);
  void commit_elsewhere();
  void committed(const Result<void>& result, Duration cost);
  void batch_done();
  void deliver_all();
  void log_warnings();
  void foresee_takes();
  void note_answered(Route& route, const core::Message& message);
  void see_to_retirement();
  void retire();
  void arm_timer();
  void wait_for(Duration delay);
  void timer_fired();

  const storage::SpaceInfo info_;
  IoThread& thread_;
  HostTools& tools_;
  const std::size_t batch_commands_max_;
  core::SpaceState state_;
  std::atomic<std::size_t> backlog_{0};

  std::vector<Inbound> inbox_, applying_;
  bool is_dirty_ = false;
  core::Effects effects_;
  storage::Batch batch_;
  std::vector<Leaving> farewells_;  // after the commit
  bool committing_ = false;         // on the commit thread, or lent to another space
  std::optional<JointStep> joint_;  // begins when this batch is done
  std::function<void(bool)> lend_when_done_;
  std::optional<wire::SpaceListed> listed_when_lent_;
  LogPace pace_;                           // of lease warnings
  std::vector<const Template*> foreseen_;  // of one batch
  Duration sync_cost_{0};                  // of a commit, on average
  bool disk_is_low_ = false;               // as the core was told
  bool retirement_posted_ = false;
  std::uint32_t retirement_put_off_ = 0;  // batches since it was due

  boost::unordered_flat_map<SessionId, Route, std::hash<SessionId>> routes_;
  std::optional<boost::asio::steady_timer> timer_;
  Time armed_for_ = kNever;
  bool was_late_ = false;

  enum class Life : std::uint8_t { kServing, kStopping, kDropped, kFailed } life_ = Life::kServing;
  std::function<void()> stopped_;
  std::vector<std::function<void()>> when_idle_;
};

}  // namespace linden::server

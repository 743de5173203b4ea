#include "space/server/space_host.h"

#include <algorithm>
#include <utility>
#include <boost/asio/post.hpp>

#include "space/server/connection.h"
#include "space/server/dispatch.h"

namespace linden::server {

namespace asio = boost::asio;

namespace {

// A sync commit that takes longer on average is handed to the commit thread: the two wake-ups that
// this costs are then little beside it, and other spaces of the thread need not wait.
constexpr Duration kInPlaceCommitMax = std::chrono::microseconds(1000);

// Retirement waits for a pause of the space, but for no more batches than this.
constexpr std::uint32_t kRetirementPutOffMax = 64;

// A timer that fires so much too late says that the thread was stalled.
constexpr Duration kStall = std::chrono::milliseconds(200);
constexpr Duration kAfterStall = std::chrono::milliseconds(20);

std::int64_t milliseconds_of(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

// SpaceState's describe functions for storage.
class Live final : public storage::LiveState {
 public:
  explicit Live(const core::SpaceState& state) : state_(state) {}
  bool describe(TupleId id, std::vector<core::Mutation>& out) const override {
    return state_.describe(id, out);
  }
  void describe_rest(std::vector<core::Mutation>& out) const override { state_.describe_rest(out); }

 private:
  const core::SpaceState& state_;
};

bool answers(const core::Message& message, const core::Origin& request) {
  const auto* reply = std::get_if<core::Reply>(&message);
  return reply != nullptr && reply->to == request;
}

template <class Ids>
std::vector<RequestId> sorted(const Ids& ids) {
  std::vector<RequestId> result(ids.begin(), ids.end());
  std::sort(result.begin(), result.end());
  return result;
}

}  // namespace

SpaceHost::SpaceHost(storage::SpaceInfo info, core::SpaceState&& state, IoThread& thread,
                     HostTools& tools)
    : info_(std::move(info)),
      thread_(thread),
      tools_(tools),
      batch_commands_max_(info_.durability == storage::Durability::kSync
                              ? thread.limits().batch_commands_max_sync
                              : thread.limits().batch_commands_max),
      state_(std::move(state)),
      timer_(std::in_place, thread.context()) {}

// ---- Commands

void SpaceHost::enqueue(Inbound&& inbound) {
  inbox_.push_back(std::move(inbound));
  if (inbox_.size() == batch_commands_max_) thread_.batch_is_full();
  if (is_dirty_) return;
  is_dirty_ = true;
  thread_.mark_dirty(shared_from_this());
}

// What the takes of this batch will look at is fetched from memory for all of them at once.
void SpaceHost::foresee_takes() {
  constexpr std::size_t kWorthIt = 4;
  if (applying_.size() < kWorthIt) return;
  foreseen_.clear();
  for (const Inbound& inbound : applying_) {
    const auto* perform = std::get_if<core::Perform>(&inbound.command);
    const auto* take = perform == nullptr ? nullptr : std::get_if<TakeOp>(&perform->operation);
    if (take != nullptr && !take->templates.empty()) foreseen_.push_back(&take->templates.front());
  }
  if (foreseen_.size() >= kWorthIt) state_.foresee(foreseen_);
}

void SpaceHost::run_batch() {
  is_dirty_ = false;
  if (committing_ || joint_ || inbox_.empty()) return;
  if (life_ == Life::kStopping || life_ == Life::kFailed) return;
  applying_.swap(inbox_);
  std::size_t bytes = 0;
  const Time now = thread_.clock().now();
  see_to_disk(now);
  foresee_takes();
  for (auto inbound = applying_.begin(); inbound != applying_.end(); ++inbound) {
    bytes += inbound->bytes;
    if (life_ == Life::kDropped) {
      answer_as_dropped(std::move(*inbound));
    } else if (auto target = target_of(*inbound)) {
      joint_ = JointStep{std::move(*inbound), std::move(target)};
      inbox_.assign(std::make_move_iterator(inbound + 1), std::make_move_iterator(applying_.end()));
      break;
    } else {
      apply(std::move(*inbound), now);
    }
  }
  applying_.clear();
  backlog_.fetch_sub(bytes, std::memory_order_relaxed);
  commit(now);
}

void SpaceHost::see_to_disk(Time now) {
  const bool is_low = info_.durability != storage::Durability::kMemory && tools_.disk.is_low();
  if (is_low == disk_is_low_ || life_ == Life::kDropped) return;
  disk_is_low_ = is_low;
  state_.apply(core::DiskSpace{is_low}, now, effects_);
}

void SpaceHost::apply(Inbound&& inbound, Time now) {
  core::Command& command = inbound.command;
  if (std::holds_alternative<core::Perform>(command)) {
    apply_perform(std::move(inbound), now);
  } else if (std::holds_alternative<core::SessionAttached>(command)) {
    apply_attached(std::move(inbound), now);
  } else if (const auto* heard = std::get_if<core::SessionHeard>(&command)) {
    if (route_of(heard->session, inbound.from.get()) != nullptr) {
      state_.apply(std::move(command), now, effects_);
    }
  } else if (const auto* lost = std::get_if<core::SessionLost>(&command)) {
    if (route_of(lost->session, inbound.from.get()) == nullptr) return;
    drop_route(lost->session);
    state_.apply(std::move(command), now, effects_);
  } else if (const auto* closed = std::get_if<core::SessionClosed>(&command)) {
    // The route stays until the answers to what came before the goodbye have taken it.
    farewells_.push_back(Leaving{inbound.from, closed->session});
    if (route_of(closed->session, inbound.from.get()) == nullptr) return;
    state_.apply(std::move(command), now, effects_);
  } else {
    state_.apply(std::move(command), now, effects_);
  }
}

void SpaceHost::apply_perform(Inbound&& inbound, Time now) {
  const auto& perform = std::get<core::Perform>(inbound.command);
  const core::Origin origin = perform.from;
  Route* route = route_of(origin.session, inbound.from.get());
  if (route == nullptr) return;
  const bool is_stream = row_of(perform.operation).is_stream;
  const bool may_wait = waits(perform.operation);
  if (const auto* cancel = std::get_if<CancelOp>(&perform.operation)) {
    route->streams.erase(cancel->target);
  }
  const std::size_t before = effects_.messages.size();
  state_.apply(std::move(inbound.command), now, effects_);
  if (is_stream) {
    route->streams.insert(origin.request);
  } else if (may_wait && std::none_of(effects_.messages.begin() + static_cast<long>(before),
                                      effects_.messages.end(), [&](const core::Message& message) {
                                        return answers(message, origin);
                                      })) {
    route->waiting.insert(origin.request);
  }
}

void SpaceHost::apply_attached(Inbound&& inbound, Time now) {
  const SessionId session = std::get<core::SessionAttached>(inbound.command).session;
  const auto found = routes_.find(session);
  if (found != routes_.end()) {
    if (found->second.connection == inbound.from) return;  // attached when it was resumed
    state_.apply(core::SessionLost{session}, now, effects_);
    drop_route(session);
  } else if (inbound.only_if_known && !state_.knows_session(session)) {
    return;
  }
  routes_[session].connection = inbound.from;
  state_.apply(std::move(inbound.command), now, effects_);
}

SpaceHost::Route* SpaceHost::route_of(SessionId session, const Connection* from) {
  const auto found = routes_.find(session);
  if (found == routes_.end() || found->second.connection.get() != from) return nullptr;
  return &found->second;
}

// What this batch had to tell over the connection must not reach the next one, over which the
// client asks again for whatever it does not have: an answer there would overtake those that were
// lost with the old one.
void SpaceHost::drop_route(SessionId session) {
  routes_.erase(session);
  std::erase_if(effects_.messages, [&](const core::Message& message) {
    return origin_of(message).session == session;
  });
}

// ---- Steps of two spaces

// Null: the command concerns this space alone.
std::shared_ptr<SpaceHost> SpaceHost::target_of(const Inbound& inbound) const {
  const auto* perform = std::get_if<core::Perform>(&inbound.command);
  const auto* collect = perform == nullptr ? nullptr : std::get_if<CollectOp>(&perform->operation);
  return collect == nullptr || collect->to == info_.number ? nullptr : thread_.host(collect->to);
}

void SpaceHost::ask_for_joint_step() {
  joint_->asked = true;
  tools_.joint_steps.ask([self = shared_from_this(), target = joint_->target] {
    asio::post(target->thread_.context(), [self, target] {
      target->lend([self, target](bool lent) {
        asio::post(self->thread_.context(),
                   [self, target, lent] { self->make_joint_step(target, lent); });
      });
    });
  });
}

void SpaceHost::lend(std::function<void(bool)> lent) {
  if (committing_) {
    lend_when_done_ = std::move(lent);  // one joint step at a time, so nobody else is there
    return;
  }
  const bool may = life_ == Life::kServing;
  if (may) {
    listed_when_lent_ = listed();
    committing_ = true;
  }
  lent(may);
}

void SpaceHost::make_joint_step(const std::shared_ptr<SpaceHost>& target, bool lent) {
  // Without the other space, the core says so.  Without this one there is nobody to answer.
  const Time now = thread_.clock().now();
  std::optional<JointStep> step = std::exchange(joint_, std::nullopt);
  Result<void> result;
  if (step) {
    see_to_disk(now);
    if (lent) {
      target->see_to_disk(now);
      apply_with(*target, std::move(step->inbound), now);
      fill_batch(now);
      target->fill_batch(now);
      result = tools_.storage.commit_both(batch_, target->batch_);
    } else {
      apply(std::move(step->inbound), now);
    }
  }
  if (lent) {
    asio::post(target->thread_.context(), [target, result] { target->take_back(result); });
  }
  tools_.joint_steps.done();
  if (step && lent) committed(result, Duration::zero());
  if (step && !lent) commit(now);
  thread_.flush();
}

void SpaceHost::apply_with(SpaceHost& target, Inbound&& inbound, Time now) {
  auto& perform = std::get<core::Perform>(inbound.command);
  if (route_of(perform.from.session, inbound.from.get()) == nullptr) return;
  core::SpaceState::collect(state_, target.state_, std::move(perform), now, effects_,
                            target.effects_);
}

void SpaceHost::take_back(const Result<void>& result) {
  committing_ = false;
  listed_when_lent_.reset();
  committed(result, Duration::zero());
  thread_.flush();
}

// ---- Commit

void SpaceHost::fill_batch(Time now) {
  batch_.start(info_.number, now);
  if (info_.durability == storage::Durability::kMemory) return;
  for (const core::Mutation& mutation : effects_.mutations) batch_.add(mutation);
  tools_.disk.wrote(batch_.record().size());
}

void SpaceHost::commit(Time now) {
  if (effects_.mutations.empty() || info_.durability == storage::Durability::kMemory) {
    batch_done();
    return;
  }
  fill_batch(now);
  if (info_.durability == storage::Durability::kProcess) {
    committed(tools_.storage.commit(batch_), Duration::zero());
  } else if (sync_cost_ <= kInPlaceCommitMax) {
    const Result<void> result = tools_.storage.commit(batch_);
    committed(result, thread_.clock().now() - now);
  } else {
    commit_elsewhere();
  }
}

void SpaceHost::commit_elsewhere() {
  committing_ = true;
  tools_.commits.post([self = shared_from_this()] {
    const Time start = self->thread_.clock().now();
    Result<void> result = self->tools_.storage.commit(self->batch_);
    const Duration cost = self->thread_.clock().now() - start;
    asio::post(self->thread_.context(), [self, result = std::move(result), cost] {
      self->committing_ = false;
      self->committed(result, cost);
      self->thread_.flush();
    });
  });
}

void SpaceHost::committed(const Result<void>& result, Duration cost) {
  if (!result) {
    life_ = Life::kFailed;  // memory is ahead of the disk: nothing more is said
    effects_.clear();
    farewells_.clear();
    if (lend_when_done_) std::exchange(lend_when_done_, nullptr)(false);
    tools_.fatal(Failure{result.error().code, "commit of space " + in_quotes(info_.name) +
                                                  " failed: " + result.error().message});
    return;
  }
  sync_cost_ += (cost - sync_cost_) / 8;
  Counters::add(thread_.counters().commits, 1);
  batch_done();
  see_to_retirement();
}

// Everything that was applied is as durable as it should be.
void SpaceHost::batch_done() {
  deliver_all();
  arm_timer();
  if (lend_when_done_) lend(std::exchange(lend_when_done_, nullptr));
  if (committing_) return;
  if (life_ == Life::kStopping) {
    if (stopped_) std::exchange(stopped_, nullptr)();
    return;
  }
  if (joint_) {
    if (!joint_->asked) ask_for_joint_step();
    return;
  }
  if (!inbox_.empty()) {
    if (!is_dirty_) thread_.mark_dirty(shared_from_this());
    is_dirty_ = true;
    return;
  }
  for (const auto& done : std::exchange(when_idle_, {})) done();
}

// Many leases end at once when a machine goes; a few lines say so as well as a million.
// `space-admin show` says what the tuple is.
void SpaceHost::log_warnings() {
  const Time now = thread_.clock().now();
  for (const core::LeaseWarning& warning : effects_.warnings) {
    if (!pace_.may_log(now)) continue;
    const bool ended = warning.left == Duration::zero();
    tools_.log.warn(
        "{} space={} session={} name={} tuple={} attempt={} silent_ms={} left_ms={} others={} "
        "lines_left_out={}",
        ended ? "lease_ended" : "lease_ending", in_quotes(info_.name), to_string(warning.session),
        in_quotes(warning.session_name), warning.tuple.value, warning.attempt,
        milliseconds_of(warning.silent_for), milliseconds_of(warning.left), warning.others,
        pace_.take_left_out());
  }
}

void SpaceHost::deliver_all() {
  if (!effects_.warnings.empty()) log_warnings();
  Route* route = nullptr;
  SessionId of;
  for (core::Message& message : effects_.messages) {
    const SessionId session = origin_of(message).session;
    if (route == nullptr || of != session) {
      const auto found = routes_.find(session);
      if (found == routes_.end()) {
        route = nullptr;  // its connection broke; it will ask again
        continue;
      }
      route = &found->second;
      of = session;
    }
    note_answered(*route, message);
    thread_.deliver(route->connection, std::move(message));
  }
  for (const Leaving& leaving : farewells_) {
    if (route_of(leaving.session, leaving.connection.get()) != nullptr) {
      routes_.erase(leaving.session);
    }
    thread_.deliver(leaving.connection, Farewell{});
  }
  farewells_.clear();
  effects_.clear();
}

void SpaceHost::note_answered(Route& route, const core::Message& message) {
  if (const auto* reply = std::get_if<core::Reply>(&message)) {
    if (!route.waiting.empty()) route.waiting.erase(reply->to.request);
    if (!route.streams.empty() && std::holds_alternative<Refused>(reply->answer)) {
      route.streams.erase(reply->to.request);
    }
    return;
  }
  const auto& notice = std::get<core::Notice>(message);
  if (std::holds_alternative<StreamEnded>(notice.event)) route.streams.erase(notice.stream.request);
}

// ---- Retirement of journal segments

void SpaceHost::see_to_retirement() {
  if (retirement_posted_ || !tools_.storage.retirement_due(info_.number)) return;
  retirement_posted_ = true;
  asio::post(thread_.context(), [self = shared_from_this()] { self->retire(); });
}

void SpaceHost::retire() {
  retirement_posted_ = false;
  if (committing_ || (life_ != Life::kServing)) return;
  if (!inbox_.empty() && ++retirement_put_off_ < kRetirementPutOffMax) return;  // not in a pause
  retirement_put_off_ = 0;
  const Result<void> result = tools_.storage.retire(info_.number, Live(state_));
  if (!result) {
    life_ = Life::kFailed;
    tools_.fatal(Failure{result.error().code, "retirement of a journal segment of space " +
                                                  in_quotes(info_.name) +
                                                  " failed: " + result.error().message});
  }
}

// ---- Time

void SpaceHost::start() {
  arm_timer();
}

void SpaceHost::arm_timer() {
  if (!timer_) return;
  const Time deadline = state_.next_deadline();
  if (deadline >= armed_for_) return;  // it fires early enough; what is due then is seen then
  armed_for_ = deadline;
  wait_for(std::max(deadline - thread_.clock().now(), Duration::zero()));
}

void SpaceHost::wait_for(Duration delay) {
  constexpr Duration kLongest = std::chrono::hours(1);  // far from any overflow
  timer_->expires_after(std::min(delay, kLongest));
  timer_->async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (!error) self->timer_fired();
  });
}

void SpaceHost::timer_fired() {
  if (life_ != Life::kServing || !timer_) return;
  const Time now = thread_.clock().now();
  if (armed_for_ != kNever && now - armed_for_ > kStall && !was_late_) {
    // Heartbeats wait in the sockets of a thread that was stalled: hear them before leases end.
    was_late_ = true;
    wait_for(kAfterStall);
    return;
  }
  was_late_ = false;
  armed_for_ = kNever;
  if (listed_when_lent_) return;  // the state is somebody else's; take_back() arms the timer again
  if (state_.next_deadline() > now) {
    arm_timer();
    return;
  }
  enqueue(Inbound{nullptr, core::TimePassed{}, 0, false});
  thread_.end_of_round();
}

// ---- The end

void SpaceHost::when_idle(std::function<void()> done) {
  if (inbox_.empty() && !committing_ && !joint_) {
    done();
  } else {
    when_idle_.push_back(std::move(done));
  }
}

void SpaceHost::stop_for_drop(std::function<void()> stopped) {
  life_ = Life::kStopping;
  if (committing_) {
    stopped_ = std::move(stopped);
  } else {
    stopped();
  }
}

void SpaceHost::dropped() {
  life_ = Life::kDropped;
  timer_.reset();
  if (joint_) {
    answer_as_dropped(std::move(joint_->inbound));
    joint_.reset();
  }
  state_ = core::SpaceState();
  for (auto& [session, route] : routes_) {
    for (const RequestId request : sorted(route.waiting)) {
      thread_.deliver(route.connection,
                      core::Reply{core::Origin{session, request}, space_gone(info_.name)});
    }
    for (const RequestId stream : sorted(route.streams)) {
      thread_.deliver(route.connection, core::Notice{core::Origin{session, stream},
                                                     StreamEnded{space_gone(info_.name)}});
    }
  }
  routes_.clear();
  run_batch();
}

void SpaceHost::answer_as_dropped(Inbound&& inbound) {
  if (!inbound.from) return;
  if (const auto* perform = std::get_if<core::Perform>(&inbound.command)) {
    thread_.deliver(inbound.from, core::Reply{perform->from, answer_of_dropped_space(
                                                                 info_.name, perform->operation)});
  } else if (std::holds_alternative<core::SessionClosed>(inbound.command)) {
    thread_.deliver(inbound.from, Farewell{});
  }
}

void SpaceHost::shut() {
  timer_.reset();
  routes_.clear();
  inbox_.clear();
  joint_.reset();
  applying_.clear();
  farewells_.clear();
}

wire::SpaceListed SpaceHost::listed() const {
  if (listed_when_lent_) return *listed_when_lent_;
  const core::SpaceCounters now = state_.counters();
  return wire::SpaceListed{
      info_.number,      info_.name,  static_cast<std::uint8_t>(info_.durability),
      now.tuples,        now.ready,   now.reserved,
      now.dead,          now.waiters, now.bytes,
      now.scans,         now.paused,  now.pauses,
      now.delayed,       now.behind,  now.guarded,
      now.subscriptions, now.puts,    now.takes,
      now.finishes,      now.expired};
}

}  // namespace linden::server

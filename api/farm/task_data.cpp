// api/farm/task_data.cpp
#include "api/farm/task_data.h"

#include <algorithm>
#include <set>

#include <linden/farm.h>

namespace linden::client {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// How often the store is looked through for what nobody uses, at first and at most.
constexpr milliseconds kSweepMin = seconds(2);
constexpr milliseconds kSweepMax = seconds(60);
// How often arguments are looked for whose client has died.
constexpr seconds kOrphansEvery{60};
// The engines' hosts are asked for no more often than this.
constexpr seconds kLookEvery{5};
// So long closing waits for what is being given back.
constexpr seconds kCloseFor{2};

}  // namespace

TaskData::TaskData(Space space)
    : space_(std::move(space)), session_(to_string(space_.client().session())) {}

// ---- Out

TaskData::Given TaskData::give_out(const Value& payload, std::int64_t number, Stored& stored,
                                   std::vector<NewTuple>& uses) {
  std::vector<DataRef> refs;
  Value reference;
  try {
    reference =
        node().offload(payload, refs, [&](const Bytes& part) { return keep(part, stored); });
  } catch (const Error&) {
    if (space_.client().failure()) throw;
    stored.refs_.clear();
    for (const DataRef& ref : refs) {
      if (ref.store.empty()) drop_upload(ref.name, 1);
    }
    return {payload};  // neither this host nor the space has a place for it: as small ones go
  }
  Given given{std::move(reference)};
  if (refs.empty()) return given;
  std::set<std::string_view> named;
  for (const DataRef& ref : refs) {
    if (!named.insert(ref.name).second) continue;
    uses.push_back({data_use(ref, session_, number, "argument"), {}});
    if (!ref.store.empty()) given.bytes_here += ref.size();
  }
  held_->hold(number, refs);
  start_keeper();
  return given;
}

DataRef TaskData::keep(const Bytes& part, Stored& stored) {
  const auto place = std::pair(part.data(), part.size());
  if (const auto found = stored.refs_.find(place); found != stored.refs_.end()) {
    const DataRef& ref = found->second.second;
    if (!ref.store.empty()) return ref;
    const std::lock_guard lock(uploading_);
    ++uploaded_[ref.name];
    return ref;
  }
  // Where engines share it, it is at hand there, and stays when this process ends.
  DataRef ref = engine_hosts().share ? node().put(part.view()) : upload(part);
  stored.refs_.emplace(place, std::pair(part, ref));
  return ref;
}

// What is there already must not be dropped for another task that has just ended.
DataRef TaskData::upload(const Bytes& part) {
  auto node = this->node();
  const std::lock_guard lock(uploading_);
  DataRef ref = node.upload(part.view());
  ++uploaded_[ref.name];
  return ref;
}

void TaskData::drop_upload(const std::string& name, std::size_t count) {
  auto node = this->node();
  const std::lock_guard lock(uploading_);
  if (const auto found = uploaded_.find(name); found != uploaded_.end()) {
    found->second -= std::min(count, found->second);
    if (found->second > 0) return;
    uploaded_.erase(found);
  }
  node.drop_uploaded(name, [this] { return is_late(); });
}

TaskData::EngineHosts TaskData::engine_hosts() {
  const auto now = Clock::now();
  {
    const std::lock_guard lock(mutex_);
    if (engines_seen_ && now - *engines_seen_ < kLookEvery) return engine_hosts_;
  }
  std::set<std::string> hosts;
  auto walk = space_.iterate(farm::engines_form());
  while (const auto engine = walk.next()) hosts.insert(data_host_of(engine->tuple));
  hosts.erase("");
  EngineHosts found{data_host_id(), false, hosts.size() > 1};
  found.share = hosts.contains(found.own);
  const std::lock_guard lock(mutex_);
  engines_seen_ = now;
  return engine_hosts_ = std::move(found);
}

std::string TaskData::host_that_matters() {
  auto hosts = engine_hosts();
  return hosts.share && hosts.several ? std::move(hosts.own) : std::string();
}

// ---- In

DataNode TaskData::node() {
  const std::lock_guard lock(mutex_);
  if (!node_) node_.emplace(DataNode::join(space_));
  return *node_;
}

bool TaskData::is_joined() {
  const std::lock_guard lock(mutex_);
  return node_.has_value();
}

std::optional<DataNode> TaskData::node_of(std::string_view farm_id) {
  if (!is_joined() && space_.count(data_farm_form(farm_id)) == 0) return std::nullopt;
  auto found = node();
  if (found.farm_id() != farm_id) return std::nullopt;
  return found;
}

// ---- Keeping house

void TaskData::was_purged(const std::vector<std::string>& names) {
  for (const auto& name : names) drop_upload(name, 0);
  if (!is_joined()) return;
  start_keeper();
  held_->nudge();
}

void TaskData::start_keeper() {
  const std::lock_guard lock(mutex_);
  if (!closed_ && !keeper_.joinable()) keeper_ = std::thread([this] { keep_house(); });
}

bool TaskData::is_late() const {
  return Clock::now().time_since_epoch().count() >= give_up_at_.load();
}

void TaskData::keep_house() {
  milliseconds pause = kSweepMin;
  bool last = false;
  while (!last) {
    const bool told = held_->wait(pause);
    if (held_->is_over()) held_->clear();
    if (held_->is_over() || is_late()) return;
    last = closing_.load();
    pause = std::min(2 * pause, kSweepMax);
    try {
      if (keep_house_once() || told) pause = kSweepMin;
    } catch (const Error&) {
      // The server is away, or the session has ended; what is not given back is tried again.
    }
  }
}

bool TaskData::keep_house_once() {
  give_back_ended();
  drop_orphans();
  return node().sweep([this] { return is_late(); }) > 0;
}

// A client that is closed before leaves these tuples to the tasks; they go when the results are
// purged, or when somebody looks for orphans.
void TaskData::give_back_ended() {
  const auto late = [this] { return is_late(); };
  while (const auto ended = held_->first_ended()) {
    node().drop_arguments(session_, ended->number, late);
    if (late()) return;
    for (const DataRef& ref : ended->refs) {
      if (ref.store.empty()) drop_upload(ref.name, 1);
    }
    held_->drop_first_ended();
  }
}

void TaskData::drop_orphans() {
  const auto now = Clock::now();
  if (now - orphans_sought_ < kOrphansEvery) return;
  orphans_sought_ = now;
  for (const auto& name : node().drop_orphans([this] { return is_late(); })) drop_upload(name, 0);
}

void TaskData::close() {
  std::thread keeper;
  std::optional<DataNode> node;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    closed_ = true;
    keeper = std::move(keeper_);
    node = node_;
  }
  const auto now = Clock::now();
  const bool reachable = space_.client().connected();
  give_up_at_.store((reachable ? now + kCloseFor : now).time_since_epoch().count());
  closing_.store(true);
  held_->nudge();
  if (keeper.joinable()) keeper.join();
  held_->clear();
  if (!node) return;
  try {
    node->leave();
  } catch (const Error&) {
    // The session has ended; the store is for whoever sweeps.
  }
}

}  // namespace linden::client

// workers/cpp/engine_data.cpp
#include "workers/cpp/engine_data.h"

#include <algorithm>
#include <utility>

namespace linden {
namespace {

// A finish is on its way to the server no later than this.
constexpr std::chrono::seconds kFlushed{1};
constexpr std::chrono::seconds kSweepMin{2};
constexpr std::chrono::seconds kSweepMax{60};
// How often arguments are looked for whose client has died.
constexpr std::chrono::seconds kOrphansEvery{60};

}  // namespace

EngineData::~EngineData() {
  if (!node_) return;
  try {
    node_->leave();
  } catch (const Error&) {
    // The session has ended; the store is for whoever sweeps.
  }
}

DataNode EngineData::node() {
  const std::scoped_lock lock(mutex_);
  if (!node_) node_.emplace(DataNode::join(space_));
  return *node_;
}

Value EngineData::take_in(Value payload) {
  if (find_by_reference(payload) == nullptr) return payload;
  return node().resolve(payload);
}

Value EngineData::give_out(Value result, const farm::TaskId& task, std::vector<NewTuple>& puts) {
  if (!has_large(result)) return result;
  std::vector<DataRef> refs;
  Value reference;
  try {
    reference = node().offload(result, refs);
  } catch (const Error&) {
    if (space_.client().failure()) throw;
    return result;  // this host has no place for large data: as small ones go
  }
  const std::scoped_lock lock(mutex_);
  for (DataRef& ref : refs) {
    puts.push_back({data_use(ref, task.client, task.number, "result"), {}});
    held_.push_back({Clock::now(), std::move(ref)});
  }
  return reference;
}

void EngineData::keep_house(Clock::time_point now) {
  std::optional<DataNode> node;
  bool confirm = false;
  bool seek_orphans = false;
  {
    const std::scoped_lock lock(mutex_);
    if (!node_ || now - swept_ < pause_) return;
    swept_ = now;
    node = node_;
    confirm = !held_.empty();
    seek_orphans = now - orphans_sought_ >= kOrphansEvery;
    if (seek_orphans) orphans_sought_ = now;
  }
  if (confirm) {
    // Requests take effect in order (P9): with this answer what was finished before has, too.
    static_cast<void>(space_.count(Template{"data", "", "", 0, ""}));
    const std::scoped_lock lock(mutex_);
    while (!held_.empty() && now - held_.front().since > kFlushed) held_.pop_front();
  }
  if (seek_orphans) {
    for (const auto& name : node->drop_orphans()) node->drop_uploaded(name);
  }
  const bool removed = node->sweep() > 0;
  const std::scoped_lock lock(mutex_);
  pause_ = removed || confirm ? kSweepMin : std::min(2 * pause_, kSweepMax);
}

}  // namespace linden

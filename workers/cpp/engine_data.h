// workers/cpp/engine_data.h: large arguments and results of an engine, which tuples only name.
#pragma once

#include <chrono>
#include <deque>
#include <mutex>
#include <optional>
#include <vector>

#include <linden/data.h>
#include <linden/farm.h>
#include <linden/space.h>

namespace linden {

// Joins the farm's data when something large comes by for the first time.  Every method may be
// called from any thread.
class EngineData {
 public:
  using Clock = std::chrono::steady_clock;

  explicit EngineData(Space space) : space_(std::move(space)) {}
  EngineData(const EngineData&) = delete;
  EngineData& operator=(const EngineData&) = delete;
  ~EngineData();

  // The arguments as functions take them: what went by reference is mapped, not copied.  Throws
  // Error as DataNode::get.
  [[nodiscard]] Value take_in(Value payload);
  // The result as it travels: what is large goes into this host's store, and `puts` gets the tuples
  // that keep it there.
  [[nodiscard]] Value give_out(Value result, const farm::TaskId& task, std::vector<NewTuple>& puts);
  // To be called now and then: lets go of what the farm keeps by now, and removes what nobody
  // needs. Throws Error as Space.
  void keep_house(Clock::time_point now);

 private:
  struct Held {
    Clock::time_point since;
    DataRef ref;
  };
  DataNode node();

  Space space_;
  std::mutex mutex_;
  std::optional<DataNode> node_;
  std::deque<Held> held_;  // until their tuples are known to be there
  Clock::time_point swept_{};
  Clock::time_point orphans_sought_ = Clock::now();
  std::chrono::seconds pause_{2};
};

}  // namespace linden

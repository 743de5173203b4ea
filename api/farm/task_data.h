// api/farm/task_data.h: large arguments of a client's tasks, which tuples only name
// (docs/design/data-path.md); python/linden/data.py is the same for clients in Python.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <linden/data.h>
#include <linden/space.h>

#include "api/farm/held_data.h"

namespace linden::client {

// One per FarmClient.  Opens this host's store when something large comes by for the first time,
// and has a thread from then on that gives back what tasks do not need any more.  Any thread may
// call it.
class TaskData {
 public:
  explicit TaskData(Space space);
  ~TaskData() { close(); }
  TaskData(const TaskData&) = delete;
  TaskData& operator=(const TaskData&) = delete;

  // Whoever hears that tasks have ended says so there.
  [[nodiscard]] const std::shared_ptr<HeldData>& held() const noexcept { return held_; }

  // What the tasks of one call have stored by now, by where it lay, so that bytes that many of them
  // share are looked at once.
  class Stored {
    friend class TaskData;
    std::map<std::pair<const char*, std::size_t>, std::pair<Bytes, DataRef>> refs_;
  };
  struct Given {
    Value payload;
    std::uint64_t bytes_here = 0;  // of it in this host's store
  };
  // The payload of a task with what is large by reference; `uses` gets the tuples that keep that,
  // which are to be put before the task, in the same step.  As it is if there is no room by
  // reference.  Throws Error if the session has ended.
  [[nodiscard]] Given give_out(const Value& payload, std::int64_t number, Stored& stored,
                               std::vector<NewTuple>& uses);
  // This host's id, if engines share it and others do not, so that it matters where a task runs;
  // else "".
  [[nodiscard]] std::string host_that_matters();

  // Whether the store of this host is open.
  [[nodiscard]] bool is_joined();
  // This process's part, if the data of this id are this farm's: a store of another one is not
  // opened.  Throws Error if its server has gone.
  [[nodiscard]] std::optional<DataNode> node_of(std::string_view farm_id);
  // Tuples that kept these were removed.
  void was_purged(const std::vector<std::string>& names);

  // Gives back what has ended, unless that takes long, and leaves the store; what is mapped can
  // still be read.
  void close();

 private:
  using Clock = std::chrono::steady_clock;

  [[nodiscard]] DataNode node();
  struct EngineHosts {
    std::string own;       // this host
    bool share = false;    // an engine is on it
    bool several = false;  // not all are on one
  };
  [[nodiscard]] EngineHosts engine_hosts();
  [[nodiscard]] DataRef keep(const Bytes& part, Stored& stored);
  [[nodiscard]] DataRef upload(const Bytes& part);
  void drop_upload(const std::string& name, std::size_t count);
  void start_keeper();
  void keep_house();
  bool keep_house_once();
  void give_back_ended();
  void drop_orphans();
  [[nodiscard]] bool is_late() const;

  Space space_;
  const std::string session_;
  const std::shared_ptr<HeldData> held_ = std::make_shared<HeldData>();

  std::mutex mutex_;  // what follows
  std::optional<DataNode> node_;
  EngineHosts engine_hosts_;
  std::optional<Clock::time_point> engines_seen_;
  std::thread keeper_;
  bool closed_ = false;

  std::mutex uploading_;  // also while something is put into, or taken from, the space
  std::map<std::string, std::size_t> uploaded_;  // by name: how often tasks name it

  std::atomic<bool> closing_{false};
  std::atomic<Clock::rep> give_up_at_{Clock::time_point::max().time_since_epoch().count()};
  Clock::time_point orphans_sought_ = Clock::now();  // the keeper's alone
};

// As the engine's info says; "" if it has no memory to share.
[[nodiscard]] std::string data_host_of(const Tuple& engine);

}  // namespace linden::client

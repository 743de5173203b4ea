// api/farm/farm_client.h: what Farm, View and AsyncResult share: a farm's space, and the results
// that come from it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <linden/data.h>
#include <linden/farm.h>
#include <linden/future.h>
#include <linden/space.h>
#include <linden/views.h>

#include "api/client/core.h"
#include "api/farm/result_table.h"
#include "api/farm/task_data.h"

namespace linden::client {

// One per Farm and its copies.  Any thread may call it.
class FarmClient : public std::enable_shared_from_this<FarmClient> {
 public:
  static std::shared_ptr<FarmClient> open(Client client, std::string_view space);
  ~FarmClient();
  FarmClient(const FarmClient&) = delete;
  FarmClient& operator=(const FarmClient&) = delete;

  [[nodiscard]] Space space() const { return space_; }

  // A result with its large parts, where it came with references to them: from any farm that this
  // process has open.  If they are lost its task is given once more, and the result is that of the
  // new one; none: that has not come within `timeout`, or interrupted.  Throws Error kNoMatch: the
  // data are lost, and why they are not made again; as DataNode::get.
  [[nodiscard]] static std::optional<Tuple> with_data(const Tuple& result, Duration timeout,
                                                      const Interrupt& interrupt);

  // What the tasks of one call have in common.
  struct Submission {
    std::string queue;
    std::string function;
    bool is_map = false;
    TaskOptions options;
    std::optional<farm::EngineRef> engine;
  };
  // Puts a task for each payload in as few requests as the size of frames allows; the futures are
  // made ready by the results.  Returns the tasks' ids.  Throws Error if the session has ended, or
  // if `what` makes no sense.
  std::vector<std::string> submit(const Submission& what, std::vector<Value> payloads,
                                  const std::vector<std::shared_ptr<detail::FutureState>>& futures);

  // Throws Error kInvalidArgument if there are engines in C++ and none of them has it.
  void expect_function(std::string_view name);

  [[nodiscard]] std::vector<EngineInfo> engines();
  void find(const farm::TaskId& task, const std::shared_ptr<detail::FutureState>& future);
  // Whether the results of all are, or are going to be, that they were cancelled.  Throws Error
  // kOutcomeUnknown, which names the first that could not be had in time; the others are cancelled.
  bool cancel(std::span<const farm::TaskId> tasks, Duration timeout);
  bool purge(const farm::TaskId& task);

 private:
  FarmClient(Space space, std::shared_ptr<Core> core);

  [[nodiscard]] std::optional<DataNode> data_of(std::string_view farm_id);
  // A farm that this process has open, and its data, by their id.  Throws Error kNoMatch.
  static std::pair<std::shared_ptr<FarmClient>, DataNode> holder_of(const std::string& farm_id);
  std::optional<Tuple> made_again(const Tuple& result, const std::string& lost, Duration timeout,
                                  const Interrupt& interrupt);
  farm::TaskId given_again(const Tuple& result, const std::string& lost);
  farm::TaskId give_again(const farm::TaskId& task, farm::Call call);
  void purge_made_again(const farm::TaskId& task);
  void open_results();
  std::map<std::size_t, std::vector<NewTuple>> by_reference(
      std::map<std::size_t, farm::Call>&& large, std::vector<NewTuple>& tasks,
      const std::vector<std::string>& tags);
  void put(std::vector<NewTuple> tuples, std::int64_t first, std::int64_t count);
  class Cancelling;  // cancel.cpp
  template <class Wanted>
  Future<Wanted> begin(Operation operation, detail::GiveBack give_back);
  void purge_data(Future<std::vector<Match>> uses);

  Space space_;
  std::shared_ptr<Core> core_;
  const std::string session_;
  TaskData data_;
  std::shared_ptr<ResultTable> results_ = std::make_shared<ResultTable>(data_.held());
  std::shared_ptr<detail::FutureSource> source_;  // of the futures of tasks

  std::mutex mutex_;  // what follows
  std::shared_ptr<StreamState> stream_;
  std::set<std::string, std::less<>> known_functions_;

  std::mutex again_mutex_;  // what follows
  // What was given once more because its data are lost, and as what.
  std::map<farm::TaskId, farm::TaskId> again_;
};

[[nodiscard]] double wall_clock_s();

// As the engine's info says, where it says so.
[[nodiscard]] EngineInfo read_engine(const Tuple& engine);

}  // namespace linden::client

// api/farm/result_table.h: the tasks of one client whose results it wants to hear of.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

#include <linden/future.h>

#include "api/client/delivery_sink.h"
#include "api/farm/held_data.h"

namespace linden::client {

// Takes the results from a stream, and makes the futures of their tasks ready.  Any thread may call
// it; it calls nobody but futures.
class ResultTable final : public DeliverySink {
 public:
  // `data` is told of tasks that have ended, also of those whose results nobody waits for.
  explicit ResultTable(std::shared_ptr<HeldData> data) : data_(std::move(data)) {}

  // Before the task is put.
  void add(std::int64_t number, const std::shared_ptr<detail::FutureState>& future);
  void forget(std::int64_t number);
  // The tasks `first`, `first + 1`, ... could not be put.
  void refuse(std::int64_t first, std::int64_t count, const Refused& why);

  void deliver(Handout&& one) override;
  void end(const Refused& why) override;

 private:
  std::shared_ptr<detail::FutureState> extract(std::int64_t number);

  const std::shared_ptr<HeldData> data_;
  std::mutex mutex_;  // what follows
  std::unordered_map<std::int64_t, std::shared_ptr<detail::FutureState>> waiting_;
  std::optional<Refused> ended_;
};

}  // namespace linden::client

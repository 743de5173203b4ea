// api/client/pending_requests.cpp
#include "api/client/pending_requests.h"

namespace linden::client {

RequestId PendingRequests::add(PendingRequest request) {
  const auto id = first_ + table_.size();
  if (request.quick) {
    if (!request.patient) ++urgent_;
    table_.emplace_back(std::move(request));
  } else {
    waiting_.emplace(id, std::move(request));
    if (table_.empty()) {
      ++first_;
    } else {
      table_.emplace_back(std::nullopt);
    }
  }
  return {id};
}

std::optional<PendingRequest> PendingRequests::finish(RequestId id) {
  if (const auto waiting = waiting_.find(id.value); waiting != waiting_.end()) {
    return std::move(waiting_.extract(waiting).mapped());
  }
  if (id.value < first_ || id.value - first_ >= table_.size()) return std::nullopt;
  auto request = std::exchange(table_[id.value - first_], std::nullopt);
  if (request && !request->patient) --urgent_;
  while (!table_.empty() && !table_.front()) {
    table_.pop_front();
    ++first_;
  }
  return request;
}

PendingRequest* PendingRequests::find(RequestId id) {
  if (const auto waiting = waiting_.find(id.value); waiting != waiting_.end())
    return &waiting->second;
  if (id.value < first_ || id.value - first_ >= table_.size()) return nullptr;
  auto& entry = table_[id.value - first_];
  return entry ? &*entry : nullptr;
}

}  // namespace linden::client

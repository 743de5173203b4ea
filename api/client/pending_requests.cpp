// api/client/pending_requests.cpp
#include "api/client/pending_requests.h"

namespace linden::client {

RequestId PendingRequests::add(PendingRequest request) {
  if (request.quick) ++quick_;
  table_.emplace_back(std::move(request));
  return {first_ + table_.size() - 1};
}

std::optional<PendingRequest> PendingRequests::finish(RequestId id) {
  if (id.value < first_ || id.value - first_ >= table_.size()) return std::nullopt;
  auto request = std::exchange(table_[id.value - first_], std::nullopt);
  if (request && request->quick) --quick_;
  while (!table_.empty() && !table_.front()) {
    table_.pop_front();
    ++first_;
  }
  return request;
}

const PendingRequest* PendingRequests::find(RequestId id) const {
  if (id.value < first_ || id.value - first_ >= table_.size()) return nullptr;
  const auto& entry = table_[id.value - first_];
  return entry ? &*entry : nullptr;
}

}  // namespace linden::client

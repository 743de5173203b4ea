#include "space/server/session_table.h"

#include <algorithm>

namespace linden::server {

bool SessionTable::is_over(const Record& record, Time now) {
  return record.connection == 0 && now - record.lost_at > record.memory;
}

Admission SessionTable::admit(const wire::Hello& hello, ConnectionNumber by, Time now) {
  auto found = records_.find(hello.session);
  if (found != records_.end() && is_over(found->second, now)) {
    records_.erase(found);
    found = records_.end();
    if (hello.resume) return {Admission::Kind::kExpired, std::nullopt};
  }
  if (found == records_.end()) {
    if (hello.resume && hello.absent >= hello.memory) {
      return {Admission::Kind::kExpired, std::nullopt};
    }
    if (records_.size() >= sessions_max_) return {Admission::Kind::kFull, std::nullopt};
    records_.emplace(hello.session, Record{hello.name, hello.memory, by, now, {}});
    return {Admission::Kind::kOpened, std::nullopt};
  }
  Record& record = found->second;
  Admission result{Admission::Kind::kResumed, std::nullopt};
  if (record.connection != 0) result.replaced = record.connection;
  record.name = hello.name;
  record.memory = hello.memory;
  record.connection = by;
  std::erase_if(record.done, [&](RequestId id) { return id < hello.acknowledged; });
  return result;
}

void SessionTable::restored(SessionId session, std::string_view name, Duration memory, Time now) {
  auto [at, is_new] = records_.try_emplace(session, Record{std::string(name), memory, 0, now, {}});
  if (!is_new) at->second.memory = std::max(at->second.memory, memory);
}

void SessionTable::lost(SessionId session, ConnectionNumber by, Time now) {
  const auto found = records_.find(session);
  if (found == records_.end() || found->second.connection != by) return;
  found->second.connection = 0;
  found->second.lost_at = now;
}

void SessionTable::closed(SessionId session, ConnectionNumber by) {
  const auto found = records_.find(session);
  if (found != records_.end() && found->second.connection == by) records_.erase(found);
}

void SessionTable::forget(Time now) {
  std::erase_if(records_, [&](const auto& entry) { return is_over(entry.second, now); });
}

void SessionTable::remember_done(SessionId session, RequestId request, RequestId acknowledged) {
  const auto found = records_.find(session);
  if (found == records_.end()) return;
  std::vector<RequestId>& done = found->second.done;
  std::erase_if(done, [&](RequestId id) { return id < acknowledged; });
  done.push_back(request);
}

bool SessionTable::has_done(SessionId session, RequestId request) const {
  const auto found = records_.find(session);
  if (found == records_.end()) return false;
  const std::vector<RequestId>& done = found->second.done;
  return std::find(done.begin(), done.end(), request) != done.end();
}

}  // namespace linden::server

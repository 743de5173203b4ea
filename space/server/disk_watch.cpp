#include "space/server/disk_watch.h"

#include <algorithm>

namespace linden::server {

namespace {

// Far from any overflow.
std::int64_t bounded(std::uint64_t bytes) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max() / 2;
  return static_cast<std::int64_t>(std::min(bytes, kMost));
}

}  // namespace

void DiskWatch::look() {
  if (reserve_bytes_ == 0) return;
  const Result<std::uint64_t> free = storage_.free_bytes();
  if (free) above_.store(bounded(*free) - bounded(reserve_bytes_), std::memory_order_relaxed);
}

}  // namespace linden::server

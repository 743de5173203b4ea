#include "space/storage/segments.h"

#include <algorithm>

namespace linden::storage {
namespace {

constexpr std::uint64_t kRunIds = 4096;

std::uint64_t run_of(TupleId id) noexcept {
  return id.value / kRunIds;
}
std::uint16_t place_in_run(TupleId id) noexcept {
  return static_cast<std::uint16_t>(id.value % kRunIds);
}

}  // namespace

void Segments::begin_at(Sequence first) {
  next_ = first;
  open_.assign(1, Segment{first, 0, {}});
}

void Segments::append(std::size_t bytes, const std::vector<TupleId>& touched) {
  Segment& last = open_.back();
  last.bytes += bytes;
  last.touched.insert(last.touched.end(), touched.begin(), touched.end());
  ++next_;
  if (last.bytes < segment_bytes_) return;
  last.touched.shrink_to_fit();
  open_.push_back(Segment{next_, 0, {}});
}

std::vector<TupleId> Segments::oldest_touched() const {
  std::vector<TupleId> ids = open_.front().touched;
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

Sequence Segments::oldest_end() const noexcept {
  return open_.size() > 1 ? open_[1].first : next_;
}

void Segments::drop_oldest() {
  open_.pop_front();
  if (open_.empty()) open_.push_back(Segment{next_, 0, {}});
}

bool TableIds::contains(TupleId id) const noexcept {
  const auto run = runs_.find(run_of(id));
  return run != runs_.end() &&
         std::binary_search(run->second.begin(), run->second.end(), place_in_run(id));
}

void TableIds::add(TupleId id) {
  std::vector<std::uint16_t>& run = runs_[run_of(id)];
  const auto at = std::lower_bound(run.begin(), run.end(), place_in_run(id));
  if (at != run.end() && *at == place_in_run(id)) return;
  run.insert(at, place_in_run(id));
  ++size_;
}

void TableIds::remove(TupleId id) {
  const auto run = runs_.find(run_of(id));
  if (run == runs_.end()) return;
  const auto at = std::lower_bound(run->second.begin(), run->second.end(), place_in_run(id));
  if (at == run->second.end() || *at != place_in_run(id)) return;
  run->second.erase(at);
  --size_;
  if (run->second.empty()) runs_.erase(run);
}

}  // namespace linden::storage

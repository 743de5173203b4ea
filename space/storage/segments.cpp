#include "space/storage/segments.h"

#include <algorithm>
#include <iterator>

namespace linden::storage {

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
  return std::binary_search(ids_.begin(), ids_.end(), id);
}

void TableIds::update(const std::vector<TupleId>& added, const std::vector<TupleId>& removed) {
  std::vector<TupleId> kept;
  kept.reserve(ids_.size() + added.size());
  std::set_difference(ids_.begin(), ids_.end(), removed.begin(), removed.end(),
                      std::back_inserter(kept));
  ids_.clear();
  std::set_union(kept.begin(), kept.end(), added.begin(), added.end(), std::back_inserter(ids_));
}

}  // namespace linden::storage

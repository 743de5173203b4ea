// space/storage/segments.h: what a maker remembers of a space's journal and table, in memory.
//
// The journal is cut into segments by bytes.  Of each we keep where it begins and which tuples its
// records touched; of the table, which tuples it has.  Nothing here is stored: both are rebuilt
// while the space is loaded.  Pure bookkeeping; owned by the space's entry in a maker.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <vector>

#include "space/storage/key_layout.h"

namespace linden::storage {

struct Segment {
  Sequence first = kFirstSequence;
  std::size_t bytes = 0;
  std::vector<TupleId> touched;  // with repetitions, in order of commit
};

// The segments of one space's journal, oldest first; the last one is being written.
class Segments {
 public:
  explicit Segments(std::size_t segment_bytes) : segment_bytes_(segment_bytes) {}

  // The journal begins at `first`; whatever was known before is forgotten.
  void begin_at(Sequence first);

  // The sequence of the next record.
  [[nodiscard]] Sequence next() const noexcept { return next_; }
  // The sequence of the oldest record that is still there, or next() if there is none.
  [[nodiscard]] Sequence first() const noexcept { return open_.front().first; }

  // A record was written under next().
  void append(std::size_t bytes, const std::vector<TupleId>& touched);

  // Two newer full segments exist: most of what the oldest one put has been taken by now.
  [[nodiscard]] bool oldest_is_due() const noexcept { return open_.size() > kFullSegmentsMin; }

  // What retirement has to look at, in ascending order and once each.
  [[nodiscard]] std::vector<TupleId> oldest_touched() const;
  // Where the segment behind the oldest one begins.
  [[nodiscard]] Sequence oldest_end() const noexcept;
  void drop_oldest();

 private:
  static constexpr std::size_t kFullSegmentsMin = 3;

  std::size_t segment_bytes_;
  Sequence next_ = kFirstSequence;
  std::deque<Segment> open_ = std::deque<Segment>(1);
};

// The ids of the tuples that a space's table has.  Ids are dense, so they are kept in runs of 4,096
// of which only the low bits are stored, sorted: 2 bytes a tuple, and a change moves at most 8 KiB.
class TableIds {
 public:
  [[nodiscard]] bool contains(TupleId id) const noexcept;
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  // Adding what is there, or removing what is not, changes nothing.
  void add(TupleId id);
  void remove(TupleId id);

 private:
  std::map<std::uint64_t, std::vector<std::uint16_t>> runs_;
  std::size_t size_ = 0;
};

// What the retirement of a segment has to do to the table.
struct TablePlan {
  std::vector<TupleId> kept;     // still live: written, whether or not they were there
  std::vector<TupleId> removed;  // in the table and no longer live: deleted

  // Once it is done.
  void apply_to(TableIds& table) const {
    for (const TupleId id : kept) table.add(id);
    for (const TupleId id : removed) table.remove(id);
  }
};

// Calls `write(id, mutations)` for each of `touched` that lives.
template <class Write>
TablePlan plan_table(const std::vector<TupleId>& touched, const TableIds& table,
                     const LiveState& live, const Write& write) {
  TablePlan plan;
  std::vector<core::Mutation> mutations;
  for (const TupleId id : touched) {
    mutations.clear();
    if (live.describe(id, mutations)) {
      plan.kept.push_back(id);
      write(id, mutations);
    } else if (table.contains(id)) {
      plan.removed.push_back(id);
    }
  }
  return plan;
}

}  // namespace linden::storage

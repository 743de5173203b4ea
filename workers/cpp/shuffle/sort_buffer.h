// workers/cpp/shuffle/sort_buffer.h: pairs in memory, sorted when memory is full.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "workers/cpp/shuffle/arena.h"
#include "workers/cpp/shuffle/combine_table.h"
#include "workers/cpp/shuffle/source.h"

namespace linden::shuffle {

// One piece of an arena to be sorted: the first bytes of its key, which decide nearly always, and
// where it lies.
struct SortItem {
  std::uint64_t prefix;
  Arena::Place place;
};

// The first eight bytes of a key as a number that compares as they do.
[[nodiscard]] std::uint64_t prefix_of(std::string_view key);

// The items of each partition.
using SortItems = std::vector<std::vector<SortItem>>;

// Pairs in the order of their arrival.  One thread.
class SortBuffer {
 public:
  explicit SortBuffer(std::uint32_t partitions) : items_(partitions) {}

  void add(std::string_view key, std::string_view value);
  [[nodiscard]] bool has_room_for(std::size_t bytes) const { return arena_.has_room_for(bytes); }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::size_t bytes() const noexcept {
    return arena_.bytes() + size_ * sizeof(SortItem);
  }
  void clear();

  // By key, pairs of equal keys in the order of their arrival; by `threads` threads.
  void sort(int threads);
  // Of one partition, after sort(); valid until the next add() or clear().
  [[nodiscard]] SourcePtr source(std::uint32_t partition) const;

  [[nodiscard]] Record record(Arena::Place place) const;

 private:
  Arena arena_;
  SortItems items_;
  std::size_t size_ = 0;
};

// The entries of `table` by partition and key, for as long as the table is not touched.
class SortedTable {
 public:
  SortedTable(const CombineTable& table, std::uint32_t partitions, int threads);
  [[nodiscard]] SourcePtr source(std::uint32_t partition) const;

 private:
  const CombineTable& table_;
  SortItems items_;
};

}  // namespace linden::shuffle

// workers/cpp/shuffle/sort_buffer.h: pairs in memory, sorted when memory is full.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "workers/cpp/shuffle/arena.h"
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
  SortBuffer(std::uint32_t partitions, std::size_t memory_bytes)
      : memory_bytes_(memory_bytes), items_(partitions) {}

  // False, and nothing has happened, if it would take more than `memory_bytes` then; one pair
  // always has room.
  [[nodiscard]] bool add(std::string_view key, std::string_view value);
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return arena_.bytes() + items_bytes_; }
  void clear();

  // By key, pairs of equal keys in the order of their arrival; by `threads` threads.
  void sort(int threads);
  // Of one partition, after sort(); valid until the next add() or clear().
  [[nodiscard]] SourcePtr source(std::uint32_t partition) const;

  [[nodiscard]] Record record(Arena::Place place) const;

 private:
  Arena arena_;
  std::size_t memory_bytes_;
  SortItems items_;
  std::size_t items_bytes_ = 0;
  std::size_t size_ = 0;
};

}  // namespace linden::shuffle

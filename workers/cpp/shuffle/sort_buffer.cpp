// workers/cpp/shuffle/sort_buffer.cpp
#include "workers/cpp/shuffle/sort_buffer.h"

#include <tbb/parallel_for.h>
#include <tbb/parallel_sort.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <cstring>

#include "workers/cpp/shuffle/encoding.h"
#include "workers/cpp/shuffle/hash.h"

namespace linden::shuffle {

namespace {

struct Lengths {
  std::uint32_t key;
  std::uint32_t value;
};

// Sorts each partition, and partitions beside each other.  `less` is a total order.
template <class Less>
void sort_items(SortItems& items, int threads, const Less& less) {
  if (threads <= 1) {
    for (auto& partition : items) std::sort(partition.begin(), partition.end(), less);
    return;
  }
  tbb::task_arena arena(threads);
  arena.execute([&] {
    tbb::parallel_for(std::size_t{0}, items.size(), [&](std::size_t i) {
      tbb::parallel_sort(items[i].begin(), items[i].end(), less);
    });
  });
}

class BufferSource : public Source {
 public:
  BufferSource(const SortBuffer& buffer, const std::vector<SortItem>& items)
      : buffer_(buffer), items_(items) {}

  bool next(Record& record) override {
    if (next_ == items_.size()) return false;
    record = buffer_.record(items_[next_++].place);
    return true;
  }

 private:
  const SortBuffer& buffer_;
  const std::vector<SortItem>& items_;
  std::size_t next_ = 0;
};

}  // namespace

std::uint64_t prefix_of(std::string_view key) {
  if (key.size() >= 8) return load_big_endian(key.data());
  char padded[8] = {};
  std::memcpy(padded, key.data(), key.size());
  return load_big_endian(padded);
}

bool SortBuffer::add(std::string_view key, std::string_view value) {
  const std::size_t bytes = sizeof(Lengths) + key.size() + value.size();
  const auto partition = partition_of(hash_of_key(key), static_cast<std::uint32_t>(items_.size()));
  auto& items = items_[partition];
  const bool must_grow = items.size() == items.capacity();
  const std::size_t grown = items.capacity() + items.capacity() / 4 + 64;
  // While it grows it is there twice.
  const std::size_t growing_bytes = must_grow ? grown * sizeof(SortItem) : 0;
  const bool fits = arena_.bytes_with(bytes) + items_bytes_ + growing_bytes <= memory_bytes_;
  if (size_ > 0 && !(fits && arena_.has_room_for(bytes))) return false;
  if (must_grow) {
    items_bytes_ += (grown - items.capacity()) * sizeof(SortItem);
    items.reserve(grown);
  }
  const Lengths lengths{static_cast<std::uint32_t>(key.size()),
                        static_cast<std::uint32_t>(value.size())};
  const Arena::Place place = arena_.allocate(bytes);
  char* piece = arena_.at(place);
  std::memcpy(piece, &lengths, sizeof lengths);
  std::memcpy(piece + sizeof lengths, key.data(), key.size());
  std::memcpy(piece + sizeof lengths + key.size(), value.data(), value.size());
  items.push_back({prefix_of(key), place});
  ++size_;
  return true;
}

Record SortBuffer::record(Arena::Place place) const {
  const char* piece = arena_.at(place);
  Lengths lengths{};
  std::memcpy(&lengths, piece, sizeof lengths);
  const char* key = piece + sizeof lengths;
  return {{key, lengths.key}, {key + lengths.key, lengths.value}};
}

void SortBuffer::clear() {
  arena_.clear();
  for (auto& partition : items_) std::vector<SortItem>().swap(partition);
  size_ = 0;
  items_bytes_ = 0;
}

void SortBuffer::sort(int threads) {
  sort_items(items_, threads, [this](const SortItem& a, const SortItem& b) {
    if (a.prefix != b.prefix) return a.prefix < b.prefix;
    const int order = record(a.place).key.compare(record(b.place).key);
    return order != 0 ? order < 0 : a.place < b.place;
  });
}

SourcePtr SortBuffer::source(std::uint32_t partition) const {
  return std::make_unique<BufferSource>(*this, items_[partition]);
}

}  // namespace linden::shuffle

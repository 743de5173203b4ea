// workers/cpp/shuffle/sort_buffer.cpp
#include "workers/cpp/shuffle/sort_buffer.h"

#include <tbb/parallel_for.h>
#include <tbb/parallel_sort.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <cstring>

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

class TableSource : public Source {
 public:
  TableSource(const CombineTable& table, const std::vector<SortItem>& items)
      : table_(table), items_(items) {}

  bool next(Record& record) override {
    if (next_ == items_.size()) return false;
    const auto entry = table_.entry(items_[next_++].place);
    value_.clear();
    append_value(value_, datum_of(entry.value));
    record = {entry.key, value_};
    return true;
  }

 private:
  const CombineTable& table_;
  const std::vector<SortItem>& items_;
  std::size_t next_ = 0;
  std::string value_;
};

}  // namespace

std::uint64_t prefix_of(std::string_view key) {
  if (key.size() >= 8) return load_big_endian(key.data());
  char padded[8] = {};
  std::memcpy(padded, key.data(), key.size());
  return load_big_endian(padded);
}

void SortBuffer::add(std::string_view key, std::string_view value) {
  const Lengths lengths{static_cast<std::uint32_t>(key.size()),
                        static_cast<std::uint32_t>(value.size())};
  const Arena::Place place = arena_.allocate(sizeof lengths + key.size() + value.size());
  char* piece = arena_.at(place);
  std::memcpy(piece, &lengths, sizeof lengths);
  std::memcpy(piece + sizeof lengths, key.data(), key.size());
  std::memcpy(piece + sizeof lengths + key.size(), value.data(), value.size());
  const auto partition = partition_of(hash_of_key(key), static_cast<std::uint32_t>(items_.size()));
  items_[partition].push_back({prefix_of(key), place});
  ++size_;
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

SortedTable::SortedTable(const CombineTable& table, std::uint32_t partitions, int threads)
    : table_(table), items_(partitions) {
  table.for_each([&](Arena::Place place, const CombineTable::Entry& entry) {
    items_[partition_of(entry.hash, partitions)].push_back({prefix_of(entry.key), place});
  });
  sort_items(items_, threads, [&table](const SortItem& a, const SortItem& b) {
    if (a.prefix != b.prefix) return a.prefix < b.prefix;
    return table.entry(a.place).key < table.entry(b.place).key;
  });
}

SourcePtr SortedTable::source(std::uint32_t partition) const {
  return std::make_unique<TableSource>(table_, items_[partition]);
}

}  // namespace linden::shuffle

// workers/cpp/shuffle/combine_table.h: one number per key, combined as values come.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include <linden/mapreduce.h>

#include "workers/cpp/shuffle/arena.h"
#include "workers/cpp/shuffle/combine.h"
#include "workers/cpp/shuffle/hash.h"
#include "workers/cpp/shuffle/source.h"
#include "workers/cpp/shuffle/zeroed_pages.h"

namespace linden::shuffle {

// A hash table with open addressing.  A slot has half a cache line and holds key and number, so a
// key costs one cache miss; keys wait until there are some, and their cache lines are fetched
// beside each other meanwhile.  The bytes of keys beyond kShortBytes lie elsewhere.  One thread.
class CombineTable {
 public:
  // Takes at most about `memory_bytes`, if that is 1 MiB or more; see is_full().
  CombineTable(Combine how, std::size_t memory_bytes);

  // Adds `value` to the key whose bytes are `tag` and `rest`, at the latest at the next flush().
  // Throws ShuffleError if a sum is beyond 64 bits.  True if it is time to look at is_full().
  bool add(char tag, std::string_view rest, const Number& value) {
    if (rest.size() > kShortBytes) [[unlikely]] {
      add_long(tag, rest, value);
      return true;
    }
    wait(waiting_[waiting_count_], tag, rest, value);
    if (++waiting_count_ < kWaitingMax) return false;
    flush();
    return true;
  }
  // The same for the texts of many pairs, whose numbers are ints; `tag` is that of each key.  Stops
  // when is_full() is to be looked at; returns how many it took.
  std::size_t add_many(char tag, std::span<const mapreduce::PairEmitter::Pair> pairs);
  // To be called before anything is asked but bytes().
  void flush();

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return arena_.bytes() + slots_.bytes(); }
  // Whether to write it out and clear() before more is added.
  [[nodiscard]] bool is_full() const noexcept {
    return bytes() >= memory_bytes_ || (must_grow() && !may_grow()) ||
           !arena_.has_room_for(kKeyBytesMax);
  }

  // The same somewhat earlier, for those who can choose when.
  [[nodiscard]] bool is_nearly_full() const noexcept {
    return is_full() || (size_ > slots_.size() / 2 && !may_grow());
  }

  // Orders the entries by partition and key; then nothing but source() and clear() is allowed.
  void sort(std::uint32_t partitions, int threads);
  // Valid until clear().
  [[nodiscard]] SourcePtr source(std::uint32_t partition) const;
  void clear();

 private:
  // `facts`: 0 if it is free; else the hash (later the partition), the tag, and below it the length
  // of a short key or kLong, and whether the number is a float.  `low` and `high` are the key's
  // bytes after the tag, filled up with zeros; a long key has its first eight, and its place.
  struct Slot {
    std::uint64_t facts;
    std::uint64_t low;
    std::uint64_t high;
    union {
      std::int64_t integer;
      double real;
    };
  };
  struct Waiting {
    std::uint64_t facts;
    ShortBytes bytes;
    Number value;
  };
  class Sorted;
  static constexpr std::size_t kKeyBytesMax = std::size_t{4} << 30U;
  static constexpr std::size_t kWaitingMax = 64;
  static constexpr std::uint64_t kUsed = 1U << 8U;
  static constexpr std::uint64_t kFloat = 1U << 9U;
  static constexpr std::uint64_t kLong = kShortBytes + 1;

  static std::uint64_t facts_of(std::uint32_t hash, char tag, std::uint64_t length) {
    return std::uint64_t{hash} << 32U | std::uint64_t{static_cast<unsigned char>(tag)} << 24U |
           kUsed | length;
  }
  static std::uint32_t hash_of(const Slot& slot) {
    return static_cast<std::uint32_t>(slot.facts >> 32U);
  }
  static bool is_long(const Slot& slot) { return (slot.facts & 0xffU) == kLong; }
  static Number number_in(const Slot& slot) {
    return (slot.facts & kFloat) != 0 ? Number::of(slot.real) : Number::of(slot.integer);
  }
  static void store(Slot& slot, const Number& number);

  void wait(Waiting& waiting, char tag, std::string_view rest, const Number& value) {
    const ShortBytes bytes = short_bytes(rest);
    const auto hash = static_cast<std::uint32_t>(hash_of_short(tag, rest.size(), bytes) >> 32U);
    waiting.bytes = bytes;
    waiting.facts = facts_of(hash, tag, rest.size());
    waiting.value = value;
    __builtin_prefetch(&slots_[hash & mask_], 1);
  }
  void add_waiting(const Waiting& waiting);
  void add_long(char tag, std::string_view rest, const Number& value);
  void insert(Slot& slot, std::uint64_t facts, ShortBytes bytes, const Number& value);
  void combine_into(Slot& slot, const Number& value) const;
  [[nodiscard]] std::string_view long_key(const Slot& slot) const;
  // The key's bytes, in `buffer` if they lie nowhere together.
  [[nodiscard]] std::string_view key(const Slot& slot,
                                     std::span<char, kShortBytes + 1> buffer) const;
  [[nodiscard]] bool before(const Slot& a, const Slot& b) const;
  // Whether what waits may not find room.
  [[nodiscard]] bool must_grow() const noexcept {
    return size_ + kWaitingMax > slots_.size() / 8 * 5;
  }
  // Whether the slots and twice as many, both of which are there meanwhile, are within bounds.
  [[nodiscard]] bool may_grow() const noexcept {
    return arena_.bytes() + 3 * slots_.bytes() <= memory_bytes_;
  }
  void grow();

  Combine how_;
  std::size_t memory_bytes_;
  Arena arena_;
  ZeroedPages<Slot> slots_;
  std::size_t mask_ = 0;
  std::size_t size_ = 0;
  std::array<Waiting, kWaitingMax> waiting_;
  std::size_t waiting_count_ = 0;
};

}  // namespace linden::shuffle

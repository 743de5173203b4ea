// workers/cpp/shuffle/combine_table.h: one number per key, combined as values come.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "workers/cpp/shuffle/arena.h"
#include "workers/cpp/shuffle/combine.h"
#include "workers/cpp/shuffle/hash.h"

namespace linden::shuffle {

// A hash table with open addressing.  A key costs two cache misses, which take longer than all the
// rest; so short keys wait until there are some, and their cache lines are fetched beside each
// other meanwhile.  One thread.
class CombineTable {
 public:
  explicit CombineTable(Combine how) : how_(how) { clear(); }

  // Adds `value` to the key whose bytes are `tag` and `rest`, at the latest at the next flush().
  // Throws ShuffleError if a sum is beyond 64 bits.
  void add(char tag, std::string_view rest, const Number& value) {
    if (rest.size() > kShortBytes) {
      add_long(tag, rest, value);
      return;
    }
    Waiting& waiting = waiting_[waiting_count_];
    waiting.bytes = short_bytes(rest);
    waiting.hash = hash_of_short(tag, rest.size(), waiting.bytes);
    waiting.value = value;
    waiting.length = static_cast<std::uint32_t>(rest.size() + 1);
    waiting.tag = tag;
    __builtin_prefetch(&slots_[waiting.hash & (slots_.size() - 1)]);
    if (++waiting_count_ == kWaitingMax) flush();
  }
  // To be called before anything is asked but bytes().
  void flush();

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::size_t bytes() const noexcept {
    return arena_.bytes() + slots_.size() * sizeof(Slot);
  }
  void clear();

  struct Entry {
    std::uint64_t hash;
    std::string_view key;
    Number value;
  };
  [[nodiscard]] Entry entry(Arena::Place place) const;
  // In no order.
  template <class Visit>
  void for_each(Visit visit) const {
    for (const Slot& slot : slots_) {
      if (slot.place != kEmpty) visit(slot.place, entry(slot.place));
    }
  }

 private:
  struct Slot {
    std::uint32_t hash;
    Arena::Place place;
  };
  // Before the key's bytes, which are followed by zeros up to kShortBytes + 1.
  struct Header {
    Number value;
    std::uint32_t hash_high;
    std::uint32_t hash_low;
    std::uint32_t length;
  };
  struct Waiting {
    std::uint64_t hash;
    ShortBytes bytes;
    Number value;
    std::uint32_t length;
    char tag;
  };
  static constexpr std::size_t kWaitingMax = 64;
  static constexpr Arena::Place kEmpty = ~Arena::Place{0};
  static constexpr std::size_t kFirstSlots = 1024;

  void add_short(const Waiting& waiting);
  void add_long(char tag, std::string_view rest, const Number& value);
  // The key is in place, but for its bytes after the tag.
  char* insert(std::size_t at, std::uint64_t hash, char tag, std::size_t rest_bytes,
               const Number& value);
  void grow();

  Combine how_;
  Arena arena_;
  std::vector<Slot> slots_;
  std::size_t size_ = 0;
  std::array<Waiting, kWaitingMax> waiting_;
  std::size_t waiting_count_ = 0;
};

}  // namespace linden::shuffle

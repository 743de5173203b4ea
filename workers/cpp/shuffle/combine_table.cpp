// workers/cpp/shuffle/combine_table.cpp
#include "workers/cpp/shuffle/combine_table.h"

#include <tbb/parallel_sort.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace linden::shuffle {

namespace {

constexpr std::size_t kFirstSlots = 1U << 15U;
constexpr std::size_t kFirstSlotsMin = 1U << 13U;

}  // namespace

CombineTable::CombineTable(Combine how, std::size_t memory_bytes)
    : how_(how), memory_bytes_(memory_bytes) {
  if (how != Combine::kNone) clear();
}

inline void CombineTable::store(Slot& slot, const Number& number) {
  if (number.is_float) {
    slot.real = number.real;
    slot.facts |= kFloat;
  } else {
    slot.integer = number.integer;
    slot.facts &= ~kFloat;
  }
}

inline void CombineTable::combine_into(Slot& slot, const Number& value) const {
  Number number = number_in(slot);
  if (!combine(how_, number, value)) {
    std::array<char, kShortBytes + 1> buffer{};
    fail_beyond_64_bits(key(slot, buffer));
  }
  store(slot, number);
}

inline void CombineTable::insert(Slot& slot, std::uint64_t facts, ShortBytes bytes,
                                 const Number& value) {
  slot.facts = facts;
  slot.low = bytes.low;
  slot.high = bytes.high;
  store(slot, value);
  ++size_;
  if (static_cast<char>(facts >> 24U) == kKeyText) {
    const bool is_short_ascii =
        !is_long(slot) && ((bytes.low | bytes.high) & 0x8080808080808080U) == 0;
    if (!is_short_ascii) {
      std::array<char, kShortBytes + 1> buffer{};
      check_utf8(key(slot, buffer).substr(1));
    }
  }
}

inline void CombineTable::add_waiting(const Waiting& waiting) {
  for (std::size_t at = (waiting.facts >> 32U) & mask_;; at = (at + 1) & mask_) {
    Slot& slot = slots_[at];
    const std::uint64_t differs = ((slot.facts ^ waiting.facts) & ~kFloat) |
                                  (slot.low ^ waiting.bytes.low) | (slot.high ^ waiting.bytes.high);
    if (differs == 0) {
      combine_into(slot, waiting.value);
      return;
    }
    if (slot.facts == 0) {
      insert(slot, waiting.facts, waiting.bytes, waiting.value);
      return;
    }
  }
}

void CombineTable::flush() {
  if (waiting_count_ == 0) return;
  if (must_grow() && may_grow()) grow();
  const std::size_t count = std::exchange(waiting_count_, 0);
  for (std::size_t i = 0; i < count; ++i) add_waiting(waiting_[i]);
}

std::size_t CombineTable::add_many(char tag, std::span<const mapreduce::PairEmitter::Pair> pairs) {
  flush();
  std::size_t count = 0;
  for (const auto& pair : pairs.first(std::min(pairs.size(), kWaitingMax))) {
    if (pair.size > kShortBytes) [[unlikely]]
      break;
    wait(waiting_[count++], tag, {pair.text, pair.size}, Number::of(pair.number));
  }
  if (count == 0 && !pairs.empty()) {
    add_long(tag, {pairs[0].text, pairs[0].size}, Number::of(pairs[0].number));
    return 1;
  }
  waiting_count_ = count;
  flush();
  return count;
}

void CombineTable::add_long(char tag, std::string_view rest, const Number& value) {
  if (rest.size() >= kKeyBytesMax) throw ShuffleError("a key is larger than 4 GiB");
  flush();  // what came before is added before
  const auto hash = static_cast<std::uint32_t>(hash_of_key(tag, rest) >> 32U);
  const std::uint64_t facts = facts_of(hash, tag, kLong);
  for (std::size_t at = hash & mask_;; at = (at + 1) & mask_) {
    Slot& slot = slots_[at];
    if (((slot.facts ^ facts) & ~kFloat) == 0 && long_key(slot).substr(1) == rest) {
      combine_into(slot, value);
      return;
    }
    if (slot.facts != 0) continue;
    const auto length = static_cast<std::uint64_t>(rest.size() + 1);
    const Arena::Place place = arena_.allocate(sizeof length + length);
    char* piece = arena_.at(place);
    std::memcpy(piece, &length, sizeof length);
    piece[sizeof length] = tag;
    std::memcpy(piece + sizeof length + 1, rest.data(), rest.size());
    insert(slot, facts, {load8(rest.data()), place}, value);
    return;
  }
}

void CombineTable::clear() {
  waiting_count_ = 0;
  size_ = 0;
  arena_.clear();
  const std::size_t affordable = memory_bytes_ / (4 * sizeof(Slot));
  slots_ = ZeroedPages<Slot>(affordable < kFirstSlots ? kFirstSlotsMin : kFirstSlots);
  mask_ = slots_.size() - 1;
}

void CombineTable::grow() {
  ZeroedPages<Slot> slots(slots_.size() * 2);
  const std::size_t mask = slots.size() - 1;
  for (const Slot& slot : slots_.first(slots_.size())) {
    if (slot.facts == 0) continue;
    std::size_t at = hash_of(slot) & mask;
    while (slots[at].facts != 0) at = (at + 1) & mask;
    slots[at] = slot;
  }
  slots_ = std::move(slots);
  mask_ = mask;
}

std::string_view CombineTable::long_key(const Slot& slot) const {
  const char* piece = arena_.at(static_cast<Arena::Place>(slot.high));
  return {piece + sizeof(std::uint64_t), load8(piece)};
}

std::string_view CombineTable::key(const Slot& slot,
                                   std::span<char, kShortBytes + 1> buffer) const {
  if (is_long(slot)) return long_key(slot);
  buffer[0] = static_cast<char>(slot.facts >> 24U);
  std::memcpy(&buffer[1], &slot.low, sizeof slot.low);
  std::memcpy(&buffer[9], &slot.high, sizeof slot.high);
  return {buffer.data(), 1 + (slot.facts & 0xffU)};
}

// ---- In the order of keys, once the table is full -----------------------------------------------

bool CombineTable::before(const Slot& a, const Slot& b) const {
  // Partition and tag.
  if (a.facts >> 24U != b.facts >> 24U) return a.facts >> 24U < b.facts >> 24U;
  if (a.low != b.low) return __builtin_bswap64(a.low) < __builtin_bswap64(b.low);
  if (!is_long(a) && !is_long(b)) {
    if (a.high != b.high) return __builtin_bswap64(a.high) < __builtin_bswap64(b.high);
    return (a.facts & 0xffU) < (b.facts & 0xffU);  // one ends with more zeros
  }
  std::array<char, kShortBytes + 1> of_a{};
  std::array<char, kShortBytes + 1> of_b{};
  return key(a, of_a) < key(b, of_b);
}

void CombineTable::sort(std::uint32_t partitions, int threads) {
  std::size_t count = 0;
  for (const Slot& slot : slots_.first(slots_.size())) {
    if (slot.facts == 0) continue;
    Slot& to = slots_[count++];
    to = slot;
    const std::uint64_t partition = partition_of(std::uint64_t{hash_of(to)} << 32U, partitions);
    to.facts = partition << 32U | (to.facts & 0xffffffffU);
  }
  const std::span<Slot> slots = slots_.first(count);
  const auto less = [this](const Slot& a, const Slot& b) { return before(a, b); };
  if (threads <= 1) {
    std::sort(slots.begin(), slots.end(), less);
  } else {
    tbb::task_arena arena(threads);
    arena.execute([&] { tbb::parallel_sort(slots.begin(), slots.end(), less); });
  }
}

class CombineTable::Sorted : public Source {
 public:
  Sorted(const CombineTable& table, std::span<const Slot> slots) : table_(table), slots_(slots) {}

  bool next(Record& record) override {
    if (next_ == slots_.size()) return false;
    const Slot& slot = slots_[next_++];
    value_.clear();
    append_value(value_, datum_of(number_in(slot)));
    record = {table_.key(slot, key_), value_};
    return true;
  }

 private:
  const CombineTable& table_;
  std::span<const Slot> slots_;
  std::size_t next_ = 0;
  std::array<char, kShortBytes + 1> key_{};
  std::string value_;
};

SourcePtr CombineTable::source(std::uint32_t partition) const {
  const std::span<const Slot> slots = slots_.first(size_);
  const auto is_before = [](std::uint32_t wanted) {
    return [wanted](const Slot& slot) { return hash_of(slot) < wanted; };
  };
  const auto begin = std::partition_point(slots.begin(), slots.end(), is_before(partition));
  const auto end = std::partition_point(begin, slots.end(), is_before(partition + 1));
  return std::make_unique<Sorted>(*this, std::span<const Slot>(begin, end));
}

}  // namespace linden::shuffle

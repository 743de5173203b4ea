// workers/cpp/shuffle/combine_table.cpp
#include "workers/cpp/shuffle/combine_table.h"

#include <algorithm>
#include <new>
#include <utility>

namespace linden::shuffle {

void CombineTable::flush() {
  const std::size_t mask = slots_.size() - 1;
  const std::size_t count = std::exchange(waiting_count_, 0);
  for (std::size_t i = 0; i < count; ++i) {
    const Arena::Place place = slots_[waiting_[i].hash & mask].place;
    if (place != kEmpty) __builtin_prefetch(arena_.at(place));
  }
  for (std::size_t i = 0; i < count; ++i) {
    add_short(waiting_[i]);
  }
}

void CombineTable::add_short(const Waiting& waiting) {
  const auto low = static_cast<std::uint32_t>(waiting.hash);
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = low & mask;
  for (; slots_[at].place != kEmpty; at = (at + 1) & mask) {
    if (slots_[at].hash != low) continue;
    char* piece = arena_.at(slots_[at].place);
    auto& header = *reinterpret_cast<Header*>(piece);
    const char* key = piece + sizeof(Header);
    const bool same = header.length == waiting.length && key[0] == waiting.tag &&
                      load8(key + 1) == waiting.bytes.low && load8(key + 9) == waiting.bytes.high;
    if (!same) continue;
    if (!combine(how_, header.value, waiting.value)) fail_beyond_64_bits({key, header.length});
    return;
  }
  char* rest = insert(at, waiting.hash, waiting.tag, waiting.length - 1, waiting.value);
  std::memcpy(rest, &waiting.bytes, kShortBytes);
}

void CombineTable::add_long(char tag, std::string_view rest, const Number& value) {
  flush();  // what came before is added before
  const std::uint64_t hash = hash_of_key(tag, rest);
  const auto low = static_cast<std::uint32_t>(hash);
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = low & mask;
  for (; slots_[at].place != kEmpty; at = (at + 1) & mask) {
    if (slots_[at].hash != low) continue;
    char* piece = arena_.at(slots_[at].place);
    auto& header = *reinterpret_cast<Header*>(piece);
    const std::string_view key(piece + sizeof(Header), header.length);
    if (key.size() != rest.size() + 1 || key.front() != tag || key.substr(1) != rest) continue;
    if (!combine(how_, header.value, value)) fail_beyond_64_bits(key);
    return;
  }
  std::memcpy(insert(at, hash, tag, rest.size(), value), rest.data(), rest.size());
}

void CombineTable::clear() {
  waiting_count_ = 0;
  arena_.clear();
  slots_.assign(kFirstSlots, Slot{0, kEmpty});
  slots_.shrink_to_fit();
  size_ = 0;
}

CombineTable::Entry CombineTable::entry(Arena::Place place) const {
  const char* piece = arena_.at(place);
  const auto& header = *reinterpret_cast<const Header*>(piece);
  const auto hash = std::uint64_t{header.hash_high} << 32U | header.hash_low;
  return {hash, {piece + sizeof(Header), header.length}, header.value};
}

char* CombineTable::insert(std::size_t at, std::uint64_t hash, char tag, std::size_t rest_bytes,
                           const Number& value) {
  const Arena::Place place =
      arena_.allocate(sizeof(Header) + 1 + std::max(rest_bytes, kShortBytes));
  char* piece = arena_.at(place);
  new (piece) Header{value, static_cast<std::uint32_t>(hash >> 32U),
                     static_cast<std::uint32_t>(hash), static_cast<std::uint32_t>(rest_bytes + 1)};
  char* key = piece + sizeof(Header);
  key[0] = tag;
  slots_[at] = {static_cast<std::uint32_t>(hash), place};
  if (++size_ * 2 > slots_.size()) grow();
  return key + 1;
}

void CombineTable::grow() {
  std::vector<Slot> slots(slots_.size() * 2, Slot{0, kEmpty});
  const std::size_t mask = slots.size() - 1;
  for (const Slot& slot : slots_) {
    if (slot.place == kEmpty) continue;
    std::size_t at = slot.hash & mask;
    while (slots[at].place != kEmpty) at = (at + 1) & mask;
    slots[at] = slot;
  }
  slots_ = std::move(slots);
}

}  // namespace linden::shuffle

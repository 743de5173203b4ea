// workers/cpp/shuffle/hash.h: a hash of keys, the same in every process.  Pure.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace linden::shuffle {

// Up to 16 bytes as two numbers, filled up with zeros.
struct ShortBytes {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
};
inline constexpr std::size_t kShortBytes = 16;

inline std::uint64_t load8(const char* from) {
  std::uint64_t value = 0;
  std::memcpy(&value, from, sizeof value);
  return value;
}

using Unaligned [[gnu::aligned(1), gnu::may_alias]] = std::uint64_t;

// The first `size` < 8 bytes at `from`.  Reads eight where the page has them, which is quicker than
// to look how many to read; what is behind them is not used.
[[gnu::no_sanitize("address")]] inline std::uint64_t load_few(const char* from, std::size_t size) {
  constexpr std::uintptr_t kPage = 4096;
  if (size == 0) return 0;
  if (reinterpret_cast<std::uintptr_t>(from) % kPage <= kPage - 8) {
    return *reinterpret_cast<const Unaligned*>(from) & (~std::uint64_t{0} >> (64 - 8 * size));
  }
  std::uint64_t value = 0;
  std::memcpy(&value, from, size);
  return value;
}

// `bytes` has at most kShortBytes.
inline ShortBytes short_bytes(std::string_view bytes) {
  const char* data = bytes.data();
  const std::size_t size = bytes.size();
  if (size < 8) return {load_few(data, size), 0};
  if (size == kShortBytes) return {load8(data), load8(data + 8)};
  return {load8(data), load_few(data + 8, size - 8)};
}

// Multiply and fold, as in wyhash: quick for a few bytes, and good enough to spread keys; not a
// defence against keys that were chosen to collide.
inline std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
}

// Of a key whose bytes are `tag` and `size` more, at most kShortBytes.
inline std::uint64_t hash_of_short(char tag, std::size_t size, const ShortBytes& bytes) {
  constexpr std::uint64_t kFirst = 0xa0761d6478bd642fULL;
  constexpr std::uint64_t kSecond = 0xe7037ed1a0b428dbULL;
  const std::uint64_t seed = (static_cast<std::uint64_t>(size) << 8U) |
                             static_cast<std::uint64_t>(static_cast<unsigned char>(tag));
  return fold(fold(bytes.low ^ kFirst, bytes.high ^ kSecond) ^ seed, kSecond);
}

// Of a key whose bytes are `tag` and `rest`.
inline std::uint64_t hash_of_key(char tag, std::string_view rest) {
  if (rest.size() <= kShortBytes) return hash_of_short(tag, rest.size(), short_bytes(rest));
  std::uint64_t state = rest.size();
  while (rest.size() > kShortBytes) {
    state = hash_of_short(tag, state, {load8(rest.data()) ^ state, load8(rest.data() + 8)});
    rest.remove_prefix(kShortBytes);
  }
  const ShortBytes last = short_bytes(rest);
  return hash_of_short(tag, rest.size(), {last.low ^ state, last.high});
}
inline std::uint64_t hash_of_key(std::string_view key) {
  return hash_of_key(key.front(), key.substr(1));
}

// Which of `partitions` a key belongs to.
inline std::uint32_t partition_of(std::uint64_t hash, std::uint32_t partitions) {
  return static_cast<std::uint32_t>(((hash >> 32U) * partitions) >> 32U);
}

}  // namespace linden::shuffle

// workers/cpp/shuffle/hash.h: a hash of keys, the same in every process.  Pure.
#pragma once

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <cstddef>
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

// `bytes` has at most kShortBytes.  Reads sixteen where the page has them, which is quicker than to
// look how many to read; what is behind them is not used.
#if defined(__SSE2__)
[[gnu::no_sanitize("address", "thread")]] inline ShortBytes short_bytes(std::string_view bytes) {
  constexpr std::uintptr_t kPage = 4096;
  alignas(16) static constexpr unsigned char kMasks[32] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                                           0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                                           0xff, 0xff, 0xff, 0xff};
  ShortBytes found;
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % kPage > kPage - kShortBytes) [[unlikely]] {
    char copy[kShortBytes] = {};
    std::memcpy(copy, bytes.data(), bytes.size());
    return {load8(copy), load8(copy + 8)};
  }
  const __m128i all = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes.data()));
  const unsigned char* mask = kMasks + kShortBytes - bytes.size();
  const __m128i kept = _mm_and_si128(all, _mm_loadu_si128(reinterpret_cast<const __m128i*>(mask)));
  found.low = static_cast<std::uint64_t>(_mm_cvtsi128_si64(kept));
  found.high = static_cast<std::uint64_t>(_mm_cvtsi128_si64(_mm_unpackhi_epi64(kept, kept)));
  return found;
}
#else
inline ShortBytes short_bytes(std::string_view bytes) {
  char copy[kShortBytes] = {};
  if (!bytes.empty()) std::memcpy(copy, bytes.data(), bytes.size());
  return {load8(copy), load8(copy + 8)};
}
#endif

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

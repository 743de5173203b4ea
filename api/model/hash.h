// api/model/hash.h: a quick 64 bit hash by multiplying and folding; for tables in memory, and for
// the digests that a space keeps of what was put with a key (space/core/key_table.h), so that it
// must not change.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "api/model/varint.h"

namespace linden::encoding {

inline constexpr std::uint64_t kHashSeed = 0x243F6A8885A308D3ULL;  // digits of pi
inline constexpr std::uint64_t kHashOdd1 = 0x13198A2E03707345ULL;
inline constexpr std::uint64_t kHashOdd2 = 0xA4093822299F31D1ULL;
inline constexpr std::uint64_t kHashOdd3 = 0x082EFA98EC4E6C89ULL;

// The 128 bit product of both, its halves folded together: every bit of the result depends on
// every bit of both.
inline std::uint64_t fold(std::uint64_t a, std::uint64_t b) noexcept {
  const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

inline std::uint64_t hash_word(std::uint64_t word, std::uint64_t seed) noexcept {
  return fold(word ^ kHashOdd1, seed ^ kHashOdd2);
}

inline std::uint64_t hash_bytes(std::string_view bytes, std::uint64_t seed) noexcept {
  const char* at = bytes.data();
  std::size_t left = bytes.size();
  // Two chains, so that the multiplications overlap.  Only one begins with the seed: they are
  // joined by exclusive or, which must not cancel it.
  std::uint64_t even = seed;
  std::uint64_t odd = kHashOdd3;
  for (; left > 32; left -= 32, at += 32) {
    even = fold(word_at<std::uint64_t>(at) ^ kHashOdd1, word_at<std::uint64_t>(at + 8) ^ even);
    odd = fold(word_at<std::uint64_t>(at + 16) ^ kHashOdd2, word_at<std::uint64_t>(at + 24) ^ odd);
  }
  if (left > 16) {
    even = fold(word_at<std::uint64_t>(at) ^ kHashOdd1, word_at<std::uint64_t>(at + 8) ^ even);
    left -= 16;
    at += 16;
  }
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  if (left >= 8) {
    low = word_at<std::uint64_t>(at);
    high = word_at<std::uint64_t>(at + left - 8);
  } else if (left >= 4) {
    low = word_at<std::uint32_t>(at);
    high = word_at<std::uint32_t>(at + left - 4);
  } else if (left > 0) {
    low = static_cast<unsigned char>(at[0]) |
          std::uint64_t{static_cast<unsigned char>(at[left / 2])} << 8 |
          std::uint64_t{static_cast<unsigned char>(at[left - 1])} << 16;
  }
  return fold(fold(low ^ kHashOdd1, high ^ even ^ odd), kHashOdd2 ^ bytes.size());
}

}  // namespace linden::encoding

// api/model/varint.h: LEB128 numbers and little-endian words, as the encoding uses them.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>

namespace linden::encoding {

static_assert(std::endian::native == std::endian::little, "words are copied as they lie in memory");

// Most bytes of one varint.
inline constexpr std::size_t kVarintBytesMax = 10;

inline void append_varint(std::string& out, std::uint64_t number) {
  char bytes[kVarintBytesMax];
  std::size_t count = 0;
  while (number >= 0x80) {
    bytes[count++] = static_cast<char>(number | 0x80);
    number >>= 7;
  }
  bytes[count++] = static_cast<char>(number);
  out.append(bytes, count);
}

// Reads a varint that is known to be well formed and advances `at` behind it.
inline std::uint64_t varint_at(const char*& at) noexcept {
  std::uint64_t number = static_cast<unsigned char>(*at++);
  if (number < 0x80) return number;
  number &= 0x7F;
  for (unsigned shift = 7;; shift += 7) {
    const std::uint64_t byte = static_cast<unsigned char>(*at++);
    number |= (byte & 0x7F) << shift;
    if (byte < 0x80) return number;
  }
}

// Reads a varint from outside.  False if it is cut off, longer than need be, or beyond 64 bits.
inline bool read_varint(const char*& at, const char* end, std::uint64_t& number) noexcept {
  number = 0;
  for (unsigned shift = 0; at != end && shift < 64; shift += 7) {
    const std::uint64_t byte = static_cast<unsigned char>(*at++);
    if (shift == 63 && byte > 1) return false;
    number |= (byte & 0x7F) << shift;
    if (byte < 0x80) return byte != 0 || shift == 0;
  }
  return false;
}

template <class Word>
Word word_at(const char* at) noexcept {
  Word word;
  std::memcpy(&word, at, sizeof(word));
  return word;
}

template <class Word>
void append_word(std::string& out, Word word) {
  char bytes[sizeof(word)];
  std::memcpy(bytes, &word, sizeof(word));
  out.append(bytes, sizeof(word));
}

}  // namespace linden::encoding

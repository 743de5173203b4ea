// workers/cpp/shuffle/encoding.h: keys and values as bytes.  Pure.
//
// Bytes of keys compare (memcmp) as the keys do: nil < false < true < ints < floats < texts (by
// code point) < bytes < rows.  Keys of different types are never equal (P2).  A row is a tuple of
// Python, whose items are keys.
//
//   nil 01 | false 02 | true 03
//   int 10, 8 bytes big-endian, sign bit flipped | float 11, 8 bytes big-endian in total order
//   text 20, UTF-8 | bytes 21, bytes; within a row 00 is written as 00 FF, and 00 00 ends them
//   row 30, items, 00
//
// Values need no order; a byte says what follows: n f t i d s b as in kValue... below.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include <linden/mapreduce.h>

#include "workers/cpp/shuffle/error.h"

namespace linden::shuffle {

using mapreduce::Datum;

static_assert(std::endian::native == std::endian::little, "runs are read where they lie");

enum KeyTag : char {
  kKeyEnd = 0x00,
  kKeyNil = 0x01,
  kKeyFalse = 0x02,
  kKeyTrue = 0x03,
  kKeyInt = 0x10,
  kKeyFloat = 0x11,
  kKeyText = 0x20,
  kKeyBytes = 0x21,
  kKeyRow = 0x30,
};

enum ValueTag : char {
  kValueNil = 'n',
  kValueFalse = 'f',
  kValueTrue = 't',
  kValueInt = 'i',    // varint, zigzag
  kValueFloat = 'd',  // 8 bytes
  kValueText = 's',   // UTF-8
  kValueBytes = 'b',
  kValueRow = 'T',     // a tuple: each item with its length (varint) before it
  kValueList = 'L',    // likewise
  kValuePickle = 'P',  // an object of Python
};

inline std::uint64_t sortable(std::int64_t value) {
  return static_cast<std::uint64_t>(value) ^ (1ULL << 63U);
}
inline std::int64_t int_of_sortable(std::uint64_t bits) {
  return static_cast<std::int64_t>(bits ^ (1ULL << 63U));
}
inline std::uint64_t sortable(double value) {
  const auto bits = std::bit_cast<std::uint64_t>(value == 0 ? 0.0 : value);  // there is one zero
  return (bits >> 63U) != 0 ? ~bits : bits | (1ULL << 63U);
}
inline double float_of_sortable(std::uint64_t bits) {
  return std::bit_cast<double>((bits >> 63U) != 0 ? bits & ~(1ULL << 63U) : ~bits);
}

inline void store_big_endian(std::uint64_t value, char* to) {
  value = __builtin_bswap64(value);
  std::memcpy(to, &value, sizeof value);
}
inline std::uint64_t load_big_endian(const char* from) {
  std::uint64_t value = 0;
  std::memcpy(&value, from, sizeof value);
  return __builtin_bswap64(value);
}

inline void append_varint(std::string& to, std::uint64_t value) {
  while (value >= 0x80) {
    to.push_back(static_cast<char>(value | 0x80U));
    value >>= 7U;
  }
  to.push_back(static_cast<char>(value));
}

// Moves `from` behind the number.  Throws ShuffleError if it does not end before `end`.
std::uint64_t read_varint(const char*& from, const char* end);

inline std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1U) ^ static_cast<std::uint64_t>(value >> 63U);
}
inline std::int64_t unzigzag(std::uint64_t value) {
  return static_cast<std::int64_t>(value >> 1U) ^ -static_cast<std::int64_t>(value & 1U);
}

// Throws ShuffleError that shows it if it is not.
void check_utf8(std::string_view text);

// A key outside of rows.  Throws ShuffleError for NaN, which equals nothing.
void append_key(std::string& to, const Datum& key);
// As an item of a row: bytes that may be followed by others.
void append_key_item(std::string& to, const Datum& key);
[[nodiscard]] Datum key_of(std::string_view encoded);

void append_value(std::string& to, const Datum& value);
[[nodiscard]] Datum value_of(std::string_view encoded);

}  // namespace linden::shuffle

// workers/cpp/utf8_text.cpp
#include "workers/cpp/utf8_text.h"

#include <cstddef>

namespace linden {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// Bytes of the character that begins so; 0: none begins so.
std::size_t length_of(unsigned char first) {
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first < 0xE0) return 2;
  if (first >= 0xE0 && first < 0xF0) return 3;
  if (first >= 0xF0 && first < 0xF5) return 4;
  return 0;
}

// What may follow the first byte is narrower for some (overlong forms, surrogates, beyond
// 0x10FFFF).
bool may_be_second(unsigned char first, unsigned char second) {
  switch (first) {
    case 0xE0:
      return second >= 0xA0 && second < 0xC0;
    case 0xED:
      return second >= 0x80 && second < 0xA0;
    case 0xF0:
      return second >= 0x90 && second < 0xC0;
    case 0xF4:
      return second >= 0x80 && second < 0x90;
    default:
      return second >= 0x80 && second < 0xC0;
  }
}

// How many of the bytes at `at` belong to one character as far as they go.
std::size_t good_bytes(std::string_view bytes, std::size_t at, std::size_t length) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  std::size_t good = 1;
  while (good < length && at + good < bytes.size()) {
    const bool fits =
        good == 1 ? may_be_second(byte(at), byte(at + 1)) : (byte(at + good) & 0xC0U) == 0x80U;
    if (!fits) break;
    ++good;
  }
  return good;
}

}  // namespace

std::string utf8_text(std::string_view bytes, bool more, std::size_t& used) {
  std::string text;
  text.reserve(bytes.size());
  std::size_t at = 0;
  while (at < bytes.size()) {
    const std::size_t length = length_of(static_cast<unsigned char>(bytes[at]));
    const std::size_t good = length == 0 ? 1 : good_bytes(bytes, at, length);
    if (length != 0 && good == length) {
      text += bytes.substr(at, length);
    } else if (length != 0 && more && at + good == bytes.size()) {
      break;
    } else {
      text += kReplacement;
    }
    at += good;
  }
  used = at;
  return text;
}

std::string utf8_text(std::string_view bytes) {
  std::size_t used = 0;
  return utf8_text(bytes, false, used);
}

}  // namespace linden

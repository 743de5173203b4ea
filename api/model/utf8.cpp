// api/model/utf8.cpp
#include "api/model/utf8.h"

#include <array>
#include <cstdint>

#include "api/model/varint.h"

namespace linden {
namespace {

// Reads one code point that begins at `at`.  Returns its length in bytes, 0 if it is not UTF-8.
std::size_t code_point_at(std::string_view text, std::size_t at, char32_t& point) noexcept {
  const auto byte = [&](std::size_t index) { return static_cast<unsigned char>(text[at + index]); };
  const std::size_t left = text.size() - at;
  const auto continues = [&](std::size_t index) { return (byte(index) & 0xC0) == 0x80; };
  const unsigned char lead = byte(0);
  if (lead < 0x80) {
    point = lead;
    return 1;
  }
  if (lead < 0xC2) return 0;  // a continuation, or an overlong form of ASCII
  if (lead < 0xE0) {
    if (left < 2 || !continues(1)) return 0;
    point = (lead & 0x1FU) << 6 | (byte(1) & 0x3FU);
    return 2;
  }
  if (lead < 0xF0) {
    if (left < 3 || !continues(1) || !continues(2)) return 0;
    point = (lead & 0x0FU) << 12 | (byte(1) & 0x3FU) << 6 | (byte(2) & 0x3FU);
    const bool surrogate = point >= 0xD800 && point <= 0xDFFF;
    return point < 0x800 || surrogate ? 0 : 3;
  }
  if (left < 4 || !continues(1) || !continues(2) || !continues(3)) return 0;
  point =
      (lead & 0x07U) << 18 | (byte(1) & 0x3FU) << 12 | (byte(2) & 0x3FU) << 6 | (byte(3) & 0x3FU);
  return lead > 0xF4 || point < 0x10000 || point > 0x10FFFF ? 0 : 4;
}

struct Range {
  char32_t first;
  char32_t last;
};

// Control characters, and what is invisible or changes the direction of what follows.
constexpr std::array kHidden = {
    Range{0x00, 0x1F},       Range{0x7F, 0x9F},     Range{0xAD, 0xAD},     Range{0x34F, 0x34F},
    Range{0x61C, 0x61C},     Range{0x115F, 0x1160}, Range{0x17B4, 0x17B5}, Range{0x180B, 0x180F},
    Range{0x200B, 0x200F},   Range{0x2028, 0x202E}, Range{0x2060, 0x206F}, Range{0x3164, 0x3164},
    Range{0xFE00, 0xFE0F},   Range{0xFEFF, 0xFEFF}, Range{0xFFA0, 0xFFA0}, Range{0xFFF0, 0xFFFB},
    Range{0xE0000, 0xE0FFF},
};

bool is_hidden(char32_t point) noexcept {
  for (const Range& range : kHidden)
    if (point >= range.first && point <= range.last) return true;
  return false;
}

void append_hex(std::string& out, char kind, std::uint32_t number, unsigned digits) {
  out += '\\';
  out += kind;
  for (unsigned left = digits; left-- > 0;) out += "0123456789abcdef"[number >> (4 * left) & 0xF];
}

void append_hidden(std::string& out, char32_t point) {
  if (point == '\n') {
    out += "\\n";
  } else if (point == '\t') {
    out += "\\t";
  } else if (point < 0x100) {
    append_hex(out, 'x', point, 2);
  } else if (point < 0x10000) {
    append_hex(out, 'u', point, 4);
  } else {
    append_hex(out, 'U', point, 8);
  }
}

}  // namespace

bool is_utf8_of_any_kind(std::string_view bytes) noexcept {
  std::size_t at = 0;
  while (at < bytes.size()) {
    // Most text is ASCII: eight bytes at a time.
    if (bytes.size() - at >= 8 &&
        (encoding::word_at<std::uint64_t>(bytes.data() + at) & 0x8080808080808080ULL) == 0) {
      at += 8;
      continue;
    }
    if (static_cast<unsigned char>(bytes[at]) < 0x80) {
      ++at;
      continue;
    }
    char32_t point = 0;
    const std::size_t length = code_point_at(bytes, at, point);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

bool append_escaped(std::string& out, std::string_view text, std::size_t characters_max) {
  std::size_t at = 0;
  for (std::size_t shown = 0; at < text.size() && shown < characters_max; ++shown) {
    char32_t point = 0;
    const std::size_t length = code_point_at(text, at, point);
    if (length == 0) {
      append_hex(out, 'x', static_cast<unsigned char>(text[at]), 2);
      ++at;
      continue;
    }
    if (is_hidden(point)) {
      append_hidden(out, point);
    } else {
      if (point == '"' || point == '\\') out += '\\';
      out += text.substr(at, length);
    }
    at += length;
  }
  return at == text.size();
}

bool append_escaped_bytes(std::string& out, std::string_view bytes, std::size_t bytes_max) {
  for (const char c : bytes.substr(0, bytes_max)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7F) {
      append_hex(out, 'x', byte, 2);
    } else {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
  }
  return bytes.size() <= bytes_max;
}

}  // namespace linden

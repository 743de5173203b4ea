// space/admin/columns.cpp
#include "space/admin/columns.h"

#include <algorithm>
#include <array>

namespace linden::admin {
namespace {

struct Range {
  char32_t first;
  char32_t last;
};

// East Asian wide and full-width, and pictures (Unicode, EastAsianWidth.txt, in whole blocks).
constexpr std::array kWide = {
    Range{0x1100, 0x115F},   Range{0x2E80, 0x303E},   Range{0x3041, 0x33FF},
    Range{0x3400, 0x4DBF},   Range{0x4E00, 0x9FFF},   Range{0xA000, 0xA4CF},
    Range{0xAC00, 0xD7A3},   Range{0xF900, 0xFAFF},   Range{0xFE30, 0xFE6F},
    Range{0xFF00, 0xFF60},   Range{0xFFE0, 0xFFE6},   Range{0x1F300, 0x1F64F},
    Range{0x1F680, 0x1F6FF}, Range{0x1F900, 0x1F9FF}, Range{0x20000, 0x3FFFD},
};
// Marks that stand on the character before them.
constexpr std::array kCombining = {
    Range{0x0300, 0x036F}, Range{0x1AB0, 0x1AFF}, Range{0x1DC0, 0x1DFF},
    Range{0x20D0, 0x20FF}, Range{0xFE20, 0xFE2F},
};

template <std::size_t N>
bool is_in(const std::array<Range, N>& ranges, char32_t point) {
  return std::ranges::any_of(
      ranges, [&](const Range& range) { return point >= range.first && point <= range.last; });
}

bool starts_character(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
}

std::size_t character_end(std::string_view text, std::size_t start) {
  std::size_t end = start + 1;
  while (end < text.size() && !starts_character(text[end])) ++end;
  return end;
}

std::size_t columns_of_character(std::string_view character) {
  if (character.size() == 1) return 1;
  const auto lead = static_cast<unsigned char>(character[0]);
  char32_t point = lead & (0xFFU >> (character.size() + 1));
  for (const char c : character.substr(1))
    point = point << 6 | (static_cast<unsigned char>(c) & 0x3FU);
  if (is_in(kCombining, point)) return 0;
  return is_in(kWide, point) ? 2 : 1;
}

}  // namespace

std::size_t columns_of(std::string_view text) {
  std::size_t columns = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = character_end(text, at);
    columns += columns_of_character(text.substr(at, end - at));
    at = end;
  }
  return columns;
}

std::string_view cut_to(std::string_view text, std::size_t columns) {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = character_end(text, at);
    const std::size_t taken = columns_of_character(text.substr(at, end - at));
    if (taken > columns) break;
    columns -= taken;
    at = end;
  }
  return text.substr(0, at);
}

}  // namespace linden::admin

// space/admin/notation_text.cpp
#include "space/admin/notation_text.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include <linden/value.h>

namespace linden::admin {
namespace {

constexpr std::uint32_t kCodePointMax = 0x10FFFF;

void append_utf8(std::string& out, std::uint32_t point) {
  const auto byte = [&](std::uint32_t bits) { out += static_cast<char>(bits); };
  if (point < 0x80) {
    byte(point);
  } else if (point < 0x800) {
    byte(0xC0 | point >> 6);
    byte(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    byte(0xE0 | point >> 12);
    byte(0x80 | (point >> 6 & 0x3F));
    byte(0x80 | (point & 0x3F));
  } else {
    byte(0xF0 | point >> 18);
    byte(0x80 | (point >> 12 & 0x3F));
    byte(0x80 | (point >> 6 & 0x3F));
    byte(0x80 | (point & 0x3F));
  }
}

// How many hexadecimal digits follow an escape; 0 if it has none.
std::size_t digits_of(char escape, QuotedKind kind) {
  if (escape == 'x') return 2;
  if (kind == QuotedKind::kBytes) return 0;
  if (escape == 'u') return 4;
  return escape == 'U' ? 8 : 0;
}

std::optional<char> simple_escape(char escape) {
  switch (escape) {
    case 'n':
      return '\n';
    case 't':
      return '\t';
    case 'r':
      return '\r';
    case '\\':
    case '"':
    case '\'':
      return escape;
    default:
      return std::nullopt;
  }
}

// Reads the escape at `quoted.end`, which is at its backslash.
void read_escape(std::string_view text, QuotedKind kind, Quoted& quoted) {
  const std::size_t at = quoted.end + 1;
  const char escape = at < text.size() ? text[at] : '\0';
  if (const auto simple = simple_escape(escape)) {
    quoted.content += *simple;
    quoted.end += 2;
    return;
  }
  const std::size_t digits = digits_of(escape, kind);
  if (digits == 0) {
    quoted.wrong = kind == QuotedKind::kText ? R"(one of \n \t \r \\ \" \' \xNN \uNNNN \UNNNNNNNN)"
                                             : R"(one of \n \t \r \\ \" \' \xNN)";
    return;
  }
  std::uint32_t number = 0;
  const std::string_view hex = text.substr(std::min(at + 1, text.size()), digits);
  const auto [end, error] = std::from_chars(hex.data(), hex.data() + hex.size(), number, 16);
  const bool whole = error == std::errc() && hex.size() == digits && end == hex.data() + digits;
  const bool is_surrogate = number >= 0xD800 && number < 0xE000;
  if (!whole || number > kCodePointMax || is_surrogate) {
    quoted.wrong = std::to_string(digits) + " hexadecimal digits of a character";
    return;
  }
  if (kind == QuotedKind::kText)
    append_utf8(quoted.content, number);
  else
    quoted.content += static_cast<char>(number);
  quoted.end = at + 1 + digits;
}

bool starts_character(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
}

// Without the quotes, and harmless to a terminal.
std::string escaped(std::string_view text) {
  const std::string quoted = to_string(Value(text));
  std::string shown;
  for (std::size_t i = 1; i + 1 < quoted.size(); ++i) {
    // What is escaped only because of the quotes around it.
    if (quoted[i] == '\\' && (quoted[i + 1] == '"' || quoted[i + 1] == '\\')) ++i;
    shown += quoted[i];
  }
  return shown;
}

std::size_t columns_of(std::string_view text) {
  std::size_t columns = 0;
  for (const char c : text) columns += starts_character(c) ? 1 : 0;
  return columns;
}

// The part of the line that is shown, so that the caret stays near the left edge.
constexpr std::size_t kBeforeCaretMax = 60;
constexpr std::size_t kAfterCaretMax = 15;

}  // namespace

Quoted read_quoted(std::string_view text, std::size_t start, QuotedKind kind) {
  Quoted quoted;
  const char quote = text[start];
  quoted.end = start + 1;
  while (quoted.end < text.size() && quoted.wrong.empty()) {
    const char c = text[quoted.end];
    if (c == quote) {
      ++quoted.end;
      return quoted;
    }
    if (c == '\\') {
      read_escape(text, kind, quoted);
    } else {
      quoted.content += c;
      ++quoted.end;
    }
  }
  if (quoted.wrong.empty()) {
    quoted.wrong = std::string("a closing ") + quote;
    quoted.end = text.size();
  }
  return quoted;
}

std::string message_with_caret(std::string_view text, std::size_t place, std::string_view wanted) {
  std::size_t first = place > kBeforeCaretMax ? place - kBeforeCaretMax : 0;
  while (first < place && !starts_character(text[first])) ++first;
  std::size_t last = std::min(place + kAfterCaretMax, text.size());
  while (last < text.size() && !starts_character(text[last])) ++last;

  std::size_t found_end = std::min(place + 1, text.size());
  while (found_end < text.size() && !starts_character(text[found_end])) ++found_end;
  const std::string found = place < text.size()
                                ? to_string(Value(text.substr(place, found_end - place)))
                                : std::string("the end");

  const std::string before = (first > 0 ? "..." : "") + escaped(text.substr(first, place - first));
  const std::string after =
      escaped(text.substr(place, last - place)) + (last < text.size() ? "..." : "");
  return "wanted " + std::string(wanted) + ", found " + found + "\n  " + before + after + "\n  " +
         std::string(columns_of(before), ' ') + "^";
}

}  // namespace linden::admin

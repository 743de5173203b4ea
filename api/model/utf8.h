// api/model/utf8.h: which bytes are text, and how text is shown to people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "api/model/varint.h"

namespace linden {

// Whether there are only characters below U+0080.  Words at a time; the last one may overlap.
[[nodiscard]] inline bool is_ascii(std::string_view bytes) noexcept {
  const char* at = bytes.data();
  const std::size_t size = bytes.size();
  if (size >= sizeof(std::uint64_t)) {
    const char* const last = at + size - sizeof(std::uint64_t);
    auto all = encoding::word_at<std::uint64_t>(last);
    for (; at < last; at += sizeof(std::uint64_t)) all |= encoding::word_at<std::uint64_t>(at);
    return (all & 0x8080808080808080ULL) == 0;
  }
  if (size >= sizeof(std::uint32_t)) {
    const auto first = encoding::word_at<std::uint32_t>(at);
    const auto last = encoding::word_at<std::uint32_t>(at + size - sizeof(std::uint32_t));
    return ((first | last) & 0x80808080U) == 0;
  }
  return size == 0 || ((at[0] | at[size / 2] | at[size - 1]) & 0x80) == 0;
}

// As is_utf8, for what is long or not all ASCII.
[[nodiscard]] bool is_utf8_of_any_kind(std::string_view bytes) noexcept;

// Whether these bytes are UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing
// beyond U+10FFFF.  Most texts are short names.
[[nodiscard]] inline bool is_utf8(std::string_view bytes) noexcept {
  constexpr std::size_t kShort = 256;
  return (bytes.size() <= kShort && is_ascii(bytes)) || is_utf8_of_any_kind(bytes);
}

// Appends `text` so that a terminal or a log cannot be attacked with it: control characters, bytes
// that are not UTF-8, and characters that are invisible or turn the direction of writing are
// escaped, as are quotes and backslashes. At most `characters_max` characters are shown; returns
// whether that was all.
bool append_escaped(std::string& out, std::string_view text, std::size_t characters_max);

// The same for bytes: everything but printable ASCII becomes \xNN.
bool append_escaped_bytes(std::string& out, std::string_view bytes, std::size_t bytes_max);

}  // namespace linden

// space/admin/notation_text.h: quoted text and bytes of the notation, and how its errors look.
// Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace linden::admin {

enum class QuotedKind : std::uint8_t { kText, kBytes };

struct Quoted {
  std::string content;
  std::size_t end = 0;  // behind the closing quote, or where it went wrong
  std::string wrong;    // what was wanted there; empty if all is well
};

// Reads from the quote at `start` to the same quote, with escapes.
[[nodiscard]] Quoted read_quoted(std::string_view text, std::size_t start, QuotedKind kind);

// "wanted ..., found ...", then the text and a caret below `place`.
[[nodiscard]] std::string message_with_caret(std::string_view text, std::size_t place,
                                             std::string_view wanted);

}  // namespace linden::admin

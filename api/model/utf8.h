// api/model/utf8.h: which bytes are text, and how text is shown to people.
#pragma once

#include <string>
#include <string_view>

namespace linden {

// Whether these bytes are UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing
// beyond U+10FFFF.
[[nodiscard]] bool is_utf8(std::string_view bytes) noexcept;

// Appends `text` so that a terminal or a log cannot be attacked with it: control characters, bytes
// that are not UTF-8, and characters that are invisible or turn the direction of writing are
// escaped, as are quotes and backslashes. At most `characters_max` characters are shown; returns
// whether that was all.
bool append_escaped(std::string& out, std::string_view text, std::size_t characters_max);

// The same for bytes: everything but printable ASCII becomes \xNN.
bool append_escaped_bytes(std::string& out, std::string_view bytes, std::size_t bytes_max);

}  // namespace linden

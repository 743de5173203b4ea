// workers/cpp/utf8_text.h: whatever functions write, as text that a tuple can hold.
#pragma once

#include <string>
#include <string_view>

namespace linden {

// `bytes` with U+FFFD in the place of what is no UTF-8.  If `more` may follow, an incomplete
// character at the end is left out; `used` says how many bytes were looked at.
[[nodiscard]] std::string utf8_text(std::string_view bytes, bool more, std::size_t& used);
[[nodiscard]] std::string utf8_text(std::string_view bytes);

}  // namespace linden

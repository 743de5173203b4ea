// api/data/content_name.h: what bytes are called by their content.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace linden::data {

// 32 hex digits, the XXH3-128 of the bytes, then "-" and their count in decimal.  Fit to be the
// name of a file.  XXH3 is no cryptographic hash: whoever can store bytes under a wrong name can
// run code on every engine anyway (docs/decisions/0014-data-path.md).
[[nodiscard]] std::string content_name(std::string_view bytes);

// Whether `name` is spelt like one; the size that it says in `size`.
[[nodiscard]] bool parse_content_name(std::string_view name, std::uint64_t& size) noexcept;

}  // namespace linden::data

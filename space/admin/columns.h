// space/admin/columns.h: how wide text is on a terminal, so that columns stay columns.  Pure.
#pragma once

#include <cstddef>
#include <string_view>

namespace linden::admin {

// Of text in UTF-8 without control characters: 2 for a wide character, 0 for one that combines.
[[nodiscard]] std::size_t columns_of(std::string_view text);

// The longest beginning that takes at most so many columns.
[[nodiscard]] std::string_view cut_to(std::string_view text, std::size_t columns);

}  // namespace linden::admin

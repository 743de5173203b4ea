// space/storage/space_name.h: what every maker says about names and numbers of spaces.
#pragma once

#include <string_view>

#include <linden/ids.h>
#include <linden/result.h>

namespace linden::storage {

inline constexpr std::size_t kSpaceNameBytesMax = 255;

// kInvalidArgument if no space can have this name.
[[nodiscard]] Result<void> check_space_name(std::string_view name);

[[nodiscard]] Failure space_exists(std::string_view name);
[[nodiscard]] Failure no_such_space(SpaceNumber number);

}  // namespace linden::storage

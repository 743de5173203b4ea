// linden/version.h: which release this is, and which protocol it speaks.
#pragma once

#include <cstdint>
#include <string_view>

namespace linden {

inline constexpr std::string_view kVersion = "0.1.0";  // as in meson.build

// Raised when an old peer could misunderstand a new one; both must be equal.
inline constexpr std::uint32_t kProtocolVersion = 1;

}  // namespace linden

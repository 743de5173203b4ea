// api/data/system_error.h: what the system refused, as linden::Error.
#pragma once

#include <cerrno>
#include <cstring>
#include <string>

#include <linden/error.h>

namespace linden::data {

// Throws Error kStorageFailed: what was tried, and errno's words.
[[noreturn]] inline void throw_system_error(const std::string& what) {
  throw Error(ErrorCode::kStorageFailed, "cannot " + what + ": " + std::strerror(errno));
}

}  // namespace linden::data

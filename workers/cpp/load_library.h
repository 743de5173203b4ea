// workers/cpp/load_library.h: functions from shared libraries (linden/plugin.h).
#pragma once

#include <string>

#include <linden/function_registry.h>

namespace linden::worker {

// Loads the library, which stays until the process ends, and adds its functions.  `path` as for
// dlopen: with a slash it is that file.  Throws Error kInvalidArgument, whose message begins with
// the path: it cannot be loaded, is no library of functions or one for another version, or has a
// function whose name is taken.
void load_library(const std::string& path, FunctionRegistry& functions);

}  // namespace linden::worker

// linden/plugin.h: a shared library of functions for space-worker.
//
//   #include <linden/plugin.h>
//
//   LINDEN_PLUGIN(functions) {
//     functions.add("mul", [](std::int64_t a, std::int64_t b) { return a * b; });
//   }
//
// Build it as a shared library against linden-worker (docs/howto/engine-in-cpp.md) and serve it
// with `space-worker --load ./libmine.so`.
#pragma once

#include <cstdint>
#include <functional>

#include <linden/function_registry.h>

namespace linden {

// What a library tells of itself before anything else of it is used.
struct Plugin {
  std::uint32_t version;      // kPluginVersion of the headers that it was compiled with
  std::uint32_t fingerprint;  // kPluginFingerprint: whether both sides see the same C++ library
  void (*add_functions)(FunctionRegistry& functions);
};

// Rises whenever a library that was compiled before would not work any more.
inline constexpr std::uint32_t kPluginVersion = 1;
inline constexpr std::uint32_t kPluginFingerprint = static_cast<std::uint32_t>(
    sizeof(Value) << 16U | sizeof(FunctionRegistry) << 8U | sizeof(FunctionRegistry::Function));
// The one C function that a library exports; it returns the library's Plugin.
inline constexpr const char* kPluginSymbol = "linden_plugin";

}  // namespace linden

// Defines that function; what follows in braces adds functions to the registry that it names.
#define LINDEN_PLUGIN(functions)                                                                 \
  static void linden_add_functions(::linden::FunctionRegistry& functions);                       \
  extern "C" __attribute__((visibility("default"))) const ::linden::Plugin* linden_plugin() {    \
    static const ::linden::Plugin plugin{::linden::kPluginVersion, ::linden::kPluginFingerprint, \
                                         &linden_add_functions};                                 \
    return &plugin;                                                                              \
  }                                                                                              \
  static void linden_add_functions(::linden::FunctionRegistry& functions)

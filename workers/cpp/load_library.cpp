// workers/cpp/load_library.cpp
#include "workers/cpp/load_library.h"

#include <dlfcn.h>

#include <exception>

#include <linden/error.h>
#include <linden/plugin.h>

namespace linden::worker {
namespace {

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  throw Error(ErrorCode::kInvalidArgument, path + ": " + why);
}

const Plugin& plugin_of(const std::string& path) {
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* why = ::dlerror();
    refuse(path, std::string("cannot be loaded: ") + (why == nullptr ? "unknown reason" : why));
  }
  using Entry = const Plugin* (*)();
  // What dlsym gives is a function, by the name that it was asked for.
  const auto entry = reinterpret_cast<Entry>(::dlsym(library, kPluginSymbol));
  if (entry == nullptr)
    refuse(path, std::string("is no library of functions: it does not export ") + kPluginSymbol +
                     "; write LINDEN_PLUGIN(functions) { ... } in it (linden/plugin.h)");
  const Plugin* plugin = entry();
  if (plugin == nullptr || plugin->add_functions == nullptr)
    refuse(path,
           std::string("is no library of functions: its ") + kPluginSymbol + " gives nothing");
  return *plugin;
}

}  // namespace

void load_library(const std::string& path, FunctionRegistry& functions) {
  const Plugin& plugin = plugin_of(path);
  if (plugin.version != kPluginVersion)
    refuse(path, "was compiled for version " + std::to_string(plugin.version) +
                     " of plug-ins, and this program has version " +
                     std::to_string(kPluginVersion) + "; compile it again");
  if (plugin.fingerprint != kPluginFingerprint)
    refuse(path,
           "was compiled with another C++ library or compiler than this program; compile it "
           "again with the same");
  try {
    plugin.add_functions(functions);
  } catch (const std::exception& error) {
    refuse(path, error.what());
  }
}

}  // namespace linden::worker

// tests/workers/cpp/plugins/wrong_version.cpp: a plug-in from another time.
#include <linden/plugin.h>

namespace {
void add_nothing(linden::FunctionRegistry& /*functions*/) {}
}  // namespace

extern "C" __attribute__((visibility("default"))) const linden::Plugin* linden_plugin() {
  static const linden::Plugin plugin{linden::kPluginVersion + 1, linden::kPluginFingerprint,
                                     &add_nothing};
  return &plugin;
}

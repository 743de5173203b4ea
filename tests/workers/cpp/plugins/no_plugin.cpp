// tests/workers/cpp/plugins/no_plugin.cpp: a shared library that has nothing to do with us.
extern "C" __attribute__((visibility("default"))) int something_else() {
  return 17;
}

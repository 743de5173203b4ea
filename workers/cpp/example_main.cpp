// workers/cpp/example_main.cpp: space-worker, an engine with a few functions of its own; copy it
// and register yours.
#include <csignal>
#include <iostream>

#include <linden/client.h>

#include "workers/cpp/engine.h"

namespace {

linden::Engine* running = nullptr;  // for the signal handler, which cannot be given anything

std::int64_t fibonacci(std::int64_t n) {
  return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

linden::FunctionRegistry functions() {
  linden::FunctionRegistry registry;
  registry.add("mul", [](std::int64_t a, std::int64_t b) { return a * b; });
  registry.add("fibonacci", &fibonacci);
  registry.add("word_count", [](const std::string& text) {
    std::int64_t words = 0;
    bool inside = false;
    for (const char c : text) {
      const bool blank = c == ' ' || c == '\n' || c == '\t';
      words += !blank && !inside ? 1 : 0;
      inside = !blank;
    }
    return words;
  });
  return registry;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 2 || count > 3) {
    std::cerr << "usage: space-worker ADDRESS [SPACE]\n"
                 "  ADDRESS  of the space server: unix:/path/to.sock or tcp:host:port\n"
                 "  SPACE    of the farm (default: farm)\n"
                 "Serves tasks with queue \"native\" until SIGTERM or Ctrl-C.\n";
    return 2;
  }
  try {
    linden::ConnectOptions options;
    options.address = arguments[1];
    options.name = "space-worker";
    auto client = linden::Client::connect(options);
    linden::Engine engine(client.open_space(count == 3 ? arguments[2] : "farm"), functions());
    running = &engine;
    std::signal(SIGTERM, [](int) { running->stop(); });
    std::signal(SIGINT, [](int) { running->stop(); });
    engine.run();
    client.close();
    return 0;
  } catch (const linden::Error& error) {
    std::cerr << "space-worker: " << error.what() << "\n";
    return 1;
  }
}

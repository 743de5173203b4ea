// A C++ program that serves a farm as an engine: clients in any language call its functions by
// name.
//
//   engine unix:/path/to/server.sock
//
// and in Python, for one: view.apply_sync(linden.native("primes_below"), 100)
#include <csignal>
#include <cstdint>
#include <exception>
#include <iostream>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include <linden/client.h>
#include <linden/engine.h>

namespace {

std::vector<std::int64_t> primes_below(std::int64_t limit) {
  std::vector<std::int64_t> primes;
  for (std::int64_t n = 2; n < limit; ++n) {
    bool prime = true;
    for (const auto p : primes) prime = prime && n % p != 0;
    if (prime) primes.push_back(n);
  }
  return primes;
}

linden::FunctionRegistry functions() {
  linden::FunctionRegistry registry;
  registry.add("primes_below", &primes_below);
  registry.add("mean", [](const std::vector<double>& numbers) {
    if (numbers.empty()) throw std::domain_error("no numbers have no mean");
    return std::accumulate(numbers.begin(), numbers.end(), 0.0) /
           static_cast<double>(numbers.size());
  });
  return registry;
}

linden::Engine* running = nullptr;  // for the signal handler, which cannot be given anything

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::cerr << "usage: engine ADDRESS\n";
    return 2;
  }
  try {
    linden::ConnectOptions options;
    options.address = arguments[1];
    options.name = "engine";
    auto client = linden::Client::connect(options);
    linden::Engine engine(client.open_space("farm"), functions());
    running = &engine;
    std::signal(SIGTERM, [](int) { running->stop(); });
    std::signal(SIGINT, [](int) { running->stop(); });
    engine.run();
    client.close();
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "engine: " << error.what() << "\n";
    return 1;
  }
}

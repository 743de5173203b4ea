// tests/simulation/test_simulation.cpp: runs histories, one per seed.
//
//   test_simulation [--seeds N] [--first S]    N histories from seed S on, until one fails
//   test_simulation --seed S                   one history; prints it if it fails
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>

#include "tests/simulation/simulation.h"

namespace {

constexpr int kSteps = 400;

// What was broken, or empty.
std::string run(std::uint64_t seed, bool print) {
  linden::simulation::Simulation simulation(seed, print);
  try {
    simulation.run(kSteps);
    simulation.come_to_rest();
    return {};
  } catch (const linden::simulation::Broken& broken) {
    if (print) {
      for (const std::string& line : simulation.history()) std::cout << line << '\n';
    }
    return broken.what();
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t first = 1;
  std::uint64_t seeds = 1000;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (i + 1 == argc) {
      std::cerr << option << ": wanted a number after it\n";
      return 2;
    }
    const std::uint64_t number = std::strtoull(argv[++i], nullptr, 10);
    if (option == "--seeds") {
      seeds = number;
    } else if (option == "--first") {
      first = number;
    } else if (option == "--seed") {
      first = number;
      seeds = 1;
    } else {
      std::cerr << option << ": unknown; there are --seeds N, --first S, --seed S\n";
      return 2;
    }
  }
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    if (run(seed, false).empty()) continue;
    const std::string broken = run(seed, true);
    std::cout << "seed " << seed << ": " << broken << "\nrun again with --seed " << seed << '\n';
    return 1;
  }
  std::cout << seeds << " histories from seed " << first << " on kept every promise\n";
  return 0;
}

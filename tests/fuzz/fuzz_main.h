// tests/fuzz/fuzz_main.h: runs a fuzz target without a fuzzer.
//
// A target defines LLVMFuzzerTestOneInput and fuzz_samples().  Built by Meson it is a program of
// its own that mutates the samples at random:
//   build/tests/fuzz/fuzz-frame --runs 1000000 --seed 7
// It prints the seed and run before it dies (`--seed S --runs N` repeats all of it).  Under clang
// the same file is a libFuzzer target:
//   clang++ -std=c++20 -g -fsanitize=fuzzer,address,undefined -DLINDEN_LIBFUZZER -I. -Iapi/include
//     -Ibuild/api/wire/proto tests/fuzz/fuzz_frame.cpp api/model/*.cpp api/wire/*.cpp
//     build/api/wire/proto/linden/wire/v1/*.pb.cc -lprotobuf-lite -o fuzz-frame
#pragma once

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

// Valid inputs to start from.
std::vector<std::string> fuzz_samples(std::uint64_t seed);

// Unlike assert, this is also there when NDEBUG is defined, and says where.
#define FUZZ_CHECK(condition)                                              \
  do {                                                                     \
    if (!(condition)) {                                                    \
      std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                        \
    }                                                                      \
  } while (false)

#ifndef LINDEN_LIBFUZZER

namespace linden::fuzz {

inline std::uint64_t run_now = 0;
inline std::uint64_t seed_now = 0;

class Mutator {
 public:
  explicit Mutator(std::uint64_t seed) : random_(seed) {}

  std::string mutated(const std::vector<std::string>& samples) {
    std::string bytes = samples[below(samples.size())];
    for (std::size_t count = below(4); count > 0; --count) change(bytes, samples);
    return bytes;
  }

 private:
  std::size_t below(std::size_t bound) { return bound == 0 ? 0 : random_() % bound; }

  void change(std::string& bytes, const std::vector<std::string>& samples) {
    const std::size_t at = below(bytes.size() + 1);
    switch (below(6)) {
      case 0:
        bytes.resize(at);
        break;
      case 1:
        bytes.insert(at, 1 + below(4), static_cast<char>(random_()));
        break;
      case 2:
        bytes.erase(at, 1 + below(4));
        break;
      case 3: {
        const std::string& other = samples[below(samples.size())];
        bytes = bytes.substr(0, at) + other.substr(below(other.size() + 1));
        break;
      }
      case 4:
        if (at + 4 <= bytes.size()) {  // a length field, perhaps
          const std::uint32_t number = static_cast<std::uint32_t>(random_()) >> below(32);
          std::memcpy(bytes.data() + at, &number, 4);
        }
        break;
      default:
        if (at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8)));
    }
  }

  std::mt19937_64 random_;
};

inline std::uint64_t option(int count, char** words, const char* name, std::uint64_t standard) {
  for (int i = 1; i + 1 < count; ++i)
    if (std::string_view(words[i]) == name) return std::strtoull(words[i + 1], nullptr, 10);
  return standard;
}

}  // namespace linden::fuzz

int main(int count, char** words) {
  using namespace linden::fuzz;
  const std::uint64_t runs = option(count, words, "--runs", 20'000);
  seed_now = option(count, words, "--seed", 1);
  std::atexit([] { std::printf("seed %lu: %lu runs\n", seed_now, run_now); });
  // FUZZ_CHECK, assert and an exception that nobody catches all end here.
  std::signal(SIGABRT, [](int) {
    std::fprintf(stderr, "seed %lu: failed in run %lu\n", seed_now, run_now);
  });
  const auto samples = fuzz_samples(seed_now);
  Mutator mutator(seed_now);
  for (; run_now < runs; ++run_now) {
    const std::string input = mutator.mutated(samples);
    // An allocation of exactly this size, so that a sanitizer sees every byte read beyond it.
    const std::vector<std::uint8_t> bytes(input.begin(), input.end());
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  }
  return 0;
}

#endif

// tests/chaos/worker.h: one client process of a chaos run, which does everything that clients do,
// at random, until it is told to end, and writes down what it asked and what it was answered.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "tests/chaos/history.h"

namespace linden::chaos {

inline constexpr const char* kSpaceName = "chaos";

// Words whose tuples are taken by calls, and those that only streams take from.
inline constexpr std::string_view kWords = "abcd";
inline constexpr Word kReservedByStreams = 's';
inline constexpr Word kTakenByStreams = 't';
inline constexpr std::string_view kAllWords = "abcdst";

struct WorkerOptions {
  std::string address;
  std::filesystem::path history;
  ProcessNumber process = 0;
  std::uint64_t seed = 0;
};

// Runs until SIGTERM, then says goodbye.  Returns the exit code: 0, or 1 with a message on standard
// error if the session has ended for good.
int run_worker(const WorkerOptions& options);

}  // namespace linden::chaos

// tests/workers/cpp/plugins/test_functions.cpp: a plug-in whose functions do what the tests of
// space-worker need: compute, fail, crash, wait and print.
#include <tbb/blocked_range.h>
#include <tbb/enumerable_thread_specific.h>
#include <tbb/parallel_for.h>
#include <tbb/parallel_reduce.h>

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <ostream>
#include <stdexcept>
#include <string>
#include <thread>

#include <linden/plugin.h>
#include <linden/task_context.h>

namespace {

using linden::Array;

class TooLarge : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

std::int64_t mul(std::int64_t a, std::int64_t b) {
  return a * b;
}

std::int64_t fail(const std::string& why) {
  throw TooLarge(why);
}

// Writes where nothing is.
std::int64_t crash() {
  volatile int* nowhere = nullptr;
  *nowhere = 1;
  return 0;
}

// Leaves a line in `file` when it begins, and runs until its task is cancelled or `file`.go is
// there.
std::string wait(const std::string& file) {
  { std::ofstream(file, std::ios::app) << "begun\n"; }
  const auto stop = linden::this_task();
  while (!stop.stop_requested()) {
    if (std::filesystem::exists(file + ".go")) return "gone on";
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  std::ofstream(file, std::ios::app) << "cancelled\n";
  return "whatever";
}

std::int64_t print(const std::string& text, std::int64_t times) {
  for (std::int64_t i = 0; i < times; ++i) linden::task_output() << text << " " << i << "\n";
  linden::task_errors() << "done" << std::endl;
  return times;
}

Array scaled(const Array& array, double factor) {
  std::vector<double> elements;
  elements.reserve(array.size());
  for (const double element : array.as<double>()) elements.push_back(factor * element);
  return Array::adopt(std::move(elements), array.shape());
}

// A parallel loop inside of the task, on the engine's arena; how many threads took part in it.
std::int64_t threads_of_a_loop(std::int64_t least) {
  tbb::enumerable_thread_specific<int> seen;
  std::mutex mutex;
  std::condition_variable changed;
  std::int64_t here = 0;
  tbb::parallel_for(std::int64_t{0}, least, [&](std::int64_t) {
    seen.local() = 1;
    std::unique_lock lock(mutex);
    ++here;
    changed.notify_all();
    // Until so many are in the loop at once; a loop on fewer threads goes on after a while.
    changed.wait_for(lock, std::chrono::seconds(5), [&] { return here >= least; });
  });
  return static_cast<std::int64_t>(seen.size());
}

double sum(std::int64_t count) {
  return tbb::parallel_reduce(
      tbb::blocked_range<std::int64_t>(0, count), 0.0,
      [](const auto& range, double part) {
        for (std::int64_t i = range.begin(); i != range.end(); ++i) part += static_cast<double>(i);
        return part;
      },
      std::plus<>());
}

}  // namespace

LINDEN_PLUGIN(functions) {
  functions.add("mul", &mul);
  functions.add("fail", &fail);
  functions.add("crash", &crash);
  functions.add("wait", &wait);
  functions.add("print", &print);
  functions.add("scaled", &scaled);
  functions.add("threads_of_a_loop", &threads_of_a_loop);
  functions.add("sum", &sum);
  functions.add("nothing", [] {});
  functions.add("same", [](const linden::Value& value) { return value; });
  functions.add("bad_text", [] { return std::string("\xFF"); });
  functions.add_any("count", [](const linden::List& arguments) {
    return linden::Value(static_cast<std::int64_t>(arguments.size()));
  });
}

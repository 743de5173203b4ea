// A C++ program that has the engines of a farm count words.
//
//   mapreduce unix:/path/to/server.sock poem.txt
#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

#include <linden/linden.h>

namespace {

void count_words(const linden::Farm& farm, const std::string& file) {
  // The mapper is in C++ and comes with Linden; your own come from a shared library.
  linden::MapReduce words(linden::JobFunction::native("words"), linden::JobFunction::sum());
  words.name = "words";
  const auto job = words.run(farm, linden::TextFiles{{file}});
  job.for_each<std::string, std::int64_t>([](const std::string& word, std::int64_t times) {
    std::cout << word << " " << times << "\n";
  });
  std::cout << job.progress().phase << ", " << job.counters().at("map records") << " lines\n";

  // Whoever knows its name finds it, until it is purged.
  linden::MapReduce::attach(farm, "words").purge();
}

void count_digits(const linden::Farm& farm) {
  // Functions of Python are named by their module; records can be any plain values.  This mapper
  // gives keys alone: the characters of a text.
  linden::MapReduce digits(linden::JobFunction::python("builtins:list"),
                           linden::JobFunction::count());
  const auto job = digits.run(farm, std::vector<std::string>{"31415", "27182", "16180"});
  std::cout << "digits:";
  for (const auto& [digit, times] : job.pairs<std::string, std::int64_t>())
    std::cout << " " << digit << "=" << times;
  std::cout << "\n";
  job.purge();
}

void fail(const linden::Farm& farm) {
  // What a function raises ends the job, and is an exception here.
  linden::MapReduce wrong(linden::JobFunction::python("math:sqrt"), linden::JobFunction::sum());
  const auto job = wrong.run(farm, std::vector<double>{4.0, -1.0});
  try {
    job.get();
  } catch (const linden::RemoteError& error) {
    std::cout << "error: " << error.name() << ", so the job has " << job.progress().phase << "\n";
  }
  job.purge();
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) {
    std::cerr << "usage: mapreduce ADDRESS FILE\n";
    return 2;
  }
  try {
    linden::ConnectOptions options;
    options.address = arguments[1];
    options.name = "mapreduce";
    auto client = linden::Client::connect(options);
    const linden::Farm farm(client);
    count_words(farm, arguments[2]);
    count_digits(farm);
    fail(farm);
    client.close();
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "mapreduce: " << error.what() << "\n";
    return 1;
  }
}

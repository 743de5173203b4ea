// A C++ program that has Python functions run by the engines of a farm.
//
//   submit unix:/path/to/server.sock
#include <cstdint>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include <linden/linden.h>

namespace {

// The same as a coroutine: nothing waits while the engines work.
linden::Future<double> hypotenuse(linden::View view, double a, double b) {
  const double square = co_await view.call_python<double>("operator:add", a * a, b * b);
  co_return co_await view.call_python<double>("math:sqrt", square);
}

void compute(const linden::Farm& farm) {
  const auto view = farm.view();

  // One call.  The result is a future, and has the type that is asked for.
  auto root = view.call_python<double>("math:sqrt", 2.0);
  std::cout << "sqrt(2) = " << root.get() << "\n";

  // Many calls, a chunk of them in each task.  A pair is two arguments.
  std::vector<std::pair<int, int>> hands;
  for (int cards = 0; cards <= 5; ++cards) hands.emplace_back(52, cards);
  auto counts = view.map_python<std::int64_t>("math:comb", hands);
  std::cout << "hands:";
  for (const auto count : counts.get()) std::cout << " " << count;
  std::cout << "\n";

  std::cout << "hypotenuse(3, 4) = " << hypotenuse(view, 3.0, 4.0).get() << "\n";

  // What a function raises is an exception here, too.
  auto failed = view.call_python<double>("math:sqrt", -1.0);
  const std::string id = failed.id();
  try {
    failed.get();
  } catch (const linden::RemoteError& error) {
    std::cout << "error: " << error.name() << ": " << error.message() << "\n";
  }

  // The result stays until it is purged; whoever knows its id finds it.
  try {
    farm.result<double>(id).get();
  } catch (const linden::RemoteError& error) {
    std::cout << "found again: " << error.name() << "\n";
  }
  farm.purge(id);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::cerr << "usage: submit ADDRESS\n";
    return 2;
  }
  try {
    linden::ConnectOptions options;
    options.address = arguments[1];
    options.name = "submit";
    auto client = linden::Client::connect(options);
    compute(linden::Farm(client));
    client.close();
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "submit: " << error.what() << "\n";
    return 1;
  }
}

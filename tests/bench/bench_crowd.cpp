// tests/bench/bench_crowd.cpp: what a take and the put of the same tuple cost together, as one
// client sees it, when so many tuples are there (P6).
//
//   bench_crowd ADDRESS TUPLES FIELD    prints microseconds for a take and a put
//
// The tuples are ("task", number, "name-<number>").  FIELD 0 asks for "task", which all have, so
// the oldest is taken; 1 and 2 ask for a field whose value no other tuple has, anywhere in the
// space.  A hundred takes are under way at a time, then a hundred puts, over one connection.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include <linden/client.h>
#include <linden/space.h>

namespace {

using namespace linden;  // NOLINT(google-build-using-namespace)
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kWindow = 100;
constexpr std::uint64_t kFill = 1'000;  // tuples in a put
constexpr auto kRound = std::chrono::milliseconds(500);
constexpr int kRounds = 5;

Tuple numbered(std::uint64_t number) {
  return Tuple{"task", static_cast<std::int64_t>(number), "name-" + std::to_string(number)};
}

Template form_by_field(int field, std::uint64_t number) {
  if (field == 0) return Template{"task", kInt, kText};
  if (field == 1) return Template{kText, static_cast<std::int64_t>(number), kText};
  return Template{kText, kInt, "name-" + std::to_string(number)};
}

class Crowd {
 public:
  Crowd(Space space, std::uint64_t tuples, int field)
      : space_(std::move(space)), client_(space_.client()), tuples_(tuples), field_(field) {}

  void fill() {
    std::vector<RequestId> puts;
    for (std::uint64_t first = 0; first < tuples_; first += kFill) {
      PutOp put;
      for (std::uint64_t number = first; number < std::min(first + kFill, tuples_); ++number) {
        put.tuples.push_back({numbered(number), {}});
      }
      puts.push_back(client_.send(space_.number(), std::move(put)));
      if (puts.size() == kWindow) wait_all(puts);
    }
    wait_all(puts);
    take_and_put_back();  // the space learns how it is asked
  }

  // Takes and puts for so long; the microseconds for one of each.
  double measure() {
    const auto start = Clock::now();
    std::uint64_t done = 0;
    while (Clock::now() - start < kRound) done += take_and_put_back();
    const std::chrono::duration<double, std::micro> spent = Clock::now() - start;
    return spent.count() / static_cast<double>(done);
  }

 private:
  std::uint64_t take_and_put_back() {
    std::unordered_set<std::uint64_t> numbers;
    while (numbers.size() < std::min(kWindow, tuples_)) numbers.insert(next_random() % tuples_);
    std::vector<RequestId> takes;
    for (const std::uint64_t number : numbers) {
      TakeOp take{TakeMode::kTake, {form_by_field(field_, number)}};
      takes.push_back(client_.send(space_.number(), std::move(take)));
    }
    std::vector<RequestId> puts;
    for (const RequestId take : takes) {
      auto found = std::get<Found>(answer_of(take));
      PutOp put{{{std::move(found.tuples.at(0).tuple), {}}}};
      puts.push_back(client_.send(space_.number(), std::move(put)));
    }
    wait_all(puts);
    return numbers.size();
  }

  Answer answer_of(RequestId request) {
    auto answer = client_.wait(request, std::chrono::minutes(2));
    if (!answer) throw Error({ErrorCode::kOutcomeUnknown, "no answer within two minutes"});
    return std::move(*answer);
  }
  void wait_all(std::vector<RequestId>& puts) {
    for (const RequestId put : puts) (void)std::get<PutDone>(answer_of(put));
    puts.clear();
  }
  std::uint64_t next_random() {
    random_ = random_ * 6364136223846793005U + 1442695040888963407U;
    return random_ >> 33;
  }

  Space space_;
  Client client_;
  std::uint64_t tuples_;
  int field_;
  std::uint64_t random_ = 1;
};

}  // namespace

int main(int argc, char** argv) try {
  const std::vector<std::string_view> words(argv + 1, argv + argc);
  std::uint64_t tuples = 0;
  if (words.size() != 3 || words[2].size() != 1 || words[2] < "0" || words[2] > "2" ||
      std::from_chars(words[1].data(), words[1].data() + words[1].size(), tuples).ec !=
          std::errc{} ||
      tuples == 0) {
    std::cerr << "usage: bench_crowd ADDRESS TUPLES FIELD, where FIELD is 0, 1 or 2\n";
    return 2;
  }
  ConnectOptions options;
  options.address = words[0];
  Client client = Client::connect(options);
  SpaceOptions make;
  make.create = true;
  Crowd crowd(client.open_space("crowd", make), tuples, words[2][0] - '0');
  crowd.fill();
  std::vector<double> rounds;
  for (int round = 0; round < kRounds; ++round) rounds.push_back(crowd.measure());
  std::sort(rounds.begin(), rounds.end());
  std::cout << rounds[kRounds / 2] << '\n';
  client.close();
} catch (const std::exception& error) {
  std::cerr << "bench_crowd: " << error.what() << '\n';
  return 1;
}

// tests/bench/bench_worker.cpp: tasks per second end to end: a C++ client gives tasks that do
// nothing to engines in C++ and has all results.
//
//   bench_worker ADDRESS TASKS FUNCTION take|read
// take: the results leave the space (in); read: they stay there for others (rd), as those of the
// views do.  Prints one number; fails if a result is missing, doubled or no success.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <linden/client.h>
#include <linden/farm.h>
#include <linden/field_view.h>
#include <linden/space.h>

namespace linden {
namespace {

constexpr std::int64_t kFrameTasks = 1'024;
constexpr std::int64_t kOutstandingMax = 16 * kFrameTasks;
constexpr std::uint32_t kCredit = 100'000;
constexpr Duration kPatience = std::chrono::seconds(30);
constexpr std::size_t kNumber = 2;
constexpr std::size_t kStatus = 3;

class Load {
 public:
  Load(const std::string& address, std::string function, TakeMode mode)
      : client_(connect(address)), space_(open(client_)), function_(std::move(function)) {
    StreamOp form;
    form.mode = mode;
    form.templates = {farm::results_form(to_string(client_.session()))};
    form.credit = kCredit;
    results_.emplace(space_.open_stream(std::move(form)));
  }

  // Tasks per second.
  double run(std::int64_t tasks) {
    seen_.assign(static_cast<std::size_t>(tasks), false);
    const auto start = std::chrono::steady_clock::now();
    std::int64_t put = 0;
    for (std::int64_t done = 0; done < tasks;) {
      while (put < tasks && put - done <= kOutstandingMax - kFrameTasks) {
        const auto count = std::min(kFrameTasks, tasks - put);
        put_frame(put, count);
        put += count;
      }
      const auto batch = results_->next_batch(kPatience, kCredit);
      if (batch.empty()) throw std::runtime_error("no results any more");
      for (const auto& one : batch) check(one.tuple);
      done += static_cast<std::int64_t>(batch.size());
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    for (const RequestId request : requests_) (void)client_.wait(request, kPatience);
    return static_cast<double>(tasks) / took.count();
  }

 private:
  static Client connect(const std::string& address) {
    ConnectOptions options;
    options.address = address;
    options.name = "bench_worker";
    return Client::connect(options);
  }
  static Space open(Client client) {
    SpaceOptions options;
    options.create = true;
    options.initial = farm::initial_tuples();
    return client.open_space(farm::kDefaultSpace, options);
  }

  void put_frame(std::int64_t first, std::int64_t count) {
    PutOp put;
    put.tuples.reserve(static_cast<std::size_t>(count));
    farm::Call call;
    call.task.client = to_string(client_.session());
    for (std::int64_t number = first; number < first + count; ++number) {
      call.task.number = number;
      call.queue = farm::kNativeQueue;
      call.function = function_;
      call.payload = List{};
      put.tuples.push_back(farm::new_task(call));
    }
    requests_.push_back(client_.send(space_.number(), std::move(put), AnswerTo::kPatientWaiter));
  }

  void check(const Tuple& result) {
    encoding::FieldTable fields;
    encoding::split(result, fields);
    const auto number = static_cast<std::size_t>(encoding::int_of(fields.fields[kNumber]));
    if (encoding::text_of(fields.fields[kStatus]) != farm::kOk)
      throw std::runtime_error("a task failed: " + to_string(result));
    if (number >= seen_.size() || seen_[number]) throw std::runtime_error("a result too many");
    seen_[number] = true;
  }

  Client client_;
  Space space_;
  std::string function_;
  std::optional<Stream> results_;
  std::vector<RequestId> requests_;
  std::vector<bool> seen_;
};

}  // namespace
}  // namespace linden

int main(int count, char** arguments) {
  const std::string_view mode = count == 5 ? arguments[4] : "";
  if (mode != "take" && mode != "read") {
    std::fprintf(stderr, "usage: bench_worker ADDRESS TASKS FUNCTION take|read\n");
    return 2;
  }
  try {
    linden::Load load(arguments[1], arguments[3],
                      mode == "take" ? linden::TakeMode::kTake : linden::TakeMode::kRead);
    std::printf("%.0f\n", load.run(std::strtoll(arguments[2], nullptr, 10)));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_worker: %s\n", error.what());
    return 1;
  }
}

// api/farm/farm_client.cpp: giving tasks, and hearing of their results.
#include "api/farm/farm_client.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <map>
#include <utility>

#include <boost/json.hpp>

#include "api/client/answers.h"

namespace linden::client {

namespace {

constexpr std::uint32_t kResultsCredit = 4096;  // results that are on their way at a time
constexpr std::size_t kPutTuplesMax = 1000;     // tasks in one request
constexpr std::size_t kPutBytesMax = std::size_t{8} << 20;

// The futures of tasks; it must not keep the farm, which has them.
class TaskSource final : public detail::FutureSource {
 public:
  TaskSource(std::weak_ptr<FarmClient> farm, std::weak_ptr<Core> core,
             std::shared_ptr<Callbacks> callbacks, std::shared_ptr<ResultTable> results,
             std::string session)
      : farm_(std::move(farm)),
        core_(std::move(core)),
        callbacks_(std::move(callbacks)),
        results_(std::move(results)),
        session_(std::move(session)) {}

  bool wait(detail::FutureState& state, Duration timeout, const Interrupt& interrupt) override {
    const auto core = core_.lock();
    return core ? core->wait(state, timeout, interrupt) : state.ready();
  }
  void cancel(detail::FutureState& state) override {
    const auto farm = farm_.lock();
    const farm::TaskId task{session_, static_cast<std::int64_t>(state.origin().number)};
    if (farm) farm->cancel({&task, 1}, kCancelFor);
  }
  void abandon(detail::FutureState& state) override {
    results_->forget(static_cast<std::int64_t>(state.origin().number));
  }
  void run(std::function<void()> continuation) override {
    callbacks_->run(std::move(continuation));
  }

 private:
  std::weak_ptr<FarmClient> farm_;
  std::weak_ptr<Core> core_;
  std::shared_ptr<Callbacks> callbacks_;
  std::shared_ptr<ResultTable> results_;
  std::string session_;
};

// The answer to a put of tasks, which interests nobody unless it is a refusal.
class PutWatch final : public detail::FutureState {
 public:
  PutWatch(std::shared_ptr<ResultTable> results, std::int64_t first, std::int64_t count)
      : results_(std::move(results)), first_(first), count_(count) {}

  void set_answer(Answer answer) override {
    if (const auto* refused = std::get_if<Refused>(&answer))
      results_->refuse(first_, count_, *refused);
    set_ready();
  }

 private:
  std::shared_ptr<ResultTable> results_;
  std::int64_t first_;
  std::int64_t count_;
};

// Whether engines that run Python choose among themselves which of them runs it; those in C++ do
// not.
bool may_choose(const farm::Call& call) {
  return !call.engine && call.queue.starts_with(farm::kAnyQueue);
}

// As python/linden/map_task.py says it.
std::string rather_on(const std::string& host, std::uint64_t bytes, std::uint32_t attempts,
                      const std::vector<std::string>& tags) {
  boost::json::object conditions;
  conditions["attempts"] = attempts;
  if (!tags.empty()) conditions["tags"] = boost::json::value_from(farm::checked_tags(tags));
  conditions["hosts"] = boost::json::array{boost::json::array{host, bytes}};
  return boost::json::serialize(conditions);
}

// The farms that this process has open; those that have gone are left in it until the next comes.
struct OpenFarms {
  std::mutex mutex;
  std::vector<std::weak_ptr<FarmClient>> farms;
};

OpenFarms& open_farms() {
  static OpenFarms farms;
  return farms;
}

}  // namespace

double wall_clock_s() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::shared_ptr<FarmClient> FarmClient::open(Client client, std::string_view space) {
  SpaceOptions options;
  options.create = true;
  options.initial = farm::initial_tuples();
  auto opened = client.open_space(space, options);
  // The constructor is private; the pointer owns at once.
  std::shared_ptr<FarmClient> farm(new FarmClient(std::move(opened), client.core_));
  farm->source_ = std::make_shared<TaskSource>(farm, client.core_, client.core_->callbacks(),
                                               farm->results_, farm->session_);
  OpenFarms& others = open_farms();
  const std::lock_guard lock(others.mutex);
  std::erase_if(others.farms, [](const auto& other) { return other.expired(); });
  others.farms.push_back(farm);
  return farm;
}

FarmClient::FarmClient(Space space, std::shared_ptr<Core> core)
    : space_(std::move(space)),
      core_(std::move(core)),
      session_(to_string(core_->session())),
      data_(space_) {}

FarmClient::~FarmClient() {
  data_.close();
  if (stream_) core_->close_stream(*stream_);
  results_->end({ErrorCode::kClosed, "the farm was closed: nobody has a share in it any more"});
}

std::optional<DataNode> FarmClient::data_of(std::string_view farm_id) {
  try {
    return data_.node_of(farm_id);
  } catch (const Error&) {
    return std::nullopt;  // its server has gone
  }
}

std::pair<std::shared_ptr<FarmClient>, DataNode> FarmClient::holder_of(const std::string& farm_id) {
  std::vector<std::weak_ptr<FarmClient>> farms;
  {
    OpenFarms& open = open_farms();
    const std::lock_guard lock(open.mutex);
    farms = open.farms;
  }
  // A farm that does not answer is not waited for before one that does.
  for (const bool connected : {true, false}) {
    for (const auto& each : farms) {
      auto farm = each.lock();
      if (!farm || farm->space().client().connected() != connected) continue;
      if (auto node = farm->data_of(farm_id)) return {std::move(farm), std::move(*node)};
    }
  }
  throw Error(ErrorCode::kNoMatch,
              "this result has large parts in a farm that this process has not open any more");
}

void FarmClient::open_results() {
  const std::lock_guard lock(mutex_);
  if (stream_) return;
  StreamOp form;
  form.mode = TakeMode::kRead;
  form.templates = {farm::results_form(session_)};
  form.credit = kResultsCredit;
  stream_ = core_->open_stream(space_.number(), std::move(form), results_);
}

std::vector<std::string> FarmClient::submit(
    const Submission& what, std::vector<Value> payloads,
    const std::vector<std::shared_ptr<detail::FutureState>>& futures) {
  if (payloads.empty()) return {};
  open_results();
  const auto count = static_cast<std::int64_t>(payloads.size());
  const std::int64_t first = core_->task_numbers(count);
  const double now = wall_clock_s();
  std::vector<NewTuple> tasks;
  std::vector<std::string> ids;
  std::map<std::size_t, farm::Call> large;  // by where they are in `tasks`
  for (std::int64_t i = 0; i < count; ++i) {
    farm::Call call;
    call.task = {session_, first + i};
    call.queue = what.queue;
    call.function = what.function;
    call.payload = std::move(payloads[static_cast<std::size_t>(i)]);
    call.is_map = what.is_map;
    call.retries = what.options.retries;
    call.priority = what.options.priority;
    call.submitted = now;
    call.label = what.options.label;
    call.engine = what.engine;
    ids.push_back(farm::message_id(call.task));
    tasks.push_back(farm::new_task(call));
    if (tasks.back().tuple.byte_size() >= kLargeDataBytes && has_large(call.payload))
      large.emplace(tasks.size() - 1, std::move(call));
  }
  auto uses = by_reference(std::move(large), tasks, what.options.tags);
  for (std::int64_t i = 0; i < count; ++i) {
    const auto& future = futures[static_cast<std::size_t>(i)];
    future->begins_at({source_, space_.number(), static_cast<std::uint64_t>(first + i),
                       detail::GiveBack::kNothing});
    results_->add(first + i, future);
  }
  std::size_t bytes = 0;
  std::vector<NewTuple> some;
  std::int64_t next = first;
  std::int64_t here = 0;  // tasks in `some`
  const auto put_some = [&] {
    put(std::exchange(some, {}), next, here);
    next += std::exchange(here, 0);
    bytes = 0;
  };
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const std::size_t size = tasks[i].tuple.byte_size();
    if (here > 0 && (some.size() >= kPutTuplesMax || bytes + size > kPutBytesMax)) put_some();
    bytes += size;
    if (!uses.empty()) std::ranges::move(uses[i], std::back_inserter(some));
    some.push_back(std::move(tasks[i]));
    ++here;
  }
  put_some();
  return ids;
}

// The tuples that keep what those of `tasks` name whose calls are `large`, by where these are.
std::map<std::size_t, std::vector<NewTuple>> FarmClient::by_reference(
    std::map<std::size_t, farm::Call>&& large, std::vector<NewTuple>& tasks,
    const std::vector<std::string>& tags) {
  std::map<std::size_t, std::vector<NewTuple>> uses;
  TaskData::Stored stored;
  for (auto& [at, call] : large) {
    auto given = data_.give_out(call.payload, call.task.number, stored, uses[at]);
    call.payload = std::move(given.payload);
    const auto host = given.bytes_here > 0 && may_choose(call) ? data_.host_that_matters() : "";
    if (!host.empty()) {
      const auto attempts = tasks[at].attributes.max_attempts;
      call.conditions = rather_on(host, given.bytes_here, attempts, tags);
    }
    tasks[at] = farm::new_task(call);
  }
  return uses;
}

void FarmClient::put(std::vector<NewTuple> tuples, std::int64_t first, std::int64_t count) {
  const auto watch = std::make_shared<PutWatch>(results_, first, count);
  try {
    core_->send(space_.number(), PutOp{std::move(tuples), {}}, watch, detail::GiveBack::kNothing,
                AnswerTo::kPatientWaiter);
  } catch (const Error& error) {  // no task of it was put: so all of its futures say
    watch->set_answer(Refused{error.code(), error.what()});
  }
}

void FarmClient::expect_function(std::string_view name) {
  {
    const std::lock_guard lock(mutex_);
    if (known_functions_.contains(name)) return;
  }
  std::set<std::string, std::less<>> there;
  bool any = false;
  for (const auto& engine : engines()) {
    if (engine.language != "C++") continue;
    any = true;
    there.insert(engine.functions.begin(), engine.functions.end());
  }
  if (any && !there.contains(name)) {
    std::string names;
    for (const auto& one : there) names += (names.empty() ? "" : ", ") + one;
    throw Error(ErrorCode::kInvalidArgument,
                "no engine in C++ has a function '" + std::string(name) + "'; there are: " + names);
  }
  const std::lock_guard lock(mutex_);
  known_functions_.merge(there);
}

std::vector<EngineInfo> FarmClient::engines() {
  std::vector<EngineInfo> engines;
  auto walk = space_.iterate(farm::engines_form());
  while (const auto one = walk.next()) engines.push_back(read_engine(one->tuple));
  std::sort(engines.begin(), engines.end(),
            [](const auto& a, const auto& b) { return a.id < b.id; });
  return engines;
}

void FarmClient::find(const farm::TaskId& task,
                      const std::shared_ptr<detail::FutureState>& future) {
  core_->send(space_.number(),
              take_op(TakeMode::kRead, farm::results_form(task.client, task.number), 1, kForever),
              future, detail::GiveBack::kNothing);
}

}  // namespace linden::client

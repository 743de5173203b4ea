// api/farm/mapreduce_job.cpp: what linden/mapreduce_job.h declares, by tasks and tuples that any
// client could put.
#include <linden/mapreduce_job.h>

#include <algorithm>
#include <filesystem>
#include <random>
#include <boost/json.hpp>

namespace linden {
namespace {

constexpr std::string_view kKind = "mapreduce";
constexpr std::string_view kInput = "input";
constexpr std::string_view kDone = "done";
constexpr std::string_view kFailed = "failed";
constexpr std::string_view kCancelling = "cancelling";
constexpr std::string_view kCancelled = "cancelled";
// What engines are asked about a job comes before the tasks of any.
constexpr std::int32_t kPriority = 1'000'000;
// How often it is looked whether anybody drives.
constexpr Duration kLook = std::chrono::seconds(1);
// How the driver numbers tasks (python/linden/mapreduce_state.py).
constexpr int kAttemptShift = 25;
constexpr int kPhaseShift = 24;
constexpr std::int64_t kIndexMax = 0xFFFFFF;

using Clock = std::chrono::steady_clock;

// Of python/linden/mapreduce_remote.py.
std::string remote(std::string_view function) {
  return "linden.mapreduce_remote:" + std::string(function);
}

View urgent(const View& view) {
  TaskOptions options;
  options.priority = kPriority;
  return view.with(std::move(options));
}

// The task leaves nothing in the farm, however it ends.
template <class T>
T result_of(const Farm& farm, AsyncResult<T> task, const Interrupt& interrupt = {}) {
  struct Purge {
    const Farm& farm;
    std::string id;
    ~Purge() {
      try {
        static_cast<void>(farm.purge(id));
      } catch (const Error&) {
        // The session has ended: whoever purges results of dead clients finds it.
      }
    }
  };
  const Purge purge{farm, task.id()};
  return task.get(kForever, interrupt);
}

std::string new_id() {
  std::random_device random;
  const auto word = [&random] { return (std::uint64_t{random()} << 32) | random(); };
  return to_string(SessionId{word(), word()});
}

Template job_form(const std::string& name) {
  return Template{"job", name, kKind, kText, kText, kText};
}

bool is_over(std::string_view phase) {
  return phase == kDone || phase == kFailed || phase == kCancelled;
}

std::int64_t number_in(const boost::json::object& facts, std::string_view name) {
  const auto* found = facts.if_contains(name);
  return found != nullptr && found->is_int64() ? found->get_int64() : 0;
}

// How many tasks of a phase have results; a second copy is not counted twice.
std::int64_t count_results(Space space, const std::string& id, std::int64_t phase,
                           std::int64_t tasks) {
  std::int64_t count = 0;
  for (std::int64_t attempt = 1; count < tasks; ++attempt) {
    const std::int64_t first = (attempt << kAttemptShift) | (phase << kPhaseShift);
    const auto more = static_cast<std::int64_t>(
        space.count(Template{"result", id, Between{first, first + kIndexMax}, kText, kList, kAny}));
    if (more == 0 && attempt > 1) break;
    count += more;
  }
  return std::min(count, tasks);
}

// What is left of a time that began a while ago.
class Left {
 public:
  explicit Left(Duration timeout) : timeout_(timeout) {}
  [[nodiscard]] Duration now() const {
    if (timeout_ == kForever) return kForever;
    return std::max(timeout_ - std::chrono::duration_cast<Duration>(Clock::now() - began_),
                    Duration::zero());
  }

 private:
  Duration timeout_;
  Clock::time_point began_ = Clock::now();
};

}  // namespace

// ---- Functions

JobFunction JobFunction::python(std::string path) {
  if (path.find(':') == std::string::npos) {
    throw Error(ErrorCode::kInvalidArgument,
                "a Python function is named 'package.module:function', found '" + path + "'");
  }
  return JobFunction(List{"python", std::move(path)});
}

JobFunction JobFunction::native(std::string name, std::string library) {
  if (library.empty()) return JobFunction(List{"native", std::move(name)});
  return JobFunction(
      List{"native", std::move(name), std::filesystem::absolute(std::move(library)).string()});
}

JobFunction JobFunction::sum() {
  return JobFunction(List{"sum"});
}
JobFunction JobFunction::min() {
  return JobFunction(List{"min"});
}
JobFunction JobFunction::max() {
  return JobFunction(List{"max"});
}
JobFunction JobFunction::count() {
  return JobFunction(List{"count"});
}

// ---- Starting

MapReduceJob MapReduce::run(const Farm& farm, const TextFiles& files) const {
  List paths;
  for (const auto& path : files.paths) paths.emplace_back(std::filesystem::absolute(path).string());
  List options;
  const auto give = [&options](std::string_view what, Value value) {
    options.emplace_back(List{what, std::move(value)});
  };
  if (files.split_bytes != 0) give("split_bytes", files.split_bytes);
  give("encoding", to_plain(files.encoding));
  give("delimiter", Bytes::copy_of(std::string_view(&files.delimiter, 1)));
  return start(farm, List{"text", std::move(paths), std::move(options)});
}

MapReduceJob MapReduce::start(const Farm& farm, const List& source) const {
  const std::string id = new_id();
  const std::string called = name.empty() ? "job-" + id.substr(0, 8) : name;
  List options;
  const auto give = [&options](std::string_view what, Value value) {
    options.emplace_back(List{what, std::move(value)});
  };
  if (partitions != 0) give("partitions", partitions);
  if (memory != 0) give("memory", memory);
  if (threads != 0) give("threads", threads);
  if (retries) give("retries", *retries);
  if (!output.empty()) give("output", std::filesystem::absolute(output).string());
  give("sort", sort);
  give("priority", std::int64_t{priority});
  const List functions{mapper.plain(), reducer.plain(),
                       combiner ? Value(combiner->plain()) : Value()};
  result_of(farm, urgent(farm.view())
                      .call_python<void>(remote("start"), called, id, functions, options, source));
  return {farm, called, id};
}

MapReduceJob MapReduce::attach(const Farm& farm, const std::string& name) {
  const auto found = farm.space().try_read(job_form(name));
  if (!found) {
    throw Error(ErrorCode::kNoMatch, "there is no MapReduce job '" + name + "' in farm '" +
                                         farm.space().name() + "'; was it purged?");
  }
  return {farm, name, found->tuple[3].as_text()};
}

// ---- How it stands

std::pair<std::string, std::string> MapReduceJob::read() const {
  const auto found = farm_.space().try_read(Template{"job", name_, kKind, id_, kText, kText});
  if (!found)
    throw Error(ErrorCode::kNoMatch, "MapReduce '" + name_ + "' is not in the farm: it was purged");
  return {found->tuple[4].as_text(), found->tuple[5].as_text()};
}

MapReduceJob::Progress MapReduceJob::progress() const {
  const auto [phase, text] = read();
  const auto parsed = boost::json::parse(text);
  const auto& facts = parsed.as_object();
  Progress progress;
  progress.phase = phase;
  progress.maps = number_in(facts, "maps");
  progress.reduces = number_in(facts, "reduces");
  if (phase == kDone) {
    progress.maps_done = progress.maps;  // their results have gone
    progress.reduces_done = progress.reduces;
    return progress;
  }
  progress.maps_done = count_results(farm_.space(), id_, 0, progress.maps);
  progress.reduces_done = count_results(farm_.space(), id_, 1, progress.reduces);
  return progress;
}

std::map<std::string, std::int64_t> MapReduceJob::counters() const {
  std::map<std::string, std::int64_t> counters;
  const auto parsed = boost::json::parse(read().second);
  const auto* found = parsed.as_object().if_contains("counters");
  if (found == nullptr || !found->is_object()) return counters;
  for (const auto& [what, count] : found->get_object())
    if (count.is_int64()) counters.emplace(what, count.get_int64());
  return counters;
}

// ---- Waiting

void MapReduceJob::drive_if_nobody_does() const {
  const auto right = farm_.space().list(Template{"job_driver", id_}, {}, 1);
  if (right.tuples.empty() || right.tuples.front().state != TupleState::kReady) return;
  result_of(farm_, urgent(farm_.view()).call_python<void>(remote("drive"), name_));
}

bool MapReduceJob::wait(Duration timeout, const Interrupt& interrupt) const {
  const Left left(timeout);
  const Template ended{
      "job", name_, kKind, id_, OneOf{{Value(kDone), Value(kFailed), Value(kCancelled)}}, kText};
  while (true) {
    const Duration rest = left.now();
    try {
      static_cast<void>(
          farm_.space().read(ended, rest == kForever ? kLook : std::min(rest, kLook), interrupt));
      return true;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kNoMatch) throw;
    }
    if (rest == Duration::zero() || (interrupt && interrupt())) return false;
    const auto phase = read().first;
    if (phase != kInput && !is_over(phase)) drive_if_nobody_does();
  }
}

void MapReduceJob::get(Duration timeout, const Interrupt& interrupt) const {
  if (!wait(timeout, interrupt)) {
    throw Error(ErrorCode::kOutcomeUnknown,
                "MapReduce '" + name_ + "' is not done yet; it may be asked again");
  }
  const auto phase = read().first;
  if (phase == kCancelled) throw TaskCancelled(name_, "MapReduce '" + name_ + "' was cancelled");
  // What it has failed with is known from its tasks' results, and read as Python reads them.
  if (phase == kFailed)
    result_of(farm_, urgent(farm_.view()).call_python<void>(remote("outcome"), name_), interrupt);
}

bool MapReduceJob::cancel(Duration timeout) const {
  const Left left(timeout);
  while (true) {
    const auto found = farm_.space().try_read(Template{"job", name_, kKind, id_, kText, kText});
    if (!found) throw Error(ErrorCode::kNoMatch, "MapReduce '" + name_ + "' is not in the farm");
    const auto phase = found->tuple[4].as_text();
    if (is_over(phase)) return phase == kCancelled;
    try {
      if (phase != kCancelling) {
        const Tuple wish{"job", name_, kKind, id_, kCancelling, found->tuple[5]};
        farm_.space().commit({{wish, {}}}, {}, {found->id});
      }
      break;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kTransactionConflict) throw;  // it has changed meanwhile
    }
  }
  return wait(left.now()) && read().first == kCancelled;
}

// ---- Results

void MapReduceJob::each_page(const std::function<void(const List&)>& page) const {
  get();
  const std::string reader = new_id();
  std::optional<View> engine;
  std::int64_t of = -1;
  // Pages are made by one engine, which knows where it is, for as long as it lives.
  const auto choose = [&] {
    for (const auto& each : farm_.engines()) {
      if (each.language != "Python" || each.id == of) continue;
      try {
        engine = urgent(farm_.engine(each.id));
        of = each.id;
        return;
      } catch (const Error& error) {
        if (error.code() != ErrorCode::kNoMatch) throw;  // it has gone a moment ago
      }
    }
    throw Error(ErrorCode::kNoMatch, "there is no engine that runs Python in farm '" +
                                         farm_.space().name() +
                                         "', which is what reads results of MapReduce");
  };
  choose();
  for (std::int64_t number = 0;;) {
    try {
      const Value found =
          result_of(farm_, engine->call_python<Value>(remote("page"), name_, reader, number));
      const List& answer = found.as_list();
      page(answer.at(0).as_list());
      ++number;
      if (answer.at(1).as_bool()) break;
    } catch (const EngineDied&) {
      choose();
    }
  }
  result_of(farm_, engine->call_python<void>(remote("end_reading"), name_, reader));
}

std::vector<std::string> MapReduceJob::paths() const {
  get();
  return result_of(
      farm_, urgent(farm_.view()).call_python<std::vector<std::string>>(remote("paths"), name_));
}

void MapReduceJob::purge() const {
  result_of(farm_, urgent(farm_.view()).call_python<void>(remote("purge"), name_));
}

}  // namespace linden

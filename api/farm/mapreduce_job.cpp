// api/farm/mapreduce_job.cpp: what linden/mapreduce_job.h declares, by tasks and tuples that any
// client could put.
#include <linden/mapreduce_job.h>

#include <algorithm>
#include <filesystem>
#include <random>
#include <thread>
#include <boost/json.hpp>

namespace linden {
namespace {

constexpr std::string_view kKind = "mapreduce";
constexpr std::string_view kPython = "Python";  // of an engine
constexpr std::string_view kInput = "input";
constexpr std::string_view kDone = "done";
constexpr std::string_view kFailed = "failed";
constexpr std::string_view kCancelling = "cancelling";
constexpr std::string_view kCancelled = "cancelled";
// What engines are asked about a job comes before the tasks of any.
constexpr std::int32_t kPriority = 1'000'000;
// How often it is looked whether anybody drives, and whether there is an engine to answer.
constexpr Duration kLook = std::chrono::seconds(1);
// Before a page is asked for again: what is lost of it may have to be made by the engine that was
// asked.
constexpr Duration kPageAgainAfter = std::chrono::milliseconds(200);
// Nothing depends on whether an engine hears that a reading has ended.
constexpr Duration kGoodbyeFor = std::chrono::seconds(5);
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

std::string phase_of(const Match& job) {
  return job.tuple[4].as_text();
}

boost::json::object facts_of(const Match& job) {
  return boost::json::parse(job.tuple[5].as_text()).as_object();
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

// ---- Asking engines

// How long a caller goes on waiting.
class Left {
 public:
  explicit Left(Duration timeout = kForever, const Interrupt& interrupt = {}) : timeout_(timeout) {
    // It may say so only once, and whoever asks later is to know it, too.
    if (interrupt) {
      interrupt_ = [this, interrupt] { return interrupted_ = interrupted_ || interrupt(); };
    }
  }
  Left(const Left&) = delete;
  Left& operator=(const Left&) = delete;

  [[nodiscard]] Duration now() const {
    if (timeout_ == kForever) return kForever;
    return std::max(timeout_ - std::chrono::duration_cast<Duration>(Clock::now() - began_),
                    Duration::zero());
  }
  // So long it waits before it looks again.
  [[nodiscard]] Duration slice() const { return std::min(now(), kLook); }
  [[nodiscard]] bool is_over() const { return interrupted_ || now() == Duration::zero(); }
  // Asks, too, where nothing is waited for.  Throws Error kOutcomeUnknown: it is over.
  void require() const {
    if (interrupt_) interrupt_();
    if (is_over()) throw late();
  }
  [[nodiscard]] static Error late() {
    return {ErrorCode::kOutcomeUnknown,
            "no engine has answered in time what MapReduce has asked; it may be asked again"};
  }
  [[nodiscard]] const Interrupt& interrupt() const { return interrupt_; }

 private:
  Duration timeout_;
  Clock::time_point began_ = Clock::now();
  Interrupt interrupt_;
  mutable bool interrupted_ = false;
};

// Ends the task if it has not ended, and leaves nothing of it in the farm.
void forget(const Farm& farm, const std::string& id) {
  try {
    if (farm.purge(id)) return;
    farm.cancel(id, kLook);
    // An engine that is told to interrupt it says soon that it has.
    static_cast<void>(farm.result(id).wait(kLook));
    static_cast<void>(farm.purge(id));
  } catch (const Error&) {
    // The session has ended, or the task cannot be had so soon: whoever purges results of dead
    // clients finds it.
  }
}

struct Forgotten {
  Forgotten(const Farm& farm, std::string id) : farm(farm), id(std::move(id)) {}
  ~Forgotten() { forget(farm, id); }
  Forgotten(const Forgotten&) = delete;
  Forgotten& operator=(const Forgotten&) = delete;

  const Farm& farm;
  std::string id;
};

bool has_engine(const Farm& farm, std::optional<std::int64_t> id = std::nullopt) {
  const auto engines = farm.engines();
  return std::ranges::any_of(engines, [&](const EngineInfo& engine) {
    return engine.language == kPython && (!id || engine.id == *id);
  });
}

Error no_engine(const Farm& farm) {
  return {ErrorCode::kNoMatch, "there is no engine that runs Python in farm '" +
                                   farm.space().name() +
                                   "', and MapReduce needs one; start engines"};
}

// What the task gives, which `engine` has, or whichever is free.  Throws Error kOutcomeUnknown:
// nothing in time; kNoMatch: no engine is there that could give it; EngineDied: `engine` has gone.
template <class T>
T answer_of(const Farm& farm, AsyncResult<T> task, const Left& left,
            std::optional<std::int64_t> engine = std::nullopt) {
  const Forgotten forgotten(farm, task.id());
  while (!task.wait(left.slice(), left.interrupt())) {
    if (left.is_over()) throw Left::late();
    if (has_engine(farm, engine)) continue;
    if (!engine) throw no_engine(farm);
    throw EngineDied(task.id(), "engine " + std::to_string(*engine) + " has gone");
  }
  return task.get();
}

// What the function `what` of python/linden/mapreduce_remote.py gives in whatever engine is free
// first.
template <class T, class... Arguments>
T ask(const Farm& farm, std::string_view what, const Left& left, const Arguments&... arguments) {
  return answer_of(farm, urgent(farm.view()).call_python<T>(remote(what), arguments...), left);
}

// Asks engines to go on with a job, one after the other, and waits for none of them.
class Driving {
 public:
  Driving(const Farm& farm, const std::string& name) : farm_(farm), name_(name) {}
  ~Driving() {
    if (asked_) forget(farm_, asked_->id());
  }
  Driving(const Driving&) = delete;
  Driving& operator=(const Driving&) = delete;

  // Nobody drives.  Throws what the engine that was asked says, and Error kNoMatch: there is none.
  void look() {
    if (!asked_) {
      asked_ = urgent(farm_.view()).call_python<void>(remote("drive"), name_);
    } else if (asked_->ready()) {
      end();
    } else if (!has_engine(farm_)) {
      throw no_engine(farm_);
    }
  }

 private:
  void end() {
    const Forgotten forgotten(farm_, asked_->id());
    auto asked = std::exchange(asked_, std::nullopt);
    try {
      asked->get();
    } catch (const EngineDied&) {
      // Another one is asked at the next look.
    }
  }

  const Farm& farm_;
  const std::string& name_;
  std::optional<AsyncResult<void>> asked_;
};

// Somebody who reads the results of a job, page by page.  One engine makes the pages, since it
// knows where it is, for as long as it lives.
class Reading {
 public:
  Reading(const Farm& farm, const std::string& name, const Left& left)
      : farm_(farm), name_(name), left_(left) {}
  ~Reading() {
    if (left_.is_over()) return;  // nor does the caller wait for this
    try {
      if (engine_) ask_it<void>("end_reading", Left(kGoodbyeFor), reader_);
    } catch (const Error&) {
      // An engine closes what nobody reads on when it has too many.
    } catch (const TaskFailed&) {
      // It has died, and its readings with it.
    }
  }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;

  // The next page: a list of pairs, and whether it is the last.  Throws as answer_of.
  Value next() {
    while (true) {
      left_.require();
      choose();
      try {
        auto page = ask_it<Value>("page", left_, reader_, number_);
        if (page.is_nil()) {
          std::this_thread::sleep_for(std::min(left_.now(), kPageAgainAfter));
          continue;
        }
        ++number_;
        return page;
      } catch (const EngineDied&) {
        engine_.reset();
      }
    }
  }

 private:
  // Another engine, if the last one has died.
  void choose() {
    if (engine_) return;
    for (const auto& each : farm_.engines()) {
      if (each.language != kPython || each.id == id_) continue;
      try {
        engine_ = urgent(farm_.engine(each.id));
        id_ = each.id;
        return;
      } catch (const Error& error) {
        if (error.code() != ErrorCode::kNoMatch) throw;  // it has gone a moment ago
      }
    }
    throw no_engine(farm_);
  }

  template <class T, class... Arguments>
  T ask_it(std::string_view what, const Left& left, const Arguments&... arguments) {
    return answer_of(farm_, engine_->call_python<T>(remote(what), name_, arguments...), left, id_);
  }

  const Farm& farm_;
  const std::string& name_;
  const Left& left_;
  const std::string reader_ = new_id();
  std::optional<View> engine_;
  std::int64_t id_ = -1;
  std::int64_t number_ = 0;
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
  ask<void>(farm, "start", Left(), called, id, functions, options, source);
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

Template MapReduceJob::form() const {
  return Template{"job", name_, kKind, id_, kText, kText};
}

Match MapReduceJob::found() const {
  if (auto found = farm_.space().try_read(form())) return std::move(*found);
  throw Error(ErrorCode::kNoMatch, "MapReduce '" + name_ + "' is not in farm '" +
                                       farm_.space().name() + "' any more: it was purged");
}

MapReduceJob::Progress MapReduceJob::progress() const {
  const auto job = found();
  const auto facts = facts_of(job);
  Progress progress;
  progress.phase = phase_of(job);
  progress.maps = number_in(facts, "maps");
  progress.reduces = number_in(facts, "reduces");
  if (progress.phase == kDone) {
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
  const auto facts = facts_of(found());
  const auto* counted = facts.if_contains("counters");
  if (counted == nullptr || !counted->is_object()) return counters;
  for (const auto& [what, count] : counted->get_object())
    if (count.is_int64()) counters.emplace(what, count.get_int64());
  return counters;
}

// ---- Waiting

bool MapReduceJob::wait(Duration timeout, const Interrupt& interrupt) const {
  const Left left(timeout, interrupt);
  Driving driving(farm_, name_);
  auto over = farm_.space().read_async(Template{
      "job", name_, kKind, id_, OneOf{{Value(kDone), Value(kFailed), Value(kCancelled)}}, kText});
  while (!over.wait(left.slice(), left.interrupt())) {
    if (left.is_over()) return false;
    const auto right = farm_.space().list(Template{"job_driver", id_}, {}, 1);
    if (!right.tuples.empty() && right.tuples.front().state != TupleState::kReady) continue;
    const auto phase = phase_of(found());
    if (is_over(phase)) continue;
    if (phase != kInput) {
      driving.look();
    } else if (!has_engine(farm_)) {  // whoever puts its input may have gone
      throw no_engine(farm_);
    }
  }
  over.get();
  return true;
}

void MapReduceJob::get(Duration timeout, const Interrupt& interrupt) const {
  const Left left(timeout, interrupt);
  if (!wait(timeout, left.interrupt())) {
    throw Error(ErrorCode::kOutcomeUnknown,
                "MapReduce '" + name_ + "' is not done yet; it may be asked again");
  }
  const auto phase = phase_of(found());
  if (phase == kCancelled) throw TaskCancelled(name_, "MapReduce '" + name_ + "' was cancelled");
  // What it has failed with is known from its tasks' results, and read as Python reads them.
  if (phase == kFailed) ask<void>(farm_, "outcome", left, name_);
}

bool MapReduceJob::cancel(Duration timeout, const Interrupt& interrupt) const {
  const Left left(timeout, interrupt);
  while (true) {
    const auto job = found();
    const auto phase = phase_of(job);
    if (is_over(phase)) return phase == kCancelled;
    if (phase == kCancelling) break;
    try {
      const Tuple wish{"job", name_, kKind, id_, kCancelling, job.tuple[5]};
      farm_.space().commit({{wish, {}}}, {}, {job.id});
      break;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kTransactionConflict) throw;  // it has changed meanwhile
    }
  }
  return wait(left.now(), left.interrupt()) && phase_of(found()) == kCancelled;
}

// ---- Results

void MapReduceJob::each_page(const std::function<void(const List&)>& page, Duration timeout,
                             const Interrupt& interrupt) const {
  const Left left(timeout, interrupt);
  get(left.now(), left.interrupt());
  Reading reading(farm_, name_, left);
  for (bool is_last = false; !is_last;) {
    const Value next = reading.next();
    is_last = next.as_list().at(1).as_bool();
    page(next.as_list().at(0).as_list());  // what it throws is the caller's, not an engine's
  }
}

std::vector<std::string> MapReduceJob::paths(Duration timeout, const Interrupt& interrupt) const {
  const Left left(timeout, interrupt);
  get(left.now(), left.interrupt());
  return ask<std::vector<std::string>>(farm_, "paths", left, name_);
}

void MapReduceJob::purge(Duration timeout, const Interrupt& interrupt) const {
  ask<void>(farm_, "purge", Left(timeout, interrupt), name_);
}

}  // namespace linden

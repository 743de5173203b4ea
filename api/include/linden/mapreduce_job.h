// linden/mapreduce_job.h: MapReduce jobs that a program in C++ starts.
//
//   linden::MapReduce words(linden::JobFunction::native("words"), linden::JobFunction::sum());
//   auto job = words.run(farm, linden::TextFiles{{"log.txt"}});
//   for (const auto& [word, times] : job.pairs<std::string, std::int64_t>()) ...
//
// A job runs on engines that run Python, whatever its functions are written in, and is like any
// that Python starts (docs/tutorial/mapreduce.md): its state is tuples of the farm, and any client
// finds it by its name.  One of the engines drives it, beside its tasks.  If that one dies, whoever
// waits for the job has another one go on.  Functions in C++ are registered as linden/mapreduce.h
// says.
//
// What takes an engine that runs Python throws Error kNoMatch, within seconds, where none serves
// the farm: start engines, and call it again.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <ranges>
#include <string>
#include <utility>
#include <vector>

#include <linden/plain.h>
#include <linden/views.h>

namespace linden {

// A mapper, a reducer or a combiner.
class JobFunction {
 public:
  // A function of Python, named "package.module:function", which engines import.
  [[nodiscard]] static JobFunction python(std::string path);
  // One in C++, by the name under which the shared library of that path registers it; "": one that
  // Linden brings: the mapper "words", the reducer "pairs".  Engines load the library.
  [[nodiscard]] static JobFunction native(std::string name, std::string library = "");
  // Reducers and combiners of numbers.
  [[nodiscard]] static JobFunction sum();
  [[nodiscard]] static JobFunction min();
  [[nodiscard]] static JobFunction max();
  // As the reducer of a mapper that yields keys alone: how often each came.
  [[nodiscard]] static JobFunction count();

  [[nodiscard]] const List& plain() const noexcept { return words_; }  // as engines are told

 private:
  explicit JobFunction(List words) : words_(std::move(words)) {}
  List words_;
};

// Text files as records, one per line.
struct TextFiles {
  std::vector<std::string> paths;  // or patterns; every engine has to see them under these paths
  std::int64_t split_bytes = 0;    // how much a map task reads; 0: as Linden finds best
  // Of records for functions in Python; none: they are bytes.
  std::optional<std::string> encoding = "utf-8";
  char delimiter = '\n';  // between records
};

class MapReduceJob;

// What is to be done with records; `run` does it.
struct MapReduce {
  MapReduce(JobFunction map, JobFunction reduce)
      : mapper(std::move(map)), reducer(std::move(reduce)) {}

  JobFunction mapper;                   // gets a record, gives pairs of key and value
  JobFunction reducer;                  // gets a key and its values, gives a result
  std::optional<JobFunction> combiner;  // in Python, sum, min, max: one value of some
  std::int64_t partitions = 0;          // reduce tasks; 0: two for each engine
  bool sort = true;                     // whether results come in the order of keys
  std::int64_t memory = 0;              // bytes of pairs in a task before it spills; 0: 256 MiB
  std::int64_t threads = 0;             // of C++ in a task; 0: those that engines leave
  std::optional<std::int64_t> retries;  // as of TaskOptions
  std::int32_t priority = 0;            // as of TaskOptions
  std::string name;                     // to find it again; "": made up
  std::string output;                   // a directory for files of "key, tab, value"; "": none

  // Starts a job, and returns when all of its input is in the farm.  Throws RemoteError: of type
  // ValueError if there is a job of that name, or for what makes no sense; FileNotFoundError.
  // Error kNoMatch: there is no engine.
  [[nodiscard]] MapReduceJob run(const Farm& farm, const TextFiles& files) const;
  // Records travel with the job, and in a single request: what is larger than some megabytes
  // belongs into files.
  template <std::ranges::input_range Records>
  [[nodiscard]] MapReduceJob run(const Farm& farm, const Records& records) const;

  // A job that anybody has started.  Throws Error kNoMatch: there is none of that name.
  [[nodiscard]] static MapReduceJob attach(const Farm& farm, const std::string& name);

 private:
  [[nodiscard]] MapReduceJob start(const Farm& farm, const List& source) const;
};

// A job that runs, or has run.  A small value: copies are the same job, and what it is asked it
// asks the farm.  Its results stay in the farm until `purge`, also when the program ends.
class MapReduceJob {
 public:
  struct Progress {
    std::string phase;  // "input", "map", "reduce", "cancelling", "done", "failed", "cancelled"
    std::int64_t maps_done = 0;
    std::int64_t maps = 0;
    std::int64_t reduces_done = 0;
    std::int64_t reduces = 0;
    [[nodiscard]] bool over() const {
      return phase == "done" || phase == "failed" || phase == "cancelled";
    }
  };

  // By which anybody finds it.
  [[nodiscard]] const std::string& name() const noexcept { return name_; }

  // Each throws Error kNoMatch when the job has been purged.
  [[nodiscard]] Progress progress() const;
  // "map records", "map pairs", "reduce keys", ... and what functions have counted; when it is
  // over.
  [[nodiscard]] std::map<std::string, std::int64_t> counters() const;

  // Until it is over: true; false after `timeout`, or if interrupted.  Throws Error kNoMatch: it
  // has been purged; nobody drives it, and there is no engine that could.
  bool wait(Duration timeout = kForever, const Interrupt& interrupt = {}) const;
  // Until it is done.  Throws RemoteError: what a function has thrown, or why else it has failed;
  // TaskCancelled; Error kOutcomeUnknown after `timeout`, and then it may be asked again; as
  // wait(). What a function has thrown an engine tells, within `timeout`.
  void get(Duration timeout = kForever, const Interrupt& interrupt = {}) const;

  // Ends it, and returns once it is over; whether it was cancelled, and had not ended before; false
  // after `timeout`, or if interrupted, too.  Throws as wait(); the job is to end nevertheless, and
  // does so when an engine comes and somebody waits for it.
  bool cancel(Duration timeout = kForever, const Interrupt& interrupt = {}) const;

  // Waits, as get(), and calls `function(key, value)` for each pair, in the order of keys unless it
  // is not to be sorted; a page of them is in memory.  `timeout` is for all of that, and looked at
  // before each page; who asks again begins with the first pair.  Throws as get(); RemoteError of
  // type ValueError: results are in files; NotPlain: a value that only Python has; Error kNoMatch:
  // there is no engine to read them; whatever `function` throws, which ends the reading.
  template <class Key, class Data, class Function>
  void for_each(Function&& function, Duration timeout = kForever,
                const Interrupt& interrupt = {}) const;
  // All of them.
  template <class Key, class Data>
  [[nodiscard]] std::vector<std::pair<Key, Data>> pairs(Duration timeout = kForever,
                                                        const Interrupt& interrupt = {}) const;
  // The files that a job with `output` has written, one per partition.  Waits, and throws as get();
  // Error kNoMatch: there is no engine.
  [[nodiscard]] std::vector<std::string> paths(Duration timeout = kForever,
                                               const Interrupt& interrupt = {}) const;

  // Forgets the job, its results, and its name; one that runs is cancelled before.  Throws Error
  // kNoMatch: there is no engine; kOutcomeUnknown after `timeout`, or if interrupted: it may be
  // asked again, and may have been purged; RemoteError of type KeyError: it was purged.
  void purge(Duration timeout = kForever, const Interrupt& interrupt = {}) const;

 private:
  friend struct MapReduce;

  MapReduceJob(Farm farm, std::string name, std::string id)
      : farm_(std::move(farm)), name_(std::move(name)), id_(std::move(id)) {}

  [[nodiscard]] Template form() const;  // of its tuple
  [[nodiscard]] Match found() const;    // its tuple; throws Error kNoMatch: it was purged
  // Calls `page` with the pairs of each.
  void each_page(const std::function<void(const List&)>& page, Duration timeout,
                 const Interrupt& interrupt) const;

  Farm farm_;
  std::string name_;
  std::string id_;
};

template <std::ranges::input_range Records>
MapReduceJob MapReduce::run(const Farm& farm, const Records& records) const {
  List all;
  for (const auto& record : records) all.push_back(to_plain(record));
  return start(farm, List{"records", std::move(all)});
}

template <class Key, class Data, class Function>
void MapReduceJob::for_each(Function&& function, Duration timeout,
                            const Interrupt& interrupt) const {
  const auto page = [&](const List& pairs) {
    for (const Value& pair : pairs) {
      auto [key, value] = from_plain<std::pair<Key, Data>>(pair);
      function(std::move(key), std::move(value));
    }
  };
  each_page(page, timeout, interrupt);
}

template <class Key, class Data>
std::vector<std::pair<Key, Data>> MapReduceJob::pairs(Duration timeout,
                                                      const Interrupt& interrupt) const {
  std::vector<std::pair<Key, Data>> all;
  const auto add = [&](Key key, Data value) { all.emplace_back(std::move(key), std::move(value)); };
  for_each<Key, Data>(add, timeout, interrupt);
  return all;
}

}  // namespace linden

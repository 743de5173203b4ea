// tests/chaos/chaos.cpp: ./dev chaos.  A real server and real clients, of which any is killed,
// stopped or cut off at any moment; then a check of everything that the clients were told.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <linden/client.h>

#include "tests/chaos/checker.h"
#include "tests/chaos/nemesis.h"
#include "tests/chaos/recorder.h"
#include "tests/chaos/worker.h"

namespace linden::chaos {
namespace {

constexpr const char* kUsage =
    "usage: chaos [--seconds N] [--seed S] [--clients N] [--durability process|sync] [--json]\n"
    "       chaos --check DIRECTORY    checks what a run has kept\n";

struct Options {
  int seconds = 60;
  std::uint64_t seed = 1;
  std::size_t clients = 6;
  std::string durability = "process";
  std::optional<std::filesystem::path> check;
  bool json = false;
};

std::filesystem::path history_of(const std::filesystem::path& directory, ProcessNumber process) {
  return directory / (std::to_string(process) + ".history");
}

// ---- A run --------------------------------------------------------------------------------------

class Run {
 public:
  Run(const Options& options, std::filesystem::path directory, std::string program)
      : options_(options),
        directory_(std::move(directory)),
        program_(std::move(program)),
        server_(directory_, options.durability) {}

  void run() {
    server_.start();
    ConnectOptions connection;
    connection.address = "unix:" + server_.socket().string();
    connection.name = "controller";
    connection.memory = std::chrono::hours(1);
    connection.reconnect = std::chrono::minutes(10);
    SpaceOptions space;
    space.create = true;
    Client client = Client::connect(connection);
    Recorder controller(client.open_space(kSpaceName, space), history_of(directory_, 0), 0);
    Nemesis nemesis({directory_, program_, options_.seed, options_.clients}, server_, controller);
    const Moment from = moment_now();
    while (moment_now() < from + Moment{options_.seconds} * 1'000'000) {
      nemesis.step();
      show_progress(nemesis, from);
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    if (!nemesis.finish()) failures_.emplace_back("clients did not end when they were told to");
    // What was answered outlives the server.
    const Moment killed = moment_now();
    server_.kill();
    server_.start();
    controller.note("disturbed " + std::to_string(killed) + ' ' + std::to_string(moment_now()));
    drain(controller);
    client.close();
    if (const int status = server_.terminate(); status != 0) {
      failures_.push_back("space-server ended with " + std::to_string(status));
    }
    for (const std::string& surprise : nemesis.surprises()) failures_.push_back(surprise);
    for (std::size_t i = 0; i < kFaults; ++i) {
      const auto fault = static_cast<Fault>(i);
      faults_.emplace_back(name_of(fault), nemesis.count(fault));
    }
    read_all(nemesis.processes());
  }

  [[nodiscard]] HistoryReader& reader() { return reader_; }
  [[nodiscard]] const auto& faults() const { return faults_; }
  [[nodiscard]] const auto& failures() const { return failures_; }

 private:
  void read_all(ProcessNumber last) {
    for (ProcessNumber process = 0; process <= last; ++process) {
      const auto path = history_of(directory_, process);
      if (std::filesystem::exists(path)) reader_.read_more(process, path);
    }
  }

  void show_progress(const Nemesis& nemesis, Moment from) {
    const Moment now = moment_now();
    if (now < next_progress_) return;
    const bool to_person = ::isatty(STDERR_FILENO) != 0;
    next_progress_ = now + (to_person ? 1'000'000 : 10'000'000);
    read_all(nemesis.processes());
    std::uint64_t faults = 0;
    for (std::size_t i = 0; i < kFaults; ++i) faults += nemesis.count(static_cast<Fault>(i));
    std::fprintf(stderr, "%s%3ld s: %lu operations, %lu faults%s", to_person ? "\r" : "",
                 static_cast<long>((now - from) / 1'000'000), reader_.answers(), faults,
                 to_person ? "" : "\n");
  }

  // Takes everything, once nobody holds anything any more.
  void drain(Recorder& controller) {
    Space space = controller.space();
    const auto is_held = [&] {
      for (const SummaryGroup& group : space.summarize().groups) {
        if (group.reserved + group.started != 0) return true;
      }
      return false;
    };
    for (const Moment until = moment_now() + 60'000'000; is_held();) {
      if (moment_now() > until) {
        failures_.emplace_back("tuples are reserved although nobody is there any more");
        break;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    Call call;
    do {
      call = controller.new_call(Kind::kTake);
      TakeOp op;
      call.words = kAllWords;
      for (const Word word : kAllWords) op.templates.push_back(form_of(word));
      call.count = op.count_max = 1'000;
      controller.perform(call, std::move(op));
    } while (call.outcome == Outcome::kDone);
    note_left(controller);
  }

  // Dead tuples, which no take finds.
  static void note_left(Recorder& controller) {
    Space space = controller.space();
    Listed page;
    TupleId after;
    do {
      Call call = controller.new_call(Kind::kLeft);
      const std::uint64_t number = controller.write_question(call);
      page = space.list(std::nullopt, after, 1'000);
      for (const ListedTuple& one : page.tuples) {
        add_given(call, {{one.id, 0, 0, false, one.tuple}});
        after = one.id;
      }
      controller.write_answer(number, call, Outcome::kDone);
    } while (page.more);
  }

  const Options& options_;
  std::filesystem::path directory_;
  std::string program_;
  Server server_;
  HistoryReader reader_;
  Moment next_progress_ = 0;
  std::vector<std::pair<std::string_view, std::uint64_t>> faults_;
  std::vector<std::string> failures_;
};

// ---- The report ---------------------------------------------------------------------------------

using Counts = std::vector<std::pair<std::string_view, std::uint64_t>>;

Counts operations_of(const HistoryReader& reader) {
  Counts counts;
  for (std::size_t i = 0; i < kKinds; ++i) {
    const auto kind = static_cast<Kind>(i);
    if (reader.answers(kind) != 0) counts.emplace_back(name_of(kind), reader.answers(kind));
  }
  return counts;
}

Counts checks_of(const Verdict& verdict) {
  Counts counts{{"tuples", verdict.tuples},
                {"ended", verdict.ended},
                {"unanswered", verdict.unknown},
                {"nones", verdict.nones}};
  for (std::size_t i = 0; i <= static_cast<std::size_t>(Violation::Sort::kEarly); ++i) {
    const auto sort = static_cast<Violation::Sort>(i);
    counts.emplace_back(name_of(sort), verdict.count(sort));
  }
  return counts;
}

std::string listed(const Counts& counts, bool json) {
  std::string text;
  for (const auto& [name, count] : counts) {
    if (!text.empty()) text += ", ";
    text += json ? '"' + std::string(name) + "\": " + std::to_string(count)
                 : std::string(name) + ' ' + std::to_string(count);
  }
  return text;
}

void print(const Options& options, const Counts& operations, const Counts& faults,
           const Verdict& verdict, bool failed) {
  if (options.json) {
    std::cout << "{\"seed\": " << options.seed << ", \"seconds\": " << options.seconds
              << ", \"clients\": " << options.clients << ", \"durability\": \""
              << options.durability << "\", \"operations\": {" << listed(operations, true)
              << "}, \"faults\": {" << listed(faults, true) << "}, \"checked\": {"
              << listed(checks_of(verdict), true)
              << "}, \"passed\": " << (failed ? "false" : "true") << "}\n";
  } else {
    std::cout << "operations: " << listed(operations, false) << '\n'
              << "faults:     " << listed(faults, false) << '\n'
              << "checked:    " << listed(checks_of(verdict), false) << '\n';
  }
}

void explain(const History& history, const Verdict& verdict) {
  constexpr std::size_t kShown = 10;
  constexpr std::size_t kLines = 40;
  for (std::size_t i = 0; i < verdict.violations.size() && i < kShown; ++i) {
    const Violation& violation = verdict.violations[i];
    std::cerr << name_of(violation.sort) << ": tuple " << violation.serial << ' ' << violation.what
              << '\n';
    const auto lines = excerpt(history, violation.serial);
    for (std::size_t line = 0; line < lines.size() && line < kLines; ++line) {
      std::cerr << "    " << lines[line] << '\n';
    }
  }
}

int check_kept(const Options& options) {
  HistoryReader reader;
  for (const auto& entry : std::filesystem::directory_iterator(*options.check)) {
    if (entry.path().extension() != ".history") continue;
    reader.read_more(static_cast<ProcessNumber>(std::stoul(entry.path().stem())), entry.path());
  }
  const Verdict verdict = check(reader.history());
  print(options, operations_of(reader), {}, verdict, !verdict.violations.empty());
  explain(reader.history(), verdict);
  return verdict.violations.empty() ? 0 : 1;
}

int run(const Options& options, const std::string& program) {
  std::string name = (std::filesystem::temp_directory_path() / "chaos-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
  Run run(options, name, program);
  run.run();
  const Verdict verdict = check(run.reader().history());
  const bool failed = !verdict.violations.empty() || !run.failures().empty();
  if (::isatty(STDERR_FILENO) != 0) std::cerr << '\n';
  print(options, operations_of(run.reader()), run.faults(), verdict, failed);
  explain(run.reader().history(), verdict);
  for (const std::string& failure : run.failures()) std::cerr << failure << '\n';
  if (failed) {
    std::cerr << "kept: " << name << "; check again with --check " << name << '\n';
    return 1;
  }
  std::filesystem::remove_all(name);
  if (!options.json) std::cout << "nothing lost, nothing doubled\n";
  return 0;
}

std::optional<Options> parse(const std::vector<std::string>& words) {
  Options options;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--json") {
      options.json = true;
      continue;
    }
    if (i + 1 == words.size()) return std::nullopt;
    const std::string& value = words[i + 1];
    const auto number = std::strtoull(value.c_str(), nullptr, 10);
    if (words[i] == "--seconds" && number > 0) {
      options.seconds = static_cast<int>(number);
    } else if (words[i] == "--seed") {
      options.seed = number;
    } else if (words[i] == "--clients" && number > 0) {
      options.clients = number;
    } else if (words[i] == "--durability" && (value == "process" || value == "sync")) {
      options.durability = value;
    } else if (words[i] == "--check") {
      options.check = value;
    } else {
      return std::nullopt;
    }
    ++i;
  }
  return options;
}

}  // namespace
}  // namespace linden::chaos

int main(int count, char** arguments) try {
  using namespace linden::chaos;
  const std::vector<std::string> words(arguments + 1, arguments + count);
  if (words.size() == 5 && words[0] == "worker") {
    return run_worker({words[1], words[2], static_cast<ProcessNumber>(std::stoul(words[3])),
                       std::stoull(words[4])});
  }
  const auto options = parse(words);
  if (!options) {
    std::cerr << kUsage;
    return 2;
  }
  if (options->check) return check_kept(*options);
  return run(*options, std::filesystem::read_symlink("/proc/self/exe").string());
} catch (const std::exception& error) {
  std::cerr << "chaos: " << error.what() << '\n';
  return 1;
}

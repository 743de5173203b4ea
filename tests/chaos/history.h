// tests/chaos/history.h: what the processes of a chaos run asked, what they were answered and when,
// and the files in which this outlives them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace linden::chaos {

// Microseconds of the machine's steady clock, which all its processes share.
using Moment = std::int64_t;
inline constexpr Moment kNotYet = std::numeric_limits<Moment>::max();
[[nodiscard]] Moment moment_now();

// Field 1 of every tuple, by which it is known from all others, and field 0: one letter.
using Serial = std::int64_t;
using Word = char;

// A run's process, by number; 0 is the controller.
using ProcessNumber = std::uint32_t;

enum class Kind : std::uint8_t {
  kPut,
  kTake,  // removes
  kRead,
  kReserve,  // hides under a lease
  kHold,     // a take within a transaction: hides until the transaction ends
  kLook,     // a read within a transaction: nobody else takes it until then
  kFinish,
  kRelease,
  kCommit,  // several operations as one
  kEnd,     // the commit of a transaction: puts what it put and removes what it held
  kWill,    // not asked by anybody: the space may put the will of a tuple and remove the tuple
  kGoodbye,
  kLeft,  // the controller's last look: what no take finds, but is there
};
[[nodiscard]] std::string_view name_of(Kind kind);
inline constexpr std::size_t kKinds = static_cast<std::size_t>(Kind::kLeft) + 1;

enum class Outcome : std::uint8_t {
  kUnknown,  // no answer came; it may or may not have happened
  kDone,
  kNone,     // nothing matched
  kRefused,  // and so without effect
};

// A tuple's part in a call.
struct Item {
  enum class Part : std::uint8_t {
    kPut,    // the call puts it
    kGiven,  // the answer brought it
    kEnded,  // the call removes it, or gives it back (kRelease)
  };
  Part part = Part::kPut;
  Word word = 0;                   // kPut
  bool lives_with = false;         // kPut: with the session of its process
  bool started = true;             // kEnded by a release: counts against max_attempts
  std::int32_t priority = 0;       // kPut
  std::uint32_t attempt = 0;       // kGiven, kEnded: of the token; 0: taken or read, no token
  std::uint32_t max_attempts = 0;  // kPut
  Serial serial = 0;
  std::uint64_t id = 0;     // as far as it is known; 0: not
  std::int64_t ttl = 0;     // kPut: microseconds; 0: none
  std::int64_t delay = 0;   // kPut: microseconds
  std::uint32_t group = 0;  // kPut; 0: none
  Serial waits_for = 0;     // kPut: hidden until that tuple has been put; 0: is not guarded
  friend bool operator==(const Item&, const Item&) = default;
};

struct Call {
  ProcessNumber process = 0;
  Kind kind = Kind::kPut;
  Outcome outcome = Outcome::kUnknown;
  bool streamed = false;    // by a stream: whenever since it was opened; finishes stay unanswered
  std::uint32_t count = 1;  // takes: at most so many
  Moment asked = 0;
  Moment answered = kNotYet;
  std::string words;  // what a take or read looks for: tuples of any of these
  std::vector<Item> items;
  std::string refusal;  // kRefused: the code
  friend bool operator==(const Call&, const Call&) = default;
};

struct History {
  std::vector<Call> calls;
  // When the server had certainly seen the last of a process.
  std::map<ProcessNumber, Moment> gone;
  // Times in which something else than a client was stopped, killed or cut off.
  std::vector<std::pair<Moment, Moment>> disturbed;
};

// One line, without its end: what was asked, and what was answered.  `number` tells the calls of a
// process apart.
[[nodiscard]] std::string line_of_question(std::uint64_t number, const Call& call);
[[nodiscard]] std::string line_of_answer(std::uint64_t number, const Call& call);

// For people: both in one line, with that tuple's part in it, or all tuples' if it is 0.
[[nodiscard]] std::string to_string(const Call& call, Serial of = 0);

// Appends lines to a file.  A line is written by one call of the system before append() returns, so
// it is there even if the process is killed in the next moment.  Any thread may append.
class HistoryFile {
 public:
  explicit HistoryFile(const std::filesystem::path& path);
  ~HistoryFile();
  HistoryFile(const HistoryFile&) = delete;
  HistoryFile& operator=(const HistoryFile&) = delete;
  void append(std::string line) const;

 private:
  int descriptor_;
};

// Reads such files while they grow.
class HistoryReader {
 public:
  // Takes in what the process has written since the last time.  A torn last line waits for its
  // rest: of a killed process it never comes, and what it would have said has not happened (a
  // question) or is not known (an answer).
  void read_more(ProcessNumber process, const std::filesystem::path& path);
  // Answers so far, by kind.
  [[nodiscard]] std::uint64_t answers(Kind kind) const {
    return answers_[static_cast<std::size_t>(kind)];
  }
  [[nodiscard]] std::uint64_t answers() const;
  [[nodiscard]] History& history() { return history_; }

 private:
  struct Open {
    std::streamoff read = 0;
    std::unordered_map<std::uint64_t, std::size_t> unanswered;  // number -> index of the call
  };
  void read_line(ProcessNumber process, Open& open, std::string_view line);

  std::map<ProcessNumber, Open> open_;
  std::uint64_t answers_[kKinds] = {};
  History history_;
};

}  // namespace linden::chaos

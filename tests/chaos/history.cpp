#include "tests/chaos/history.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <chrono>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace linden::chaos {
namespace {

constexpr std::array<std::string_view, kKinds> kNames = {
    "put",     "take",   "read", "reserve", "hold",    "look", "finish",
    "release", "commit", "end",  "will",    "goodbye", "left"};
constexpr std::array<std::string_view, 4> kOutcomes = {"unknown", "done", "none", "refused"};

// +serial,word,priority,ttl,max_attempts,lives_with,id,delay,group,waits_for  =serial,id,attempt
// -serial,id,attempt,started
std::string written(const Item& item) {
  std::ostringstream out;
  switch (item.part) {
    case Item::Part::kPut:
      out << '+' << item.serial << ',' << static_cast<int>(item.word) << ',' << item.priority << ','
          << item.ttl << ',' << item.max_attempts << ',' << item.lives_with << ',' << item.id << ','
          << item.delay << ',' << item.group << ',' << item.waits_for;
      break;
    case Item::Part::kGiven:
      out << '=' << item.serial << ',' << item.id << ',' << item.attempt;
      break;
    case Item::Part::kEnded:
      out << '-' << item.serial << ',' << item.id << ',' << item.attempt << ',' << item.started;
  }
  return out.str();
}

// The text in words, which are apart by single spaces or commas; numbers where numbers are wanted.
class Words {
 public:
  explicit Words(std::string_view text, char between) : text_(text), between_(between) {}
  [[nodiscard]] bool empty() const { return text_.empty(); }
  std::string_view next() {
    const auto end = std::min(text_.find(between_), text_.size());
    const auto word = text_.substr(0, end);
    text_.remove_prefix(std::min(end + 1, text_.size()));
    return word;
  }
  template <class Number>
  Number number() {
    const auto word = next();
    Number value{};
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc() || end != word.data() + word.size()) {
      throw std::runtime_error("a history has '" + std::string(word) + "' instead of a number");
    }
    return value;
  }
  bool yes() { return number<int>() != 0; }

 private:
  std::string_view text_;
  char between_;
};

Item read_item(std::string_view text) {
  Words words(text.substr(1), ',');
  Item item;
  item.serial = words.number<Serial>();
  if (text[0] == '+') {
    item.part = Item::Part::kPut;
    item.word = static_cast<Word>(words.number<int>());
    item.priority = words.number<std::int32_t>();
    item.ttl = words.number<std::int64_t>();
    item.max_attempts = words.number<std::uint32_t>();
    item.lives_with = words.yes();
    item.id = words.number<std::uint64_t>();
    item.delay = words.number<std::int64_t>();
    item.group = words.number<std::uint32_t>();
    item.waits_for = words.number<Serial>();
    return item;
  }
  item.part = text[0] == '=' ? Item::Part::kGiven : Item::Part::kEnded;
  item.id = words.number<std::uint64_t>();
  item.attempt = words.number<std::uint32_t>();
  if (item.part == Item::Part::kEnded) item.started = words.yes();
  return item;
}

template <std::size_t N>
std::size_t index_in(const std::array<std::string_view, N>& names, std::string_view name) {
  for (std::size_t i = 0; i < N; ++i) {
    if (names[i] == name) return i;
  }
  throw std::runtime_error("a history has the unknown word '" + std::string(name) + "'");
}

}  // namespace

Moment moment_now() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

std::string_view name_of(Kind kind) {
  return kNames.at(static_cast<std::size_t>(kind));
}

std::string line_of_question(std::uint64_t number, const Call& call) {
  std::ostringstream out;
  out << "> " << number << ' ' << call.asked << ' ' << name_of(call.kind) << ' '
      << (call.words.empty() ? "-" : call.words) << ' ' << call.count << ' ' << call.streamed;
  for (const Item& item : call.items) out << ' ' << written(item);
  return out.str();
}

std::string line_of_answer(std::uint64_t number, const Call& call) {
  std::ostringstream out;
  out << "< " << number << ' ' << call.answered << ' '
      << kOutcomes.at(static_cast<std::size_t>(call.outcome)) << ' '
      << (call.refusal.empty() ? "-" : call.refusal);
  for (const Item& item : call.items) {
    if (item.part == Item::Part::kGiven) out << ' ' << written(item);
  }
  // The ids of what it put, in order.
  for (const Item& item : call.items) {
    if (item.part == Item::Part::kPut && item.id != 0) out << " #" << item.id;
  }
  return out.str();
}

std::string to_string(const Call& call, Serial of) {
  std::ostringstream out;
  out << call.asked << " to ";
  if (call.answered == kNotYet) {
    out << "?";
  } else {
    out << call.answered;
  }
  out << " process " << call.process << ' ' << name_of(call.kind);
  if (!call.words.empty()) out << " any of '" << call.words << "', at most " << call.count;
  if (call.streamed) out << ", by a stream";
  out << ": " << kOutcomes.at(static_cast<std::size_t>(call.outcome));
  if (!call.refusal.empty()) out << ' ' << call.refusal;
  for (const Item& item : call.items) {
    if (of != 0 && item.serial != of) continue;
    static constexpr std::array<std::string_view, 3> kParts = {" puts ", " given ", " ends "};
    out << kParts.at(static_cast<std::size_t>(item.part)) << item.serial;
    if (item.part == Item::Part::kPut) out << " '" << item.word << "'";
    if (item.id != 0) out << " (id " << item.id << ")";
    if (item.attempt != 0) out << " attempt " << item.attempt;
    if (item.priority != 0) out << " priority " << item.priority;
    if (item.ttl != 0) out << " ttl " << item.ttl;
    if (item.max_attempts != 0) out << " max_attempts " << item.max_attempts;
    if (item.lives_with) out << " of the session";
    if (item.delay != 0) out << " delay " << item.delay;
    if (item.group != 0) out << " group " << item.group;
    if (item.waits_for != 0) out << " waits for " << item.waits_for;
  }
  return out.str();
}

HistoryFile::HistoryFile(const std::filesystem::path& path)
    : descriptor_(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) {
  if (descriptor_ < 0) throw std::runtime_error("cannot write " + path.string());
}

HistoryFile::~HistoryFile() {
  ::close(descriptor_);
}

void HistoryFile::append(std::string line) const {
  line += '\n';
  if (::write(descriptor_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
    throw std::runtime_error("cannot write the history; is the disk full?");
  }
}

std::uint64_t HistoryReader::answers() const {
  std::uint64_t sum = 0;
  for (const std::uint64_t count : answers_) sum += count;
  return sum;
}

void HistoryReader::read_more(ProcessNumber process, const std::filesystem::path& path) {
  Open& open = open_[process];
  std::ifstream file(path);
  file.seekg(open.read);
  std::string line;
  while (std::getline(file, line) && !file.eof()) {
    open.read += static_cast<std::streamoff>(line.size()) + 1;
    read_line(process, open, line);
  }
}

void HistoryReader::read_line(ProcessNumber process, Open& open, std::string_view line) {
  Words words(line, ' ');
  const auto sign = words.next();
  if (sign == "*") {  // the controller's: "gone PROCESS MOMENT", "disturbed FROM TO"
    const auto what = words.next();
    const auto first = words.number<Moment>();
    const auto second = words.number<Moment>();
    if (what == "gone") history_.gone[static_cast<ProcessNumber>(first)] = second;
    if (what == "disturbed") history_.disturbed.emplace_back(first, second);
    return;
  }
  const auto number = words.number<std::uint64_t>();
  const auto moment = words.number<Moment>();
  if (sign == ">") {
    Call call;
    call.process = process;
    call.asked = moment;
    call.kind = static_cast<Kind>(index_in(kNames, words.next()));
    const auto wanted = words.next();
    if (wanted != "-") call.words = wanted;
    call.count = words.number<std::uint32_t>();
    call.streamed = words.yes();
    while (!words.empty()) call.items.push_back(read_item(words.next()));
    open.unanswered[number] = history_.calls.size();
    history_.calls.push_back(std::move(call));
    return;
  }
  const auto asked = open.unanswered.find(number);
  if (asked == open.unanswered.end()) throw std::runtime_error("a history answers what none asked");
  Call& call = history_.calls[asked->second];
  open.unanswered.erase(asked);
  call.answered = moment;
  call.outcome = static_cast<Outcome>(index_in(kOutcomes, words.next()));
  const auto refusal = words.next();
  if (refusal != "-") call.refusal = refusal;
  std::size_t put = 0;
  while (!words.empty()) {
    const auto word = words.next();
    if (word[0] != '#') {
      call.items.push_back(read_item(word));
      continue;
    }
    while (call.items.at(put).part != Item::Part::kPut) ++put;
    call.items[put++].id = Words(word.substr(1), ' ').number<std::uint64_t>();
  }
  if (call.outcome == Outcome::kUnknown) call.answered = kNotYet;
  ++answers_[static_cast<std::size_t>(call.kind)];
}

}  // namespace linden::chaos

// tests/chaos/recorder.h: asks a space and writes down what was asked and answered.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include <linden/space.h>

#include "tests/chaos/history.h"

namespace linden::chaos {

[[nodiscard]] Tuple tuple_of(Word word, Serial serial, std::string_view payload);
[[nodiscard]] Template form_of(Word word);

// One per process; any thread may use it.
class Recorder {
 public:
  Recorder(Space space, const std::filesystem::path& path, ProcessNumber process)
      : space_(std::move(space)), file_(path), process_(process) {}

  [[nodiscard]] const Space& space() const { return space_; }
  [[nodiscard]] Serial next_serial() {
    return (static_cast<Serial>(process_) << 32) | static_cast<Serial>(++serials_);
  }
  [[nodiscard]] Call new_call(Kind kind) const {
    Call call;
    call.process = process_;
    call.kind = kind;
    return call;
  }

  // Several may be under way at once.
  struct Asked {
    std::uint64_t number = 0;
    RequestId request;
  };
  [[nodiscard]] Asked ask(Call& call, Operation operation);
  // Throws Error if the session has ended.
  void answer(Call& call, Asked asked);
  void perform(Call& call, Operation operation) { answer(call, ask(call, std::move(operation))); }

  // Calls that are no requests.
  [[nodiscard]] std::uint64_t write_question(Call& call);
  void write_answer(std::uint64_t number, Call& call, Outcome outcome);
  void note(const std::string& line) { file_.append("* " + line); }

 private:
  Space space_;
  HistoryFile file_;
  ProcessNumber process_;
  std::atomic<std::uint64_t> serials_{0};
  std::atomic<std::uint64_t> numbers_{0};
};

// What was handed out, as parts of the call.
void add_given(Call& call, const std::vector<Handout>& handouts);

}  // namespace linden::chaos

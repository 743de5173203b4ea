// workers/cpp/task_output.cpp
#include "workers/cpp/task_output.h"

#include "workers/cpp/utf8_text.h"

namespace linden {
namespace {

constexpr std::size_t kPieceBytesMax = std::size_t{64} << 10;
constexpr std::chrono::milliseconds kSendAtOnceAfter{50};
constexpr std::array<std::string_view, 2> kNames{"stdout", "stderr"};

}  // namespace

TaskOutput::TaskOutput(Send send, Waits waits)
    : send_(std::move(send)),
      waits_(std::move(waits)),
      buffers_{Buffer(*this, 0), Buffer(*this, 1)},
      streams_{std::ostream(&buffers_[0]), std::ostream(&buffers_[1])} {}

void TaskOutput::begin(std::string_view client, std::int64_t number) {
  const std::scoped_lock lock(mutex_);
  task_.client.assign(client);
  task_.number = number;
  running_ = true;
  pieces_ = 0;
  if (!std::exchange(used_, false)) return;
  // As a new stream would be: the task before may have changed how numbers look.
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    streams_[i].clear();
    streams_[i].copyfmt(std::ostream(&buffers_[i]));
  }
}

void TaskOutput::end(std::vector<NewTuple>& puts) {
  const std::scoped_lock lock(mutex_);
  running_ = false;
  if (!used_) return;
  cut(false);
  for (auto& piece : cut_) puts.push_back(std::move(piece));
  cut_.clear();
}

void TaskOutput::write(std::size_t which, std::string_view text) {
  const std::scoped_lock lock(mutex_);
  if (!running_) return;
  used_ = true;
  if (!has_waiting()) waits_();
  if (which != which_) cut(false);
  which_ = which;
  while (!text.empty()) {
    const auto part = text.substr(0, kPieceBytesMax - pending_.size());
    pending_ += part;
    text.remove_prefix(part.size());
    if (pending_.size() < kPieceBytesMax) return;
    cut(true);
    send(Clock::now());
  }
}

void TaskOutput::flush() {
  const std::scoped_lock lock(mutex_);
  const auto now = Clock::now();
  if (now - sent_ < kSendAtOnceAfter) return;  // send_old() comes by
  cut(true);
  send(now);
}

void TaskOutput::send_old(Clock::time_point now) {
  const std::scoped_lock lock(mutex_);
  if (!running_) return;
  if (now - sent_ >= kSendAtOnceAfter) {
    cut(true);
    send(now);
  }
  if (has_waiting()) waits_();
}

// What waits becomes a tuple; if `more` may come, all but an incomplete character at its end.
void TaskOutput::cut(bool more) {
  if (pending_.empty()) return;
  std::size_t used = 0;
  std::string text = utf8_text(pending_, more, used);
  pending_.erase(0, used);
  if (text.empty()) return;
  cut_.push_back(
      {Tuple{"output", task_.client, task_.number, kNames[which_], pieces_++, std::move(text)},
       {}});
}

void TaskOutput::send(Clock::time_point now) {
  if (cut_.empty()) return;
  sent_ = now;
  send_(std::exchange(cut_, {}));
}

TaskOutput::Buffer::int_type TaskOutput::Buffer::overflow(int_type character) {
  if (traits_type::eq_int_type(character, traits_type::eof()))
    return traits_type::not_eof(character);
  const char one = traits_type::to_char_type(character);
  owner_.write(which_, {&one, 1});
  return character;
}

std::streamsize TaskOutput::Buffer::xsputn(const char* text, std::streamsize count) {
  owner_.write(which_, {text, static_cast<std::size_t>(count)});
  return count;
}

int TaskOutput::Buffer::sync() {
  owner_.flush();
  return 0;
}

}  // namespace linden

// workers/cpp/task_output.h: what the task of one thread prints, as output tuples (F5).
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <ostream>
#include <streambuf>
#include <string>
#include <string_view>
#include <vector>

#include <linden/attributes.h>
#include <linden/farm.h>

namespace linden {

// begin(), end() and the streams are for the thread that runs tasks, send_old() for any.
class TaskOutput {
 public:
  using Clock = std::chrono::steady_clock;
  using Send = std::function<void(std::vector<NewTuple>)>;
  using Waits = std::function<void()>;

  // `send` puts tuples at once, in order with those before; it may throw.  `waits` sees to it that
  // send_old() is called soon.  Both are called with this object locked.
  TaskOutput(Send send, Waits waits);

  void begin(std::string_view client, std::int64_t number);
  // Appends what was not sent, in order.
  void end(std::vector<NewTuple>& puts);

  [[nodiscard]] std::ostream& out() noexcept { return streams_[0]; }
  [[nodiscard]] std::ostream& errors() noexcept { return streams_[1]; }

  // What was written and has waited for a while.
  void send_old(Clock::time_point now);

 private:
  class Buffer : public std::streambuf {
   public:
    Buffer(TaskOutput& owner, std::size_t which) : owner_(owner), which_(which) {}

   protected:
    int_type overflow(int_type character) override;
    std::streamsize xsputn(const char* text, std::streamsize count) override;
    int sync() override;

   private:
    TaskOutput& owner_;
    std::size_t which_;
  };

  void write(std::size_t which, std::string_view text);
  void flush();
  void cut(bool more);
  void send(Clock::time_point now);
  [[nodiscard]] bool has_waiting() const { return !pending_.empty() || !cut_.empty(); }

  Send send_;
  Waits waits_;
  std::mutex mutex_;
  farm::TaskId task_;
  bool running_ = false;
  bool used_ = false;          // by this task
  std::int64_t pieces_ = 0;    // of this task
  std::size_t which_ = 0;      // whose text waits
  std::string pending_;        // bytes of that stream
  std::vector<NewTuple> cut_;  // tuples of what was before
  Clock::time_point sent_{};
  std::array<Buffer, 2> buffers_;
  std::array<std::ostream, 2> streams_;
};

}  // namespace linden

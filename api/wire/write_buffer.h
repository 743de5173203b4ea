// api/wire/write_buffer.h: bytes on their way out: small pieces gathered, large ones shared.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>

#include <linden/bytes.h>

namespace linden::wire {

// A queue of bytes for writev.  What is appended small is copied together into one run; what is
// appended as Bytes of at least kShareBytesMin is referred to, not copied.
class WriteBuffer {
 public:
  static constexpr std::size_t kShareBytesMin = 4096;
  // A run that has this many bytes is not made longer, so that growing it copies little.
  static constexpr std::size_t kRunBytes = 256 * 1024;

  void append(std::string_view bytes);
  void append(const Bytes& bytes);
  // Makes `count` bytes at the end of the run and returns where they start, to be filled before the
  // next call.
  [[nodiscard]] char* extend(std::size_t count);

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

  // Fills up to `count` entries with what comes next; returns how many were filled.  Valid until
  // the next change.
  std::size_t gather(iovec* out, std::size_t count) const;
  // Drops `count` bytes from the front: they were written.
  void consume(std::size_t count);
  void clear();

 private:
  struct Piece {
    std::string run;  // used if `shared` is empty
    Bytes shared;
    [[nodiscard]] std::string_view view() const noexcept {
      return shared.empty() ? std::string_view(run) : shared.view();
    }
  };
  // The run at the end, with room for `count` more bytes.
  std::string& run_for(std::size_t count);
  void drop_front();

  std::deque<Piece> pieces_;
  std::string spare_;             // the memory of the last run, for the next one
  std::size_t front_offset_ = 0;  // of the first piece: consumed already
  std::size_t size_ = 0;
};

}  // namespace linden::wire

// workers/cpp/shuffle/text_split.cpp
#include "workers/cpp/shuffle/text_split.h"

#include <fcntl.h>
#include <unistd.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "workers/cpp/shuffle/error.h"

namespace linden::shuffle {

namespace {

constexpr std::size_t kBufferBytes = 128U << 10U;  // which stay in the cache of a core

}  // namespace

TextSplit::TextSplit(std::string path, std::uint64_t begin, std::uint64_t end, char delimiter,
                     std::uint64_t record_bytes_max)
    : path_(std::move(path)),
      end_(end),
      delimiter_(delimiter),
      record_bytes_max_(record_bytes_max),
      descriptor_(::open(path_.c_str(), O_RDONLY | O_CLOEXEC)),
      buffer_(kBufferBytes) {
  if (descriptor_.value < 0) {
    throw ShuffleError("cannot read " + path_ + ": " + std::strerror(errno) +
                       "; every engine that may run the job has to see it under this path");
  }
  struct stat facts {};
  if (::fstat(descriptor_.value, &facts) != 0 || static_cast<std::uint64_t>(facts.st_size) < end) {
    throw ShuffleError(path_ + " has " + std::to_string(facts.st_size) +
                       " bytes, and had at least " + std::to_string(end) +
                       " when the job began; inputs must not change");
  }
  // One byte earlier: a record that begins at `begin` is known by the delimiter before it.
  read_offset_ = begin > 0 ? begin - 1 : 0;
  if (begin == 0) return;
  while (from_ < to_ || fill()) {
    const auto* found =
        static_cast<const char*>(std::memchr(&buffer_[from_], delimiter_, to_ - from_));
    if (found != nullptr) {
      from_ = static_cast<std::size_t>(found - buffer_.data()) + 1;
      return;
    }
    from_ = to_ = 0;  // the rest of a record of the split before
    if (read_offset_ >= end_) break;
  }
  at_end_ = from_ == to_;
}

TextSplit::Descriptor::~Descriptor() {
  if (value >= 0) ::close(value);
}

// Reads more behind what is there; false at the end of the file.
bool TextSplit::fill() {
  if (from_ > 0) {
    std::memmove(buffer_.data(), &buffer_[from_], to_ - from_);
    to_ -= from_;
    from_ = 0;
  }
  if (to_ == buffer_.size()) buffer_.resize(2 * buffer_.size());
  while (true) {
    const ssize_t count = ::pread(descriptor_.value, &buffer_[to_], buffer_.size() - to_,
                                  static_cast<off_t>(read_offset_));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw ShuffleError("cannot read " + path_ + ": " + std::strerror(errno));
    to_ += static_cast<std::size_t>(count);
    read_offset_ += static_cast<std::uint64_t>(count);
    return count > 0;
  }
}

void TextSplit::check_length(std::size_t bytes) const {
  if (bytes <= record_bytes_max_) return;
  throw ShuffleError("the record at byte " + std::to_string(read_offset_ - (to_ - from_)) + " of " +
                     path_ + " is longer than " + std::to_string(record_bytes_max_) +
                     " bytes; give the job more memory, or another delimiter");
}

bool TextSplit::next(std::string_view& record) {
  if (at_end_) return false;
  offset_ = read_offset_ - (to_ - from_);
  if (offset_ >= end_) {
    at_end_ = true;
    return false;
  }
  std::size_t searched = 0;
  while (true) {
    const char* begin = buffer_.data() + from_;
    const std::size_t size = to_ - from_;
    const auto* found =
        size == searched
            ? nullptr
            : static_cast<const char*>(std::memchr(begin + searched, delimiter_, size - searched));
    const std::size_t length = found != nullptr ? static_cast<std::size_t>(found - begin) : size;
    check_length(length);
    if (found == nullptr && fill()) {
      searched = size;
      continue;
    }
    at_end_ = found == nullptr;
    if (at_end_ && length == 0) return false;
    record = {buffer_.data() + from_, length};
    from_ += length + (at_end_ ? 0 : 1);
    if (delimiter_ == '\n' && !record.empty() && record.back() == '\r') record.remove_suffix(1);
    return true;
  }
}

bool TextSplit::next_block(std::string_view& block) {
  if (at_end_) return false;
  offset_ = read_offset_ - (to_ - from_);
  if (offset_ >= end_) {
    at_end_ = true;
    return false;
  }
  const std::uint64_t own = end_ - offset_;  // bytes in which our records begin
  while (true) {
    const char* const begin = buffer_.data() + from_;
    const std::size_t size = to_ - from_;
    const auto here = std::min<std::uint64_t>(own - 1, size);
    // The end of our last record, or of the last one that is here.
    const bool is_last = size >= own;
    const void* found = is_last ? std::memchr(begin + here, delimiter_, size - here)
                                : ::memrchr(begin, delimiter_, size);
    if (found == nullptr) {
      const void* before = ::memrchr(begin, delimiter_, here);
      check_length(before == nullptr
                       ? size
                       : static_cast<std::size_t>(begin + size - static_cast<const char*>(before)));
      if (fill()) continue;
    }
    at_end_ = is_last || found == nullptr;
    const std::size_t length =
        found == nullptr ? size
                         : static_cast<std::size_t>(static_cast<const char*>(found) - begin) + 1;
    block = {buffer_.data() + from_, length};  // fill() has moved what there is
    from_ += length;
    return length > 0;
  }
}

}  // namespace linden::shuffle

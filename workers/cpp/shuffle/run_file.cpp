// workers/cpp/shuffle/run_file.cpp
#include "workers/cpp/shuffle/run_file.h"

#include <fcntl.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "workers/cpp/shuffle/encoding.h"

namespace linden::shuffle {

namespace {

constexpr std::size_t kFlushBytes = 256U << 10U;
constexpr std::size_t kEndBytes = 16;

void append_fixed(std::string& to, std::uint64_t value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

std::uint64_t load_fixed(const char* from) {
  std::uint64_t value = 0;
  std::memcpy(&value, from, sizeof value);
  return value;
}

[[noreturn]] void fail(const std::string& doing, const std::string& what) {
  const int error = errno;
  std::string message = "cannot " + doing + " " + what + ": " + std::strerror(error);
  if (error == ENOSPC || error == EDQUOT) {
    message += "; make room there, or set TMPDIR to a directory with more";
  }
  throw ShuffleError(message);
}

class PartSource : public Source {
 public:
  explicit PartSource(std::string_view bytes)
      : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  bool next(Record& record) override {
    if (at_ == end_) return false;
    const std::uint64_t key = read_varint(at_, end_);
    const std::uint64_t value = read_varint(at_, end_);
    const auto left = static_cast<std::uint64_t>(end_ - at_);
    if (key == 0 || key > left || value > left - key) {
      throw ShuffleError("a run is damaged: a pair reaches beyond its end");
    }
    record = {{at_, key}, {at_ + key, value}};
    at_ += key + value;
    return true;
  }

 private:
  const char* at_;
  const char* end_;
};

}  // namespace

RunWriter::RunWriter(int descriptor, std::string what, std::uint32_t partitions)
    : descriptor_(descriptor), what_(std::move(what)), parts_(partitions) {
  buffer_.reserve(kFlushBytes + (kFlushBytes >> 3U));
}

void RunWriter::begin(std::uint32_t partition) {
  partition_ = partition;
  parts_[partition].begin = flushed_ + buffer_.size();
}

void RunWriter::add(const Record& record) {
  const std::size_t before = buffer_.size();
  append_varint(buffer_, record.key.size());
  append_varint(buffer_, record.value.size());
  buffer_.append(record.key);
  buffer_.append(record.value);
  parts_[partition_].bytes += buffer_.size() - before;
  ++parts_[partition_].pairs;
  ++pairs_;
  if (buffer_.size() >= kFlushBytes) flush();
}

void RunWriter::add_all(Source& source) {
  Record record;
  while (source.next(record)) add(record);
}

std::uint64_t RunWriter::finish() {
  for (const RunPart& part : parts_) {
    append_fixed(buffer_, part.begin);
    append_fixed(buffer_, part.bytes);
    append_fixed(buffer_, part.pairs);
  }
  append_fixed(buffer_, parts_.size());
  buffer_.append(kRunMagic);
  flush();
  return flushed_;
}

void RunWriter::flush() {
  std::string_view left = buffer_;
  while (!left.empty()) {
    const ssize_t count = ::write(descriptor_, left.data(), left.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("write", what_);
    left.remove_prefix(static_cast<std::size_t>(count));
  }
  flushed_ += buffer_.size();
  buffer_.clear();
}

RunView::RunView(std::string_view bytes, const std::string& what) : bytes_(bytes) {
  const bool ends = bytes.size() >= kEndBytes && bytes.substr(bytes.size() - 8) == kRunMagic;
  if (!ends) throw ShuffleError(what + " is no run, or was not finished");
  const std::uint64_t count = load_fixed(bytes.data() + bytes.size() - kEndBytes);
  const std::uint64_t room = (bytes.size() - kEndBytes) / sizeof(RunPart);
  if (count > room) throw ShuffleError(what + " is damaged: its table has no room");
  const std::size_t data_bytes = bytes.size() - kEndBytes - count * sizeof(RunPart);
  const char* row = bytes.data() + data_bytes;
  for (std::uint64_t i = 0; i < count; ++i, row += sizeof(RunPart)) {
    const RunPart part{load_fixed(row), load_fixed(row + 8), load_fixed(row + 16)};
    if (part.begin > data_bytes || part.bytes > data_bytes - part.begin) {
      throw ShuffleError(what + " is damaged: a partition reaches beyond its end");
    }
    parts_.push_back(part);
  }
}

SourcePtr RunView::source(std::uint32_t partition) const {
  const RunPart& part = parts_.at(partition);
  return std::make_unique<PartSource>(bytes_.substr(part.begin, part.bytes));
}

SpillFile::SpillFile(const std::string& directory)
    : descriptor_(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)) {
  if (descriptor_ >= 0) return;
  // Some file systems know no files without names.
  std::string name = directory + "/spill-XXXXXX";
  descriptor_ = ::mkostemp(name.data(), O_CLOEXEC);
  if (descriptor_ < 0) fail("make a file in", directory);
  ::unlink(name.c_str());
}

SpillFile::SpillFile(SpillFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

SpillFile::~SpillFile() {
  if (data_ != nullptr) ::munmap(data_, size_);
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::string_view SpillFile::map() {
  if (data_ == nullptr) {
    struct stat facts {};
    if (::fstat(descriptor_, &facts) != 0) fail("look at", "a spilled run");
    size_ = static_cast<std::size_t>(facts.st_size);
    void* data = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, descriptor_, 0);
    if (data == MAP_FAILED) fail("map", "a spilled run");
    data_ = static_cast<char*>(data);
  }
  return {data_, size_};
}

}  // namespace linden::shuffle

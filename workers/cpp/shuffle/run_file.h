// workers/cpp/shuffle/run_file.h: a run is a file of sorted pairs, partition by partition.
//
//   pairs    length of key, length of value (varints), key, value
//   table    for each partition: where it begins, its bytes, its pairs (8 bytes each)
//   end      number of partitions (8 bytes), kRunMagic (8 bytes)
//
// The end is written last, so a run that was not finished is seen to be none.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "workers/cpp/shuffle/source.h"

namespace linden::shuffle {

inline constexpr std::string_view kRunMagic = "LNDRUN1\n";

struct RunPart {
  std::uint64_t begin = 0;
  std::uint64_t bytes = 0;
  std::uint64_t pairs = 0;
};

// Writes a run to a file descriptor that it does not own.  One thread.
class RunWriter {
 public:
  // `what` names the file in messages.
  RunWriter(int descriptor, std::string what, std::uint32_t partitions);

  // Partitions in order; those that are left out are empty.
  void begin(std::uint32_t partition);
  // Keys must not fall within a partition.  Throws ShuffleError if the disk is full or so.
  void add(const Record& record);
  void add_all(Source& source);
  // Writes the end; returns the size of the run.
  std::uint64_t finish();

  [[nodiscard]] std::uint64_t pairs() const noexcept { return pairs_; }

 private:
  void flush();

  int descriptor_;
  std::string what_;
  std::vector<RunPart> parts_;
  std::uint32_t partition_ = 0;
  std::uint64_t flushed_ = 0;
  std::uint64_t pairs_ = 0;
  std::string buffer_;
};

// A run in memory, mostly that of a file.  Does not own it.
class RunView {
 public:
  // Throws ShuffleError if it is no run, or a damaged one; `what` names it then.
  RunView(std::string_view bytes, const std::string& what);

  [[nodiscard]] std::uint32_t partitions() const {
    return static_cast<std::uint32_t>(parts_.size());
  }
  [[nodiscard]] const RunPart& part(std::uint32_t partition) const { return parts_[partition]; }
  [[nodiscard]] SourcePtr source(std::uint32_t partition) const;

 private:
  std::string_view bytes_;
  std::vector<RunPart> parts_;
};

// A file without a name, gone with this object or its process; to write, then to read.
class SpillFile {
 public:
  // Throws ShuffleError: nothing can be written to `directory`.
  explicit SpillFile(const std::string& directory);
  SpillFile(SpillFile&& other) noexcept;
  SpillFile& operator=(SpillFile&&) = delete;
  ~SpillFile();

  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
  // All that was written, mapped.
  [[nodiscard]] std::string_view map();

 private:
  int descriptor_ = -1;
  char* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace linden::shuffle

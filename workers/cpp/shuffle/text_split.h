// workers/cpp/shuffle/text_split.h: the records of a part of a file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace linden::shuffle {

// Gives each record that begins in [begin, end) of the file, however far it reaches; so splits that
// follow each other give every record once.  A record ends before the byte `delimiter`, or with the
// file; before a newline a carriage return goes, too.  One thread.
class TextSplit {
 public:
  // Throws ShuffleError: there is no such file, or it is shorter than `end`, or cannot be read.
  TextSplit(std::string path, std::uint64_t begin, std::uint64_t end, char delimiter,
            std::uint64_t record_bytes_max);
  TextSplit(const TextSplit&) = delete;
  TextSplit& operator=(const TextSplit&) = delete;

  // False at the end.  `record` is valid until the next call.  Throws ShuffleError if it is longer
  // than `record_bytes_max`, or the file cannot be read any more.
  bool next(std::string_view& record);

  // As many whole records as are there, at least one, with the delimiter behind each; in place of
  // next().  False at the end.  `block` is valid until the next call.  Throws as next() does.
  bool next_block(std::string_view& block);

  // Where the record or block that was given last begins.
  [[nodiscard]] std::uint64_t offset() const noexcept { return offset_; }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] char delimiter() const noexcept { return delimiter_; }

 private:
  // Closed with this object, or when its constructor throws.
  struct Descriptor {
    explicit Descriptor(int descriptor) : value(descriptor) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor();
    int value;
  };

  bool fill();
  void check_length(std::size_t bytes) const;

  std::string path_;
  std::uint64_t end_;
  char delimiter_;
  std::uint64_t record_bytes_max_;
  Descriptor descriptor_;
  std::vector<char> buffer_;
  std::size_t from_ = 0;           // in buffer_: what was not given yet ...
  std::size_t to_ = 0;             // ... and its end
  std::uint64_t read_offset_ = 0;  // in the file: the end of what is in buffer_
  std::uint64_t offset_ = 0;
  bool at_end_ = false;
};

}  // namespace linden::shuffle

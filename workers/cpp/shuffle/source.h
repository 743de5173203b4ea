// workers/cpp/shuffle/source.h: pairs in the order of their keys, one after the other.
#pragma once

#include <memory>
#include <string_view>

namespace linden::shuffle {

// A pair, encoded; valid until the next one is asked for.
struct Record {
  std::string_view key;
  std::string_view value;
};

class Source {
 public:
  Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  virtual ~Source() = default;

  // False at the end.
  virtual bool next(Record& record) = 0;
};

using SourcePtr = std::unique_ptr<Source>;

}  // namespace linden::shuffle

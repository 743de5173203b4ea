// workers/cpp/shuffle/merge.h: several sorted sources as one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "workers/cpp/shuffle/combine.h"
#include "workers/cpp/shuffle/source.h"

namespace linden::shuffle {

// By key; of equal keys those of the earlier source come first, so a merge of the same runs is
// always the same.  O(log sources) a pair.  One thread.
class Merge : public Source {
 public:
  explicit Merge(std::vector<SourcePtr> sources);

  bool next(Record& record) override;

 private:
  struct Head {
    std::uint64_t prefix;
    std::uint32_t source;
    Record record;
  };
  static bool before(const Head& a, const Head& b);
  void sink(std::size_t at);

  std::vector<SourcePtr> sources_;
  std::vector<Head> heads_;  // a heap
  bool given_ = false;       // the first head has been
};

// One pair for each key of a sorted source, whose value is all of its values combined.
class Combined : public Source {
 public:
  Combined(SourcePtr source, Combine how) : source_(std::move(source)), how_(how) {}

  bool next(Record& record) override;

 private:
  SourcePtr source_;
  Combine how_;
  bool begun_ = false;
  bool more_ = false;
  Record ahead_;
  std::string key_;
  std::string value_;
};

}  // namespace linden::shuffle

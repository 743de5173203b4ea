// workers/cpp/shuffle/map_output.h: what a map task emits, partitioned, combined, sorted, and
// spilled when memory is full.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <linden/mapreduce.h>

#include "workers/cpp/shuffle/combine_table.h"
#include "workers/cpp/shuffle/run_file.h"
#include "workers/cpp/shuffle/sort_buffer.h"

namespace linden::shuffle {

struct OutputOptions {
  std::uint32_t partitions = 1;
  Combine combine = Combine::kNone;
  std::size_t memory_bytes = 128U << 20U;
  int threads = 1;             // for sorting
  std::string directory;       // for what is spilled; nothing in it has a name
  char record_tag = kKeyText;  // what records are: kKeyText or kKeyBytes
};

// Pairs go in by add() or emit(); they come out by finish() as a run.  With combine() other than
// kNone, values must be numbers, and there is one pair per key in the end.  One thread.
//
// What is in memory is kept below `memory_bytes`: who feeds it calls spill() between records when
// is_full() says so, and a record that yields more than the rest of it is spilled within.
class MapOutput : public mapreduce::Emitter {
 public:
  explicit MapOutput(OutputOptions options);

  // A number for the key `tag` and `rest` of a combining output.  The hot path of counting.
  void add_number(char tag, std::string_view rest, const Number& value) {
    ++pairs_;
    if (table_.add(tag, rest, value) && table_.is_full()) [[unlikely]]
      spill();
  }
  // Numbers for keys that are parts of records; see OutputOptions::record_tag.
  void add_texts(std::span<const mapreduce::PairEmitter::Pair> pairs);
  // An encoded pair.
  void add(std::string_view key, std::string_view value);

  [[nodiscard]] bool combines() const noexcept { return options_.combine != Combine::kNone; }
  // Whether it is time for spill(): what is in memory is as large as it may be.
  [[nodiscard]] bool is_full() const noexcept {
    const std::size_t bytes = options_.memory_bytes;
    return combines() ? table_.is_nearly_full() : buffer_.bytes() >= bytes / 4 * 3;
  }
  // Writes what is in memory to a run of its own, and forgets it.
  void spill();

  // For a combiner that is not ours.  The pairs in memory, sorted; valid until add() or replace().
  void sort() { buffer_.sort(options_.threads); }
  [[nodiscard]] SourcePtr sorted(std::uint32_t partition) const {
    return buffer_.source(partition);
  }
  // `run` stands for what was in memory.
  void replace(SpillFile run);

  // All of a partition, once nothing more is added and memory was spilled; as often as one likes.
  [[nodiscard]] SourcePtr merged(std::uint32_t partition) const;

  // Writes all to `descriptor`; returns the bytes.
  std::uint64_t finish(int descriptor, const std::string& what);

  [[nodiscard]] std::uint64_t pairs() const noexcept { return pairs_; }          // that came in
  [[nodiscard]] std::uint64_t pairs_out() const noexcept { return pairs_out_; }  // by finish()
  [[nodiscard]] std::uint64_t spills() const noexcept { return runs_.size(); }

 protected:
  void emit(const mapreduce::Datum& key, const mapreduce::Datum& value) override;

 private:
  struct Run {
    SpillFile file;
    RunView view;
  };
  void write_memory(RunWriter& writer);
  void clear_memory();

  OutputOptions options_;
  CombineTable table_;
  SortBuffer buffer_;
  std::vector<Run> runs_;
  std::uint64_t pairs_ = 0;
  std::uint64_t pairs_out_ = 0;
  std::string key_;
  std::string value_;
};

}  // namespace linden::shuffle

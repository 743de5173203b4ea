// workers/cpp/shuffle/functions.h: where mappers and reducers in C++ come from, and what runs them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <linden/mapreduce.h>

#include "workers/cpp/shuffle/map_output.h"
#include "workers/cpp/shuffle/text_split.h"

namespace linden::shuffle {

// "words": the words of a line, each with 1; words end at white space.  "pairs": the reducer that
// hands on what it gets.
void add_our_functions(mapreduce::Functions& functions);

// Loads a shared library (linden/mapreduce.h says what it exports), for the rest of the process's
// life.  Throws ShuffleError: it cannot be loaded, or does not export that.
void load_library(const std::string& path, mapreduce::Functions& functions);

// The mapper of that name, of one kind or the other.  Throws ShuffleError: there is none.
class NativeMapper {
 public:
  NativeMapper(const mapreduce::Functions& functions, std::string name);

  // Maps records until about `bytes` of them were read, or memory is full; false at the end of the
  // split.  Counts records.  Throws ShuffleError that names mapper and record if the mapper throws.
  bool map_some(TextSplit& split, std::uint64_t bytes, MapOutput& output,
                std::uint64_t& records) const;

 private:
  bool map_blocks(TextSplit& split, std::uint64_t bytes, MapOutput& output,
                  std::uint64_t& records) const;
  bool map_records(TextSplit& split, std::uint64_t bytes, MapOutput& output,
                   std::uint64_t& records) const;

  std::string name_;
  const mapreduce::BlockMapper* block_mapper_;
  const mapreduce::Mapper* mapper_;
};

// Reduces whole keys until about `pairs` pairs were read; false at the end of the source.
class NativeReduce {
 public:
  NativeReduce(SourcePtr source, std::string name, const mapreduce::Reducer& reducer);

  bool reduce_some(std::uint64_t pairs, mapreduce::Emitter& output);
  [[nodiscard]] std::uint64_t keys() const noexcept { return keys_; }

 private:
  class KeyValues;

  SourcePtr source_;
  std::string name_;
  const mapreduce::Reducer& reducer_;
  Record ahead_;
  bool begun_ = false;
  bool more_ = false;
  std::uint64_t keys_ = 0;
  std::uint64_t pairs_ = 0;
  std::string key_;
};

}  // namespace linden::shuffle

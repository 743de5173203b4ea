// workers/cpp/shuffle/map_output.cpp
#include "workers/cpp/shuffle/map_output.h"

#include <limits>
#include <tuple>
#include <utility>

#include "workers/cpp/shuffle/merge.h"

namespace linden::shuffle {

using mapreduce::Datum;

namespace {

Number number_of_datum(const Datum& value) {
  if (value.type() == Datum::Type::kInt) return Number::of(value.raw_int());
  if (value.type() == Datum::Type::kFloat) return Number::of(value.raw_float());
  throw ShuffleError(std::string("wanted a number to combine, found ") +
                     Datum::name_of(value.type()));
}

}  // namespace

MapOutput::MapOutput(OutputOptions options)
    : options_(std::move(options)),
      table_(options_.combine, options_.memory_bytes),
      buffer_(options_.partitions, options_.memory_bytes) {}

void MapOutput::add(std::string_view key, std::string_view value) {
  if (combines()) {
    add_number(key.front(), key.substr(1), number_of(value));
    return;
  }
  constexpr std::size_t kBytesMax = std::numeric_limits<std::uint32_t>::max();
  if (key.size() > kBytesMax || value.size() > kBytesMax) {
    throw ShuffleError("a key or a value is larger than 4 GiB");
  }
  ++pairs_;
  if (buffer_.add(key, value)) return;
  spill();
  std::ignore = buffer_.add(key, value);  // it is empty
}

void MapOutput::add_texts(std::span<const mapreduce::PairEmitter::Pair> pairs) {
  if (combines()) {
    pairs_ += pairs.size();
    while (!pairs.empty()) {
      pairs = pairs.subspan(table_.add_many(options_.record_tag, pairs));
      if (table_.is_full()) spill();
    }
    return;
  }
  for (const auto& pair : pairs) {
    if (options_.record_tag == kKeyText) check_utf8({pair.text, pair.size});
    key_.assign(1, options_.record_tag);
    key_.append(pair.text, pair.size);
    value_.clear();
    append_value(value_, pair.number);
    add(key_, value_);
  }
}

void MapOutput::emit(const Datum& key, const Datum& value) {
  if (combines() && key.type() == Datum::Type::kText) {
    add_number(kKeyText, key.raw(), number_of_datum(value));
  } else {
    if (key.type() == Datum::Type::kText) check_utf8(key.raw());
    if (value.type() == Datum::Type::kText) check_utf8(value.raw());
    key_.clear();
    append_key(key_, key);
    value_.clear();
    append_value(value_, value);
    add(key_, value_);
  }
}

void MapOutput::write_memory(RunWriter& writer) {
  if (combines()) {
    table_.flush();
    table_.sort(options_.partitions, options_.threads);
    for (std::uint32_t i = 0; i < options_.partitions; ++i) {
      writer.begin(i);
      writer.add_all(*table_.source(i));
    }
    return;
  }
  buffer_.sort(options_.threads);
  for (std::uint32_t i = 0; i < options_.partitions; ++i) {
    writer.begin(i);
    writer.add_all(*buffer_.source(i));
  }
}

void MapOutput::spill() {
  SpillFile file(options_.directory);
  RunWriter writer(file.descriptor(), "a spilled run in " + options_.directory,
                   options_.partitions);
  write_memory(writer);
  writer.finish();
  replace(std::move(file));
}

void MapOutput::replace(SpillFile run) {
  const RunView view(run.map(), "a spilled run");
  runs_.push_back({std::move(run), view});
  clear_memory();
}

void MapOutput::clear_memory() {
  if (combines()) table_.clear();
  buffer_.clear();
}

SourcePtr MapOutput::merged(std::uint32_t partition) const {
  std::vector<SourcePtr> sources;
  for (const Run& run : runs_) sources.push_back(run.view.source(partition));
  SourcePtr all = sources.size() == 1 ? std::move(sources.front())
                                      : std::make_unique<Merge>(std::move(sources));
  if (!combines()) return all;
  return std::make_unique<Combined>(std::move(all), options_.combine);
}

std::uint64_t MapOutput::finish(int descriptor, const std::string& what) {
  RunWriter writer(descriptor, what, options_.partitions);
  if (runs_.empty()) {
    write_memory(writer);
    clear_memory();
  } else {
    table_.flush();
    if (table_.size() + buffer_.size() > 0) spill();
    for (std::uint32_t i = 0; i < options_.partitions; ++i) {
      writer.begin(i);
      writer.add_all(*merged(i));
    }
  }
  pairs_out_ = writer.pairs();
  return writer.finish();
}

}  // namespace linden::shuffle

// workers/cpp/shuffle/map_output.cpp
#include "workers/cpp/shuffle/map_output.h"

#include <limits>
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
    : options_(std::move(options)), table_(options_.combine), buffer_(options_.partitions) {}

void MapOutput::add(std::string_view key, std::string_view value) {
  if (combines()) {
    add_number(key.front(), key.substr(1), number_of(value));
    return;
  }
  constexpr std::size_t kBytesMax = std::numeric_limits<std::uint32_t>::max();
  if (key.size() > kBytesMax || value.size() > kBytesMax) {
    throw ShuffleError("a key or a value is larger than 4 GiB");
  }
  if (!buffer_.has_room_for(key.size() + value.size())) spill();
  ++pairs_;
  buffer_.add(key, value);
}

void MapOutput::emit(const Datum& key, const Datum& value) {
  if (combines() && key.type() == Datum::Type::kText) {
    add_number(kKeyText, key.raw(), number_of_datum(value));
  } else {
    key_.clear();
    append_key(key_, key);
    value_.clear();
    append_value(value_, value);
    add(key_, value_);
  }
  // A record may emit more than memory holds.
  if (is_full() && !combines()) spill();
}

void MapOutput::write_memory(RunWriter& writer) {
  if (combines()) {
    table_.flush();
    const SortedTable sorted(table_, options_.partitions, options_.threads);
    for (std::uint32_t i = 0; i < options_.partitions; ++i) {
      writer.begin(i);
      writer.add_all(*sorted.source(i));
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
  table_.clear();
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

// tests/workers/cpp/shuffle/test_run_file.cpp: runs, whole and damaged, and how they are merged.
#include "workers/cpp/shuffle/run_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "temporary_file.h"
#include "workers/cpp/shuffle/encoding.h"
#include "workers/cpp/shuffle/merge.h"

namespace linden::shuffle {
namespace {

using testing::HasSubstr;
using Pair = std::pair<std::string, std::string>;

std::string key(std::string_view text) {
  std::string encoded;
  append_key(encoded, text);
  return encoded;
}

std::string value(const Datum& datum) {
  std::string encoded;
  append_value(encoded, datum);
  return encoded;
}

// The bytes of a run with these pairs in its second of two partitions.
std::string run_of(const std::vector<Pair>& pairs) {
  const TemporaryFile file;
  RunWriter writer(file.descriptor(), file.path(), 2);
  writer.begin(1);
  for (const auto& [word, number] : pairs) writer.add({word, number});
  const std::uint64_t size = writer.finish();
  EXPECT_EQ(size, file.content().size());
  return file.content();
}

std::vector<Pair> all_of(Source& source) {
  std::vector<Pair> pairs;
  Record record;
  while (source.next(record)) pairs.emplace_back(record.key, record.value);
  return pairs;
}

std::string error_of(const std::string& bytes) {
  try {
    const RunView view(bytes, "the run");
    all_of(*view.source(1));
  } catch (const ShuffleError& error) {
    return error.what();
  }
  return "";
}

TEST(RunFile, GivesPairsBack) {
  const std::vector<Pair> pairs = {{key("a"), value(1)}, {key("b"), value("text")}};
  const std::string bytes = run_of(pairs);
  const RunView view(bytes, "the run");
  EXPECT_EQ(view.partitions(), 2U);
  EXPECT_TRUE(all_of(*view.source(0)).empty());
  EXPECT_EQ(all_of(*view.source(1)), pairs);
}

// The end is written last, so whatever is cut off shows.
TEST(RunFile, KnowsThatItWasNotFinished) {
  const std::string bytes = run_of({{key("a"), value(1)}});
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_THAT(error_of(bytes.substr(0, size)), HasSubstr("is no run, or was not finished"));
  }
}

// No damaged byte may lead outside of the run; which ones are seen depends on where they are.
TEST(RunFile, StaysWithinItsBytesWhateverIsDamaged) {
  const std::string bytes = run_of({{key("apple"), value(1)}, {key("pear"), value("text")}});
  int seen = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (const char flip : {'\x01', '\x80', '\xff'}) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ flip);
      if (!error_of(damaged).empty()) ++seen;
    }
  }
  EXPECT_GT(seen, 40);
}

TEST(Merge, GivesPairsByKeyAndThenBySource) {
  const std::string first = run_of({{key("a"), value(1)}, {key("c"), value(2)}});
  const std::string second =
      run_of({{key("a"), value(3)}, {key("a"), value(4)}, {key("b"), value(5)}});
  const std::string third = run_of({});
  std::vector<SourcePtr> sources;
  for (const auto* bytes : {&first, &second, &third}) {
    sources.push_back(RunView(*bytes, "a run").source(1));
  }
  Merge merge(std::move(sources));
  EXPECT_EQ(all_of(merge), (std::vector<Pair>{{key("a"), value(1)},
                                              {key("a"), value(3)},
                                              {key("a"), value(4)},
                                              {key("b"), value(5)},
                                              {key("c"), value(2)}}));
}

TEST(Merge, OfNothingIsNothing) {
  Merge merge({});
  EXPECT_TRUE(all_of(merge).empty());
}

TEST(Combined, HasOnePairForEachKey) {
  const std::string bytes =
      run_of({{key("a"), value(1)}, {key("a"), value(2.5)}, {key("b"), value("kept")}});
  Combined sum(RunView(bytes, "a run").source(1), Combine::kSum);
  EXPECT_EQ(all_of(sum), (std::vector<Pair>{{key("a"), value(3.5)}, {key("b"), value("kept")}}));
}

TEST(Combined, SaysWhatIsNoNumber) {
  const std::string bytes = run_of({{key("a"), value("x")}, {key("a"), value("y")}});
  Combined sum(RunView(bytes, "a run").source(1), Combine::kSum);
  Record record;
  EXPECT_THROW(sum.next(record), ShuffleError);
}

}  // namespace
}  // namespace linden::shuffle

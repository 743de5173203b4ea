// tests/workers/cpp/shuffle/test_map_output.cpp: what goes in comes out, partitioned, sorted and
// combined, however often it is spilled; against a map of the standard library.
#include "workers/cpp/shuffle/map_output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "temporary_file.h"
#include "workers/cpp/shuffle/merge.h"

namespace linden::shuffle {
namespace {

using namespace std::string_literals;
using Pair = std::pair<std::string, std::string>;

std::vector<Pair> all_of(Source& source) {
  std::vector<Pair> pairs;
  Record record;
  while (source.next(record)) pairs.emplace_back(record.key, record.value);
  return pairs;
}

std::string key(std::string_view text) {
  std::string encoded;
  append_key(encoded, text);
  return encoded;
}

std::string bytes_key(std::string_view bytes) {
  std::string encoded;
  append_key(encoded, Datum::bytes(bytes));
  return encoded;
}

std::string value(std::int64_t number) {
  std::string encoded;
  append_value(encoded, number);
  return encoded;
}

OutputOptions options(Combine how, std::size_t memory_bytes, int threads = 1) {
  return {5, how, memory_bytes, threads, temporary_directory()};
}

// The pairs of a finished output by partition.
std::vector<std::vector<Pair>> finished(MapOutput& output) {
  const TemporaryFile file;
  output.finish(file.descriptor(), file.path());
  const std::string bytes = file.content();
  const RunView view(bytes, file.path());
  std::vector<std::vector<Pair>> parts;
  for (std::uint32_t i = 0; i < view.partitions(); ++i) {
    parts.push_back(all_of(*view.source(i)));
    EXPECT_EQ(parts.back().size(), view.part(i).pairs);
  }
  return parts;
}

// Random words of 0 to 40 bytes, some of them often.
std::string random_word(std::mt19937& random) {
  std::string word(random() % 4 == 0 ? random() % 41 : random() % 3, 'a');
  for (char& letter : word) letter = static_cast<char>(random() % 3 == 0 ? random() % 256 : 'b');
  return word;
}

class MapOutputs : public testing::TestWithParam<int> {};

INSTANTIATE_TEST_SUITE_P(Seeds, MapOutputs, testing::Range(0, 6));

TEST_P(MapOutputs, CombineLikeAMapOfNumbers) {
  std::mt19937 random(static_cast<unsigned>(GetParam()));
  MapOutput output(options(Combine::kSum, 1U << 20U, 1 + GetParam() % 2));
  std::map<std::string, std::int64_t> reference;
  for (int i = 0; i < 20'000; ++i) {
    const std::string word = random_word(random);
    const auto number = static_cast<std::int64_t>(random() % 100);
    output(Datum::bytes(word), number);
    reference[bytes_key(word)] += number;
    if (random() % 5'000 == 0) output.spill();
  }
  std::map<std::string, std::int64_t> found;
  for (const auto& part : finished(output)) {
    EXPECT_TRUE(std::is_sorted(part.begin(), part.end()));
    for (const auto& [word, number] : part) {
      EXPECT_TRUE(found.emplace(word, value_of(number).as_int()).second) << "a key came twice";
    }
  }
  EXPECT_EQ(found, reference);
  EXPECT_EQ(output.pairs(), 20'000U);
  EXPECT_EQ(output.pairs_out(), reference.size());
}

// Values of a key stay in the order in which they came, so that a job's result is always the same.
TEST_P(MapOutputs, SortLikeAStableSort) {
  std::mt19937 random(static_cast<unsigned>(GetParam()));
  MapOutput output(options(Combine::kNone, 1U << 20U, 1 + GetParam() % 2));
  std::vector<Pair> reference;
  for (int i = 0; i < 60'000; ++i) {
    const std::string word = random_word(random);
    output(Datum::bytes(word), i);
    reference.emplace_back(bytes_key(word), value(i));
  }
  EXPECT_GT(output.spills(), 1U) << "emit() keeps to the bound of memory by itself";
  std::stable_sort(reference.begin(), reference.end(),
                   [](const Pair& a, const Pair& b) { return a.first < b.first; });
  const auto parts = finished(output);
  for (std::uint32_t i = 0; i < parts.size(); ++i) {
    std::vector<Pair> expected;
    for (const auto& pair : reference) {
      if (partition_of(hash_of_key(pair.first), 5) == i) expected.push_back(pair);
    }
    EXPECT_EQ(parts[i], expected);
  }
}

TEST(MapOutput, PutsAllPairsOfAKeyIntoOnePartition) {
  MapOutput output(options(Combine::kNone, 1U << 20U));
  for (int i = 0; i < 100; ++i) output("same", i);
  std::size_t used = 0;
  for (const auto& part : finished(output)) used += part.empty() ? 0 : 1;
  EXPECT_EQ(used, 1U);
}

TEST(MapOutput, OfNothingIsARunWithoutPairs) {
  MapOutput output(options(Combine::kSum, 1U << 20U));
  for (const auto& part : finished(output)) EXPECT_TRUE(part.empty());
}

TEST(MapOutput, KeepsItsMemoryBounded) {
  constexpr std::size_t kBytes = 1U << 20U;
  MapOutput output(options(Combine::kNone, kBytes));
  const std::string large(10'000, 'x');
  for (int i = 0; i < 2'000; ++i) output(i, large);  // 20 MB
  EXPECT_GE(output.spills(), 15U);
  std::size_t pairs = 0;
  for (const auto& part : finished(output)) pairs += part.size();
  EXPECT_EQ(pairs, 2'000U);
}

// One record may yield more different keys than memory has room for.
TEST(MapOutput, SpillsKeysThatAreCombined) {
  constexpr std::size_t kKeys = 100'000;
  MapOutput output(options(Combine::kSum, 1U << 20U));
  for (std::size_t turn = 0; turn < 2; ++turn) {
    for (std::size_t i = 0; i < kKeys; ++i) output("a key of some length " + std::to_string(i), 1);
    for (std::size_t i = 0; i < kKeys; ++i) output(i, 1);
  }
  EXPECT_GE(output.spills(), 10U);
  std::size_t pairs = 0;
  for (const auto& part : finished(output)) {
    for (const auto& [key, number] : part) EXPECT_EQ(number, value(2));
    pairs += part.size();
  }
  EXPECT_EQ(pairs, 2 * kKeys);
}

// Sums are of ints as long as all are; keys that differ in zeros at their end are different.
TEST(MapOutput, TellsKeysAndNumbersApart) {
  using namespace std::literals;
  MapOutput output(options(Combine::kSum, 1U << 20U));
  const std::vector<std::string_view> keys = {
      ""sv, "\0"sv, "a"sv, "a\0"sv, "0123456789abcdef"sv, "0123456789abcdef\0"sv, "01234567"sv};
  for (const std::string_view one : keys) {
    output(one, 1);
    output(Datum::bytes(one), 4);
    output(one, 1);
    output(Datum::bytes(one), 0.5);
  }
  std::map<std::string, std::string> expected;
  for (const std::string_view one : keys) {
    std::string sum;
    append_value(sum, 4.5);
    expected[key(one)] = value(2);
    expected[bytes_key(one)] = sum;
  }
  std::map<std::string, std::string> found;
  for (const auto& part : finished(output)) {
    EXPECT_TRUE(std::is_sorted(part.begin(), part.end()));
    found.insert(part.begin(), part.end());
  }
  EXPECT_EQ(found, expected);
}

TEST(MapOutput, TakesPiecesOfRecordsAsTextsOrBytes) {
  for (const char tag : {kKeyText, kKeyBytes}) {
    for (const Combine how : {Combine::kNone, Combine::kSum}) {
      OutputOptions with_tag = options(how, 1U << 20U);
      with_tag.record_tag = tag;
      MapOutput output(with_tag);
      const std::string large(40, 'x');
      const mapreduce::PairEmitter::Pair pairs[] = {
          {"a", 1, 1}, {large.data(), 40, 2}, {"a", 1, 3}};
      output.add_texts(pairs);
      std::map<std::string, std::int64_t> found;
      for (const auto& part : finished(output)) {
        for (const auto& [key, number] : part) found[key] += value_of(number).as_int();
      }
      EXPECT_EQ(found, (std::map<std::string, std::int64_t>{{tag + "a"s, 4}, {tag + large, 2}}));
      EXPECT_EQ(output.pairs(), 3U);
    }
  }
}

TEST(MapOutput, SaysWhichTextIsNoUtf8) {
  for (const Combine how : {Combine::kNone, Combine::kSum}) {
    MapOutput output(options(how, 1U << 20U));
    try {
      output("caf\xe9", 1);
      finished(output);
      ADD_FAILURE();
    } catch (const ShuffleError& error) {
      EXPECT_THAT(error.what(), testing::HasSubstr("'caf\\xe9' is no UTF-8"));
    }
  }
  MapOutput output(options(Combine::kNone, 1U << 20U));
  EXPECT_THROW(output(1, "\xff"), ShuffleError);
  output(Datum::bytes("\xff"), Datum::bytes("\xff"));
}

TEST(MapOutput, SaysWhichSumIsTooLarge) {
  MapOutput output(options(Combine::kSum, 1U << 20U));
  output("big", std::numeric_limits<std::int64_t>::max());
  try {
    output("big", 1);
    finished(output);
    FAIL();
  } catch (const ShuffleError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("the sum of key 'big' is beyond 64 bits"));
  }
}

TEST(MapOutput, SaysThatATextCannotBeAdded) {
  MapOutput output(options(Combine::kSum, 1U << 20U));
  EXPECT_THROW(output("a", "text"), ShuffleError);
}

TEST(MapOutput, SaysWhereItCannotSpill) {
  MapOutput output({1, Combine::kNone, 1U << 20U, 1, "/nowhere"});
  output("a", 1);
  try {
    output.spill();
    FAIL();
  } catch (const ShuffleError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("cannot make a file in /nowhere"));
  }
}

// A disk that is full; /dev/full is one.
TEST(MapOutput, SaysThatADiskIsFull) {
  MapOutput output(options(Combine::kNone, 1U << 20U));
  output("a", 1);
  std::FILE* full = std::fopen("/dev/full", "w");
  ASSERT_NE(full, nullptr);
  try {
    output.finish(fileno(full), "the output");
    ADD_FAILURE();
  } catch (const ShuffleError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("No space left on device; make room there"));
  }
  std::fclose(full);
}

// What Python's combiners do: sort, write in another form, go on.
TEST(MapOutput, TakesARunInThePlaceOfItsMemory) {
  MapOutput output(options(Combine::kNone, 1U << 20U));
  output("a", 1);
  output("a", 2);
  output.sort();
  SpillFile file(temporary_directory());
  RunWriter writer(file.descriptor(), "a run", 5);
  for (std::uint32_t i = 0; i < 5; ++i) {
    writer.begin(i);
    if (!all_of(*output.sorted(i)).empty()) writer.add({key("a"), value(3)});
  }
  writer.finish();
  output.replace(std::move(file));
  output("a", 4);
  output.spill();
  std::vector<Pair> pairs;
  for (std::uint32_t i = 0; i < 5; ++i) {
    for (auto& pair : all_of(*output.merged(i))) pairs.push_back(pair);
  }
  EXPECT_EQ(pairs, (std::vector<Pair>{{key("a"), value(3)}, {key("a"), value(4)}}));
}

}  // namespace
}  // namespace linden::shuffle

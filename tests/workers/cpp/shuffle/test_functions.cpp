// tests/workers/cpp/shuffle/test_functions.cpp: mappers and reducers in C++.
#include "workers/cpp/shuffle/functions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "temporary_file.h"
#include "workers/cpp/shuffle/merge.h"

namespace linden::shuffle {
namespace {

using mapreduce::Emitter;
using mapreduce::Functions;
using mapreduce::Values;
using testing::ElementsAre;
using testing::HasSubstr;

// Keeps what it is given.
class Kept : public Emitter {
 public:
  std::vector<std::pair<std::string, std::int64_t>> pairs;

 protected:
  void emit(const Datum& key, const Datum& value) override {
    pairs.emplace_back(key.as_text(), value.as_int());
  }
};

std::vector<std::string> words_of(std::string_view line) {
  Functions functions;
  add_our_functions(functions);
  Kept kept;
  (*functions.mapper("words"))(line, kept);
  std::vector<std::string> found;
  for (const auto& [word, count] : kept.pairs) found.push_back(word);
  return found;
}

TEST(Words, AreSplitAtWhiteSpace) {
  EXPECT_THAT(words_of(""), ElementsAre());
  EXPECT_THAT(words_of(" \t "), ElementsAre());
  EXPECT_THAT(words_of("one"), ElementsAre("one"));
  EXPECT_THAT(words_of("  one\ttwo \x1f three\r"), ElementsAre("one", "two", "three"));
  EXPECT_THAT(words_of("a b c d e f g h i j k l m"), testing::SizeIs(13));
}

// Where white space lies among the 16 bytes that are looked at together must not matter.
TEST(Words, DoNotDependOnWhereTheyLie) {
  for (std::size_t before = 0; before < 40; ++before) {
    for (std::size_t length = 1; length < 40; ++length) {
      const std::string word(length, '\xe4');
      EXPECT_THAT(words_of(std::string(before, ' ') + word + " z"), ElementsAre(word, "z"));
    }
  }
}

SourcePtr source_of(const std::vector<std::pair<std::string, std::int64_t>>& pairs,
                    std::string& bytes) {
  const TemporaryFile file;
  RunWriter writer(file.descriptor(), file.path(), 1);
  writer.begin(0);
  for (const auto& [word, number] : pairs) {
    std::string key;
    std::string value;
    append_key(key, word);
    append_value(value, number);
    writer.add({key, value});
  }
  writer.finish();
  bytes = file.content();
  return RunView(bytes, file.path()).source(0);
}

TEST(NativeReduce, GivesEachKeyOnceWithItsValues) {
  std::string bytes;
  const mapreduce::Reducer sum = [](const Datum& key, Values& values, Emitter& emit) {
    std::int64_t total = 0;
    Datum value;
    while (values.next(value)) total += value.as_int();
    emit(key, total);
  };
  NativeReduce reduce(source_of({{"a", 1}, {"a", 2}, {"b", 3}}, bytes), "sum", sum);
  Kept kept;
  while (reduce.reduce_some(1, kept)) {
  }
  EXPECT_THAT(kept.pairs, ElementsAre(std::pair("a", 3), std::pair("b", 3)));
  EXPECT_EQ(reduce.keys(), 2U);
}

TEST(NativeReduce, GoesOnAfterAReducerThatDoesNotLookAtAllValues) {
  std::string bytes;
  const mapreduce::Reducer first = [](const Datum& key, Values& values, Emitter& emit) {
    Datum value;
    if (values.next(value)) emit(key, value);
  };
  NativeReduce reduce(source_of({{"a", 1}, {"a", 2}, {"a", 3}, {"b", 4}}, bytes), "first", first);
  Kept kept;
  while (reduce.reduce_some(100, kept)) {
  }
  EXPECT_THAT(kept.pairs, ElementsAre(std::pair("a", 1), std::pair("b", 4)));
}

TEST(NativeReduce, SaysWhoThrewAndWhere) {
  std::string bytes;
  const mapreduce::Reducer bad = [](const Datum&, Values&, Emitter&) {
    throw std::runtime_error("no luck");
  };
  NativeReduce reduce(source_of({{"a", 1}}, bytes), "bad", bad);
  Kept kept;
  try {
    reduce.reduce_some(1, kept);
    FAIL();
  } catch (const ShuffleError& error) {
    EXPECT_STREQ(error.what(), "reducer bad at key 'a': no luck");
  }
}

TEST(MapSome, SaysWhichRecordAMapperCouldNotTake) {
  const TemporaryFile file("fine\nbad\n");
  TextSplit split(file.path(), 0, 9, '\n', 100);
  MapOutput output({1, Combine::kSum, 1U << 20U, 1, temporary_directory()});
  std::uint64_t records = 0;
  const mapreduce::Mapper mapper = [](std::string_view record, Emitter&) {
    if (record == "bad") throw 7;
  };
  try {
    map_some(split, "choosy", mapper, 100, output, records);
    FAIL();
  } catch (const ShuffleError& error) {
    EXPECT_THAT(error.what(),
                HasSubstr("mapper choosy at byte 5 of " + file.path() + " threw something"));
  }
  EXPECT_EQ(records, 2U);
}

TEST(Library, ThatIsNotThereIsAnError) {
  Functions functions;
  EXPECT_THROW(load_library("/nowhere/libnone.so", functions), ShuffleError);
}

TEST(Library, ThatExportsNothingOfOursIsAnError) {
  Functions functions;
  try {
    load_library("libc.so.6", functions);
    FAIL();
  } catch (const ShuffleError& error) {
    EXPECT_THAT(error.what(), HasSubstr("exports no linden_register_mapreduce"));
  }
}

}  // namespace
}  // namespace linden::shuffle

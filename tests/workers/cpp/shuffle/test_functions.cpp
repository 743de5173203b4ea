// tests/workers/cpp/shuffle/test_functions.cpp: mappers and reducers in C++.
#include "workers/cpp/shuffle/functions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <span>
#include <type_traits>

#include "temporary_file.h"
#include "workers/cpp/shuffle/merge.h"

namespace linden::shuffle {
namespace {

using mapreduce::Block;
using mapreduce::Emitter;
using mapreduce::Functions;
using mapreduce::PairEmitter;
using mapreduce::Values;
using testing::ElementsAre;
using testing::HasSubstr;

// Keep what they are given.
class KeptTexts : public PairEmitter {
 public:
  std::vector<std::string> texts;

 protected:
  void take(const Pair* pairs, std::size_t size) override {
    for (const Pair& pair : std::span(pairs, size)) texts.emplace_back(pair.text, pair.size);
  }
};

class Kept : public Emitter {
 public:
  std::vector<std::pair<std::string, std::int64_t>> pairs;

 protected:
  void emit(const Datum& key, const Datum& value) override {
    pairs.emplace_back(key.as_text(), value.as_int());
  }
};

std::vector<std::string> words_of(std::string_view text, char delimiter = '\n') {
  Functions functions;
  add_our_functions(functions);
  KeptTexts kept;
  (*functions.block_mapper("words"))(Block(text, delimiter), kept);
  kept.flush();
  return kept.texts;
}

TEST(Words, AreSplitAtWhiteSpace) {
  EXPECT_THAT(words_of(""), ElementsAre());
  EXPECT_THAT(words_of(" \t "), ElementsAre());
  EXPECT_THAT(words_of("one"), ElementsAre("one"));
  EXPECT_THAT(words_of("  one\ttwo \x1f three\r"), ElementsAre("one", "two", "three"));
  EXPECT_THAT(words_of("a b c d e f g h i j k l m"), testing::SizeIs(13));
  EXPECT_THAT(words_of("one two\nthree\r\n\nfour"), ElementsAre("one", "two", "three", "four"));
}

TEST(Words, EndWithTheirRecordWhateverEndsThat) {
  EXPECT_THAT(words_of("a b;c;;d\n", ';'), ElementsAre("a", "b", "c", "d"));
  std::string many;
  for (int i = 0; i < 300; ++i) many += "w|";
  EXPECT_THAT(words_of(many, '|'), testing::SizeIs(300));
}

TEST(Block, GivesItsRecords) {
  const auto records_of = [](std::string_view text, char delimiter) {
    std::vector<std::string> found;
    for (const std::string_view record : Block(text, delimiter)) found.emplace_back(record);
    return found;
  };
  EXPECT_THAT(records_of("", '\n'), ElementsAre());
  EXPECT_THAT(records_of("\n", '\n'), ElementsAre(""));
  EXPECT_THAT(records_of("a\r\n\nb\r\r\nc", '\n'), ElementsAre("a", "", "b\r", "c"));
  EXPECT_THAT(records_of("a\r;b", ';'), ElementsAre("a\r", "b"));
}

// Where white space lies among the 16 bytes that are looked at together must not matter.
TEST(Words, DoNotDependOnWhereTheyLie) {
  for (std::size_t before = 0; before < 70; ++before) {
    for (std::size_t length = 1; length < 70; ++length) {
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
  Functions functions;
  functions.add_mapper("choosy", [](std::string_view record, Emitter&) {
    if (record == "bad") throw 7;
  });
  try {
    NativeMapper(functions, "choosy").map_some(split, 100, output, records);
    FAIL();
  } catch (const ShuffleError& error) {
    EXPECT_THAT(error.what(),
                HasSubstr("mapper choosy at byte 5 of " + file.path() + " threw something"));
  }
  EXPECT_EQ(records, 2U);
}

// Records, words and counts, for splits that are cut anywhere.
TEST(MapSome, GivesAMapperOfBlocksWhatAMapperOfRecordsGets) {
  std::string text;
  for (int i = 0; i < 300; ++i) text += "a bb ccc " + std::to_string(i % 7) + "\n";
  const TemporaryFile file(text);
  Functions functions;
  functions.add_block_mapper("blocks", [](const Block& block, PairEmitter& emit) {
    for (const std::string_view record : block) emit(record, 1);
  });
  functions.add_mapper("records", [](std::string_view record, Emitter& emit) { emit(record, 1); });
  for (const std::uint64_t size : {1U, 10U, 333U, 100'000U}) {
    std::map<std::string, std::pair<std::uint64_t, std::string>> found;
    for (const std::string name : {"blocks", "records"}) {
      MapOutput output({1, Combine::kSum, 1U << 20U, 1, temporary_directory()});
      std::uint64_t records = 0;
      for (std::uint64_t begin = 0; begin < text.size(); begin += size) {
        TextSplit split(file.path(), begin, std::min<std::uint64_t>(begin + size, text.size()),
                        '\n', 100);
        while (NativeMapper(functions, name).map_some(split, 50, output, records)) {
        }
      }
      const TemporaryFile run;
      output.finish(run.descriptor(), run.path());
      found[name] = {records, run.content()};
    }
    EXPECT_EQ(found["blocks"].first, 300U);
    EXPECT_EQ(found["blocks"], found["records"]) << size;
  }
}

TEST(MapSome, SaysThatAMapperOfBlocksHasThrown) {
  const TemporaryFile file("fine\nbad\n");
  TextSplit split(file.path(), 5, 9, '\n', 100);
  MapOutput output({1, Combine::kSum, 1U << 20U, 1, temporary_directory()});
  std::uint64_t records = 0;
  Functions functions;
  functions.add_block_mapper(
      "choosy", [](const Block&, PairEmitter&) { throw std::runtime_error("no luck"); });
  try {
    NativeMapper(functions, "choosy").map_some(split, 100, output, records);
    FAIL();
  } catch (const ShuffleError& error) {
    EXPECT_THAT(error.what(), HasSubstr("mapper choosy in the records from byte 5 of " +
                                        file.path() + ": no luck"));
  }
}

TEST(NativeMapper, ThatIsNotThereIsAnErrorThatNamesOthers) {
  Functions functions;
  add_our_functions(functions);
  try {
    const NativeMapper mapper(functions, "wrods");
    FAIL();
  } catch (const ShuffleError& error) {
    EXPECT_STREQ(error.what(), "there is no mapper wrods; there are words");
  }
}

// It would become a float by itself.
static_assert(!std::is_constructible_v<Datum, char>);
static_assert(std::is_constructible_v<Datum, unsigned char>);

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

// tests/workers/cpp/shuffle/test_text_split.cpp
#include "workers/cpp/shuffle/text_split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include <linden/mapreduce.h>

#include "temporary_file.h"
#include "workers/cpp/shuffle/error.h"

namespace linden::shuffle {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> records_of(const std::string& path, std::uint64_t begin, std::uint64_t end,
                                    char delimiter = '\n') {
  TextSplit split(path, begin, end, delimiter, 1U << 20U);
  std::vector<std::string> records;
  std::string_view record;
  while (split.next(record)) records.emplace_back(record);
  TextSplit same(path, begin, end, delimiter, 1U << 20U);
  std::vector<std::string> of_blocks;
  std::string_view text;
  while (same.next_block(text)) {
    EXPECT_FALSE(text.empty());
    for (const std::string_view one : mapreduce::Block(text, delimiter))
      of_blocks.emplace_back(one);
  }
  EXPECT_EQ(of_blocks, records) << "blocks hold other records, from " << begin << " to " << end;
  return records;
}

// Wherever a file is cut, each record comes once, and in order.
TEST(TextSplit, GivesEveryRecordOnceWhereverTheFileIsCut) {
  const std::string text = "one\n\ntwo and a half\nthree\nfour";
  const TemporaryFile file(text);
  const std::vector<std::string> all = {"one", "", "two and a half", "three", "four"};
  for (std::uint64_t first = 0; first <= text.size(); ++first) {
    for (std::uint64_t second = first; second <= text.size(); ++second) {
      std::vector<std::string> found;
      for (const auto& [begin, end] : {std::pair{std::uint64_t{0}, first},
                                       {first, second},
                                       {second, std::uint64_t{text.size()}}}) {
        for (auto& record : records_of(file.path(), begin, end)) found.push_back(record);
      }
      ASSERT_EQ(found, all) << "cut at " << first << " and " << second;
    }
  }
}

// Records that are longer than the buffer, and many splits within one of them.
TEST(TextSplit, GivesRecordsThatAreLongerThanASplit) {
  std::mt19937 random(7);
  std::string text;
  std::vector<std::string> all;
  for (int i = 0; i < 20; ++i) {
    all.emplace_back(random() % 400'000, static_cast<char>('a' + i));
    text += all.back() + '\n';
  }
  const TemporaryFile file(text);
  std::vector<std::string> found;
  for (std::uint64_t begin = 0; begin < text.size(); begin += 50'000) {
    const auto end = std::min<std::uint64_t>(begin + 50'000, text.size());
    for (auto& record : records_of(file.path(), begin, end)) found.push_back(record);
  }
  EXPECT_EQ(found, all);
}

TEST(TextSplit, DropsACarriageReturnBeforeANewline) {
  const TemporaryFile file("a\r\nb\r\n\r\n");
  EXPECT_THAT(records_of(file.path(), 0, 8), ElementsAre("a", "b", ""));
}

TEST(TextSplit, SplitsAtOtherBytes) {
  const TemporaryFile file(std::string_view("a\nb\0c\r\0", 7));
  EXPECT_THAT(records_of(file.path(), 0, 7, '\0'), ElementsAre("a\nb", "c\r"));
}

TEST(TextSplit, OfNothingHasNoRecords) {
  const TemporaryFile file;
  EXPECT_THAT(records_of(file.path(), 0, 0), ElementsAre());
}

TEST(TextSplit, SaysWhereARecordIsTooLong) {
  const TemporaryFile file("short\n" + std::string(100, 'x') + "\n");
  TextSplit split(file.path(), 0, 107, '\n', 50);
  std::string_view record;
  EXPECT_TRUE(split.next(record));
  try {
    split.next(record);
    FAIL();
  } catch (const ShuffleError& error) {
    EXPECT_THAT(error.what(),
                HasSubstr("the record at byte 6 of " + file.path() + " is longer than 50 bytes"));
  }
}

TEST(TextSplit, SaysThatAFileIsNotThere) {
  try {
    records_of("/nowhere/a.txt", 0, 1);
    FAIL();
  } catch (const ShuffleError& error) {
    EXPECT_THAT(error.what(), HasSubstr("cannot read /nowhere/a.txt: No such file"));
  }
}

TEST(TextSplit, SaysThatAFileHasShrunk) {
  const TemporaryFile file("abc");
  EXPECT_THROW(records_of(file.path(), 0, 10), ShuffleError);
}

}  // namespace
}  // namespace linden::shuffle

// tests/api/model/test_encoding.cpp
#include "api/model/encoding.h"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <set>

namespace linden::encoding {
namespace {

Bytes bytes_of_size(std::size_t size, char fill = 'x') {
  return Bytes::adopt(std::string(size, fill));
}

// Tables are large; one on the heap for each test.
std::unique_ptr<FieldTable> table_of(const Tuple& tuple) {
  auto table = std::make_unique<FieldTable>();
  split(tuple, *table);
  return table;
}

TEST(Split, GivesEachFieldItsOwnBytesAndAttachments) {
  const Tuple tuple{bytes_of_size(5000, 'a'), 1, List{bytes_of_size(4096, 'b'), "x"},
                    Object{"p", {bytes_of_size(6000, 'c'), Bytes::copy_of("d")}}, "end"};
  const auto table = table_of(tuple);
  ASSERT_EQ(table->count, 5U);
  EXPECT_EQ(bytes_of(table->fields[0])[0], 'a');
  EXPECT_EQ(int_of(table->fields[1]), 1);
  EXPECT_TRUE(table->fields[1].attachments.empty());
  ListWalk walk(table->fields[2]);
  EXPECT_EQ(walk.count(), 2U);
  FieldView element;
  ASSERT_TRUE(walk.next(element));
  EXPECT_EQ(bytes_of(element)[0], 'b');
  ASSERT_TRUE(walk.next(element));
  EXPECT_EQ(text_of(element), "x");
  EXPECT_FALSE(walk.next(element));
  const ObjectView object = object_of(table->fields[3]);
  EXPECT_EQ(object.codec, "p");
  ASSERT_EQ(object.parts.size(), 2U);
  EXPECT_EQ(object.parts[0].shared->size(), 6000U);
  EXPECT_EQ(object.parts[1].bytes, "d");
  EXPECT_EQ(text_of(table->fields[4]), "end");
}

// P6 rests on this: what matches must be found under the same hash.
TEST(Hash, IsEqualForEqualFields) {
  const List values{nullptr,
                    false,
                    true,
                    0,
                    1,
                    -1,
                    0.0,
                    1.0,
                    "",
                    "a",
                    std::string(100, 'a'),
                    Bytes::copy_of("a"),
                    bytes_of_size(5000),
                    List{},
                    List{1, List{"x", 0.0}},
                    List{List{1, "x"}, 0.0}};
  std::set<std::uint64_t> hashes;
  for (const Value& value : values) {
    const Tuple tuple{"key", value};
    const Template form{kAny, value};
    const auto table = table_of(tuple);
    EXPECT_EQ(form.parsed().actual_hash, hash(*table, form.actual_mask()));
    EXPECT_EQ(hash(table_of(Tuple{value})->fields[0]), hash(table->fields[1]));
    hashes.insert(hash(table->fields[1]));
  }
  EXPECT_EQ(hashes.size(), values.size());
  EXPECT_EQ(hash(table_of({0.0})->fields[0]), hash(table_of({-0.0})->fields[0]));
  EXPECT_EQ(hash(table_of({List{0.0}})->fields[0]), hash(table_of({List{-0.0}})->fields[0]));
}

TEST(Hash, TellsNeighboursApart) {
  std::set<std::uint64_t> hashes;
  constexpr int kCount = 20'000;
  for (int i = 0; i < kCount; ++i) {
    hashes.insert(hash(*table_of({"task", i}), 0b11));
    hashes.insert(hash(*table_of({"task", "id-" + std::to_string(i)}), 0b11));
    hashes.insert(hash(*table_of({i, "x"}), 0b11));
  }
  EXPECT_EQ(hashes.size(), 3U * kCount);
  // Every byte of a long text counts.
  hashes.clear();
  for (std::size_t at = 0; at < 200; ++at) {
    std::string text(200, 'a');
    text[at] = 'b';
    hashes.insert(hash(*table_of({text}), 1));
  }
  EXPECT_EQ(hashes.size(), 200U);
}

TEST(Hash, DependsOnTheOrderOfFields) {
  EXPECT_NE(hash(*table_of({1, 2}), 0b11), hash(*table_of({2, 1}), 0b11));
  EXPECT_NE(hash(*table_of({1, 2}), 0b01), hash(*table_of({1, 2}), 0b10));
}

TEST(Matches, AgreesWithTheTemplate) {
  const Tuple tuple{"task", 17, List{1}};
  const auto table = table_of(tuple);
  for (const Template& form : {Template{"task", kInt, kList}, Template{"task", kInt, kInt},
                               Template{"task", kInt}, Template{kAny, Between{1, 20}, List{1}}})
    EXPECT_EQ(matches(form, *table), form.matches(tuple));
}

}  // namespace
}  // namespace linden::encoding

// tests/workers/cpp/shuffle/test_encoding.cpp
#include "workers/cpp/shuffle/encoding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "workers/cpp/shuffle/combine.h"

namespace linden::shuffle {
namespace {

std::string key(const Datum& datum) {
  std::string encoded;
  append_key(encoded, datum);
  return encoded;
}

std::string value(const Datum& datum) {
  std::string encoded;
  append_value(encoded, datum);
  return encoded;
}

// Runs are merged by comparing bytes, so bytes must compare as keys do.
TEST(KeyEncoding, OrdersAsKeysDo) {
  const double infinity = std::numeric_limits<double>::infinity();
  const std::vector<std::string> in_order = {
      key(nullptr),
      key(false),
      key(true),
      key(std::numeric_limits<std::int64_t>::min()),
      key(-1),
      key(0),
      key(1),
      key(256),
      key(std::numeric_limits<std::int64_t>::max()),
      key(-infinity),
      key(-1.5),
      key(0.0),
      key(1e-300),
      key(2.0),
      key(infinity),
      key(""),
      key(std::string_view("a\0", 2)),
      key("ab"),
      key("b"),
      key("\xc3\xa4"),
      key(Datum::bytes("a")),
  };
  EXPECT_TRUE(std::is_sorted(in_order.begin(), in_order.end(), std::less_equal<>()));
}

// P2: 1, 1.0 and true are three keys.
TEST(KeyEncoding, KeepsTypesApart) {
  EXPECT_NE(key(1), key(1.0));
  EXPECT_NE(key(1), key(true));
  EXPECT_NE(key("a"), key(Datum::bytes("a")));
  EXPECT_EQ(key(0.0), key(-0.0));
}

TEST(KeyEncoding, GivesKeysBack) {
  EXPECT_EQ(key_of(key(-7)).as_int(), -7);
  EXPECT_EQ(key_of(key(-2.5)).as_float(), -2.5);
  EXPECT_EQ(key_of(key("text")).as_text(), "text");
  EXPECT_EQ(key_of(key(Datum::bytes("raw"))).as_bytes(), "raw");
  EXPECT_TRUE(key_of(key(true)).as_bool());
  EXPECT_EQ(key_of(key(nullptr)).type(), Datum::Type::kNil);
}

TEST(KeyEncoding, RefusesNan) {
  EXPECT_THROW(key(std::nan("")), ShuffleError);
}

TEST(ValueEncoding, GivesValuesBack) {
  for (const std::int64_t number : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1} << 40U,
                                    std::numeric_limits<std::int64_t>::min()}) {
    EXPECT_EQ(value_of(value(number)).as_int(), number);
  }
  EXPECT_EQ(value_of(value(0.1)).as_float(), 0.1);
  EXPECT_EQ(value_of(value("")).as_text(), "");
  EXPECT_EQ(value_of(value(Datum::bytes("x"))).as_bytes(), "x");
  EXPECT_FALSE(value_of(value(false)).as_bool());
}

TEST(ValueEncoding, SeesDamage) {
  EXPECT_THROW((void)value_of(""), ShuffleError);
  EXPECT_THROW((void)value_of("d123"), ShuffleError);
  EXPECT_THROW((void)value_of("i\xff"), ShuffleError);
  EXPECT_THROW((void)key_of("\x10"), ShuffleError);
}

TEST(Datum, SaysWhatWasWantedAndFound) {
  try {
    (void)Datum(1).as_text();
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(), "wanted text, found int");
  }
}

TEST(Combine, AddsAsPythonDoes) {
  Number number = Number::of(std::int64_t{2});
  EXPECT_TRUE(combine(Combine::kSum, number, Number::of(std::int64_t{3})));
  EXPECT_EQ(number.integer, 5);
  EXPECT_FALSE(number.is_float);
  EXPECT_TRUE(combine(Combine::kSum, number, Number::of(0.5)));
  EXPECT_TRUE(number.is_float);
  EXPECT_EQ(number.real, 5.5);
}

TEST(Combine, SeesThatASumIsTooLarge) {
  Number number = Number::of(std::numeric_limits<std::int64_t>::max());
  EXPECT_FALSE(combine(Combine::kSum, number, Number::of(std::int64_t{1})));
}

TEST(Combine, KeepsTheFirstOfEqualOnes) {
  Number number = Number::of(std::int64_t{1});
  combine(Combine::kMin, number, Number::of(1.0));
  EXPECT_FALSE(number.is_float);
  combine(Combine::kMax, number, Number::of(1.5));
  EXPECT_EQ(number.real, 1.5);
}

}  // namespace
}  // namespace linden::shuffle

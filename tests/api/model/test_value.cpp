// tests/api/model/test_value.cpp
#include <linden/value.h>

#include <gtest/gtest.h>

#include <cmath>

#include <linden/error.h>
#include <linden/ids.h>

#include "api/model/operation.h"

namespace linden {
namespace {

// P2: no coercion between types, ever.
TEST(Value, OfAnotherTypeIsAnotherValue) {
  const List values{1, 1.0, true, "1", Bytes::copy_of("1"), nullptr, List{1}, Object{"1", {}}};
  for (std::size_t i = 0; i < values.size(); ++i)
    for (std::size_t j = 0; j < values.size(); ++j) EXPECT_EQ(values[i] == values[j], i == j);
}

TEST(Value, NanEqualsNothingAndZeroHasNoSign) {
  EXPECT_FALSE(Value(std::nan("")) == Value(std::nan("")));
  EXPECT_TRUE(Value(0.0) == Value(-0.0));
}

TEST(Value, ReadAsAnotherTypeSaysWantedAndFound) {
  try {
    (void)Value("seven").as_int();
    FAIL() << "a text was read as an int";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_NE(std::string(error.what()).find("int, found text"), std::string::npos);
  }
}

// P3: bytes are shared, so they must stay what they were whatever their maker does.
TEST(Bytes, OutliveWhatTheyWereMadeFrom) {
  std::string text(100, 'a');
  const Bytes copied = Bytes::copy_of(text);
  text.assign(100, 'b');
  const Bytes adopted = Bytes::adopt(std::move(text));
  EXPECT_EQ(copied.view(), std::string(100, 'a'));
  const Bytes part = adopted.slice(10, 5);
  EXPECT_EQ(part.view(), "bbbbb");
  EXPECT_EQ(Bytes(), Bytes::copy_of(""));
}

TEST(Names, OfIdsCodesAndStates) {
  EXPECT_EQ(to_string(SessionId{0x0123456789abcdefULL, 0xfULL}),
            "0123456789abcdef000000000000000f");
  EXPECT_EQ(name_of(ErrorCode::kNoMatch), "NO_MATCH");
  EXPECT_EQ(name_of(ErrorCode::kInternal), "INTERNAL");
  EXPECT_EQ(name_of(TupleState::kStarted), "started");
  EXPECT_EQ(name_of(FieldType::kObject), "object");
}

}  // namespace
}  // namespace linden

// tests/api/model/test_to_string.cpp
#include <gtest/gtest.h>

#include <limits>

#include <linden/template.h>
#include <linden/tuple.h>

namespace linden {
namespace {

TEST(ToString, ShowsATupleAsPeopleWriteIt) {
  const Tuple tuple{"task", 17, 1.0, 2.5, true, nullptr, Bytes::copy_of("a\x01"), List{1, "x"}};
  EXPECT_EQ(to_string(tuple), R"(("task", 17, 1.0, 2.5, true, nil, b"a\x01", [1, "x"]))");
  EXPECT_EQ(to_string(Tuple()), "()");
  EXPECT_EQ(to_string(Value(std::numeric_limits<double>::infinity())), "inf");
  EXPECT_EQ(to_string(Value(1e300)), "1e+300");
}

TEST(ToString, ShowsATemplateAsPeopleWriteIt) {
  const Template form{"task", kInt, kAny, Between{1, 5}, Prefix{"a"}, OneOf{{1, "b"}}};
  EXPECT_EQ(to_string(form), R"(("task", ?int, ?, ?[1..5], ?"a"*, ?{1, "b"}))");
}

TEST(ToString, StaysShort) {
  EXPECT_EQ(to_string(Value(std::string(1000, 'x'))), "\"" + std::string(80, 'x') + "\"...");
  EXPECT_EQ(to_string(Value(Bytes::adopt(std::string(5000, 'x')))),
            "b\"" + std::string(40, 'x') + "\"... (5000 bytes)");
  EXPECT_EQ(to_string(Value(Object{"pickle", {Bytes::adopt(std::string(120, 'x'))}})),
            "<object pickle, 120 bytes>");
  EXPECT_EQ(to_string(Value(List(100, 7))).substr(55), "7, 7, ... 80 more]");
  List wide(20, List(20, List(20, std::string(80, 'x'))));
  EXPECT_LT(to_string(Tuple{Value(std::move(wide))}).size(), 5000U);
}

}  // namespace
}  // namespace linden

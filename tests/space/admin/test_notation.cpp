// What people type must mean what is printed, and what they mistype must be shown to them.
#include "space/admin/notation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

namespace linden::admin {
namespace {

Tuple tuple(std::string_view text) {
  return parse_tuple(text).value_or_throw();
}
std::string form(std::string_view text) {
  return to_string(parse_template(text).value_or_throw());
}
std::string wrong(std::string_view text) {
  return parse_template(text).error().message;
}
std::string wrong_tuple(std::string_view text) {
  return parse_tuple(text).error().message;
}

TEST(ParseTuple, ReadsEveryKindOfValue) {
  EXPECT_EQ(
      tuple(R"((nil, true, false, 17, -3, +4, 1.5, -2e3, "text", 'single "quotes"', [1, ["a"]]))"),
      (Tuple{Value(), true, false, 17, -3, 4, 1.5, -2000.0, "text", "single \"quotes\"",
             List{1, List{"a"}}}));
  EXPECT_EQ(tuple(R"((b"bytes\x00\xff",))"), (Tuple{Bytes::copy_of({"bytes\0\xff", 7})}));
  EXPECT_EQ(tuple("(inf, -inf)"), (Tuple{std::numeric_limits<double>::infinity(),
                                         -std::numeric_limits<double>::infinity()}));
  EXPECT_TRUE(std::isnan(tuple("(nan)")[0].as_float()));
}

TEST(ParseTuple, KnowsWhatPythonAndJsonCallNil) {
  EXPECT_EQ(tuple("(None, null, True, False)"), (Tuple{Value(), Value(), true, false}));
}

// P2: 1 and 1.0 are two different fields.
TEST(ParseTuple, TellsIntsFromFloats) {
  EXPECT_EQ(tuple("(1)")[0].type(), FieldType::kInt);
  EXPECT_EQ(tuple("(1.0)")[0].type(), FieldType::kFloat);
  EXPECT_EQ(tuple("(1e0)")[0].type(), FieldType::kFloat);
}

TEST(ParseTuple, TakesBlanksAndALastComma) {
  EXPECT_EQ(tuple("()"), Tuple());
  EXPECT_EQ(tuple("  ( 1 ,\n\t2 , ) "), (Tuple{1, 2}));
  EXPECT_EQ(tuple("([])"), (Tuple{List{}}));
}

TEST(ParseTuple, ReadsTheWholeRangeOfInts) {
  EXPECT_EQ(
      tuple("(9223372036854775807, -9223372036854775808)"),
      (Tuple{std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min()}));
  EXPECT_NE(wrong("(9223372036854775808)").find("wanted an int that 64 bits can hold"),
            std::string::npos);
}

TEST(ParseTuple, ReadsEscapes) {
  EXPECT_EQ(tuple(R"(("\n\t\r\\\"\'\x41\u00e9\U0001F600"))"),
            (Tuple{"\n\t\r\\\"'A\xC3\xA9\xF0\x9F\x98\x80"}));
}

TEST(ParseTuple, ReadsBackWhatIsPrinted) {
  const Tuple all{Value(),
                  true,
                  -5,
                  2.5,
                  3.0,
                  "a\"b\\c\n\x01 \xC3\xA9",
                  List{1, List{"x"}},
                  Bytes::copy_of({"\0\xff\"", 3})};
  EXPECT_EQ(tuple(to_string(all)), all);
}

TEST(ParseTemplate, ReadsListsWithFormals) {
  EXPECT_EQ(form(R"((["a", ?int, ?, [1..5, "x"*]], [1, [2]]))"),
            R"((["a", ?int, ?, [?[1..5], ?"x"*]], [1, [2]]))");
  EXPECT_EQ(parse_template("([1, [2]])").value_or_throw().actual_mask(), 1U);
  EXPECT_EQ(form(form(R"(([?{1, 2}, ?]))")), R"(([?{1, 2}, ?]))");
  EXPECT_NE(wrong(std::string("(") + std::string(100, '[')).find("nested less deeply"),
            std::string::npos);
}

TEST(ParseTuple, KnowsNoFormals) {
  EXPECT_NE(wrong_tuple("(?)").find("wanted a value"), std::string::npos);
  EXPECT_NE(wrong_tuple(R"(("a"*))").find("wanted a comma or ')'"), std::string::npos);
}

TEST(ParseTemplate, ReadsEveryFormal) {
  EXPECT_EQ(form(R"(("task", ?, ?int))"), R"(("task", ?, ?int))");
  EXPECT_EQ(form(R"((?nil, ?bool, ?float, ?text, ?bytes, ?list, ?object))"),
            R"((?nil, ?bool, ?float, ?text, ?bytes, ?list, ?object))");
  EXPECT_EQ(form(R"(("abc"*, 1..5, {1, "two", nil}))"), R"((?"abc"*, ?[1..5], ?{1, "two", nil}))");
  EXPECT_EQ(form(R"((-1.5..2.5, "a".."f", b"a"..b"b"))"),
            R"((?[-1.5..2.5], ?["a".."f"], ?[b"a"..b"b"]))");
}

TEST(ParseTemplate, ReadsBackWhatIsPrinted) {
  const std::string printed = R"((?"abc"*, ?[1..5], ?["a".."b"], ?{1, "two"}, ?, 7))";
  EXPECT_EQ(form(printed), printed);
}

TEST(ParseTemplate, SeparatesRangesFromFractions) {
  EXPECT_EQ(form("(1..2)"), "(?[1..2])");
  EXPECT_EQ(form("(1 .. 2)"), "(?[1..2])");
  EXPECT_EQ(form("(1.0..2.0)"), "(?[1.0..2.0])");
}

TEST(ParseTemplate, PointsAtWhatIsWrong) {
  EXPECT_EQ(wrong(R"(("task", ?integer))"),
            "wanted a type (nil, bool, int, float, text, bytes, list, object), found \"i\"\n"
            "  (\"task\", ?integer)\n"
            "            ^");
  EXPECT_EQ(wrong("(task)"),
            "wanted nil, true, false or a number; text needs quotes, found \"t\"\n"
            "  (task)\n"
            "   ^");
}

TEST(ParseTemplate, SaysWhatIsMissingAtTheEnd) {
  EXPECT_NE(wrong("(1, 2").find("wanted a comma or ')', found the end\n  (1, 2\n       ^"),
            std::string::npos);
  EXPECT_NE(wrong(R"(("open)").find("wanted a closing \", found the end"), std::string::npos);
  EXPECT_NE(wrong("").find("wanted a row of fields in parentheses"), std::string::npos);
  EXPECT_NE(wrong("task").find("wanted a row of fields in parentheses"), std::string::npos);
  EXPECT_NE(wrong("(1) 2").find("wanted the end after the closing parenthesis, found \"2\""),
            std::string::npos);
}

TEST(ParseTemplate, RefusesRangesAndPrefixesOfOtherTypes) {
  EXPECT_NE(wrong(R"((1.."a"))").find("wanted a range of one type, so int after the dots"),
            std::string::npos);
  EXPECT_NE(wrong("(1..2.0)").find("a range of one type"), std::string::npos);
  EXPECT_NE(wrong("(17*)").find("wanted text before the *"), std::string::npos);
  EXPECT_FALSE(parse_template("(nil..nil)").has_value());
}

TEST(ParseTemplate, RefusesWrongNumbersAndEscapes) {
  for (const char* text : {"(-)", "(1.)", "(1e)", "(1.5.2)", "(--1)", "(1e999)", R"(("\q"))",
                           R"(("\x4"))", R"(("\ud800"))", R"((b"\u0041"))", R"(("\U00110000"))",
                           "(?17)", "(,)", "([1, 2)", "({1)", "(?[1, 2])"})
    EXPECT_FALSE(parse_template(text).has_value()) << text;
}

// The place counts characters, not bytes, and control characters never reach the terminal.
TEST(ParseTemplate, ShowsThePlaceInAForeignScript) {
  EXPECT_NE(wrong("(\"\xC3\xA9\xC3\xA9\", x)").find("\n         ^"), std::string::npos);
  EXPECT_EQ(wrong("(\x1b[31m)").find('\x1b'), std::string::npos);
}

TEST(ParseTemplate, ShowsOnlyThePartOfALongTextThatMatters) {
  const std::string message = wrong("(\"" + std::string(500, 'x') + "\", oops, 1)");
  EXPECT_NE(message.find("..."), std::string::npos);
  EXPECT_LT(message.size(), 300U);
}

TEST(ParseTemplate, EndsOnNestingWithoutEnd) {
  EXPECT_NE(wrong("(" + std::string(100'000, '[')).find("nested less deeply"), std::string::npos);
}

TEST(ParseTemplate, RefusesMoreFieldsThanATupleHas) {
  std::string text = "(";
  for (std::size_t i = 0; i <= kFieldsMax; ++i) text += "?, ";
  EXPECT_EQ(parse_template(text + ")").error().code, ErrorCode::kLimitExceeded);
}

}  // namespace
}  // namespace linden::admin

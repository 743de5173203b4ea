// tests/api/model/test_template.cpp
#include <linden/template.h>

#include <gtest/gtest.h>

#include <cmath>

#include <linden/error.h>

namespace linden {
namespace {

Bytes bytes_of_size(std::size_t size, char fill = 'x') {
  return Bytes::adopt(std::string(size, fill));
}

std::vector<Bytes> attachments_of(const Template& form) {
  return {form.attachments().begin(), form.attachments().end()};
}

// P1: equal arity, actuals by type and value, formals by type.
TEST(Template, MatchesByArityTypeAndValue) {
  const Template form{"task", kInt, kAny};
  EXPECT_TRUE(form.matches({"task", 1, nullptr}));
  EXPECT_TRUE(form.matches({"task", -5, List{1}}));
  EXPECT_FALSE(form.matches({"task", 1}));
  EXPECT_FALSE(form.matches({"task", 1, 2, 3}));
  EXPECT_FALSE(form.matches({"Task", 1, 2}));
  EXPECT_FALSE(form.matches({"task", 1.0, 2}));
  EXPECT_FALSE(form.matches({"task", true, 2}));
  EXPECT_TRUE(Template().matches(Tuple()));
  EXPECT_FALSE(Template().matches({1}));
  EXPECT_FALSE(Template{kAny}.matches(Tuple()));
}

// P2.
TEST(Template, CoercesNothing) {
  const List values{1, 1.0, true, "1", Bytes::copy_of("1"), nullptr, List{1}};
  for (std::size_t i = 0; i < values.size(); ++i)
    for (std::size_t j = 0; j < values.size(); ++j)
      EXPECT_EQ(Template{values[i]}.matches({values[j]}), i == j);
  EXPECT_TRUE(Template{kAny}.matches({nullptr}));
  EXPECT_TRUE(Template{nullptr}.matches({nullptr}));
}

TEST(Template, FormalsOfEachTypeMatchThatTypeOnly) {
  const List values{nullptr, true, 1, 1.0, "1", Bytes::copy_of("1"), List{1}, Object{"p", {}}};
  for (std::size_t type = 0; type < values.size(); ++type)
    for (std::size_t i = 0; i < values.size(); ++i)
      EXPECT_EQ(Template{Typed{static_cast<FieldType>(type)}}.matches({values[i]}), i == type);
  EXPECT_TRUE(Template{kBytes}.matches({bytes_of_size(5000)}));
}

// P2: not even itself.
TEST(Template, NanMatchesNothing) {
  const double nan = std::nan("");
  EXPECT_FALSE(Template{nan}.matches({nan}));
  EXPECT_FALSE(Template{List{nan}}.matches({List{nan}}));
  EXPECT_FALSE((Template{Between{nan, nan}}.matches({nan})));
  EXPECT_FALSE((Template{Between{0.0, 1.0}}.matches({nan})));
  EXPECT_TRUE(Template{kFloat}.matches({nan}));
  EXPECT_TRUE(Template{-0.0}.matches({0.0}));
}

TEST(Template, BetweenIncludesBothEnds) {
  const Template ints{Between{-1, 3}};
  EXPECT_TRUE(ints.matches({-1}));
  EXPECT_TRUE(ints.matches({3}));
  EXPECT_FALSE(ints.matches({-2}));
  EXPECT_FALSE(ints.matches({4}));
  EXPECT_FALSE(ints.matches({2.0}));
  EXPECT_TRUE((Template{Between{0.5, 1.5}}.matches({1.5})));
  EXPECT_TRUE((Template{Between{"b", "d"}}.matches({"bz"})));
  EXPECT_FALSE((Template{Between{"b", "d"}}.matches({"da"})));
  // Bytes compare as unsigned, whatever char is here; large ends travel as attachments.
  const Template bytes{Between{Bytes::copy_of("\x10"), bytes_of_size(5000, '\xf0')}};
  EXPECT_TRUE(bytes.matches({Bytes::copy_of("\x80")}));
  EXPECT_TRUE(bytes.matches({bytes_of_size(4096, '\xf0')}));
  EXPECT_FALSE(bytes.matches({Bytes::copy_of("\xf1")}));
  EXPECT_FALSE((Template{Between{3, 1}}.matches({2})));
}

TEST(Template, PrefixAndOneOf) {
  const Template prefix{Prefix{"user/"}};
  EXPECT_TRUE(prefix.matches({"user/"}));
  EXPECT_TRUE(prefix.matches({"user/ann"}));
  EXPECT_FALSE(prefix.matches({"use"}));
  EXPECT_FALSE(prefix.matches({Bytes::copy_of("user/ann")}));
  const Template one_of{OneOf{{1, "a", bytes_of_size(5000), List{2}}}};
  EXPECT_TRUE(one_of.matches({"a"}));
  EXPECT_TRUE(one_of.matches({List{2}}));
  EXPECT_TRUE(one_of.matches({bytes_of_size(5000)}));
  EXPECT_FALSE(one_of.matches({2}));
  EXPECT_FALSE(Template{OneOf{}}.matches({1}));
}

// P1, and the fine print: lists match element by element, and may hold formals.
TEST(TemplateP1, ListsMayHoldFormals) {
  const Template form{"move", ListOf{{kInt, Between{0, 9}, ListOf{{kAny, "x"}}}}};
  EXPECT_TRUE(form.matches({"move", List{7, 9, List{nullptr, "x"}}}));
  EXPECT_FALSE(form.matches({"move", List{7, 10, List{nullptr, "x"}}}));
  EXPECT_FALSE(form.matches({"move", List{7, 9, List{nullptr, "y"}}}));
  EXPECT_FALSE(form.matches({"move", List{7, 9, List{"x"}}}));
  EXPECT_FALSE(form.matches({"move", List{7, 9}}));
  EXPECT_FALSE(form.matches({"move", List{7, 9, List{nullptr, "x"}, 1}}));
  EXPECT_FALSE(form.matches({"move", 7}));
  EXPECT_EQ(to_string(form), R"(("move", [?int, ?[0..9], [?, "x"]]))");
  EXPECT_TRUE((Template{ListOf{{kObject, kBytes}}}.matches(
      {List{Object{"p", {bytes_of_size(5000)}}, bytes_of_size(4096)}})));
}

// Then an index can find it, and it has one encoding.
TEST(Template, AListWithoutFormalsIsAnActual) {
  const Template list{ListOf{{1, ListOf{{"a", ListOf{}}}}}, kAny};
  EXPECT_EQ(list.head(), (Template{List{1, List{"a", List{}}}, kAny}.head()));
  EXPECT_EQ(list.actual_mask(), 0b01U);
  EXPECT_EQ((Template{ListOf{{1, kAny}}, 1}.actual_mask()), 0b10U);
}

TEST(Template, KnowsItsActuals) {
  EXPECT_EQ((Template{"a", kInt, 7, kAny}.actual_mask()), 0b0101U);
  EXPECT_EQ((Template{OneOf{{1}}, OneOf{{1, 2}}}.actual_mask()), 0b01U);
  EXPECT_EQ(Template().actual_mask(), 0U);
}

TEST(Template, ExactlyMatchesItsTupleOnly) {
  const Tuple tuple{"a", 1, List{bytes_of_size(5000)}};
  const Template form = Template::exactly(tuple);
  EXPECT_TRUE(form.matches(tuple));
  EXPECT_FALSE(form.matches({"a", 2, List{bytes_of_size(5000)}}));
  EXPECT_EQ(form.actual_mask(), 0b111U);
  EXPECT_TRUE(Template::exactly({}).matches(Tuple()));
}

ErrorCode code_of(std::initializer_list<TemplateField> fields) {
  try {
    Template form(fields);
  } catch (const Error& error) {
    return error.code();
  }
  return ErrorCode::kOk;
}

TEST(Template, RefusesWhatCannotBeMatched) {
  const Object object{"p", {}};
  EXPECT_EQ(code_of({object}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of({List{1, List{object}}}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of({OneOf{{1, object}}}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of({Between{1, 2.0}}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of({Between{true, false}}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of({Between{List{}, List{}}}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of({Prefix{"\xff"}}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of({OneOf{List(65'537, 1)}}), ErrorCode::kLimitExceeded);
  EXPECT_THROW((void)Template::exactly({object}), Error);
  EXPECT_EQ(code_of({ListOf{{kAny, object}}}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of({ListOf{{kAny, Prefix{"\xff"}}}}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of({ListOf{std::vector<TemplateField>(65'537, kAny)}}), ErrorCode::kLimitExceeded);
}

ErrorCode code_of_many(std::size_t fields) {
  const std::vector<TemplateField> many(fields, kAny);
  try {
    Template form{std::span<const TemplateField>(many)};
  } catch (const Error& error) {
    return error.code();
  }
  return ErrorCode::kOk;
}

// P38
TEST(TemplateP38, HasABoundedNumberOfFields) {
  EXPECT_EQ(code_of_many(kFieldsMax), ErrorCode::kOk);
  EXPECT_EQ(code_of_many(kFieldsMax + 1), ErrorCode::kLimitExceeded);
  EXPECT_EQ(code_of_many(1000), ErrorCode::kLimitExceeded);
}

TemplateField nested(std::size_t depth, TemplateField innermost) {
  for (; depth > 0; --depth) {
    std::vector<TemplateField> one;  // a braced list would copy what is in it
    one.push_back(std::move(innermost));
    innermost = ListOf{std::move(one)};
  }
  return innermost;
}

// P38: however deep it is, and whether there is a formal in it or not.
TEST(TemplateP38, HasABoundedDepth) {
  EXPECT_EQ(code_of({nested(kListDepthMax, kInt)}), ErrorCode::kOk);
  EXPECT_EQ(code_of({nested(kListDepthMax, 1)}), ErrorCode::kOk);
  for (const std::size_t depth : {kListDepthMax + 1, std::size_t{10'000}}) {
    EXPECT_EQ(code_of({nested(depth, kInt)}), ErrorCode::kLimitExceeded) << depth;
    EXPECT_EQ(code_of({nested(depth, 1)}), ErrorCode::kLimitExceeded) << depth;
  }
  std::string head = "\x01";
  for (int i = 0; i < 10'000; ++i) head += "\x25\x01";
  head += "\x20";
  EXPECT_FALSE(Template::decode(head, {}));
}

TEST(TemplateDecode, TravelsAsItsHeadAndAttachments) {
  const Template form{"a",
                      bytes_of_size(5000),
                      kAny,
                      kObject,
                      Between{1, 5},
                      Prefix{"ab"},
                      OneOf{{1, "x", List{}}},
                      ListOf{{kAny, ListOf{{kInt, 1}}}}};
  const auto decoded = Template::decode(form.head(), attachments_of(form));
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(decoded->head(), form.head());
  EXPECT_EQ(to_string(*decoded), to_string(form));
  EXPECT_EQ(decoded->actual_mask(), form.actual_mask());
  EXPECT_TRUE(Template::decode(std::string_view("\0", 1), {}).value().matches(Tuple()));
}

// The golden bytes of the formals.
TEST(TemplateDecode, HasTheBytesThatTheProtocolDocuments) {
  const Template form{
      kAny, kInt, Between{"a", "b"}, Prefix{"p"}, OneOf{{nullptr, true}}, ListOf{{kAny, nullptr}}};
  EXPECT_EQ(form.head(), std::string_view("\x06\x20\x21\x02\x22\x05\x01"
                                          "a\x05\x01"
                                          "b\x23\x01p\x24\x02\x00\x02\x25\x02\x20\x00",
                                          22));
}

TEST(TemplateDecode, RefusesWrongBytes) {
  using namespace std::string_view_literals;
  for (const std::string_view head :
       {""sv, "\x01"sv, "\x01\x21\x08"sv, "\x01\x21"sv, "\x01\x25"sv, "\x01\x26"sv,
        "\x01\x25\x02\x20"sv, "\x01\x25\xff\xff\xff\xff\x0f"sv, "\x01\x25\x01\x09\x01p\x00"sv,
        "\x01\x22\x00\x00"sv, "\x01\x22\x05\x00\x06\x00"sv, "\x01\x23\x01\xff"sv,
        "\x01\x24\x02\x00"sv, "\x01\x24\xff\xff\xff\xff\x0f"sv, "\x01\x09\x01p\x00"sv,
        "\x01\x24\x01\x20"sv, "\x01\x20\x20"sv, "\x41"sv}) {
    const auto decoded = Template::decode(head, {});
    ASSERT_FALSE(decoded) << to_string(*decoded);
    EXPECT_EQ(decoded.error().code, ErrorCode::kMalformed);
  }
}

TEST(TemplateDecode, NeverReadsBeyondATruncatedOrChangedHead) {
  const Template form{
      "a", kInt, Between{1, 5}, Prefix{"ab"}, OneOf{{1, "x", List{2}}}, ListOf{{kInt}}, kAny};
  const std::string head(form.head());
  for (std::size_t size = 0; size < head.size(); ++size) {
    const std::vector<char> cut(head.begin(), head.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(Template::decode({cut.data(), cut.size()}, {}));
  }
  const Tuple tuple{"a", 1, 2, "abc", List{2}, List{3}, 0};
  for (std::size_t at = 0; at < head.size(); ++at)
    for (int change = 1; change < 256; ++change) {
      std::string changed = head;
      changed[at] = static_cast<char>(changed[at] ^ change);
      if (const auto decoded = Template::decode(changed, {})) (void)decoded->matches(tuple);
    }
}

}  // namespace
}  // namespace linden

// tests/api/model/test_typed.cpp: templates whose fields have C++ types.
#include <linden/typed.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace linden {
namespace {

using ::testing::HasSubstr;

template <class Call>
std::string refusal(Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    return error.what();
  }
  return "no error";
}

TEST(Typed, TypesMakeFormalsAndValuesMakeActuals) {
  const auto task =
      form<std::string, std::int64_t, double, bool, Bytes>("task", any, any, true, any);
  EXPECT_EQ(to_string(task.untyped()), R"(("task", ?int, ?float, true, ?bytes))");
  EXPECT_EQ(to_string(form<Value, List, Object, std::nullptr_t>(any, any, any, any).untyped()),
            "(?, ?list, ?object, nil)");
  EXPECT_EQ(to_string(form<Value, Value>("text", 5).untyped()), R"(("text", 5))");
  EXPECT_EQ(form<>().untyped().size(), 0U);
}

TEST(Typed, GivesTheFieldsWithTheirTypes) {
  const auto two = form<std::string, std::int64_t, double>("task", any, any);
  const auto [word, n, x] = two.fields_of(Tuple{"task", 17, 2.5});
  EXPECT_EQ(word, "task");
  EXPECT_EQ(n, 17);
  EXPECT_EQ(x, 2.5);
  const auto [value, bytes, list, nil] =
      form<Value, Bytes, List, std::nullptr_t>(any, any, any, nullptr)
          .fields_of(Tuple{"text", Bytes::copy_of(std::string(9000, 'x')), List{1, "a"}, nullptr});
  EXPECT_EQ(value, Value("text"));
  EXPECT_EQ(bytes.size(), 9000U);
  EXPECT_EQ(list, (List{1, "a"}));
}

// What matches always fits: a number that the type cannot hold is left in the space.
TEST(Typed, AnIntegerTypeMatchesWhatItCanHold) {
  const auto small = form<std::int8_t>(any);
  EXPECT_TRUE(small.untyped().matches(Tuple{127}));
  EXPECT_TRUE(small.untyped().matches(Tuple{-128}));
  EXPECT_FALSE(small.untyped().matches(Tuple{128}));
  const auto whole = form<std::uint64_t>(any);
  EXPECT_FALSE(whole.untyped().matches(Tuple{-1}));
  EXPECT_TRUE(whole.untyped().matches(Tuple{INT64_MAX}));
  EXPECT_FALSE(whole.untyped().matches(Tuple{1.0}));
  EXPECT_EQ(std::get<0>(whole.fields_of(Tuple{INT64_MAX})), std::uint64_t{INT64_MAX});
  const auto all = form<std::int64_t>(any);
  EXPECT_TRUE(all.untyped().matches(Tuple{INT64_MIN}));
  const auto some = form<std::int8_t>(Between{100, 1000});
  EXPECT_EQ(to_string(some.untyped()), to_string(Template{Between{100, 127}}));
}

TEST(Typed, RefusesANumberBeyondItsType) {
  EXPECT_THAT(refusal([] { (void)form<std::int8_t>(300); }), HasSubstr("found 300"));
  EXPECT_THAT(refusal([] { (void)form<std::uint32_t>(-1); }), HasSubstr("found -1"));
  EXPECT_THAT(refusal([] { (void)form<std::uint64_t>(UINT64_MAX); }),
              HasSubstr("found 18446744073709551615"));
  EXPECT_THAT(refusal([] { (void)form<std::int8_t>(OneOf{{1, 300}}); }), HasSubstr("found 300"));
  EXPECT_EQ(refusal([] { (void)form<std::int64_t>(std::uint64_t{5}); }), "no error");
}

TEST(Typed, RefusesFormalsOfAnotherType) {
  EXPECT_THAT(refusal([] {
                (void)form<std::string>(Between{1, 2});
              }),
              HasSubstr("Between for a field of type text has a value of type int"));
  EXPECT_THAT(refusal([] {
                (void)form<std::int64_t>(OneOf{{1, "a"}});
              }),
              HasSubstr("OneOf for a field of type int has a value of type text"));
  EXPECT_EQ(to_string(form<std::string>(Prefix{"ab"}).untyped()),
            to_string(Template{Prefix{"ab"}}));
}

TEST(Typed, ListsOfKnownLengthAreRows) {
  const auto move = form<std::string, std::pair<int, int>, std::array<double, 2>,
                         std::tuple<std::string, std::tuple<>>>("move", std::pair(1, 2), any, any);
  const Tuple right{"move", List{1, 2}, List{0.5, 1.5}, List{"end", List{}}};
  EXPECT_TRUE(move.untyped().matches(right));
  EXPECT_FALSE(
      move.untyped().matches(Tuple{"move", List{1, 3}, List{0.5, 1.5}, List{"end", List{}}}));
  EXPECT_FALSE(move.untyped().matches(Tuple{"move", List{1, 2}, List{0.5}, List{"end", List{}}}));
  const auto [name, where, speed, rest] = move.fields_of(right);
  EXPECT_EQ(where, std::pair(1, 2));
  EXPECT_EQ(speed, (std::array{0.5, 1.5}));
  EXPECT_EQ(std::get<0>(rest), "end");
}

// A tuple that was not matched by the form, but handed to it.
TEST(Typed, SaysWhatATupleLacks) {
  EXPECT_THAT(refusal([] { (void)Form<std::string>::fields_of(Tuple{17}); }),
              HasSubstr("wanted a field of type text, found 17"));
  EXPECT_THAT(refusal([] {
                (void)Form<std::string>::fields_of(Tuple{"a", "b"});
              }),
              HasSubstr("wanted 1 fields, found 2"));
}

}  // namespace
}  // namespace linden

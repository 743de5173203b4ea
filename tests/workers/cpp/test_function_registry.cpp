// tests/workers/cpp/test_function_registry.cpp
#include <linden/function_registry.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace linden {
namespace {

using ::testing::HasSubstr;

std::int64_t twice(std::int64_t n) {
  return 2 * n;
}

FunctionRegistry some_functions() {
  FunctionRegistry functions;
  functions.add("twice", &twice);
  functions.add("join", [](const std::string& a, std::string b) { return a + b; });
  functions.add("count", [](const List& items) { return static_cast<std::int64_t>(items.size()); });
  functions.add("nothing", [] {});
  functions.add("same", [](const Value& value) { return value; });
  return functions;
}

std::string message_of(const FunctionRegistry& functions, std::string_view name,
                       const List& arguments) {
  try {
    (void)functions.call(name, arguments);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    return error.what();
  }
  return "no error";
}

TEST(FunctionRegistry, CallsWithPlainValues) {
  const auto functions = some_functions();
  EXPECT_EQ(functions.call("twice", {21}), Value(42));
  EXPECT_EQ(functions.call("join", {"tuple", "space"}), Value("tuplespace"));
  const List one_list(1, Value(List{1, 2, 3}));  // braces alone would copy the inner list
  EXPECT_EQ(functions.call("count", one_list), Value(3));
  EXPECT_EQ(functions.call("nothing", {}), Value());
  EXPECT_EQ(functions.call("same", {nullptr}), Value());
}

// P2 holds for arguments as well: 1 is not 1.0 and not true.
TEST(FunctionRegistry, DoesNotCoerceArguments) {
  const auto functions = some_functions();
  EXPECT_THAT(message_of(functions, "twice", {1.0}), HasSubstr("int"));
  EXPECT_THAT(message_of(functions, "twice", {true}), HasSubstr("int"));
  EXPECT_THAT(message_of(functions, "twice", {"1"}), HasSubstr("int"));
}

TEST(FunctionRegistry, SaysHowManyArgumentsWereWanted) {
  EXPECT_THAT(message_of(some_functions(), "join", {"alone"}),
              HasSubstr("wanted 2 arguments, found 1"));
}

TEST(FunctionRegistry, TakesAndGivesArraysAndVectors) {
  FunctionRegistry functions;
  functions.add("sum", [](const Array& array) {
    double sum = 0;
    for (const double element : array.as<double>()) sum += element;
    return sum;
  });
  functions.add("zeros", [](std::int64_t count) {
    return Array::adopt(std::vector<float>(static_cast<std::size_t>(count)));
  });
  functions.add("lengths", [](const std::vector<std::string>& texts) {
    std::vector<std::int64_t> lengths;
    for (const auto& text : texts) lengths.push_back(static_cast<std::int64_t>(text.size()));
    return lengths;
  });
  const List array(1, Array::adopt(std::vector<double>{1, 2, 3.5}));
  EXPECT_EQ(functions.call("sum", array), Value(6.5));
  EXPECT_EQ(Array(functions.call("zeros", {3})).as<float>().size(), 3U);
  const List texts(1, Value(List{"a", "bcd"}));
  EXPECT_EQ(functions.call("lengths", texts), Value(List{1, 3}));
  EXPECT_THAT(message_of(functions, "sum", {1.0}), HasSubstr("argument 0: wanted an array"));
  const List mixed(1, Value(List{"a", 1}));
  EXPECT_THAT(message_of(functions, "lengths", mixed), HasSubstr("text"));
  const List wrong(1, Array::adopt(std::vector<float>{1}));
  EXPECT_THROW((void)functions.call("sum", wrong), Error) << "nothing is converted";
}

TEST(FunctionRegistry, KnowsItsNames) {
  EXPECT_EQ(some_functions().names(),
            (std::vector<std::string>{"count", "join", "nothing", "same", "twice"}));
  EXPECT_THAT(message_of(some_functions(), "thrice", {1}), HasSubstr("thrice"));
}

TEST(FunctionRegistry, RefusesASecondFunctionOfOneName) {
  auto functions = some_functions();
  EXPECT_THROW(functions.add("twice", &twice), Error);
  EXPECT_THROW(functions.add("", &twice), Error);
  EXPECT_THROW(functions.add("module:twice", &twice), Error) << "so functions in Python are named";
  EXPECT_THROW(functions.add("\xFF", &twice), Error);
}

}  // namespace
}  // namespace linden

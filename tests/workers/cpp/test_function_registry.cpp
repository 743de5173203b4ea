// tests/workers/cpp/test_function_registry.cpp
#include "workers/cpp/function_registry.h"

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

TEST(FunctionRegistry, KnowsItsNames) {
  EXPECT_EQ(some_functions().names(),
            (std::vector<std::string>{"count", "join", "nothing", "same", "twice"}));
  EXPECT_THAT(message_of(some_functions(), "thrice", {1}), HasSubstr("thrice"));
}

TEST(FunctionRegistry, RefusesASecondFunctionOfOneName) {
  auto functions = some_functions();
  EXPECT_THROW(functions.add("twice", &twice), Error);
  EXPECT_THROW(functions.add("", &twice), Error);
}

}  // namespace
}  // namespace linden

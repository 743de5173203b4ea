// tests/workers/cpp/test_run_call.cpp: task tuple in, outcome out; the engine with a server is
// tested in tests/integration.
#include "workers/cpp/run_call.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

namespace linden {
namespace {

using ::testing::HasSubstr;

using Words = std::pair<std::string, std::string>;

struct Odd {};
class TooBig : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

FunctionRegistry some_functions() {
  FunctionRegistry functions;
  functions.add("div", [](std::int64_t a, std::int64_t b) {
    if (b == 0) throw std::domain_error("division by zero");
    return a / b;
  });
  functions.add("odd", []() -> std::int64_t { throw Odd(); });
  functions.add("own", []() -> std::int64_t { throw TooBig("7 is too big\xFF"); });
  functions.add("fails", []() { throw Error(ErrorCode::kOverloaded, "busy"); });
  return functions;
}

Tuple task(const std::string& function, Value payload, std::string_view kind = farm::kCall,
           Value options = nullptr) {
  return Tuple{"task",   "native",           "c0ffee",          5, function, kind,
               function, std::move(options), std::move(payload)};
}

farm::Outcome run(const Tuple& task) {
  return run_call(some_functions(), TaskView(task), [] { return false; });
}

// Type and message of the only error.
Words error_of(const farm::Outcome& outcome) {
  EXPECT_EQ(outcome.status, "error");
  const auto result =
      farm::parse_result(farm::new_result(task("f", List{}), outcome, {}, 0.0, 0.0));
  EXPECT_EQ(result.errors.size(), 1U);
  EXPECT_EQ(result.errors[0].traceback, result.errors[0].type + ": " + result.errors[0].message);
  return {result.errors[0].type, result.errors[0].message};
}

TEST(RunCall, GivesTheValue) {
  const auto outcome = run(task("div", List{42, 6}));
  EXPECT_EQ(outcome.status, "ok");
  EXPECT_EQ(outcome.payload, Value(7));
}

// F1: whatever a function throws is a result, and the engine goes on.
TEST(RunCall, AnExceptionIsNamedAsInCpp) {
  EXPECT_EQ(error_of(run(task("div", List{1, 0}))), Words("std::domain_error", "division by zero"));
  EXPECT_THAT(error_of(run(task("own", List{}))).first, HasSubstr("TooBig"));
  EXPECT_EQ(error_of(run(task("own", List{}))).second, "7 is too big\xEF\xBF\xBD");
  EXPECT_THAT(error_of(run(task("odd", List{}))).first, HasSubstr("Odd"));
  EXPECT_EQ(error_of(run(task("fails", List{}))), Words("linden::Error", "busy"));
}

TEST(RunCall, ArgumentsThatDoNotFitAreATypeError) {
  EXPECT_EQ(error_of(run(task("div", List{1}))), Words("TypeError", "wanted 2 arguments, found 1"));
  const auto [type, message] = error_of(run(task("div", List{1, "x"})));
  EXPECT_EQ(type, "TypeError");
  EXPECT_THAT(message, HasSubstr("argument 1: "));
  EXPECT_THAT(message, HasSubstr("int"));
  EXPECT_EQ(error_of(run(task("div", 7))).first, "TypeError");
}

TEST(RunCall, AnUnknownFunctionSaysWhichThereAre) {
  const auto [type, message] = error_of(run(task("mul", List{})));
  EXPECT_EQ(type, "NoSuchFunction");
  EXPECT_THAT(message, HasSubstr("'mul'; it has div, fails, odd, own"));
}

TEST(RunCall, OtherKindsOfTasksAreRefused) {
  const auto [type, message] = error_of(run(task("div", List{}, "execute")));
  EXPECT_EQ(type, "TypeError");
  EXPECT_THAT(message, HasSubstr("'execute'"));
}

TEST(RunCall, AMapGivesAListAndKeepsWhatWentWell) {
  const auto good = run(task("div", List{List{6, 3}, List{9, 3}}, farm::kCallMap));
  EXPECT_EQ(good.payload, Value(List{2, 3}));
  const auto outcome =
      run(task("div", List{List{6, 3}, List{1, 0}, 7, List{9, 3}}, farm::kCallMap));
  const auto result =
      farm::parse_result(farm::new_result(task("f", List{}), outcome, {}, 0.0, 0.0));
  EXPECT_EQ(result.payload, Value(List{2, nullptr, nullptr, 3}));
  ASSERT_EQ(result.errors.size(), 2U);
  EXPECT_EQ(result.errors[0].item, 1);
  EXPECT_EQ(result.errors[1].item, 2);
}

// F6
TEST(RunCall, AMapThatIsCancelledStopsBetweenItems) {
  int asked = 0;
  const Tuple map = task("div", List{List{6, 3}, List{1, 0}}, farm::kCallMap);
  const auto outcome = run_call(some_functions(), TaskView(map), [&] { return ++asked == 2; });
  EXPECT_EQ(outcome.status, "cancelled");
}

// docs/decisions/0007-retries.md
TEST(RunCall, ATaskWithRetriesLeftIsPutOnceMore) {
  const auto again = retry_of(task("div", List{1, 0}, farm::kCall, List{2, 1.5, "label"}));
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->tuple, task("div", List{1, 0}, farm::kCall, List{1, 1.5, "label"}));
  EXPECT_EQ(again->attributes.max_attempts, 2U);
  ASSERT_TRUE(again->attributes.will.has_value());
  EXPECT_EQ((*again->attributes.will)[3], Value("engine_died"));
  for (const Value& options :
       {Value(), Value(0), Value(List{nullptr, 1.5, nullptr}), Value(List{0, 1.5, nullptr})})
    EXPECT_FALSE(retry_of(task("div", List{}, farm::kCall, options)).has_value());
}

}  // namespace
}  // namespace linden

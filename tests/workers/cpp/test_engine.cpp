// tests/workers/cpp/test_engine.cpp: task tuple in, result tuple out; the engine with a server is
// tested in tests/integration.
#include "workers/cpp/engine.h"

#include <gtest/gtest.h>

namespace linden {
namespace {

FunctionRegistry some_functions() {
  FunctionRegistry functions;
  functions.add("div", [](std::int64_t a, std::int64_t b) {
    if (b == 0) throw std::domain_error("division by zero");
    return a / b;
  });
  functions.add("odd", [](std::int64_t) -> std::int64_t { throw 17; });
  return functions;
}

TEST(Engine, MakesTheOneResultOfATask) {
  const auto task = native_task("c0ffee", 5, "div", {42, 6});
  auto outcome = run_call(some_functions(), task);
  const auto result = result_of(task, std::move(outcome), {nullptr, "engine", 1.0, 2.0});
  EXPECT_EQ(result, (Tuple{"result", "c0ffee", 5, "ok", List{nullptr, "engine", 1.0, 2.0}, 7}));
}

// F1: whatever a function throws is a result, and the engine goes on.
TEST(Engine, TurnsEveryExceptionIntoAnErrorResult) {
  const auto functions = some_functions();
  for (const auto& [name, arguments] : std::vector<std::pair<std::string, List>>{
           {"div", {1, 0}}, {"div", {1}}, {"odd", {1}}, {"unknown", {}}}) {
    const auto outcome = run_call(functions, native_task("c0ffee", 1, name, arguments));
    EXPECT_EQ(outcome.status, "error") << name;
    const auto& row = outcome.payload.as_list().at(0).as_list().at(0).as_list();
    ASSERT_EQ(row.size(), 5U);
    EXPECT_FALSE(row[1].as_text().empty());
    EXPECT_FALSE(row[2].as_text().empty());
  }
}

}  // namespace
}  // namespace linden

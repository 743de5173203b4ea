// tests/api/model/test_farm.cpp: the farm's tuples as C++ builds and reads them.
#include <linden/farm.h>

#include <gtest/gtest.h>

#include <linden/array.h>
#include <linden/error.h>

namespace linden::farm {
namespace {

const std::string kSession = "0123456789abcdef0123456789abcdef";

Call a_call() {
  Call call;
  call.task = {kSession, 5};
  call.queue = "native";
  call.function = "mul";
  call.payload = List{6, 7};
  call.submitted = 1.5;
  return call;
}

TEST(Farm, ATaskIsWhatTheSchemaSays) {
  const auto put = new_task(a_call());
  EXPECT_EQ(put.tuple, (Tuple{"task", "native", kSession, 5, "mul", "call", "mul",
                              List{nullptr, 1.5, nullptr}, List{6, 7}}));
  EXPECT_EQ(put.attributes.max_attempts, 3U);
  EXPECT_EQ(put.attributes.will, (Tuple{"result", kSession, 5, "engine_died", List{}, nullptr}));
  EXPECT_TRUE(tasks_form(kSession, 5).matches(put.tuple));
}

// docs/decisions/0007-retries.md
TEST(Farm, RetriesSayHowOftenATaskStarts) {
  auto call = a_call();
  call.retries = 0;
  EXPECT_EQ(new_task(call).attributes.max_attempts, 1U);
  call.retries = 4;
  EXPECT_EQ(new_task(call).attributes.max_attempts, 5U);
  call.retries = -1;
  EXPECT_THROW((void)new_task(call), Error);
}

TEST(Farm, ATaskForOneEngineEndsWithIt) {
  auto call = a_call();
  call.queue = engine_queue(3);
  call.engine = EngineRef{3, kSession};
  const auto put = new_task(call);
  EXPECT_EQ(put.attributes.max_attempts, 1U);
  EXPECT_EQ(put.attributes.lives_with, (SessionId{0x0123456789abcdef, 0x0123456789abcdef}));
  EXPECT_EQ((*put.attributes.will)[4], Value(List{3, kSession, 0.0, 0.0}));
  call.engine->session = "no session";
  EXPECT_THROW((void)new_task(call), Error);
}

// python/linden/farm.py does the same.
TEST(Farm, ATaskWithConditionsHasTheTaskThatItBecomesAsItsPayload) {
  auto call = a_call();
  call.is_map = true;
  call.label = "night";
  call.retries = 4;
  call.conditions = R"({"attempts":5})";
  const auto put = new_task(call);
  EXPECT_EQ(put.tuple, (Tuple{"task", "native", kSession, 5, "mul", "conditional", "met",
                              List{4, 1.5, "night"},
                              List{"call_map", "mul", List{6, 7}, R"({"attempts":5})"}}));
  EXPECT_EQ(put.attributes.max_attempts, 5U);
  const auto record = cancelled_result(put.tuple)[4].as_list()[4];
  EXPECT_EQ(record, Value(List{"native", "mul", "call_map", "mul", List{4, 1.5, "night"},
                               List{6, 7}, true}));
  call.payload = List{Value(Object{"pickle", {}})};
  EXPECT_THROW((void)new_task(call), Error);
}

TEST(Farm, ArgumentsArePlainValues) {
  auto call = a_call();
  call.payload = List{Array::adopt(std::vector<double>{1.0}), List{nullptr, "x"}};
  EXPECT_NO_THROW((void)new_task(call));
  call.payload = List{Value(List{Value(Object{"pickle", {}})})};
  EXPECT_THROW((void)new_task(call), Error);
  call.payload = 1;
  EXPECT_THROW((void)new_task(call), Error);
}

TEST(Farm, AResultKeepsItsTask) {
  const auto task = new_task(a_call()).tuple;
  const auto tuple = new_result(task, {kOk, 42}, EngineRef{3, kSession}, 1.0, 2.0);
  EXPECT_EQ(tuple[4], Value(List{3, kSession, 1.0, 2.0,
                                 List{"native", "mul", "call", "mul", List{nullptr, 1.5, nullptr},
                                      List{6, 7}, true}}));
  const auto result = parse_result(tuple);
  EXPECT_EQ(result.task, (TaskId{kSession, 5}));
  EXPECT_EQ(result.status, "ok");
  EXPECT_EQ(result.payload, Value(42));
  EXPECT_EQ(result.engine, 3);
  EXPECT_EQ(result.ended, 2.0);
  EXPECT_TRUE(results_form(kSession).matches(tuple));
  EXPECT_FALSE(results_form(kSession, 6).matches(tuple));
}

TEST(Farm, AResultDoesNotKeepWhatIsLarge) {
  auto call = a_call();
  call.payload = List{std::string(70'000, 'x')};
  const auto tuple = new_result(new_task(call).tuple, {kOk, 1}, {}, 0.0, 0.0);
  const Value record = tuple[4].as_list()[4];
  EXPECT_EQ(record.as_list()[5], Value());
  EXPECT_EQ(record.as_list()[6], Value(false));
}

// What may just be nested as deeply as it is would be too deep in a record.
TEST(Farm, AResultDoesNotKeepWhatIsNestedTooDeeply) {
  const auto nested = [](std::size_t lists) {
    Value value = 1;
    for (; lists > 0; --lists) value = List{value};
    return value;
  };
  auto call = a_call();
  call.payload = nested(kListDepthMax - 2);
  const auto kept = new_result(new_task(call).tuple, {kOk, 1}, {}, 0.0, 0.0);
  EXPECT_EQ(kept[4].as_list()[4].as_list()[5], call.payload);
  call.payload = nested(kListDepthMax);
  const auto tuple = new_result(new_task(call).tuple, {kOk, 1}, {}, 0.0, 0.0);
  const Value record = tuple[4].as_list()[4];
  EXPECT_EQ(record.as_list()[5], Value());
  EXPECT_EQ(record.as_list()[6], Value(false));
  EXPECT_EQ(parse_result(tuple).status, kOk);
}

// They may be gone by the time when somebody gives the task once more.
TEST(Farm, AResultDoesNotKeepWhatNamesLargeData) {
  for (const std::string codec : {"ndarray+data", "bytes+data"}) {
    auto call = a_call();
    const Object named{codec, {Bytes::copy_of("f00d\n")}};
    call.payload = List{1, List{named}};
    const auto tuple = new_result(new_task(call).tuple, {kOk, 1}, {}, 0.0, 0.0);
    EXPECT_EQ(tuple[4].as_list()[4].as_list()[5], Value()) << codec;
    call.payload = List{codec};  // a text that only looks like one
    const auto other = new_result(new_task(call).tuple, {kOk, 1}, {}, 0.0, 0.0);
    EXPECT_EQ(other[4].as_list()[4].as_list()[5], Value(List{codec}));
  }
}

// As python/linden/once_more.py has it.
TEST(Farm, ACallIsGivenAgainIfItMayRunTwiceAndItsArgumentsAreKept) {
  const auto result_of = [](const Call& call) {
    return new_result(new_task(call).tuple, {kOk, 42}, EngineRef{3, kSession}, 1.0, 2.0);
  };
  auto call = a_call();
  call.name = "product";
  call.label = "night";
  call.retries = 2;
  const auto again = call_again(result_of(call));
  ASSERT_TRUE(again.call) << again.why_not;
  auto same = *again.call;
  same.task = call.task;
  same.submitted = call.submitted;
  EXPECT_EQ(new_task(same).tuple, new_task(call).tuple);
  EXPECT_EQ(new_task(same).attributes.max_attempts, 3U);

  call.is_map = true;
  call.payload = List{List{1}, List{2}};
  EXPECT_TRUE(call_again(result_of(call)).call.value().is_map);
  call.retries = 0;
  EXPECT_NE(call_again(result_of(call)).why_not.find("retries=0"), std::string::npos);
  call = a_call();
  call.engine = EngineRef{3, kSession};
  EXPECT_NE(call_again(result_of(call)).why_not.find("to one engine"), std::string::npos);
  call = a_call();
  call.payload = List{std::string(70'000, 'x')};
  EXPECT_NE(call_again(result_of(call)).why_not.find("64 KiB"), std::string::npos);
  EXPECT_NE(call_again(*new_task(call).attributes.will).why_not.find("nothing"), std::string::npos);
}

// What it names goes with the result, so that it could not be given once more.
TEST(Farm, ACallWithArgumentsByReferenceIsNotGivenAgain) {
  const Value by_reference(Object{"ndarray+data", {Bytes::copy_of("table")}});
  const List record{"native",           "mul", "call", "mul", List{nullptr, 1.5, nullptr},
                    List{by_reference}, true};
  const Tuple result{"result", kSession, 5, "ok", List{3, kSession, 1.0, 2.0, record}, 42};
  EXPECT_NE(call_again(result).why_not.find("large"), std::string::npos);
}

TEST(Farm, ATaskOfPythonAloneIsNotGivenAgain) {
  const List record{"any", "f", "apply", "digest", nullptr, Bytes::copy_of("pickle"), true};
  const Tuple result{"result", kSession, 5, "ok", List{3, kSession, 1.0, 2.0, record}, 42};
  EXPECT_NE(call_again(result).why_not.find("Python"), std::string::npos);
}

TEST(Farm, AResultGetsAnotherPayload) {
  const auto result = new_result(new_task(a_call()).tuple, {kOk, 42}, {}, 1.0, 2.0);
  EXPECT_EQ(with_payload(result, 43),
            new_result(new_task(a_call()).tuple, {kOk, 43}, {}, 1.0, 2.0));
}

TEST(Farm, QueuesOfOneEngineAreKnown) {
  EXPECT_EQ(engine_of_queue(engine_queue(17)), 17);
  for (const char* queue : {"any", "native+gpu", "engine:", "engine:x", "engine:1x"})
    EXPECT_FALSE(engine_of_queue(queue)) << queue;
}

TEST(Farm, ErrorsComeBack) {
  const std::vector<TaskError> errors{{2, "std::domain_error", "no", "trace"}};
  const auto tuple =
      new_result(new_task(a_call()).tuple, {kError, error_payload(errors, List{1, 2, nullptr})},
                 EngineRef{3, kSession}, 1.0, 2.0);
  const auto result = parse_result(tuple);
  ASSERT_EQ(result.errors.size(), 1U);
  EXPECT_EQ(result.errors[0].item, 2);
  EXPECT_EQ(result.errors[0].type, "std::domain_error");
  EXPECT_EQ(result.errors[0].traceback, "trace");
  EXPECT_EQ(result.payload, Value(List{1, 2, nullptr}));
}

TEST(Farm, TheResultThatTheSpaceGivesIsRead) {
  const auto result = parse_result(*new_task(a_call()).attributes.will);
  EXPECT_EQ(result.status, "engine_died");
  EXPECT_FALSE(result.engine.has_value());
  EXPECT_THROW((void)parse_result(Tuple{"result", 1}), Error);
  EXPECT_THROW((void)parse_result(Tuple{"result", "c", 1, "error", List{}, List{}}), Error);
}

TEST(Farm, MessageIdsComeBack) {
  EXPECT_EQ(message_id({kSession, 17}), kSession + "_17");
  EXPECT_EQ(parse_message_id(kSession + "_17"), (TaskId{kSession, 17}));
  for (const char* text : {"", "_1", "x", "x_", "x_-1", "x_1y"})
    EXPECT_FALSE(parse_message_id(text)) << text;
}

TEST(Farm, TagsChooseQueues) {
  EXPECT_EQ(tagged("any", {"gpu", "big", "gpu"}), "any+big+gpu");
  const std::vector<std::string> tags{"big", "gpu"};
  EXPECT_EQ(queues_served("native", tags),
            (std::vector<std::string>{"native", "native+big", "native+gpu", "native+big+gpu"}));
  for (const char* tag : {"", "a b", "x+y", "\xC3\xA4"})
    EXPECT_THROW((void)tagged("any", {tag}), Error) << tag;
  EXPECT_THROW((void)checked_tags({"1", "2", "3", "4", "5", "6", "7"}), Error);
}

TEST(Farm, CancellingTellsTheEngineAndWhoeverComesLater) {
  const auto puts = cancel(kSession, {"c", 7});
  ASSERT_EQ(puts.size(), 2U);
  EXPECT_EQ(puts[0].tuple, (Tuple{"control", kSession, "cancel", List{"c", 7}}));
  EXPECT_TRUE(puts[0].attributes.lives_with.has_value());
  EXPECT_EQ(puts[1].tuple, (Tuple{"cancelled", "c", 7}));
  EXPECT_TRUE(puts[1].attributes.ttl.has_value());
  const auto result = parse_result(cancelled_result(new_task(a_call()).tuple));
  EXPECT_EQ(result.status, "cancelled");
  EXPECT_THROW((void)cancelled_result(Tuple{"task"}), Error);
}

}  // namespace
}  // namespace linden::farm

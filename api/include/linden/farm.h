// linden/farm.h: the farm's tuples as C++ builds and reads them (docs/reference/farm-schema.md).
// Pure: nothing here knows a space.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <linden/attributes.h>
#include <linden/template.h>
#include <linden/tuple.h>
#include <linden/value.h>

namespace linden::farm {

inline constexpr std::string_view kDefaultSpace = "farm";  // its name

// ---- Tasks

// Names a task: the session of its client and its number there.
struct TaskId {
  std::string client;
  std::int64_t number = 0;
  friend auto operator<=>(const TaskId&, const TaskId&) = default;
};
// "0123456789abcdef0123456789abcdef_17", by which anybody can ask for the result.
[[nodiscard]] std::string message_id(const TaskId& task);
[[nodiscard]] std::optional<TaskId> parse_message_id(std::string_view text);

// Ends the codec of an object in a payload of which large parts are only named (linden/data.h).
inline constexpr std::string_view kByReferenceSuffix = "+data";

// Queues: any engine that runs Python, any in C++ that has the function, one engine.
inline constexpr std::string_view kAnyQueue = "any";
inline constexpr std::string_view kNativeQueue = "native";
[[nodiscard]] std::string engine_queue(std::int64_t engine);
// The engine whose queue it is; none: it is that of many.
[[nodiscard]] std::optional<std::int64_t> engine_of_queue(std::string_view queue);
// Of those that serve `queue`, engines with all of these tags.  Throws Error kInvalidArgument: no
// tag, or too many.
[[nodiscard]] std::string tagged(std::string_view queue, std::vector<std::string> tags);
inline constexpr std::size_t kTagsMax = 5;
// In order and each once.  Throws Error kInvalidArgument.
[[nodiscard]] std::vector<std::string> checked_tags(std::vector<std::string> tags);
// That queue with every combination of (checked) tags: what an engine with these serves.
[[nodiscard]] std::vector<std::string> queues_served(std::string_view queue,
                                                     std::span<const std::string> tags);

// A call of a function by its name, with a list of plain values: "mandelbrot" for engines in C++,
// "package.module:function" for those that run Python.  kCallMap: a list of such lists.
inline constexpr std::string_view kCall = "call";
inline constexpr std::string_view kCallMap = "call_map";
// A task whose payload is the kind, function and payload of another one, and its conditions.
inline constexpr std::string_view kConditional = "conditional";
// Plain values are nil, bool, int, float, text, bytes, arrays (linden/array.h) and lists of these.
[[nodiscard]] bool is_plain(const Value& value);

struct EngineRef {      // an engine and its session
  std::int64_t id = 0;  // its number
  std::string session;  // 32 hexadecimal digits
};

struct Call {                           // a task in the making
  TaskId task;                          // which one
  std::string queue;                    // one of the above
  std::string function;                 // its name
  Value payload;                        // list of arguments; kCallMap: of such lists
  bool is_map = false;                  // kCallMap
  std::string name;                     // for people; empty: the function's
  std::optional<std::int64_t> retries;  // docs/decisions/0007-retries.md
  std::int32_t priority = 0;            // higher is begun first
  double submitted = 0.0;               // seconds since 1970
  std::optional<std::string> label;     // for people
  std::optional<EngineRef> engine;  // whose queue it is: the task ends with that engine's session
  // Which of the engines that run Python had better run it, as JSON (Conditions in
  // python/linden/conditions.py); "": any.  Engines in C++ do not choose.
  std::string conditions;
};
// The task, with the result that the space gives by itself should its engines die.
[[nodiscard]] NewTuple new_task(const Call& call);

// Most tasks of a client, or the one of `number`.
[[nodiscard]] Template tasks_form(const std::string& client,
                                  std::optional<std::int64_t> number = {});

// ---- Results

// Of a result: "ok", "error", "cancelled", "engine_died", "expired".
inline constexpr std::string_view kOk = "ok";
inline constexpr std::string_view kError = "error";
inline constexpr std::string_view kCancelled = "cancelled";
inline constexpr std::string_view kEngineDied = "engine_died";

struct TaskError {        // what a function has thrown
  std::int64_t item = 0;  // 0 unless the task is a map
  std::string type;       // of what was thrown
  std::string message;    // what it said
  std::string traceback;  // as its language prints it
};

struct TaskResult {                    // how a task has ended
  TaskId task;                         // which one
  std::string status;                  // kOk, ...
  Value payload;                       // kOk: the value; a failed map: the list of all values
  std::vector<TaskError> errors;       // kError
  std::optional<std::int64_t> engine;  // that had it last
  double started = 0.0;                // seconds since 1970; 0: nobody began it
  double ended = 0.0;                  // likewise
};
// Throws Error kInvalidArgument: it is no result.
[[nodiscard]] TaskResult parse_result(const Tuple& tuple);

// Results of a client's tasks, or of the one of `number`; what they have printed.
[[nodiscard]] Template results_form(const std::string& client,
                                    std::optional<std::int64_t> number = {});
[[nodiscard]] Template outputs_form(const std::string& client,
                                    std::optional<std::int64_t> number = {});

// The result of a task that `engine` has run, or nobody, with what the farm keeps of the task.
// Throws Error kInvalidArgument: `task` is no task.
struct Outcome {
  std::string_view status;
  Value payload;
};
[[nodiscard]] Tuple new_result(const Tuple& task, const Outcome& outcome,
                               const std::optional<EngineRef>& engine, double started,
                               double ended);
// The same result with another payload.
[[nodiscard]] Tuple with_payload(const Tuple& result, Value payload);
// The payload of a failed task; `values`: of a map, in which nil stands for what failed.
[[nodiscard]] Value error_payload(std::span<const TaskError> errors, Value values = {});

// The task of a result as a call that may be given once more because the value is lost: if the farm
// would have run it again after the death of its engine, and remembers its arguments
// (python/linden/once_more.py).  `call.task`, `submitted` and `engine` are the caller's to fill in.
struct CallAgain {
  std::optional<Call> call;
  std::string why_not;  // if there is none, as the second half of a sentence
};
// Throws Error kInvalidArgument: it is no result.
[[nodiscard]] CallAgain call_again(const Tuple& result);
// Says that a task was given once more, and what it is called now; and all that says so of a task.
[[nodiscard]] Tuple resubmitted(const TaskId& task, const TaskId& again);
[[nodiscard]] Template resubmitted_form(const TaskId& task);

// ---- Cancelling (F6)

// The result of a task that is reserved by whoever cancels it before an engine has begun.
[[nodiscard]] Tuple cancelled_result(const Tuple& task);
// What tells the engine of `session` that has the task, and whoever may be handed it later.
[[nodiscard]] std::vector<NewTuple> cancel(const std::string& session, const TaskId& task);

// ---- Engines

// All of them: id, session, and info as JSON (linden/engine_info.h).
[[nodiscard]] Template engines_form();
// What a new farm space starts with.
[[nodiscard]] std::vector<NewTuple> initial_tuples();

}  // namespace linden::farm

// workers/cpp/run_call.h: a task in, what became of it out: runs functions, catches everything that
// they throw.
#pragma once

#include <functional>

#include <linden/farm.h>
#include <linden/function_registry.h>

#include "workers/cpp/task_view.h"

namespace linden {

// Runs the function that the task names: status "ok" with the value, or "error" with what was
// thrown.  `is_cancelled` is asked before each item of a map; then the status is "cancelled".
// `take_in` turns the payload into arguments, where it is not both at once.
[[nodiscard]] farm::Outcome run_call(const FunctionRegistry& functions, const TaskView& task,
                                     const std::function<bool()>& is_cancelled,
                                     const std::function<Value(Value)>& take_in = {});

// The outcome of a task that could not be run, or whose result could not be sent.
[[nodiscard]] farm::Outcome failed(std::string type, std::string_view message);

// The task once more, if it has failed and may be run again (docs/decisions/0007-retries.md).
[[nodiscard]] std::optional<NewTuple> retry_of(const Tuple& task);

}  // namespace linden

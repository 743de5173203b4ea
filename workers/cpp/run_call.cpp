// workers/cpp/run_call.cpp
#include "workers/cpp/run_call.h"

#include <cxxabi.h>

#include <cstdlib>
#include <exception>
#include <memory>
#include <typeinfo>

#include <linden/field_view.h>

#include "workers/cpp/utf8_text.h"

namespace linden {
namespace {

// Position in a task tuple.
constexpr std::size_t kOptions = 7;

// No function of that name, or not what C++ runs.  In Python these are classes of that name.
constexpr const char* kNoSuchFunction = "NoSuchFunction";
constexpr const char* kTypeError = "TypeError";

std::string demangled(const char* name) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> text(
      abi::__cxa_demangle(name, nullptr, nullptr, &status), &std::free);
  return status == 0 ? text.get() : name;
}

farm::TaskError error_of(std::string type, std::string_view message) {
  farm::TaskError error;
  error.type = utf8_text(type);
  error.message = utf8_text(message);
  error.traceback = error.type + ": " + error.message;
  return error;
}

// What is being handled in a catch (...) block.
farm::TaskError current_error() {
  try {
    throw;
  } catch (const WrongArguments& error) {
    return error_of(kTypeError, error.what());
  } catch (const std::exception& error) {
    return error_of(demangled(typeid(error).name()), error.what());
  } catch (...) {  // The border to functions that are not ours.
    const std::type_info* type = abi::__cxa_current_exception_type();
    return error_of(type == nullptr ? "unknown" : demangled(type->name()),
                    "the function threw something that is no std::exception");
  }
}

farm::Outcome error_outcome(std::vector<farm::TaskError> errors, Value values = {}) {
  return {farm::kError, farm::error_payload(errors, std::move(values))};
}

std::string in_words(const FunctionRegistry& functions) {
  std::string words;
  for (const auto& name : functions.names()) words += (words.empty() ? "" : ", ") + name;
  return words;
}

const FunctionRegistry::Function* find(const FunctionRegistry& functions, std::string_view kind,
                                       std::string_view name, farm::Outcome& refusal) {
  if (kind != farm::kCall && kind != farm::kCallMap) {
    refusal =
        failed(kTypeError, "this engine runs functions in C++ and no tasks of kind '" +
                               std::string(kind) + "'; give it to an engine that runs Python");
    return nullptr;
  }
  const auto* function = functions.find(name);
  if (function == nullptr) {
    refusal = failed(kNoSuchFunction, "this engine has no function '" + std::string(name) +
                                          "'; it has " + in_words(functions));
  }
  return function;
}

farm::Outcome run_map(const FunctionRegistry::Function& function, const List& rows,
                      const std::function<bool()>& is_cancelled) {
  List values;
  values.reserve(rows.size());
  std::vector<farm::TaskError> errors;
  for (const Value& row : rows) {
    if (is_cancelled()) return {farm::kCancelled, {}};
    try {
      values.push_back(function(row.as_list()));
    } catch (...) {
      errors.push_back(current_error());
      errors.back().item = static_cast<std::int64_t>(values.size());
      values.emplace_back();
    }
  }
  if (!errors.empty()) return error_outcome(std::move(errors), std::move(values));
  return {farm::kOk, std::move(values)};
}

}  // namespace

farm::Outcome failed(std::string type, std::string_view message) {
  return error_outcome({error_of(std::move(type), message)});
}

farm::Outcome run_call(const FunctionRegistry& functions, const TaskView& task,
                       const std::function<bool()>& is_cancelled,
                       const std::function<Value(Value)>& take_in) {
  farm::Outcome refusal;
  const auto* function = find(functions, task.kind(), task.function(), refusal);
  if (function == nullptr) return refusal;
  if (task.payload().type() != FieldType::kList)
    return failed(kTypeError, "the payload of a call is a list of arguments, found " +
                                  to_string(encoding::value_of(task.payload())));
  try {
    Value payload = encoding::value_of(task.payload());
    if (take_in) payload = take_in(std::move(payload));
    if (task.kind() == farm::kCallMap) return run_map(*function, payload.as_list(), is_cancelled);
    return {farm::kOk, (*function)(payload.as_list())};
  } catch (...) {
    return error_outcome({current_error()});
  }
}

std::optional<NewTuple> retry_of(const Tuple& task) {
  const Value options = task[kOptions];
  List rest;
  if (options.type() == FieldType::kList) {
    rest = options.as_list();
  } else {
    rest.push_back(options);
  }
  if (rest.empty() || rest[0].type() != FieldType::kInt || rest[0].as_int() < 1)
    return std::nullopt;
  const std::int64_t left = rest[0].as_int() - 1;
  rest[0] = left;
  List fields = task.values();
  fields[kOptions] = std::move(rest);
  NewTuple again{Tuple(std::span<const Value>(fields)), {}};
  again.attributes.max_attempts = static_cast<std::uint32_t>(left) + 1;
  again.attributes.will =
      Tuple{"result", fields[2], fields[3], farm::kEngineDied, Value(List{}), nullptr};
  return again;
}

}  // namespace linden

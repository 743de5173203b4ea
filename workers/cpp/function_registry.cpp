// workers/cpp/function_registry.cpp
#include "workers/cpp/function_registry.h"

namespace linden {

void FunctionRegistry::add_any(std::string name, std::function<Value(const List&)> function) {
  if (name.empty()) throw Error(ErrorCode::kInvalidArgument, "a function needs a name");
  const auto [where, added] = functions_.try_emplace(std::move(name), std::move(function));
  if (!added)
    throw Error(ErrorCode::kInvalidArgument,
                "function '" + where->first + "' is registered already");
}

Value FunctionRegistry::call(std::string_view name, const List& arguments) const {
  const auto function = functions_.find(name);
  if (function == functions_.end()) {
    throw Error(ErrorCode::kInvalidArgument,
                "no function '" + std::string(name) + "' is registered with this engine");
  }
  return function->second(arguments);
}

std::vector<std::string> FunctionRegistry::names() const {
  std::vector<std::string> names;
  for (const auto& [name, function] : functions_) names.push_back(name);
  return names;
}

}  // namespace linden

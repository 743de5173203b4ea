// workers/cpp/function_registry.cpp
#include <linden/function_registry.h>

#include <linden/tuple.h>

namespace linden {

namespace detail {

void check_type(const Value& value, FieldType wanted) {
  if (value.type() == wanted) return;
  std::string found(name_of(value.type()));
  if (!value.is_nil()) found += " " + to_string(value);
  throw Error(ErrorCode::kInvalidArgument,
              "wanted " + std::string(name_of(wanted)) + ", found " + found);
}

void check_count(std::size_t wanted, std::size_t found) {
  if (wanted == found) return;
  throw WrongArguments("wanted " + std::to_string(wanted) +
                       (wanted == 1 ? " argument" : " arguments") + ", found " +
                       std::to_string(found));
}

void refuse_argument(std::size_t index, const char* why) {
  throw WrongArguments("argument " + std::to_string(index) + ": " + why);
}

}  // namespace detail

void FunctionRegistry::add_any(std::string name, Function function) {
  if (name.empty()) throw Error(ErrorCode::kInvalidArgument, "a function needs a name");
  if (name.find(':') != std::string::npos)
    throw Error(ErrorCode::kInvalidArgument,
                "function '" + name +
                    "' has a colon in its name, as functions in Python have; take another");
  (void)Tuple{name};  // refuses what is no text
  const auto [where, added] = functions_.try_emplace(std::move(name), std::move(function));
  if (!added)
    throw Error(ErrorCode::kInvalidArgument,
                "function '" + where->first + "' is registered already");
}

const FunctionRegistry::Function* FunctionRegistry::find(std::string_view name) const {
  const auto found = functions_.find(name);
  return found == functions_.end() ? nullptr : &found->second;
}

Value FunctionRegistry::call(std::string_view name, const List& arguments) const {
  const Function* function = find(name);
  if (function == nullptr)
    throw Error(ErrorCode::kInvalidArgument,
                "no function '" + std::string(name) + "' is registered with this engine");
  return (*function)(arguments);
}

std::vector<std::string> FunctionRegistry::names() const {
  std::vector<std::string> names;
  for (const auto& [name, function] : functions_) names.push_back(name);
  return names;
}

}  // namespace linden

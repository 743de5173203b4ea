// workers/cpp/function_registry.h: functions by name, callable with plain values.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <linden/error.h>
#include <linden/value.h>

namespace linden {

namespace detail {

// A plain value as a C++ argument.  Throws Error kInvalidArgument that says wanted and found; no
// coercion, as everywhere (P2).
template <class T>
T argument(const Value& value) {
  if constexpr (std::same_as<T, Value>) {
    return value;
  } else if constexpr (std::same_as<T, bool>) {
    return value.as_bool();
  } else if constexpr (std::same_as<T, std::int64_t>) {
    return value.as_int();
  } else if constexpr (std::same_as<T, double>) {
    return value.as_float();
  } else if constexpr (std::same_as<T, std::string>) {
    return value.as_text();
  } else if constexpr (std::same_as<T, Bytes>) {
    return value.as_bytes();
  } else {
    static_assert(std::same_as<T, List>,
                  "arguments are Value, bool, std::int64_t, double, std::string, Bytes or List");
    return value.as_list();
  }
}

template <class Signature>
struct Caller;

template <class R, class... A>
struct Caller<R(A...)> {
  template <class Function, std::size_t... I>
  static Value call(const Function& function, const List& arguments, std::index_sequence<I...>) {
    if (arguments.size() != sizeof...(A)) {
      throw Error(ErrorCode::kInvalidArgument, "wanted " + std::to_string(sizeof...(A)) +
                                                   " arguments, found " +
                                                   std::to_string(arguments.size()));
    }
    if constexpr (std::is_void_v<R>) {
      function(argument<std::remove_cvref_t<A>>(arguments[I])...);
      return {};
    } else {
      return Value(function(argument<std::remove_cvref_t<A>>(arguments[I])...));
    }
  }
};

template <class F>
struct SignatureOf : SignatureOf<decltype(&F::operator())> {};
template <class R, class... A>
struct SignatureOf<R (*)(A...)> {
  using type = R(A...);
};
template <class C, class R, class... A>
struct SignatureOf<R (C::*)(A...) const> {
  using type = R(A...);
};
template <class R, class... A>
std::index_sequence_for<A...> indices_of(std::type_identity<R(A...)>);

}  // namespace detail

// What an Engine can run.  An object that is passed in, never a global.
class FunctionRegistry {
 public:
  // Takes a function or a non-generic lambda whose parameters are Value, bool, std::int64_t,
  // double, std::string, Bytes or List (by value or const reference) and whose result is one of
  // them or void.  It may be called from several threads at once. Throws Error kInvalidArgument if
  // the name is taken or empty.
  template <class Function>
  void add(std::string name, Function function) {
    using Signature = typename detail::SignatureOf<Function>::type;
    using Indices = decltype(detail::indices_of(std::type_identity<Signature>()));
    add_any(std::move(name), [function = std::move(function)](const List& arguments) {
      return detail::Caller<Signature>::call(function, arguments, Indices());
    });
  }
  void add_any(std::string name, std::function<Value(const List&)> function);

  // Throws Error kInvalidArgument if there is no such function, and whatever the function throws.
  [[nodiscard]] Value call(std::string_view name, const List& arguments) const;

  // In alphabetical order.
  [[nodiscard]] std::vector<std::string> names() const;

 private:
  std::map<std::string, std::function<Value(const List&)>, std::less<>> functions_;
};

}  // namespace linden

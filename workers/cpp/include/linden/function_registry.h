// linden/function_registry.h: functions by name, callable with plain values.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <linden/array.h>
#include <linden/error.h>
#include <linden/value.h>

namespace linden {

// The arguments do not fit the function: another number of them, or of other types.  In Python it
// is a TypeError.
class WrongArguments : public Error {
 public:
  explicit WrongArguments(const std::string& message)
      : Error(ErrorCode::kInvalidArgument, message) {}
};

namespace detail {

template <class T>
inline constexpr bool kIsVector = false;
template <class T>
inline constexpr bool kIsVector<std::vector<T>> = true;

// Throws Error kInvalidArgument that says wanted and found.
void check_type(const Value& value, FieldType wanted);

// A plain value as a C++ argument.  Throws Error kInvalidArgument that says wanted and found; no
// coercion, as everywhere (P2).
template <class T>
T from_value(const Value& value) {
  if constexpr (std::same_as<T, Value>) {
    return value;
  } else if constexpr (std::same_as<T, bool>) {
    check_type(value, FieldType::kBool);
    return value.as_bool();
  } else if constexpr (std::same_as<T, std::int64_t>) {
    check_type(value, FieldType::kInt);
    return value.as_int();
  } else if constexpr (std::same_as<T, double>) {
    check_type(value, FieldType::kFloat);
    return value.as_float();
  } else if constexpr (std::same_as<T, std::string>) {
    check_type(value, FieldType::kText);
    return value.as_text();
  } else if constexpr (std::same_as<T, Bytes>) {
    check_type(value, FieldType::kBytes);
    return value.as_bytes();
  } else if constexpr (std::same_as<T, Array>) {
    return Array(value);
  } else if constexpr (std::same_as<T, List>) {
    check_type(value, FieldType::kList);
    return value.as_list();
  } else {
    static_assert(kIsVector<T>,
                  "arguments are linden::Value, bool, std::int64_t, double, std::string, "
                  "linden::Bytes, linden::Array, linden::List or std::vector of these");
    check_type(value, FieldType::kList);
    T items;
    for (const Value& item : value.as_list())
      items.push_back(from_value<typename T::value_type>(item));
    return items;
  }
}

template <class T>
Value to_value(T&& value) {
  using Plain = std::remove_cvref_t<T>;
  if constexpr (kIsVector<Plain> && !std::same_as<Plain, List>) {
    List list;
    list.reserve(value.size());
    for (const auto& item : value)
      list.push_back(to_value(static_cast<typename Plain::value_type>(item)));
    return list;
  } else {
    return Value(std::forward<T>(value));
  }
}

// Throw WrongArguments.
void check_count(std::size_t wanted, std::size_t found);
[[noreturn]] void refuse_argument(std::size_t index, const char* why);

template <class T>
T argument(const List& arguments, std::size_t index) {
  try {
    return from_value<T>(arguments[index]);
  } catch (const Error& error) {
    refuse_argument(index, error.what());
  }
}

template <class Signature>
struct Caller;

template <class R, class... A>
struct Caller<R(A...)> {
  template <class Function, std::size_t... I>
  static Value call(Function& function, const List& arguments, std::index_sequence<I...>) {
    check_count(sizeof...(A), arguments.size());
    if constexpr (std::is_void_v<R>) {
      function(argument<std::remove_cvref_t<A>>(arguments, I)...);
      return {};
    } else {
      return to_value(function(argument<std::remove_cvref_t<A>>(arguments, I)...));
    }
  }
};

template <class F>
struct SignatureOf : SignatureOf<decltype(&F::operator())> {};
template <class R, class... A>
struct SignatureOf<R (*)(A...)> {
  using type = R(A...);
};
template <class R, class... A>
struct SignatureOf<R (*)(A...) noexcept> {
  using type = R(A...);
};
template <class C, class R, class... A>
struct SignatureOf<R (C::*)(A...) const> {
  using type = R(A...);
};
template <class C, class R, class... A>
struct SignatureOf<R (C::*)(A...) const noexcept> {
  using type = R(A...);
};
template <class R, class... A>
std::index_sequence_for<A...> indices_of(std::type_identity<R(A...)>);

}  // namespace detail

// What an Engine can run.  An object that is passed in, never a global.  Copies share nothing but
// the functions themselves.
class FunctionRegistry {
 public:
  using Function = std::function<Value(const List&)>;

  // Takes a function or a non-generic lambda whose parameters are Value, bool, std::int64_t,
  // double, std::string, Bytes, Array, List or std::vector of these (by value or const reference)
  // and whose result is one of them or void.  It may be called from several threads at once.
  // Throws Error kInvalidArgument if the name is taken, empty, no UTF-8, or has a colon, by which
  // functions in Python are known.
  template <class F>
  void add(std::string name, F function) {
    using Signature = typename detail::SignatureOf<F>::type;
    using Indices = decltype(detail::indices_of(std::type_identity<Signature>()));
    Function any = [function = std::move(function)](const List& arguments) {
      return detail::Caller<Signature>::call(function, arguments, Indices());
    };
    add_any(std::move(name), std::move(any));
  }
  // A function of any number of arguments.
  void add_any(std::string name, Function function);

  // Null if there is none of that name.
  [[nodiscard]] const Function* find(std::string_view name) const;
  // Throws Error kInvalidArgument if there is no such function, and whatever the function throws.
  [[nodiscard]] Value call(std::string_view name, const List& arguments) const;

  // In alphabetical order.
  [[nodiscard]] std::vector<std::string> names() const;
  [[nodiscard]] bool empty() const noexcept { return functions_.empty(); }

 private:
  std::map<std::string, Function, std::less<>> functions_;
};

}  // namespace linden

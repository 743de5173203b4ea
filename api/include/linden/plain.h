// linden/plain.h: C++ values as arguments and results of tasks, which are plain values.
//
//   bool, integers, double, text       bool, int, float, text
//   nullptr, an empty std::optional    nil
//   Bytes, Value, linden::Array        themselves
//   std::vector, std::array,
//   std::tuple, std::pair, List        lists
// Nothing is converted from one to another on the way back either: a result 1 is no double (P2).
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <linden/array.h>
#include <linden/error.h>
#include <linden/typed.h>
#include <linden/value.h>

namespace linden {

namespace detail {

template <class T>
inline constexpr bool kPlainOptional = false;
template <class T>
inline constexpr bool kPlainOptional<std::optional<T>> = true;

template <class T>
inline constexpr bool kPlainVector = false;
template <class T>
inline constexpr bool kPlainVector<std::vector<T>> = true;

template <class T>
inline constexpr bool kPlainArray = false;
template <class T, std::size_t n>
inline constexpr bool kPlainArray<std::array<T, n>> = true;

template <class T>
inline constexpr bool kPlainRow = false;
template <class... T>
inline constexpr bool kPlainRow<std::tuple<T...>> = true;
template <class A, class B>
inline constexpr bool kPlainRow<std::pair<A, B>> = true;

// Throws Error kInvalidArgument that says wanted and found.
[[noreturn]] void throw_wrong_result(std::string_view wanted, const Value& found);
void expect_length(std::size_t wanted, const List& found);

template <class T>
const T& plain_as(std::string_view wanted, const Value& value) {
  const auto* found = std::get_if<T>(&value.variant());
  if (found == nullptr) throw_wrong_result(wanted, value);
  return *found;
}

}  // namespace detail

// Throws Error kInvalidArgument for a number beyond 64 bits.
template <class T>
[[nodiscard]] Value to_plain(const T& value) {
  using detail::kNever;
  if constexpr (std::same_as<T, Value>) {
    return value;
  } else if constexpr (detail::Integer<T>) {
    if (!std::in_range<std::int64_t>(value))
      detail::throw_out_of_range(std::to_string(value), INT64_MIN, INT64_MAX);
    return Value(static_cast<std::int64_t>(value));
  } else if constexpr (std::same_as<T, float>) {
    return Value(static_cast<double>(value));
  } else if constexpr (std::convertible_to<const T&, std::string_view>) {
    return Value(std::string_view(value));
  } else if constexpr (detail::kPlainOptional<T>) {
    return value ? to_plain(*value) : Value();
  } else if constexpr (std::same_as<T, bool> || std::same_as<T, double> ||
                       std::same_as<T, std::nullptr_t> || std::same_as<T, Bytes> ||
                       std::same_as<T, List> || std::same_as<T, Array>) {
    return Value(value);
  } else if constexpr (detail::kPlainVector<T> || detail::kPlainArray<T>) {
    List list;
    list.reserve(value.size());
    for (const auto& element : value) list.push_back(to_plain(element));
    return Value(std::move(list));
  } else if constexpr (detail::kPlainRow<T>) {
    return std::apply([](const auto&... elements) { return Value(List{to_plain(elements)...}); },
                      value);
  } else {
    static_assert(kNever<T>,
                  "this type is no plain value: use nullptr, bool, an integer, double, text, "
                  "linden::Bytes, linden::Value, linden::Array, or a std::vector, std::array, "
                  "std::tuple, std::pair or std::optional of these");
    return {};
  }
}

// Throws Error kInvalidArgument that says wanted and found.
template <class T>
[[nodiscard]] T from_plain(const Value& value) {
  using detail::kNever;
  using detail::plain_as;
  if constexpr (std::same_as<T, Value>) {
    return value;
  } else if constexpr (std::same_as<T, bool>) {
    return plain_as<bool>("bool", value);
  } else if constexpr (detail::Integer<T>) {
    const auto found = plain_as<std::int64_t>("int", value);
    if (!std::in_range<T>(found)) detail::throw_wrong_result("an int that fits its type", value);
    return static_cast<T>(found);
  } else if constexpr (std::same_as<T, double>) {
    return plain_as<double>("float", value);
  } else if constexpr (std::same_as<T, std::string>) {
    return plain_as<std::string>("text", value);
  } else if constexpr (std::same_as<T, Bytes>) {
    return plain_as<Bytes>("bytes", value);
  } else if constexpr (std::same_as<T, List>) {
    return plain_as<List>("list", value);
  } else if constexpr (std::same_as<T, std::nullptr_t>) {
    if (!value.is_nil()) detail::throw_wrong_result("nil", value);
    return nullptr;
  } else if constexpr (std::same_as<T, Array>) {
    return Array(value);
  } else if constexpr (detail::kPlainOptional<T>) {
    if (value.is_nil()) return std::nullopt;
    return from_plain<typename T::value_type>(value);
  } else if constexpr (detail::kPlainVector<T>) {
    T result;
    const List& list = plain_as<List>("list", value);
    result.reserve(list.size());
    for (const auto& element : list) result.push_back(from_plain<typename T::value_type>(element));
    return result;
  } else if constexpr (detail::kPlainRow<T> || detail::kPlainArray<T>) {
    const List& list = plain_as<List>("list", value);
    detail::expect_length(std::tuple_size_v<T>, list);
    return [&list]<std::size_t... I>(std::index_sequence<I...>) {
      return T{from_plain<std::tuple_element_t<I, T>>(list[I])...};
    }
    (std::make_index_sequence<std::tuple_size_v<T>>());
  } else {
    static_assert(kNever<T>,
                  "this type is no plain value: use nullptr_t, bool, an integer type, double, "
                  "std::string, linden::Bytes, linden::Value, linden::Array, or a std::vector, "
                  "std::array, std::tuple, std::pair or std::optional of these");
  }
}

}  // namespace linden

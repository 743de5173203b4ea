// tests/api/wire/describe.h: any message as text, field by field, so that tests can compare
// messages without an operator== in each.
#pragma once

#include <boost/pfr.hpp>

#include <optional>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "api/wire/messages.h"

namespace linden::wire {

template <class T>
void describe(const T& value, std::string& out);

inline void describe(const std::string& text, std::string& out) {
  out += '"' + text + '"';
}
inline void describe(const Duration& duration, std::string& out) {
  out += std::to_string(duration.count()) + "us";
}
template <class Row>
void describe_row(const Row& row, std::string& out) {
  out += row.head();
  for (const Bytes& attachment : row.attachments()) (out += '|') += attachment.view();
}
inline void describe(const Tuple& tuple, std::string& out) {
  describe_row(tuple, out);
}
inline void describe(const Template& form, std::string& out) {
  describe_row(form, out);
}
inline void describe(const Value& value, std::string& out) {
  describe_row(Tuple{value}, out);
}

inline void describe(const Rare& rare, std::string& out) {
  if (rare) return describe(*rare, out);
  out += "none";
}
template <class T>
void describe(const std::optional<T>& value, std::string& out) {
  if (value) return describe(*value, out);
  out += "none";
}
template <class T>
void describe(const std::vector<T>& values, std::string& out) {
  out += '[';
  for (const T& value : values) describe(value, out);
  out += ']';
}
template <class... T>
void describe(const std::variant<T...>& value, std::string& out) {
  out += '<' + std::to_string(value.index()) + '>';
  std::visit([&](const auto& held) { describe(held, out); }, value);
}
template <class T>
void describe(const T& value, std::string& out) {
  if constexpr (std::is_enum_v<T>) {
    out += std::to_string(static_cast<long>(value));
  } else if constexpr (std::is_arithmetic_v<T>) {
    out += std::to_string(value);
  } else {
    out += '{';
    boost::pfr::for_each_field(value, [&](const auto& field) {
      describe(field, out);
      out += ',';
    });
    out += '}';
  }
}

template <class T>
std::string described(const T& value) {
  std::string out;
  describe(value, out);
  return out;
}

}  // namespace linden::wire

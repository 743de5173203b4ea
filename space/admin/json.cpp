// space/admin/json.cpp
#include "space/admin/json.h"

#include <fmt/format.h>

#include <cmath>
#include <iostream>
#include <boost/json/src.hpp>  // Boost.JSON itself, compiled here once

#include "space/admin/table.h"

namespace linden::admin {
namespace {

namespace json = boost::json;

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k)
      group = group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0);
    for (std::size_t k = 0; k < 4; ++k)
      text += i + k <= bytes.size() ? kDigits[group >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

struct ToJson {
  json::value operator()(std::monostate) const { return nullptr; }
  json::value operator()(bool value) const { return value; }
  json::value operator()(std::int64_t value) const { return value; }
  json::value operator()(double value) const {
    if (std::isfinite(value)) return value;
    return json::string(to_string(Value(value)));
  }
  json::value operator()(const std::string& value) const { return json::string(value); }
  json::value operator()(const Bytes& value) const {
    return json::object{{"base64", base64(value.view())}};
  }
  json::value operator()(const List& value) const { return json_of(std::span<const Value>(value)); }
  json::value operator()(const Object& value) const {
    std::size_t bytes = 0;
    for (const Bytes& part : value.parts) bytes += part.size();
    return json::object{{"object", value.codec}, {"bytes", bytes}};
  }
};

// The character that begins at `at`; sets `end` behind it.  JSON is valid UTF-8.
char32_t character_at(std::string_view text, std::size_t at, std::size_t& end) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  end = at + 1;
  while (end < text.size() && (byte(end) & 0xC0) == 0x80) ++end;
  char32_t point = end - at == 1 ? byte(at) : byte(at) & (0xFFU >> (end - at + 1));
  for (std::size_t i = at + 1; i < end; ++i) point = point << 6 | (byte(i) & 0x3FU);
  return point;
}

void append_escape(std::string& out, char32_t point) {
  if (point < 0x10000) {
    out += fmt::format("\\u{:04x}", static_cast<std::uint32_t>(point));
    return;
  }
  const std::uint32_t rest = static_cast<std::uint32_t>(point) - 0x10000;
  out += fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (rest >> 10), 0xDC00 + (rest & 0x3FF));
}

}  // namespace

std::string without_hidden(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    if (static_cast<unsigned char>(text[at]) < 0x7F) {
      out += text[at++];
      continue;
    }
    std::size_t end = at;
    const char32_t point = character_at(text, at, end);
    const std::string_view character = text.substr(at, end - at);
    if (harmless(character) == character)
      out += character;
    else
      append_escape(out, point);
    at = end;
  }
  return out;
}

json::value json_of(const Value& value) {
  return std::visit(ToJson{}, value.variant());
}

json::array json_of(std::span<const Value> values) {
  json::array array;
  array.reserve(values.size());
  for (const Value& value : values) array.push_back(json_of(value));
  return array;
}

json::array json_of(const Tuple& tuple) {
  const List values = tuple.values();
  return json_of(std::span<const Value>(values));
}

double json_of(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

void print_json(const json::value& document) {
  std::cout << without_hidden(json::serialize(document)) << "\n";
}

}  // namespace linden::admin

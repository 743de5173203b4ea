// api/farm/engine_info.cpp: what engines say of themselves.
#include <boost/json/src.hpp>  // Boost.JSON itself, compiled here once

#include <linden/field_view.h>

#include "api/farm/farm_client.h"
#include "api/farm/task_data.h"

namespace linden::client {

namespace {

namespace json = boost::json;

std::string text_of(const json::object& info, std::string_view name) {
  const auto* value = info.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::vector<std::string> texts_of(const json::object& info, std::string_view name) {
  std::vector<std::string> texts;
  const auto* value = info.if_contains(name);
  if (value == nullptr || !value->is_array()) return texts;
  for (const auto& one : value->get_array()) {
    if (one.is_string()) texts.emplace_back(one.get_string());
  }
  return texts;
}

}  // namespace

std::string data_host_of(const Tuple& engine) {
  boost::system::error_code malformed;
  const json::value parsed = json::parse(engine[3].as_text(), malformed);
  return malformed || !parsed.is_object() ? std::string() : text_of(parsed.get_object(), "host_id");
}

EngineInfo read_engine(const Tuple& engine) {
  EngineInfo result;
  result.id = engine[1].as_int();
  result.session = engine[2].as_text();
  result.info = engine[3].as_text();
  boost::system::error_code malformed;
  const json::value parsed = json::parse(result.info, malformed);
  if (malformed || !parsed.is_object()) return result;  // somebody's engine that says other things
  const auto& info = parsed.get_object();
  result.language = text_of(info, "language");
  if (result.language.empty()) result.language = "Python";
  result.name = text_of(info, "name");
  result.host = text_of(info, "host");
  const auto* pid = info.if_contains("pid");
  if (pid != nullptr && pid->is_int64()) result.pid = pid->get_int64();
  result.functions = texts_of(info, "functions");
  result.tags = texts_of(info, "tags");
  return result;
}

}  // namespace linden::client

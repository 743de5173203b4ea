// space/admin/json.h: what --json prints.  Nothing is unpickled: an object shows its codec and
// size.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <linden/ids.h>
#include <linden/tuple.h>
#include <linden/value.h>

namespace linden::admin {

// nil null, bool, int, float (as text if it is not finite), text, list as in JSON;
// bytes {"base64": "..."}; object {"object": codec, "bytes": size}.
[[nodiscard]] boost::json::value json_of(const Value& value);
[[nodiscard]] boost::json::array json_of(std::span<const Value> values);
[[nodiscard]] boost::json::array json_of(const Tuple& tuple);
[[nodiscard]] double json_of(Duration duration);  // seconds

// JSON in which characters that command a terminal, or are not seen, are written by their numbers.
[[nodiscard]] std::string without_hidden(std::string_view text);
// One line on standard output, harmless to a terminal.
void print_json(const boost::json::value& document);

}  // namespace linden::admin

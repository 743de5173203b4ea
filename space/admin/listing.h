// space/admin/listing.h: tuples with their states, as several commands show them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>
#include <boost/json/object.hpp>

#include "space/admin/session.h"
#include "space/admin/table.h"

namespace linden::admin {

// Tuples asked for at a time.
inline constexpr std::uint32_t kPage = 500;

// "ready", "reserved", ...
[[nodiscard]] std::vector<std::string> state_names();
// None if the name is empty.
[[nodiscard]] std::optional<TupleState> state_of(const std::string& name);

struct Wanted {
  std::optional<Template> form;
  std::optional<TupleState> state;
  std::uint64_t after = 0;
  std::uint32_t limit = 100;
};
// As many as are wanted, a page at a time, in order of put.
[[nodiscard]] Listed list(Session& session, const Wanted& wanted);

[[nodiscard]] boost::json::object json_of_listed(const ListedTuple& listed);
// A table of them, and how to go on behind the last if there are more.
void print_listed(const Listed& listed, std::uint64_t after);

// A length of time as a table has it; "never" for ever, `none` if there is none.
[[nodiscard]] std::string shown(const std::optional<Duration>& time, const char* none);

}  // namespace linden::admin

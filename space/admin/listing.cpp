// space/admin/listing.cpp
#include "space/admin/listing.h"

#include <fmt/format.h>
#include <fmt/ostream.h>

#include <algorithm>
#include <array>
#include <iostream>

#include "space/admin/commands.h"
#include "space/admin/json.h"

namespace linden::admin {
namespace {

namespace json = boost::json;

constexpr std::array kStates{TupleState::kReady,   TupleState::kReserved, TupleState::kStarted,
                             TupleState::kDead,    TupleState::kDelayed,  TupleState::kBehind,
                             TupleState::kGuarded, TupleState::kPaused};

}  // namespace

std::vector<std::string> state_names() {
  std::vector<std::string> names;
  for (const TupleState state : kStates) names.emplace_back(name_of(state));
  return names;
}

std::optional<TupleState> state_of(const std::string& name) {
  const auto found =
      std::ranges::find(kStates, name, [](TupleState state) { return name_of(state); });
  return found == kStates.end() ? std::nullopt : std::optional(*found);
}

Listed list(Session& session, const Wanted& wanted) {
  ListOp page;
  page.form = wanted.form;
  page.after = TupleId{wanted.after};
  page.all_states = true;
  page.state = wanted.state;
  Listed result;
  do {
    page.limit = std::min(wanted.limit - static_cast<std::uint32_t>(result.tuples.size()), kPage);
    auto listed = session.ask<Listed>(page);
    for (ListedTuple& one : listed.tuples) {
      page.after = one.id;
      result.tuples.push_back(std::move(one));
    }
    result.more = listed.more;
  } while (result.more && result.tuples.size() < wanted.limit);
  return result;
}

json::object json_of_listed(const ListedTuple& listed) {
  json::object object{{"id", listed.id.value},
                      {"state", name_of(listed.state)},
                      {"attempt", listed.attempt},
                      {"priority", listed.priority},
                      {"holder", nullptr},
                      {"expires_in_s", nullptr},
                      {"lease_left_s", nullptr},
                      {"bytes", listed.tuple.byte_size()},
                      {"fields", json_of(listed.tuple)}};
  if (!listed.holder.is_none()) object["holder"] = to_string(listed.holder);
  if (listed.expires_in) object["expires_in_s"] = json_of(*listed.expires_in);
  if (listed.lease_left) object["lease_left_s"] = json_of(*listed.lease_left);
  return object;
}

std::string shown(const std::optional<Duration>& time, const char* none) {
  if (!time) return none;
  return *time == kForever ? "never" : with_unit(*time);
}

void print_listed(const Listed& listed, std::uint64_t after) {
  Table table({{"ID", Align::kRight},
               {"STATE"},
               {"ATTEMPT", Align::kRight},
               {"PRIORITY", Align::kRight},
               {"EXPIRES", Align::kRight},
               {"LEASE", Align::kRight},
               {"SIZE", Align::kRight},
               {"TUPLE"}});
  for (const ListedTuple& one : listed.tuples)
    table.add({std::to_string(one.id.value), std::string(name_of(one.state)),
               std::to_string(one.attempt), std::to_string(one.priority),
               shown(one.expires_in, "never"), shown(one.lease_left, "-"),
               with_unit(one.tuple.byte_size()), to_string(one.tuple)});
  print_table(table);
  if (listed.more)
    fmt::print(std::cout, "... and more; go on with --after {}\n",
               listed.tuples.empty() ? after : listed.tuples.back().id.value);
}

}  // namespace linden::admin

// space/admin/leases.cpp: space-admin leases, dead, show.
#include <fmt/format.h>
#include <fmt/ostream.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <unordered_map>

#include "space/admin/commands.h"
#include "space/admin/json.h"
#include "space/admin/listing.h"
#include "space/admin/whole_text.h"

namespace linden::admin {
namespace {

namespace json = boost::json;

// What is sorted here has to be here.
constexpr std::uint32_t kLeasesSeenMax = 100'000;

using Holders = std::unordered_map<SessionId, SessionInfo>;

Holders holders_of(Session& session) {
  Holders holders;
  for (SessionInfo& info : session.ask<SessionsListed>(ListSessionsOp{}).sessions)
    holders.emplace(info.id, std::move(info));
  return holders;
}

// ---- leases

struct LeaseOptions {
  std::string form;
  std::uint32_t limit = 100;
};

// What ends first comes first.  One that begins between the two questions is shown once.
std::vector<ListedTuple> list_held(Session& session, const std::optional<Template>& form) {
  std::map<TupleId, ListedTuple> held;
  for (const TupleState state : {TupleState::kReserved, TupleState::kStarted}) {
    Listed listed = list(session, {form, state, 0, kLeasesSeenMax});
    for (ListedTuple& one : listed.tuples) held.insert_or_assign(one.id, std::move(one));
  }
  std::vector<ListedTuple> sorted;
  for (auto& [id, one] : held) sorted.push_back(std::move(one));
  std::ranges::stable_sort(
      sorted, {}, [](const ListedTuple& one) { return one.lease_left.value_or(kForever); });
  return sorted;
}

json::object json_of_lease(const ListedTuple& one, const SessionInfo* holder) {
  json::object object = json_of_listed(one);
  object["held_for_s"] = one.held_for ? json::value(json_of(*one.held_for)) : json::value(nullptr);
  object["holder_name"] = holder != nullptr ? json::value(holder->name) : json::value(nullptr);
  object["connected"] = holder != nullptr && holder->connected;
  object["silent_for_s"] =
      holder != nullptr ? json::value(json_of(holder->silent_for)) : json::value(nullptr);
  return object;
}

void print_leases(const std::vector<ListedTuple>& held, const Holders& holders, bool more) {
  Table table({{"ID", Align::kRight},
               {"STATE"},
               {"ATTEMPT", Align::kRight},
               {"ENDS", Align::kRight},
               {"HELD", Align::kRight},
               {"SILENT", Align::kRight},
               {"CONNECTED"},
               {"HOLDER"},
               {"TUPLE"}});
  for (const ListedTuple& one : held) {
    const auto holder = holders.find(one.holder);
    const bool known = holder != holders.end();
    table.add({std::to_string(one.id.value), std::string(name_of(one.state)),
               std::to_string(one.attempt), shown(one.lease_left, "-"), shown(one.held_for, "-"),
               known ? with_unit(holder->second.silent_for) : "-",
               known && holder->second.connected ? "yes" : "no",
               known ? harmless(holder->second.name) : to_string(one.holder),
               to_string(one.tuple)});
  }
  print_table(table);
  if (more) fmt::print(std::cout, "... and more that end later; try a higher --limit\n");
}

void show_leases(Desk& desk, const LeaseOptions& options) {
  std::vector<ListedTuple> held = list_held(desk.session, filter_of(options.form));
  if (held.empty() && !options.form.empty()) desk.exit_code = kExitNothing;
  const bool more = held.size() > options.limit;
  if (more) held.resize(options.limit);
  const Holders holders = holders_of(desk.session);
  if (!desk.options.json) return print_leases(held, holders, more);
  json::array leases;
  for (const ListedTuple& one : held) {
    const auto holder = holders.find(one.holder);
    leases.push_back(json_of_lease(one, holder == holders.end() ? nullptr : &holder->second));
  }
  print_json(
      json::object{{"space", desk.session.space().name()}, {"leases", leases}, {"more", more}});
}

// ---- dead

void show_dead(Desk& desk, const std::string& form, std::uint32_t limit, std::uint64_t after) {
  const Listed listed = list(desk.session, {filter_of(form), TupleState::kDead, after, limit});
  if (listed.tuples.empty()) desk.exit_code = kExitNothing;
  if (!desk.options.json) return print_listed(listed, after);
  json::array tuples;
  for (const ListedTuple& one : listed.tuples) tuples.push_back(json_of_listed(one));
  print_json(json::object{
      {"space", desk.session.space().name()}, {"tuples", tuples}, {"more", listed.more}});
}

// ---- show

ListedTuple find_tuple(Session& session, std::uint64_t id) {
  if (id > 0) {
    Listed listed = list(session, {{}, {}, id - 1, 1});
    if (!listed.tuples.empty() && listed.tuples.front().id.value == id)
      return std::move(listed.tuples.front());
  }
  throw Error(ErrorCode::kNoMatch,
              fmt::format("no tuple of space '{}' has the id {}; it was taken or finished, has "
                          "expired, or never was",
                          harmless(session.space().name()), id));
}

json::object json_of_whole(const ListedTuple& one, const SessionInfo* holder) {
  json::object object = json_of_lease(one, holder);
  object["visible_in_s"] =
      one.visible_in ? json::value(json_of(*one.visible_in)) : json::value(nullptr);
  object["open_guards"] = one.open_guards;
  object["max_attempts"] = one.max_attempts;
  object["will"] = one.has_will;
  object["lives_with"] =
      one.lives_with.is_none() ? json::value(nullptr) : json::value(to_string(one.lives_with));
  object["key"] = one.key.empty() ? json::value(nullptr) : json::value(one.key);
  object["group"] = one.group.empty() ? json::value(nullptr) : json::value(one.group);
  return object;
}

void line(const char* name, const std::string& value) {
  fmt::print(std::cout, "{:<14}{}\n", name, value);
}

void print_holder(const ListedTuple& one, const SessionInfo* holder) {
  if (one.holder.is_none()) return;
  line("holder", to_string(one.holder));
  if (holder != nullptr) {
    line("holder name", harmless(holder->name));
    line("holder is", fmt::format("{}, silent for {}", holder->connected ? "connected" : "away",
                                  with_unit(holder->silent_for)));
  }
  line("held for", shown(one.held_for, "not known: since before the server was started"));
  line("lease ends", shown(one.lease_left, "-"));
}

// What few tuples have is shown of those that have it.
void print_attributes(const ListedTuple& one) {
  line("priority", std::to_string(one.priority));
  line("attempt", one.max_attempts == 0
                      ? std::to_string(one.attempt)
                      : fmt::format("{}, dead after {} that were begun and not finished",
                                    one.attempt, one.max_attempts));
  line("expires", shown(one.expires_in, "never"));
  if (one.visible_in) line("visible in", with_unit(*one.visible_in));
  if (one.open_guards > 0) line("waits for", counted(one.open_guards, "more tuple"));
  if (one.has_will) line("will", "yes");
  if (!one.lives_with.is_none()) line("lives with", to_string(one.lives_with));
  if (!one.key.empty()) line("key", whole_text(Value(one.key)));
  if (!one.group.empty()) line("group", whole_text(Value(one.group)));
}

std::string field_text(const Value& value, bool full) {
  return fmt::format("{:<7}{}", name_of(value.type()), full ? whole_text(value) : to_string(value));
}

void show_tuple(Desk& desk, std::uint64_t id, bool full) {
  const ListedTuple one = find_tuple(desk.session, id);
  const Holders holders = one.holder.is_none() ? Holders{} : holders_of(desk.session);
  const auto found = holders.find(one.holder);
  const SessionInfo* holder = found == holders.end() ? nullptr : &found->second;
  if (desk.options.json) return print_json(json_of_whole(one, holder));
  line("id", std::to_string(one.id.value));
  line("state", std::string(name_of(one.state)));
  print_holder(one, holder);
  print_attributes(one);
  line("size", with_unit(one.tuple.byte_size()));
  const List values = one.tuple.values();
  for (std::size_t i = 0; i < values.size(); ++i)
    line(fmt::format("field {}", i).c_str(), field_text(values[i], full));
}

}  // namespace

void add_leases(CLI::App& app, Desk& desk) {
  CLI::App* command = app.add_subcommand(
      "leases", "what is handed out, to whom, for how long, and when it comes back");
  auto options = std::make_shared<LeaseOptions>();
  add_filter(*command, options->form, "everything that is handed out");
  command->add_option("--limit", options->limit, "how many at most, those that end first")
      ->type_name("N")
      ->check(CLI::Range(1U, kLeasesSeenMax))
      ->capture_default_str();
  set_show(*command, desk, [&desk, options] { show_leases(desk, *options); });
}

void add_dead(CLI::App& app, Desk& desk) {
  CLI::App* command =
      app.add_subcommand("dead", "tuples whose attempts are used up, in the order of put");
  auto options = std::make_shared<Wanted>();
  auto form = std::make_shared<std::string>();
  add_filter(*command, *form, "all that are dead");
  command->add_option("--limit", options->limit, "how many at most")
      ->type_name("N")
      ->check(CLI::Range(1U, 1'000'000U))
      ->capture_default_str();
  command->add_option("--after", options->after, "only those with a higher id")->type_name("ID");
  set_show(*command, desk,
           [&desk, options, form] { show_dead(desk, *form, options->limit, options->after); });
}

void add_show(CLI::App& app, Desk& desk) {
  CLI::App* command = app.add_subcommand("show", "one tuple, with all that is known of it");
  auto id = std::make_shared<std::uint64_t>(0);
  auto full = std::make_shared<bool>(false);
  command->add_option("ID", *id, "as tuples, leases, dead and put show it")
      ->required()
      ->check(CLI::NonNegativeNumber);
  command->add_flag("--full", *full, "long texts and bytes to their end");
  set_show(*command, desk, [&desk, id, full] { show_tuple(desk, *id, *full); });
}

}  // namespace linden::admin

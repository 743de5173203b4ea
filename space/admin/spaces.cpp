// space/admin/spaces.cpp: space-admin server, sessions, spaces, drop, backup.
#include <fmt/format.h>
#include <fmt/ostream.h>

#include <filesystem>
#include <iostream>

#include "space/admin/commands.h"
#include "space/admin/json.h"
#include "space/admin/table.h"

namespace linden::admin {
namespace {

namespace json = boost::json;

void show_server(Desk& desk) {
  const ServerInfo info = desk.session.server();
  const std::string& address = desk.session.client().address();
  if (desk.options.json) {
    print_json(json::object{{"address", address},
                            {"version", info.version},
                            {"pid", info.pid},
                            {"up_s", json_of(info.up)},
                            {"directory", info.directory},
                            {"durability", info.durability},
                            {"connections", info.connections},
                            {"sessions", info.sessions},
                            {"requests", info.requests},
                            {"commits", info.commits}});
    return;
  }
  const auto line = [](const char* name, const std::string& value) {
    fmt::print(std::cout, "{:<13}{}\n", name, value);
  };
  line("address", harmless(address));
  line("version", harmless(info.version));
  line("pid", std::to_string(info.pid));
  line("up", with_unit(info.up));
  line("directory", info.directory.empty() ? "none" : harmless(info.directory));
  line("durability", harmless(info.durability));
  line("connections", std::to_string(info.connections));
  line("sessions", std::to_string(info.sessions));
  line("requests", std::to_string(info.requests));
  line("commits", std::to_string(info.commits));
}

void show_sessions(Desk& desk) {
  const auto listed = desk.session.ask<SessionsListed>(ListSessionsOp{});
  if (desk.options.json) {
    json::array sessions;
    for (const SessionInfo& session : listed.sessions)
      sessions.push_back(
          json::object{{"id", to_string(session.id)},
                       {"name", session.name},
                       {"connected", session.connected},
                       {"silent_for_s", json_of(session.silent_for)},
                       {"held", session.held},
                       {"waiting", session.waiting},
                       {"lease_left_s",
                        session.lease_left ? json_of(*session.lease_left) : json::value(nullptr)}});
    print_json(json::object{{"space", desk.session.space().name()}, {"sessions", sessions}});
    return;
  }
  Table table({{"SESSION"},
               {"CONNECTED"},
               {"SILENT", Align::kRight},
               {"HELD", Align::kRight},
               {"WAITING", Align::kRight},
               {"LEASE", Align::kRight},
               {"NAME"}});
  for (const SessionInfo& session : listed.sessions)
    table.add({to_string(session.id), session.connected ? "yes" : "no",
               with_unit(session.silent_for), std::to_string(session.held),
               std::to_string(session.waiting),
               session.lease_left ? with_unit(*session.lease_left) : "-", harmless(session.name)});
  print_table(table);
}

void show_spaces(Desk& desk) {
  const auto spaces = desk.session.spaces();
  if (desk.options.json) {
    json::array array;
    for (const SpaceStatus& space : spaces)
      array.push_back(json::object{{"number", space.number.value},
                                   {"name", space.name},
                                   {"durability", space.durability},
                                   {"tuples", space.tuples},
                                   {"ready", space.ready},
                                   {"reserved", space.reserved},
                                   {"dead", space.dead},
                                   {"waiters", space.waiters},
                                   {"bytes", space.bytes},
                                   {"scans", space.scans},
                                   {"paused", space.paused},
                                   {"pauses", space.pauses}});
    print_json(json::object{{"spaces", array}});
    return;
  }
  Table table({{"SPACE"},
               {"DURABILITY"},
               {"TUPLES", Align::kRight},
               {"READY", Align::kRight},
               {"RESERVED", Align::kRight},
               {"DEAD", Align::kRight},
               {"PAUSED", Align::kRight},
               {"WAITERS", Align::kRight},
               {"SCANS", Align::kRight},
               {"SIZE", Align::kRight}});
  for (const SpaceStatus& space : spaces)
    table.add({harmless(space.name), space.durability, std::to_string(space.tuples),
               std::to_string(space.ready), std::to_string(space.reserved),
               std::to_string(space.dead), std::to_string(space.paused),
               std::to_string(space.waiters), std::to_string(space.scans), with_unit(space.bytes)});
  print_table(table);
  for (const SpaceStatus& space : spaces)
    if (space.pauses > 0)
      fmt::print(std::cout, "pauses and drains set in {}: {}; see space-admin pauses --space {}\n",
                 harmless(space.name), space.pauses, harmless(space.name));
}

void drop_space(Desk& desk, const std::string& name, bool yes) {
  if (!yes)
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("dropping space '{}' deletes all its tuples for good; add --yes if "
                            "that is what you want",
                            harmless(name)));
  desk.session.client().drop_space(name, desk.session.timeout());
  if (desk.options.json)
    print_json(json::object{{"dropped", name}});
  else
    fmt::print(std::cout, "dropped space {}\n", harmless(name));
}

// The server's host is this one: it listens on this machine only.
void back_up(Desk& desk, const std::string& directory) {
  const std::string path = std::filesystem::absolute(directory).lexically_normal().string();
  desk.session.client().backup(path);
  if (desk.options.json)
    print_json(json::object{{"backup", path}});
  else
    fmt::print(std::cout, "backed up to {}\n", harmless(path));
}

}  // namespace

void add_server(CLI::App& app, Desk& desk) {
  set_show(*app.add_subcommand("server", "how the server is"), desk,
           [&desk] { show_server(desk); });
}

void add_sessions(CLI::App& app, Desk& desk) {
  set_show(
      *app.add_subcommand("sessions", "who has used the space, and what each holds and waits for"),
      desk, [&desk] { show_sessions(desk); });
}

void add_spaces(CLI::App& app, Desk& desk) {
  set_show(*app.add_subcommand("spaces", "the spaces of the server"), desk,
           [&desk] { show_spaces(desk); });
}

void add_backup(CLI::App& app, Desk& desk) {
  CLI::App* command = app.add_subcommand(
      "backup", "copy all that the server keeps into a directory, while it serves");
  auto directory = std::make_shared<std::string>();
  command
      ->add_option("DIRECTORY", *directory,
                   "on the server's host; it must not exist yet.  Check it with space-server "
                   "--verify")
      ->required();
  command->callback([&desk, directory] { back_up(desk, *directory); });
}

void add_drop(CLI::App& app, Desk& desk) {
  CLI::App* command = app.add_subcommand("drop", "delete a space and all its tuples");
  auto name = std::make_shared<std::string>();
  auto yes = std::make_shared<bool>(false);
  command->add_option("SPACE", *name, "its name")->required();
  command->add_flag("--yes", *yes, "do not ask whether it is meant");
  command->callback([&desk, name, yes] { drop_space(desk, *name, *yes); });
}

}  // namespace linden::admin

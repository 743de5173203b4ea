// space/admin/top.cpp: space-admin top: what goes on in a server, space by space.
//
// The server counts; what happens per second is the difference of two looks.
#include <fmt/format.h>
#include <fmt/ostream.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <iostream>
#include <vector>

#include "space/admin/commands.h"
#include "space/admin/json.h"
#include "space/admin/rates.h"
#include "space/admin/rounds.h"
#include "space/admin/table.h"

namespace linden::admin {
namespace {

namespace json = boost::json;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kSessionsShown = 10;
// The first round has something to compare with after so long.
constexpr Duration kFirstLook = std::chrono::milliseconds(500);

struct Holder {
  std::string space;
  SessionInfo session;
};

// Those that hold most first; sessions that neither hold nor wait are left out.
std::vector<Holder> holders_in(Session& session, const std::vector<SpaceStatus>& spaces) {
  std::vector<Holder> holders;
  for (const SpaceStatus& space : spaces) {
    if (space.reserved == 0 && space.waiters == 0) continue;
    for (SessionInfo& info : session.ask<SessionsListed>(space.number, ListSessionsOp{}).sessions) {
      if (info.held > 0 || info.waiting > 0) holders.push_back({space.name, std::move(info)});
    }
  }
  std::ranges::stable_sort(holders, [](const Holder& a, const Holder& b) {
    return std::pair(a.session.held, a.session.waiting) >
           std::pair(b.session.held, b.session.waiting);
  });
  if (holders.size() > kSessionsShown) holders.resize(kSessionsShown);
  return holders;
}

json::object json_of_space(const SpaceStatus& space, const SpaceRates& rates) {
  return {{"name", space.name},
          {"tuples", space.tuples},
          {"ready", space.ready},
          {"reserved", space.reserved},
          {"dead", space.dead},
          {"paused", space.paused},
          {"hidden", space.delayed + space.behind + space.guarded},
          {"waiters", space.waiters},
          {"subscriptions", space.subscriptions},
          {"bytes", space.bytes},
          {"puts_per_s", rates.puts},
          {"takes_per_s", rates.takes},
          {"finishes_per_s", rates.finishes},
          {"expired_per_s", rates.expired},
          {"scans_per_s", rates.scans}};
}

void print_spaces(const std::vector<SpaceStatus>& spaces, const Rates& rates) {
  Table table({{"PUT/s", Align::kRight},
               {"TAKE/s", Align::kRight},
               {"FINISH/s", Align::kRight},
               {"EXPIRE/s", Align::kRight},
               {"SCAN/s", Align::kRight},
               {"READY", Align::kRight},
               {"RESERVED", Align::kRight},
               {"DEAD", Align::kRight},
               {"HIDDEN", Align::kRight},
               {"WAITERS", Align::kRight},
               {"SIZE", Align::kRight},
               {"SPACE"}});
  for (const SpaceStatus& space : spaces) {
    const SpaceRates rate = rates.of(space);
    table.add({per_second(rate.puts), per_second(rate.takes), per_second(rate.finishes),
               per_second(rate.expired), per_second(rate.scans), std::to_string(space.ready),
               std::to_string(space.reserved), std::to_string(space.dead),
               std::to_string(space.delayed + space.behind + space.guarded),
               std::to_string(space.waiters), with_unit(space.bytes), harmless(space.name)});
  }
  print_table(table);
}

void print_holders(const std::vector<Holder>& holders) {
  if (holders.empty()) return;
  Table table({{"HELD", Align::kRight},
               {"WAITING", Align::kRight},
               {"SILENT", Align::kRight},
               {"CONNECTED"},
               {"SPACE"},
               {"SESSION"}});
  for (const auto& [space, session] : holders)
    table.add({std::to_string(session.held), std::to_string(session.waiting),
               with_unit(session.silent_for), session.connected ? "yes" : "no", harmless(space),
               harmless(session.name)});
  std::cout << "\n";
  print_table(table);
}

json::array json_of_holders(const std::vector<Holder>& holders) {
  json::array array;
  for (const auto& [space, session] : holders)
    array.push_back(json::object{{"space", space},
                                 {"id", to_string(session.id)},
                                 {"name", session.name},
                                 {"connected", session.connected},
                                 {"silent_for_s", json_of(session.silent_for)},
                                 {"held", session.held},
                                 {"waiting", session.waiting}});
  return array;
}

void look(Desk& desk, Rates& rates) {
  const ServerInfo server = desk.session.server();
  auto spaces = desk.session.spaces();
  rates.look(server, spaces, Clock::now());
  std::ranges::stable_sort(spaces, std::greater(), [&](const SpaceStatus& space) {
    const SpaceRates rate = rates.of(space);
    return rate.puts + rate.takes + rate.finishes;
  });
  const auto holders = holders_in(desk.session, spaces);
  const auto [requests, commits] = rates.of_server();
  if (desk.options.json) {
    json::array array;
    for (const SpaceStatus& space : spaces) array.push_back(json_of_space(space, rates.of(space)));
    return print_json(json::object{{"up_s", json_of(server.up)},
                                   {"connections", server.connections},
                                   {"sessions", server.sessions},
                                   {"requests_per_s", requests},
                                   {"commits_per_s", commits},
                                   {"spaces", array},
                                   {"holders", json_of_holders(holders)}});
  }
  fmt::print(std::cout, "up {}, {}, {} requests/s, {} commits/s\n\n", with_unit(server.up),
             counted(server.connections, "connection"), per_second(requests), per_second(commits));
  print_spaces(spaces, rates);
  print_holders(holders);
}

// Something to compare the first round with.  False: it is over.
bool look_before(Desk& desk, Rates& rates) {
  Signals signals(&desk.session);
  rates.look(desk.session.server(), desk.session.spaces(), Clock::now());
  return signals.wait(kFirstLook);
}

void show_top(Desk& desk, double every_s, std::size_t rounds) {
  Rates rates;
  if (!look_before(desk, rates)) return;
  show_in_rounds(desk, duration_of(every_s), rounds, [&] { look(desk, rates); });
}

}  // namespace

void add_top(CLI::App& app, Desk& desk) {
  CLI::App* command =
      app.add_subcommand("top", "what goes on in all spaces, by the second, until Ctrl-C");
  auto every_s = std::make_shared<double>(2);
  auto rounds = std::make_shared<std::size_t>(0);
  command->add_option("--every", *every_s, "look again so often")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.1, 86'400.0))
      ->capture_default_str();
  command->add_option("--rounds", *rounds, "end after so many; 0: never")
      ->type_name("N")
      ->capture_default_str();
  command->callback([&desk, every_s, rounds] { show_top(desk, *every_s, *rounds); });
}

}  // namespace linden::admin

// space/admin/engines.cpp: space-admin engines.
//
// An engine is a tuple ("engine", id, session, info) whose info is JSON; what it holds are tasks
// under its session's leases (docs/reference/farm-schema.md).
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "space/admin/commands.h"
#include "space/admin/json.h"
#include "space/admin/table.h"

namespace linden::admin {
namespace {

namespace json = boost::json;

constexpr std::uint32_t kPage = 500;
// Held tasks are among the oldest.  If so many do not contain all of them, only the sum is told.
constexpr std::size_t kTasksSeenMax = 20'000;

struct Engine {
  std::int64_t id = 0;
  std::string session;
  json::object info;  // as the engine tells it; empty if it is no JSON object
  bool connected = false;
  std::uint64_t held = 0;
  std::uint64_t reserved = 0;
  std::uint64_t started = 0;
};
using BySession = std::unordered_map<std::string, Engine*>;

Template engines_form() {
  return {"engine", kInt, kText, kText};
}
Template tasks_form() {
  return {"task", kAny, kAny, kAny, kAny, kAny, kAny, kAny, kAny};
}

// Calls `see` with every tuple of the form, whatever its state, until it returns false.
template <class See>
void for_each(Session& session, const Template& form, const See& see) {
  ListOp page{form, {}, kPage, true};
  for (;;) {
    const auto listed = session.ask<Listed>(page);
    for (const ListedTuple& one : listed.tuples) {
      if (!see(one)) return;
      page.after = one.id;
    }
    if (!listed.more || listed.tuples.empty()) return;
  }
}

Engine engine_of(const Tuple& tuple) {
  Engine engine;
  engine.id = tuple[1].as_int();
  engine.session = tuple[2].as_text();
  boost::system::error_code error;
  json::value info = json::parse(tuple[3].as_text(), error);
  if (!error && info.is_object()) engine.info = std::move(info.get_object());
  return engine;
}

std::vector<Engine> list_engines(Session& session) {
  std::vector<Engine> engines;
  for_each(session, engines_form(), [&](const ListedTuple& listed) {
    engines.push_back(engine_of(listed.tuple));
    return true;
  });
  std::sort(engines.begin(), engines.end(),
            [](const Engine& a, const Engine& b) { return a.id < b.id; });
  return engines;
}

// How many tuples are held, according to the sessions.
std::uint64_t add_sessions(Session& session, const BySession& engines) {
  std::uint64_t held = 0;
  for (const SessionInfo& info : session.ask<SessionsListed>(ListSessionsOp{}).sessions) {
    const auto found = engines.find(to_string(info.id));
    if (found == engines.end()) continue;
    found->second->connected = info.connected;
    found->second->held = info.held;
    held += info.held;
  }
  return held;
}

void add_tasks(Session& session, const BySession& engines, std::uint64_t held) {
  if (held == 0) return;
  std::size_t seen = 0;
  for_each(session, tasks_form(), [&](const ListedTuple& listed) {
    const auto found =
        listed.holder.is_none() ? engines.end() : engines.find(to_string(listed.holder));
    if (found != engines.end()) {
      const bool has_begun = listed.state == TupleState::kStarted;
      ++(has_begun ? found->second->started : found->second->reserved);
      --held;
    }
    return held > 0 && ++seen < kTasksSeenMax;
  });
}

std::string text_at(const json::object& info, std::string_view name) {
  const json::value* value = info.if_contains(name);
  if (value == nullptr) return "";
  return harmless(value->is_string() ? std::string(value->get_string()) : json::serialize(*value));
}

void show_engines(Desk& desk) {
  std::vector<Engine> engines = list_engines(desk.session);
  BySession by_session;
  for (Engine& engine : engines) by_session[engine.session] = &engine;
  add_tasks(desk.session, by_session, add_sessions(desk.session, by_session));

  if (desk.options.json) {
    json::array array;
    for (const Engine& engine : engines)
      array.push_back(json::object{{"id", engine.id},
                                   {"session", engine.session},
                                   {"connected", engine.connected},
                                   {"held", engine.held},
                                   {"reserved", engine.reserved},
                                   {"started", engine.started},
                                   {"info", engine.info}});
    print_json(json::object{{"space", desk.session.space().name()}, {"engines", array}});
    return;
  }
  Table table({{"ENGINE", Align::kRight},
               {"CONNECTED"},
               {"STARTED", Align::kRight},
               {"PREFETCHED", Align::kRight},
               {"HELD", Align::kRight},
               {"PID", Align::kRight},
               {"HOST"},
               {"SESSION"}});
  for (const Engine& engine : engines)
    table.add({std::to_string(engine.id), engine.connected ? "yes" : "no",
               std::to_string(engine.started), std::to_string(engine.reserved),
               std::to_string(engine.held), text_at(engine.info, "pid"),
               text_at(engine.info, "host"), harmless(engine.session)});
  print_table(table);
}

}  // namespace

void add_engines(CLI::App& app, Desk& desk) {
  set_show(*app.add_subcommand("engines", "the engines of a farm and how many tasks each holds"),
           desk, [&desk] { show_engines(desk); });
}

}  // namespace linden::admin

// space/admin/pauses.cpp: space-admin pauses, pause, drain, resume, revive.
#include <fmt/format.h>
#include <fmt/ostream.h>

#include <algorithm>
#include <iostream>

#include "space/admin/commands.h"
#include "space/admin/json.h"
#include "space/admin/table.h"

namespace linden::admin {
namespace {

namespace json = boost::json;

// How many of the things that were asked for were done.
std::size_t ask_for_codes(Desk& desk, Operation operation) {
  const auto done = desk.session.ask<FinishDone>(std::move(operation));
  return static_cast<std::size_t>(std::count(done.codes.begin(), done.codes.end(), ErrorCode::kOk));
}

// ---- pauses

void show_pauses(Desk& desk) {
  const auto listed = desk.session.ask<PausesListed>(ListPausesOp{});
  if (desk.options.json) {
    json::array pauses;
    for (const PauseInfo& pause : listed.pauses)
      pauses.push_back(json::object{
          {"kind", name_of(pause.kind)},
          {"template", pause.form ? json::value(to_string(*pause.form)) : json::value(nullptr)},
          {"set_by", pause.set_by},
          {"set_for_s", json_of(pause.set_for)},
          {"tuples", pause.tuples}});
    print_json(json::object{{"space", desk.session.space().name()}, {"pauses", pauses}});
    return;
  }
  Table table({{"KIND"},
               {"SINCE", Align::kRight},
               {"TUPLES", Align::kRight},
               {"SET BY"},
               {"WHAT MATCHES"}});
  for (const PauseInfo& pause : listed.pauses)
    table.add({std::string(name_of(pause.kind)), with_unit(pause.set_for),
               std::to_string(pause.tuples), harmless(pause.set_by),
               pause.form ? to_string(*pause.form) : "the whole space"});
  print_table(table);
}

// ---- pause, drain, resume

void set_pause(Desk& desk, PauseKind kind, const std::string& form) {
  const bool fresh = ask_for_codes(desk, PauseOp{kind, filter_of(form)}) > 0;
  if (!fresh) desk.exit_code = kExitNothing;
  if (desk.options.json) return print_json(json::object{{"set", fresh}});
  const std::string what = form.empty() ? "the whole space" : harmless(form);
  fmt::print(std::cout, "{} {} {}\n", fresh ? "set:" : "was set already:", name_of(kind), what);
}

void resume(Desk& desk, const std::string& form, bool all) {
  const std::size_t ended = ask_for_codes(desk, ResumeOp{filter_of(form), all});
  if (ended == 0) desk.exit_code = kExitNothing;
  if (desk.options.json) return print_json(json::object{{"ended", ended}});
  fmt::print(std::cout, "{} ended\n", ended);
  if (ended == 0 && !all)
    fmt::print(std::cerr, "nothing was set for exactly that; see space-admin pauses\n");
}

// ---- revive

void revive(Desk& desk, const std::string& form, const std::vector<std::uint64_t>& ids) {
  ReviveOp operation;
  operation.all = ids.empty();
  operation.form = filter_of(form);
  for (const std::uint64_t id : ids) operation.ids.push_back(TupleId{id});
  const std::uint32_t limit = operation.limit;
  const std::size_t revived = ask_for_codes(desk, std::move(operation));
  if (revived == 0) desk.exit_code = kExitNothing;
  if (desk.options.json) return print_json(json::object{{"revived", revived}});
  fmt::print(std::cout, "{} revived\n", counted(revived, "tuple"));
  if (revived == limit) fmt::print(std::cout, "there may be more; say it again\n");
}

}  // namespace

void add_pauses(CLI::App& app, Desk& desk) {
  set_show(*app.add_subcommand("pauses", "what is paused and drained, by whom and since when"),
           desk, [&desk] { show_pauses(desk); });
}

void add_pause(CLI::App& app, Desk& desk) {
  CLI::App* command =
      app.add_subcommand("pause", "hand out nothing that matches; puts and reads go on");
  auto form = std::make_shared<std::string>();
  add_filter(*command, *form, "the whole space");
  command->callback([&desk, form] { set_pause(desk, PauseKind::kPause, *form); });
}

void add_drain(CLI::App& app, Desk& desk) {
  CLI::App* command = app.add_subcommand("drain", "refuse puts of what matches; takes go on");
  auto form = std::make_shared<std::string>();
  add_filter(*command, *form, "the whole space");
  command->callback([&desk, form] { set_pause(desk, PauseKind::kDrain, *form); });
}

void add_resume(CLI::App& app, Desk& desk) {
  CLI::App* command = app.add_subcommand("resume", "end the pause and the drain of a template");
  auto form = std::make_shared<std::string>();
  auto all = std::make_shared<bool>(false);
  add_filter(*command, *form, "what was set for the whole space");
  command->add_flag("--all", *all, "end whatever is set");
  command->callback([&desk, form, all] { resume(desk, *form, *all); });
}

void add_revive(CLI::App& app, Desk& desk) {
  CLI::App* command =
      app.add_subcommand("revive", "make dead tuples free again, as if never handed out");
  auto form = std::make_shared<std::string>();
  auto ids = std::make_shared<std::vector<std::uint64_t>>();
  CLI::Option* const which = add_filter(*command, *form, "all that are dead");
  command->add_option("--id", *ids, "only the tuple of that id; may be given several times")
      ->type_name("ID")
      ->excludes(which);
  command->callback([&desk, form, ids] { revive(desk, *form, *ids); });
}

}  // namespace linden::admin

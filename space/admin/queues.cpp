// space/admin/queues.cpp: space-admin queues.
#include <fmt/format.h>
#include <fmt/ostream.h>

#include <iostream>

#include "space/admin/commands.h"
#include "space/admin/json.h"
#include "space/admin/table.h"

namespace linden::admin {
namespace {

namespace json = boost::json;

constexpr std::uint32_t kGroupsMax = 1000;

json::object json_of_group(const SummaryGroup& group) {
  return {{"arity", group.arity},
          {"first_fields", json_of(std::span<const Value>(group.first_fields))},
          {"ready", group.ready},
          {"reserved", group.reserved},
          {"started", group.started},
          {"dead", group.dead},
          {"delayed", group.delayed},
          {"behind", group.behind},
          {"guarded", group.guarded},
          {"paused", group.paused},
          {"bytes", group.bytes}};
}

// `("task", "any", ...)`: the first fields and whether there are more.
std::string text_of(const SummaryGroup& group) {
  std::string text = to_string(Tuple(std::span<const Value>(group.first_fields)));
  if (group.first_fields.size() < group.arity)
    text.replace(text.size() - 1, 1, group.first_fields.empty() ? "...)" : ", ...)");
  return text;
}

void show_queues(Desk& desk, std::uint32_t first_fields, const std::string& form) {
  const auto summary =
      desk.session.ask<Summary>(SummarizeOp{first_fields, kGroupsMax, filter_of(form)});
  if (summary.tuples == 0 && !form.empty()) desk.exit_code = kExitNothing;
  if (desk.options.json) {
    json::array groups;
    for (const SummaryGroup& group : summary.groups) groups.push_back(json_of_group(group));
    print_json(json::object{{"space", desk.session.space().name()},
                            {"groups", groups},
                            {"tuples", summary.tuples},
                            {"waiters", summary.waiters},
                            {"streams", summary.streams},
                            {"pauses", summary.pauses},
                            {"more", summary.more}});
    return;
  }
  Table table({{"READY", Align::kRight},
               {"RESERVED", Align::kRight},
               {"STARTED", Align::kRight},
               {"DEAD", Align::kRight},
               {"GUARDED", Align::kRight},
               {"HIDDEN", Align::kRight},
               {"PAUSED", Align::kRight},
               {"SIZE", Align::kRight},
               {"FIELDS", Align::kRight},
               {"TUPLES"}});
  for (const SummaryGroup& group : summary.groups)
    table.add({std::to_string(group.ready), std::to_string(group.reserved),
               std::to_string(group.started), std::to_string(group.dead),
               std::to_string(group.guarded), std::to_string(group.delayed + group.behind),
               std::to_string(group.paused), with_unit(group.bytes), std::to_string(group.arity),
               text_of(group)});
  print_table(table);
  if (summary.more) fmt::print(std::cout, "... and more; try fewer --fields\n");
  fmt::print(std::cout, "{}, {}, {}\n", counted(summary.tuples, "tuple"),
             counted(summary.waiters, "waiting request"), counted(summary.streams, "stream"));
  if (summary.pauses > 0)
    fmt::print(std::cout, "pauses and drains set: {}; see space-admin pauses\n", summary.pauses);
}

}  // namespace

void add_queues(CLI::App& app, Desk& desk) {
  CLI::App* command =
      app.add_subcommand("queues", "how many tuples of each kind there are, by state");
  auto first_fields = std::make_shared<std::uint32_t>(2);
  auto form = std::make_shared<std::string>();
  add_filter(*command, *form, "all tuples");
  command
      ->add_option("--fields", *first_fields,
                   "tuples that agree in so many first fields are a kind")
      ->type_name("N")
      ->capture_default_str();
  set_show(*command, desk,
           [&desk, first_fields, form] { show_queues(desk, *first_fields, *form); });
}

}  // namespace linden::admin

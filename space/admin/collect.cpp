// space/admin/collect.cpp: tuples from one space into another (P28).
#include <iostream>
#include <memory>

#include <fmt/ostream.h>

#include "space/admin/commands.h"
#include "space/admin/json.h"
#include "space/admin/notation.h"
#include "space/admin/table.h"

namespace linden::admin {
namespace {

namespace json = boost::json;

struct CollectOptions {
  std::string to;
  std::string form;
  bool copy = false;
  bool create = false;
};

void collect(Desk& desk, const CollectOptions& options) {
  const Template form = parse_template(options.form).value_or_throw();
  Space& from = desk.session.space();
  const Space to = desk.session.client().open_space(options.to, {options.create, std::nullopt, {}},
                                                    desk.session.timeout());
  const std::uint64_t count = options.copy ? from.copy_collect(to, form) : from.collect(to, form);
  if (count == 0) desk.exit_code = kExitNothing;
  if (desk.options.json) {
    return print_json(json::object{
        {"from", from.name()}, {"to", to.name()}, {"copy", options.copy}, {"count", count}});
  }
  fmt::print(std::cout, "{} {} from space '{}' to space '{}'\n", counted(count, "tuple"),
             options.copy ? "copied" : "moved", harmless(from.name()), harmless(to.name()));
}

}  // namespace

void add_collect(CLI::App& app, Desk& desk) {
  CLI::App* command = app.add_subcommand(
      "collect", "move all free tuples that match into another space, in one step");
  auto options = std::make_shared<CollectOptions>();
  command->add_option("TO", options->to, "the other space")->required();
  command->add_option("TEMPLATE", options->form, "which tuples")->required();
  command->add_flag("--copy", options->copy, "leave them where they are, too");
  command->add_flag("--create", options->create, "make the other space if there is none");
  command->callback([&desk, options] { collect(desk, *options); });
}

}  // namespace linden::admin

// space/admin/told.cpp: space-admin watch: puts as they come.
#include <fmt/format.h>
#include <fmt/ostream.h>

#include <algorithm>
#include <iostream>

#include <linden/subscription.h>

#include "space/admin/commands.h"
#include "space/admin/json.h"
#include "space/admin/notation.h"
#include "space/admin/rounds.h"
#include "space/admin/table.h"

namespace linden::admin {
namespace {

namespace json = boost::json;

struct WatchOptions {
  std::string form;
  bool initial = false;
  std::uint64_t count = 0;
};

std::string text_of(const Gap& gap) {
  if (gap.count == 0)
    return "... the server was started again; what was put meanwhile was not counted";
  return fmt::format("... {} not told, because this was too slow (numbers {} to {})",
                     counted(gap.count, "put"), gap.first, gap.first + gap.count - 1);
}

void tell(const Gap& gap, bool as_json) {
  if (as_json)
    return print_json(json::object{{"gap", {{"first", gap.first}, {"count", gap.count}}}});
  fmt::print(std::cout, "{}\n", text_of(gap));
}

void tell(const Notification& told, bool as_json) {
  if (as_json)
    return print_json(json::object{
        {"number", told.number}, {"id", told.id.value}, {"fields", json_of(told.tuple)}});
  fmt::print(std::cout, "{}\n", to_string(told.tuple));
}

// Returns how many puts, of at most `left`.
std::uint64_t tell_all(const std::vector<Subscription::Item>& items, bool as_json) {
  std::uint64_t puts = 0;
  for (const auto& item : items) {
    std::visit([&](const auto& one) { tell(one, as_json); }, item);
    puts += std::holds_alternative<Notification>(item) ? 1 : 0;
  }
  std::cout.flush();
  return puts;
}

void watch(Desk& desk, const WatchOptions& options) {
  const Template form = parse_template(options.form).value_or_throw();
  Signals signals(&desk.session);
  SubscribeOp subscribe;
  subscribe.templates = {form};
  subscribe.credit = 1000;
  subscribe.initial = options.initial;
  Subscription told = desk.session.space().subscribe(std::move(subscribe), signals.interrupt());
  constexpr std::uint64_t kBatch = 1000;
  for (std::uint64_t seen = 0; options.count == 0 || seen < options.count;) {
    const std::uint64_t left = options.count == 0 ? kBatch : options.count - seen;
    const auto items = told.next_batch(kForever, std::min(left, kBatch), signals.interrupt());
    seen += tell_all(items, desk.options.json);
    if (signals.is_over()) break;
  }
}

}  // namespace

void add_watch(CLI::App& app, Desk& desk) {
  CLI::App* command = app.add_subcommand("watch", "show tuples as they are put, until Ctrl-C");
  auto options = std::make_shared<WatchOptions>();
  command
      ->add_option("TEMPLATE", options->form,
                   R"(such as '("task", ?int, ?)'; see space-admin --help)")
      ->required();
  command->add_flag("--initial", options->initial, "show first what is there already");
  command->add_option("--count", options->count, "end after so many; 0: never")
      ->type_name("N")
      ->capture_default_str();
  command->callback([&desk, options] { watch(desk, *options); });
}

}  // namespace linden::admin

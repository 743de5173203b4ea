// space/admin/tuples.cpp: space-admin tuples, count, read, take, put.
#include <fmt/format.h>
#include <fmt/ostream.h>

#include <algorithm>
#include <array>
#include <bit>
#include <iostream>

#include "space/admin/commands.h"
#include "space/admin/json.h"
#include "space/admin/listing.h"
#include "space/admin/notation.h"
#include "space/admin/table.h"

namespace linden::admin {
namespace {

namespace json = boost::json;

// ---- tuples

struct ListOptions {
  std::string form;
  std::uint32_t limit = 100;
  std::uint64_t after = 0;
  std::string state;
};

void show_tuples(Desk& desk, const ListOptions& options) {
  const Listed listed = list(desk.session, {filter_of(options.form), state_of(options.state),
                                            options.after, options.limit});
  if (listed.tuples.empty() && !(options.form.empty() && options.state.empty()))
    desk.exit_code = kExitNothing;
  if (!desk.options.json) return print_listed(listed, options.after);
  json::array tuples;
  for (const ListedTuple& one : listed.tuples) tuples.push_back(json_of_listed(one));
  print_json(json::object{
      {"space", desk.session.space().name()}, {"tuples", tuples}, {"more", listed.more}});
}

// ---- count, read, take

void show_count(Desk& desk, const std::string& form) {
  const auto counted =
      desk.session.ask<Counted>(CountOp{parse_template(form).value_or_throw()}).count;
  if (counted == 0) desk.exit_code = kExitNothing;
  if (desk.options.json)
    print_json(json::object{{"count", counted}});
  else
    fmt::print(std::cout, "{}\n", counted);
}

// ---- explain

std::string index_text(const Explained& explained) {
  if (explained.index == 0) return "none; all tuples of that many fields are looked at";
  std::string fields;
  for (std::uint32_t i = 0; i < explained.arity; ++i) {
    if ((explained.index >> i & 1) != 0) fields += (fields.empty() ? "" : ", ") + std::to_string(i);
  }
  return fmt::format("field{} {}{}", std::popcount(explained.index) == 1 ? "" : "s", fields,
                     explained.learned ? "" : "; the first take or read makes it");
}

json::object json_of_explained(const Template& form, const Explained& explained) {
  json::array index;
  for (std::uint32_t i = 0; i < explained.arity; ++i) {
    if ((explained.index >> i & 1) != 0) index.emplace_back(i);
  }
  return {{"template", to_string(form)},
          {"arity", explained.arity},
          {"index", index},
          {"learned", explained.learned},
          {"tuples", explained.tuples},
          {"candidates", explained.candidates},
          {"matches", explained.matches},
          {"scans", explained.scans}};
}

void show_explain(Desk& desk, const std::string& text) {
  const Template form = parse_template(text).value_or_throw();
  const auto explained = desk.session.ask<Explained>(ExplainOp{form});
  if (explained.matches == 0) desk.exit_code = kExitNothing;
  if (desk.options.json) return print_json(json_of_explained(form, explained));
  const auto line = [](const char* name, const std::string& value) {
    fmt::print(std::cout, "{:<12}{}\n", name, value);
  };
  line("template", to_string(form));
  line("index", index_text(explained));
  line("tuples",
       fmt::format("{} ready, of {}", explained.tuples, counted(explained.arity, "field")));
  line("candidates", std::to_string(explained.candidates));
  line("matches", std::to_string(explained.matches));
  line("scans", fmt::format("{} of this space so far compared 64 tuples or more in vain",
                            counted(explained.scans, "look-up")));
}

json::object json_of_match(const Match& match) {
  return {{"id", match.id.value}, {"fields", json_of(match.tuple)}};
}

void show_read(Desk& desk, const std::string& form, double wait_s) {
  const Template parsed = parse_template(form).value_or_throw();
  const Match match = desk.session.space().read(parsed, duration_of(wait_s));
  if (desk.options.json)
    print_json(json_of_match(match));
  else
    fmt::print(std::cout, "{}\n", to_string(match.tuple));
}

struct TakeOptions {
  std::string form;
  double wait_s = 0;
  std::uint32_t count = 1;
  bool yes = false;
};

bool is_meant(Desk& desk, const Template& form, const TakeOptions& options) {
  if (options.yes) return true;
  const auto matching = desk.session.ask<Counted>(CountOp{form, {}}).count;
  return is_confirmed(
      fmt::format("{} of space '{}' match{}. Remove up to {} for good?", counted(matching, "tuple"),
                  harmless(desk.session.space().name()), matching == 1 ? "es" : "", options.count),
      "take removes tuples for good");
}

void take(Desk& desk, const TakeOptions& options) {
  const Template form = parse_template(options.form).value_or_throw();
  if (!is_meant(desk, form, options)) {
    desk.exit_code = kExitNothing;
    return;
  }
  const auto matches =
      desk.session.space().take_many(form, options.count, duration_of(options.wait_s));
  if (desk.options.json) {
    json::array taken;
    for (const Match& match : matches) taken.push_back(json_of_match(match));
    print_json(json::object{{"taken", taken}});
    return;
  }
  for (const Match& match : matches) fmt::print(std::cout, "{}\n", to_string(match.tuple));
}

// ---- put

struct PutOptions {
  std::string tuple;
  std::int32_t priority = 0;
  std::optional<double> ttl_s;
  std::uint32_t max_attempts = 0;
  std::string key;
  std::optional<double> key_window_s;
  std::optional<double> delay_s;
  std::string group;
  bool create = false;
};

Rare rare_of(const PutOptions& options) {
  RareAttributes rare;
  rare.key = options.key;
  if (options.key_window_s) rare.key_window = duration_of(*options.key_window_s);
  if (options.delay_s) rare.delay = duration_of(*options.delay_s);
  rare.group = options.group;
  return rare == RareAttributes{} ? Rare{} : Rare(std::move(rare));
}

void put(Desk& desk, const PutOptions& options) {
  NewTuple tuple{parse_tuple(options.tuple).value_or_throw(), {}};
  tuple.attributes.priority = options.priority;
  tuple.attributes.max_attempts = options.max_attempts;
  if (options.ttl_s) tuple.attributes.ttl = duration_of(*options.ttl_s);
  tuple.attributes.rare = rare_of(options);
  const bool keyed = !options.key.empty();
  desk.session.space(options.create);
  PutOp operation{{std::move(tuple)}};
  const TupleId id = keyed ? desk.session.ask<KeyedPutDone>(std::move(operation)).ids.at(0)
                           : desk.session.ask<PutDone>(std::move(operation)).first;
  if (desk.options.json)
    print_json(json::object{{"id", id.value}});
  else
    fmt::print(std::cout, "{}\n", id.value);
}

void add_form(CLI::App& command, std::string& form) {
  command.add_option("TEMPLATE", form, R"(such as '("task", ?int, ?)'; see space-admin --help)")
      ->required();
}

}  // namespace

void add_tuples(CLI::App& app, Desk& desk) {
  CLI::App* command =
      app.add_subcommand("tuples", "list tuples in the order in which they were put");
  auto options = std::make_shared<ListOptions>();
  add_filter(*command, options->form, "all tuples");
  command->add_option("--limit", options->limit, "how many at most")
      ->type_name("N")
      ->check(CLI::Range(1U, 1'000'000U))
      ->capture_default_str();
  command->add_option("--after", options->after, "only those with a higher id")->type_name("ID");
  command
      ->add_option("--state", options->state,
                   "ready, reserved, started, dead, delayed, behind, guarded or paused")
      ->type_name("STATE")
      ->check(CLI::IsMember(state_names()));
  set_show(*command, desk, [&desk, options] { show_tuples(desk, *options); });
}

void add_count(CLI::App& app, Desk& desk) {
  CLI::App* command = app.add_subcommand("count", "how many ready tuples match");
  auto form = std::make_shared<std::string>();
  add_form(*command, *form);
  set_show(*command, desk, [&desk, form] { show_count(desk, *form); });
}

void add_explain(CLI::App& app, Desk& desk) {
  CLI::App* command =
      app.add_subcommand("explain", "how a template is looked up, and how much that looks at");
  auto form = std::make_shared<std::string>();
  add_form(*command, *form);
  set_show(*command, desk, [&desk, form] { show_explain(desk, *form); });
}

void add_read(CLI::App& app, Desk& desk) {
  CLI::App* command = app.add_subcommand("read", "show the first tuple that matches; it stays");
  auto form = std::make_shared<std::string>();
  auto wait_s = std::make_shared<double>(0);
  add_form(*command, *form);
  command->add_option("--wait", *wait_s, "wait so long for a match")
      ->type_name("SECONDS")
      ->capture_default_str();
  command->callback([&desk, form, wait_s] { show_read(desk, *form, *wait_s); });
}

void add_take(CLI::App& app, Desk& desk) {
  CLI::App* command = app.add_subcommand("take", "remove tuples that match, and show them");
  auto options = std::make_shared<TakeOptions>();
  add_form(*command, options->form);
  command->add_option("--wait", options->wait_s, "wait so long for a match")
      ->type_name("SECONDS")
      ->capture_default_str();
  command->add_option("--count", options->count, "how many at most")
      ->type_name("N")
      ->check(CLI::Range(1U, 100'000U))
      ->capture_default_str();
  command->add_flag("--yes", options->yes, "do not ask whether it is meant");
  command->callback([&desk, options] { take(desk, *options); });
}

void add_put(CLI::App& app, Desk& desk) {
  CLI::App* command = app.add_subcommand("put", "put a tuple, and show its id");
  auto options = std::make_shared<PutOptions>();
  command->add_option("TUPLE", options->tuple, R"(such as '("greeting", 17, [true, nil])')")
      ->required();
  command->add_option("--priority", options->priority, "higher is handed out first")
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--ttl", options->ttl_s, "gone after so long")->type_name("SECONDS");
  command->add_option("--max-attempts", options->max_attempts, "dead after so many; 0: never")
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--key", options->key, "stored once, however often it is put with this key")
      ->type_name("TEXT");
  command->add_option("--key-window", options->key_window_s, "the key is remembered for so long")
      ->type_name("SECONDS");
  command->add_option("--delay", options->delay_s, "not visible before")->type_name("SECONDS");
  command->add_option("--group", options->group, "at most one tuple of the group is out at a time")
      ->type_name("TEXT");
  command->add_flag("--create", options->create, "make the space if there is none of that name");
  command->callback([&desk, options] { put(desk, *options); });
}

}  // namespace linden::admin

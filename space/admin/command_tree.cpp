// space/admin/command_tree.cpp
#include "space/admin/command_tree.h"

#include <CLI/CLI.hpp>

namespace linden::admin {
namespace {

// The names of a validator that is a choice: its description is "{ready,reserved}".
std::vector<std::string> values_of(const CLI::Option& option) {
  std::vector<std::string> values;
  // The parser tells the description as part of the type's name only.
  const std::string type = option.get_type_name();
  const std::size_t open = type.find(":{");
  if (open == std::string::npos || !type.ends_with('}')) return values;
  for (std::size_t at = open + 2; at < type.size();) {
    const std::size_t end = type.find_first_of(",}", at);
    values.push_back(type.substr(at, end - at));
    at = end + 1;
  }
  return values;
}

OptionText text_of(const CLI::Option& option) {
  OptionText text;
  text.is_positional = !option.nonpositional();
  text.name = text.is_positional ? option.get_name(true) : "--" + option.get_lnames().front();
  if (!text.is_positional && option.get_items_expected_max() > 0)
    text.argument = option.get_type_name().substr(0, option.get_type_name().find(':'));
  text.is_required = option.get_required();
  text.argument_may_miss = option.get_items_expected_max() > 0 && option.get_expected_min() == 0;
  text.about = option.get_description();
  text.preset = option.get_default_str();
  text.values = values_of(option);
  return text;
}

std::vector<OptionText> options_of(const CLI::App& app) {
  std::vector<OptionText> options;
  for (const bool positional : {true, false}) {
    for (const CLI::Option* option : app.get_options()) {
      if (option->get_group().empty() || option->nonpositional() == positional) continue;
      options.push_back(text_of(*option));
    }
  }
  return options;
}

}  // namespace

CommandTree tree_of(const CLI::App& app) {
  CommandTree tree{app.get_name(), app.get_description(), options_of(app), {}};
  for (const CLI::App* command : app.get_subcommands(std::function<bool(const CLI::App*)>{})) {
    if (command->get_group().empty()) continue;
    CommandText text{command->get_name(), command->get_description(), {}};
    for (OptionText& option : options_of(*command)) {
      if (option.name != "--help") text.options.push_back(std::move(option));
    }
    tree.commands.push_back(std::move(text));
  }
  return tree;
}

std::string usage_of(const CommandText& command) {
  std::string usage = command.name;
  for (const OptionText& option : command.options) {
    std::string one = option.name;
    if (!option.argument.empty())
      one += option.argument_may_miss ? " [" + option.argument + "]" : " " + option.argument;
    usage += option.is_required ? " " + one : " [" + one + "]";
  }
  return usage;
}

}  // namespace linden::admin

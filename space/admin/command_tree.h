// space/admin/command_tree.h: the command line as plain data, read off the parser itself, so that
// completion and man page cannot say anything else.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace linden::admin {

struct OptionText {
  std::string name;      // "--limit"; of a positional one "TEMPLATE"
  std::string argument;  // "N"; empty: a flag
  bool is_positional = false;
  bool is_required = false;
  bool argument_may_miss = false;
  std::string about;
  std::string preset;               // the value that it has if it is not given; may be empty
  std::vector<std::string> values;  // all that it takes; empty: not a matter of choice
};

struct CommandText {
  std::string name;
  std::string about;
  std::vector<OptionText> options;  // in the order in which help shows them
};

struct CommandTree {
  std::string name;
  std::string about;
  std::vector<OptionText> options;  // of every command
  std::vector<CommandText> commands;
};

// What is in no group, that is hidden, is left out.
[[nodiscard]] CommandTree tree_of(const CLI::App& app);

// "queues [TEMPLATE] [--fields N] [--watch [SECONDS]]"
[[nodiscard]] std::string usage_of(const CommandText& command);

// The script that completes words in this shell: "bash", "zsh" or "fish".
[[nodiscard]] std::string completion_script(const CommandTree& tree, const std::string& shell);

// A part of the help that is no option: its title in capitals, and its lines.
struct Section {
  std::string title;
  std::string text;
};
// The page for man(1), in roff.
[[nodiscard]] std::string manual(const CommandTree& tree, const std::vector<Section>& sections,
                                 const std::string& version);

}  // namespace linden::admin

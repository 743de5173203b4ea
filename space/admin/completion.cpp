// space/admin/completion.cpp: space-admin completion: scripts for shells, made of the command tree.
#include <fmt/format.h>
#include <fmt/ostream.h>

#include <algorithm>
#include <iostream>
#include <string_view>

#include "space/admin/command_tree.h"
#include "space/admin/commands.h"

namespace linden::admin {
namespace {

// How long a shell's user waits for the names of spaces at most.
constexpr double kQuick_s = 1;

// What can stand as an argument.
enum class Takes : std::uint8_t { kNothing, kAnything, kChoice, kSpace, kCluster, kFile };

Takes takes(const OptionText& option) {
  const std::string& what = option.is_positional ? option.name : option.argument;
  if (!option.is_positional && option.argument.empty()) return Takes::kNothing;
  if (!option.values.empty()) return Takes::kChoice;
  if (what == "SPACE" || what == "TO" || option.name == "--space") return Takes::kSpace;
  if (option.name == "--cluster-id") return Takes::kCluster;
  return what == "WHERE" || what == "DIRECTORY" ? Takes::kFile : Takes::kAnything;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

// The names of options, and what can stand instead.
std::string words_of(const std::vector<OptionText>& options) {
  std::vector<std::string> words;
  for (const OptionText& option : options) {
    if (!option.is_positional) words.push_back(option.name);
    if (option.is_positional && takes(option) == Takes::kChoice)
      words.insert(words.end(), option.values.begin(), option.values.end());
  }
  return joined(words);
}

bool takes_space(const CommandText& command) {
  return std::ranges::any_of(command.options, [](const OptionText& option) {
    return option.is_positional && takes(option) == Takes::kSpace;
  });
}

// Names of options that need an argument, as a pattern of `case`.
std::string with_argument(const CommandTree& tree) {
  std::vector<std::string> names;
  const auto add = [&](const std::vector<OptionText>& options) {
    for (const OptionText& option : options)
      if (!option.argument.empty() && !option.argument_may_miss) names.push_back(option.name);
  };
  add(tree.options);
  for (const CommandText& command : tree.commands) add(command.options);
  std::ranges::sort(names);
  names.erase(std::ranges::unique(names).begin(), names.end());
  std::string pattern;
  for (const std::string& name : names) pattern += (pattern.empty() ? "" : "|") + name;
  return pattern;
}

// ---- bash

std::string bash_values(const OptionText& option) {
  switch (takes(option)) {
    case Takes::kChoice:
      return fmt::format("words=\"{}\"", joined(option.values));
    case Takes::kSpace:
      return "words=$(_space_admin_spaces)";
    case Takes::kCluster:
      // Words are expanded once more by compgen, so those with other characters are left out.
      return "words=$(command ls \"${LINDEN_HOME:-$HOME/.linden}/clusters\" 2>/dev/null | "
             "command grep -x '[A-Za-z0-9_.+-]*')";
    case Takes::kFile:
      return "COMPREPLY=($(compgen -f -- \"$word\")); return";
    default:
      return "return";
  }
}

std::string bash_arguments(const std::string& command, const std::vector<OptionText>& options) {
  std::string cases;
  for (const OptionText& option : options) {
    if (option.is_positional || takes(option) == Takes::kNothing || option.argument_may_miss)
      continue;
    cases += fmt::format("    {}/{}) {} ;;\n", command, option.name, bash_values(option));
  }
  return cases;
}

constexpr std::string_view kBash =
    R"(# bash completion of space-admin, made by: space-admin completion bash
_space_admin_spaces() {
  command space-admin "${where[@]}" completion --spaces 2>/dev/null
}

_space_admin() {
  local i command= where=() all=() words=
  # bash cuts words at : and =, which stand in addresses.
  for ((i = 0; i <= COMP_CWORD; i++)); do
    if ((i > 1)) && [[ ${COMP_WORDS[i]} == [:=]* || ${COMP_WORDS[i - 1]} == [:=] ]]; then
      all[${#all[@]} - 1]+=${COMP_WORDS[i]}
    else
      all+=("${COMP_WORDS[i]}")
    fi
  done
  local word=${all[${#all[@]} - 1]} previous=${all[${#all[@]} - 2]}
  for ((i = 1; i < ${#all[@]} - 1; i++)); do
    case ${all[i]} in
      --connection | --cluster-id) where+=("${all[i]}" "${all[i + 1]}"); ((i++)) ;;
      --connection=* | --cluster-id=*) where+=("${all[i]}") ;;
      @WITH_ARGUMENT@) ((i++)) ;;
      -*) ;;
      *) [[ -n $command ]] || command=${all[i]} ;;
    esac
  done
  COMPREPLY=()
  case $command/$previous in
@ARGUMENTS@    *) case $command in
        "") words="@COMMANDS@" ;;
@WORDS@      esac
      words+=" @OPTIONS@" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -F _space_admin space-admin
)";

void fill_in(std::string& text, std::string_view place, const std::string& with) {
  const std::size_t at = text.find(place);
  text.replace(at, place.size(), with);
}

std::string bash(const CommandTree& tree) {
  std::string arguments;
  std::string words;
  std::vector<std::string> names;
  for (const CommandText& command : tree.commands) {
    names.push_back(command.name);
    arguments += bash_arguments(command.name, command.options);
    words += fmt::format("        {}) words=\"{}{}\" ;;\n", command.name, words_of(command.options),
                         takes_space(command) ? " $(_space_admin_spaces)" : "");
  }
  std::string script(kBash);
  fill_in(script, "@WITH_ARGUMENT@", with_argument(tree));
  fill_in(script, "@ARGUMENTS@", arguments + bash_arguments("*", tree.options));
  fill_in(script, "@COMMANDS@", joined(names));
  fill_in(script, "@WORDS@", words);
  fill_in(script, "@OPTIONS@", words_of(tree.options));
  return script;
}

// ---- zsh

// Within single quotes, and with those marks escaped that mean something in a specification.
std::string zsh_text(std::string_view text, std::string_view marks) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\'') {
      escaped += R"('\'')";
      continue;
    }
    if (marks.find(c) != std::string_view::npos) escaped += '\\';
    escaped += c;
  }
  return escaped;
}

std::string zsh_action(const OptionText& option) {
  switch (takes(option)) {
    case Takes::kChoice:
      return "(" + joined(option.values) + ")";
    case Takes::kSpace:
      return "_space_admin_spaces";
    case Takes::kCluster:
      return "_space_admin_clusters";
    case Takes::kFile:
      return "_files";
    default:
      return " ";
  }
}

std::string zsh_specification(const OptionText& option) {
  const std::string about = zsh_text(option.about, "[]:\\");
  if (option.is_positional) return fmt::format("':{}:{}'", option.name, zsh_action(option));
  if (option.argument.empty()) return fmt::format("'{}[{}]'", option.name, about);
  return fmt::format("'{}[{}]{}{}:{}'", option.name, about, option.argument_may_miss ? "::" : ":",
                     option.argument, zsh_action(option));
}

std::string zsh_arguments(const std::vector<OptionText>& options, std::string_view indent) {
  std::string text;
  for (const OptionText& option : options)
    text += fmt::format(" \\\n{}{}", indent, zsh_specification(option));
  return text;
}

constexpr std::string_view kZsh = R"zsh(#compdef space-admin
# zsh completion of space-admin, made by: space-admin completion zsh
_space_admin_spaces() {
  local -a where names
  local i
  for ((i = 1; i < $#line_before; i++)); do
    [[ $line_before[i] == (--connection|--cluster-id) ]] &&
      where+=($line_before[i] $line_before[i+1])
  done
  names=(${(f)"$(command space-admin $where completion --spaces 2>/dev/null)"})
  compadd -a names
}

_space_admin_clusters() {
  _files -W "${LINDEN_HOME:-$HOME/.linden}/clusters" -/
}

_space_admin() {
  local state line context
  local -a every commands line_before
  line_before=($words)
  every=(@OPTIONS@
  )
  _arguments -C $every '1:command:->command' '*::argument:->argument' && return
  case $state in
    command)
      commands=(
@COMMANDS@      )
      _describe command commands ;;
    argument)
      case $words[1] in
@CASES@      esac ;;
  esac
}
compdef _space_admin space-admin
)zsh";

std::string zsh(const CommandTree& tree) {
  std::string commands;
  std::string cases;
  for (const CommandText& command : tree.commands) {
    commands += fmt::format("        '{}:{}'\n", command.name, zsh_text(command.about, ":\\"));
    cases += fmt::format("        {}) _arguments $every{} ;;\n", command.name,
                         zsh_arguments(command.options, "          "));
  }
  std::string script(kZsh);
  fill_in(script, "@OPTIONS@", zsh_arguments(tree.options, "    "));
  fill_in(script, "@COMMANDS@", commands);
  fill_in(script, "@CASES@", cases);
  return script;
}

// ---- fish

std::string fish_text(std::string_view text) {
  return zsh_text(text, "\\");
}

std::string fish_option(const std::string& condition, const OptionText& option) {
  std::string line = "complete -c space-admin" + condition;
  if (!option.is_positional) line += " -l " + option.name.substr(2);
  switch (takes(option)) {
    case Takes::kChoice:
      line += fmt::format(" -x -a '{}'", joined(option.values));
      break;
    case Takes::kSpace:
      line += " -x -a '(__space_admin_spaces)'";
      break;
    case Takes::kCluster:
      line += " -x -a '(command ls (__space_admin_home)/clusters 2>/dev/null)'";
      break;
    case Takes::kFile:
      line += option.is_positional ? " -F" : " -r -F";
      break;
    case Takes::kAnything:
      line += option.argument_may_miss || option.is_positional ? "" : " -x";
      break;
    case Takes::kNothing:
      break;
  }
  return line + fmt::format(" -d '{}'\n", fish_text(option.about));
}

std::string fish(const CommandTree& tree) {
  std::string script = R"(# fish completion of space-admin, made by: space-admin completion fish
function __space_admin_home
  set -q LINDEN_HOME; and echo $LINDEN_HOME; or echo $HOME/.linden
end
function __space_admin_spaces
  set -l words (commandline -opc)
  set -l where
  for i in (seq (count $words))
    contains -- $words[$i] --connection --cluster-id; and set -a where $words[$i] $words[(math $i + 1)]
  end
  command space-admin $where completion --spaces 2>/dev/null
end
complete -c space-admin -f
)";
  for (const OptionText& option : tree.options) script += fish_option("", option);
  for (const CommandText& command : tree.commands) {
    script += fmt::format("complete -c space-admin -n __fish_use_subcommand -a {} -d '{}'\n",
                          command.name, fish_text(command.about));
    for (const OptionText& option : command.options) {
      if (option.is_positional && takes(option) == Takes::kAnything) continue;
      script +=
          fish_option(fmt::format(" -n '__fish_seen_subcommand_from {}'", command.name), option);
    }
  }
  return script;
}

// ---- Values

// Names that a shell takes for one word whatever it does with them; others have to be typed.
bool is_plain(const std::string& name) {
  return !name.empty() && name.front() != '-' && std::ranges::all_of(name, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           std::string_view("_.+-").find(c) != std::string_view::npos;
  });
}

// Quick and silent: who presses a key wants no message in the middle of the line.
void print_spaces(Desk& desk) {
  desk.options.timeout_s = std::min(desk.options.timeout_s, kQuick_s);
  try {
    for (const SpaceStatus& space : desk.session.spaces())
      if (is_plain(space.name)) fmt::print(std::cout, "{}\n", space.name);
  } catch (const Error& error) {
    desk.exit_code = exit_code_of(error.code());
  }
}

}  // namespace

std::string completion_script(const CommandTree& tree, const std::string& shell) {
  if (shell == "zsh") return zsh(tree);
  return shell == "fish" ? fish(tree) : bash(tree);
}

void add_completion(CLI::App& app, Desk& desk) {
  CLI::App* command = app.add_subcommand(
      "completion", "print a script that completes the words of space-admin in a shell");
  auto shell = std::make_shared<std::string>();
  auto spaces = std::make_shared<bool>(false);
  CLI::Option* which = command->add_option("SHELL", *shell, "bash, zsh or fish")
                           ->check(CLI::IsMember(std::vector<std::string>{"bash", "zsh", "fish"}));
  command->add_flag("--spaces", *spaces, "print the names of spaces instead, for the script")
      ->excludes(which);
  command->callback([&app, &desk, shell, spaces] {
    if (*spaces) return print_spaces(desk);
    if (shell->empty())
      throw Error(ErrorCode::kInvalidArgument, "completion: wanted one of bash, zsh and fish");
    std::cout << completion_script(tree_of(app), *shell);
  });
}

}  // namespace linden::admin

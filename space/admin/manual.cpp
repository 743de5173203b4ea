// space/admin/manual.cpp: the command tree as a page for man(1).
#include <string_view>

#include "space/admin/command_tree.h"

namespace linden::admin {
namespace {

// As roff shows it literally: backslashes and hyphens are commands there, and so is a dot or an
// apostrophe at the beginning of a line.
std::string roff(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    const bool begins_line = escaped.empty() || escaped.back() == '\n';
    if (begins_line && (c == '.' || c == '\'')) escaped += "\\&";
    switch (c) {
      case '\\':
        escaped += "\\e";
        break;
      case '-':
        escaped += "\\-";
        break;
      case '\'':
        escaped += "\\(aq";
        break;
      case '~':
        escaped += "\\(ti";
        break;
      case '^':
        escaped += "\\(ha";
        break;
      case '`':
        escaped += "\\(ga";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string sentence(std::string text) {
  if (!text.empty() && text.front() >= 'a' && text.front() <= 'z')
    text.front() = static_cast<char>(text.front() - 'a' + 'A');
  return text + (text.ends_with('.') ? "" : ".");
}

std::string option_text(const OptionText& option) {
  std::string text = ".TP\n\\fB" + roff(option.name) + "\\fR";
  if (!option.argument.empty()) {
    const std::string argument = "\\fI" + roff(option.argument) + "\\fR";
    text += option.argument_may_miss ? " [" + argument + "]" : " " + argument;
  }
  text += "\n" + roff(sentence(option.about)) + "\n";
  if (!option.preset.empty()) text += "Otherwise " + roff(option.preset) + ".\n";
  return text;
}

std::string options_text(const std::vector<OptionText>& options) {
  std::string text;
  for (const OptionText& option : options) text += option_text(option);
  return text;
}

std::string command_text(const CommandText& command) {
  std::string text = ".SS " + roff(command.name) + "\n.B " + roff(usage_of(command)) + "\n.PP\n" +
                     roff(sentence(command.about)) + "\n";
  return text + options_text(command.options);
}

}  // namespace

std::string manual(const CommandTree& tree, const std::vector<Section>& sections,
                   const std::string& version) {
  std::string page =
      ".\\\" Made by " + tree.name + " from its own command line; do not edit.\n" +
      ".TH SPACE\\-ADMIN 1 \"\" \"Linden " + roff(version) + "\" \"Linden\"\n" + ".SH NAME\n" +
      roff(tree.name) + " \\- look into a space server\n" + ".SH SYNOPSIS\n.B " + roff(tree.name) +
      "\n[\\fIOPTION\\fR ...] " + "\\fICOMMAND\\fR [\\fIARGUMENT\\fR ...]\n" + ".SH DESCRIPTION\n" +
      roff(tree.about) + "\n.SH OPTIONS\nThey may stand before or behind the command.\n" +
      options_text(tree.options) + ".SH COMMANDS\n";
  for (const CommandText& command : tree.commands) page += command_text(command);
  for (const Section& section : sections)
    page += ".SH " + roff(section.title) + "\n.nf\n" + roff(section.text) + "\n.fi\n";
  return page + ".SH SEE ALSO\n.BR space\\-server (1),\n.BR space\\-cluster (1)\n";
}

}  // namespace linden::admin

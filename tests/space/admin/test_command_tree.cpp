// What is read off the command line's parser, and the man page that is made of it.
#include "space/admin/command_tree.h"

#include <CLI/CLI.hpp>
#include <gtest/gtest.h>

namespace linden::admin {
namespace {

class CommandTreeTest : public testing::Test {
 protected:
  CommandTreeTest() {
    app_.add_option("--space", name_, "which space")->type_name("NAME");
    app_.add_flag("--hidden", flag_, "for nobody")->group("");
    CLI::App* show = app_.add_subcommand("show", "one tuple");
    show->add_option("ID", name_, "its id")->required();
    show->add_flag("--full", flag_, "all of it");
    show->add_option("--watch", name_, "again")->type_name("SECONDS")->expected(0, 1);
    show->add_option("--state", name_, "only those")
        ->type_name("STATE")
        ->check(CLI::IsMember({"ready", "dead"}));
  }

  CLI::App app_{"What it does.", "tool"};
  std::string name_;
  bool flag_ = false;
};

TEST_F(CommandTreeTest, HasCommandsAndOptionsAsTheParserKnowsThem) {
  const CommandTree tree = tree_of(app_);
  EXPECT_EQ(tree.name, "tool");
  ASSERT_EQ(tree.options.size(), 2u);
  EXPECT_EQ(tree.options[0].name, "--help");
  EXPECT_EQ(tree.options[1].name, "--space");
  EXPECT_EQ(tree.options[1].argument, "NAME");
  ASSERT_EQ(tree.commands.size(), 1u);
  EXPECT_EQ(usage_of(tree.commands[0]), "show ID [--full] [--watch [SECONDS]] [--state STATE]");
  EXPECT_EQ(tree.commands[0].options[3].values, (std::vector<std::string>{"ready", "dead"}));
}

TEST_F(CommandTreeTest, BecomesAManPage) {
  const std::string page = manual(tree_of(app_), {{"EXIT CODES", "  0 done\n.x \\n"}}, "1.2");
  EXPECT_NE(page.find("\n.SS show\n.B show ID [\\-\\-full]"), std::string::npos) << page;
  EXPECT_NE(page.find("\n.TP\n\\fB\\-\\-watch\\fR [\\fISECONDS\\fR]\nAgain.\n"), std::string::npos)
      << page;
  // A line of text that looks like a command of roff is none.
  EXPECT_NE(page.find("\n.SH EXIT CODES\n.nf\n  0 done\n\\&.x \\en\n.fi\n"), std::string::npos)
      << page;
}

}  // namespace
}  // namespace linden::admin

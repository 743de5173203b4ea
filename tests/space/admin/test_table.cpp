// Tables and units, as people see them.
#include "space/admin/table.h"

#include <gtest/gtest.h>

namespace linden::admin {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Table, AlignsItsColumns) {
  Table table({{"N", Align::kRight}, {"NAME"}, {"SIZE", Align::kRight}});
  table.add({"1", "a", "17 B"});
  table.add({"250", "longer", "1.0 KiB"});
  EXPECT_EQ(table.text(),
            "  N  NAME       SIZE\n"
            "  1  a          17 B\n"
            "250  longer  1.0 KiB\n");
}

TEST(Table, HasItsTitlesEvenIfItIsEmpty) {
  EXPECT_EQ(Table({{"A"}, {"B"}}).text(), "A  B\n");
}

TEST(Table, CutsTheLastColumnToTheTerminal) {
  Table table({{"ID"}, {"TUPLE"}});
  table.add({"1", "(\"a long tuple of many fields\")"});
  EXPECT_EQ(table.text(20),
            "ID  TUPLE\n"
            "1   (\"a long tupl...\n");
  EXPECT_NE(table.text(0).find("many fields"), std::string::npos);
}

TEST(Table, KeepsSomeOfTheLastColumnOnANarrowTerminal) {
  Table table({{"ID"}, {"TUPLE"}});
  table.add({"1", "(\"a long tuple of many fields\")"});
  EXPECT_EQ(table.text(5),
            "ID  TUPLE\n"
            "1   (\"a long ...\n");
}

TEST(Table, CountsCharactersNotBytes) {
  Table table({{"A"}, {"B"}});
  table.add({"\xC3\xA9", "1"});
  table.add({"ab", "2"});
  EXPECT_EQ(table.text(), "A   B\n\xC3\xA9   1\nab  2\n");
}

TEST(WithUnit, ShowsBytes) {
  EXPECT_EQ(with_unit(std::uint64_t{0}), "0 B");
  EXPECT_EQ(with_unit(std::uint64_t{1023}), "1023 B");
  EXPECT_EQ(with_unit(std::uint64_t{1536}), "1.5 KiB");
  EXPECT_EQ(with_unit((std::uint64_t{1} << 20) - 1), "1.0 MiB");
  EXPECT_EQ(with_unit(~std::uint64_t{0}), "16.0 EiB");
}

TEST(WithUnit, ShowsDurations) {
  EXPECT_EQ(with_unit(Duration(milliseconds(840))), "0.8 s");
  EXPECT_EQ(with_unit(Duration(seconds(210))), "3.5 min");
  EXPECT_EQ(with_unit(Duration(hours(3))), "3.0 h");
  EXPECT_EQ(with_unit(Duration(hours(24 * 40))), "40.0 d");
}

TEST(Harmless, EscapesWhatCouldAttackATerminal) {
  EXPECT_EQ(harmless("plain"), "plain");
  EXPECT_EQ(harmless("\x1b[31m\n"), "\\x1b[31m\\n");
  EXPECT_EQ(harmless(std::string(100, 'x')), std::string(80, 'x') + "...");
}

}  // namespace
}  // namespace linden::admin

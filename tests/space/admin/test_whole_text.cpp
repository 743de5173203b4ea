// Values to their end, as harmless as the short form.
#include "space/admin/whole_text.h"

#include <gtest/gtest.h>

namespace linden::admin {
namespace {

TEST(WholeText, PrintsShortValuesAsTheyAlwaysAre) {
  for (const Value& value :
       {Value(), Value(true), Value(17), Value(1.0), Value("te\"xt\n"),
        Value(Bytes::copy_of("b\xff")), Value(List{Value(1), Value("a"), Value(List{})})}) {
    EXPECT_EQ(whole_text(value), to_string(value));
  }
}

TEST(WholeText, PrintsLongOnesToTheirEnd) {
  const std::string text(10'000, 'x');
  EXPECT_EQ(whole_text(Value(text)), '"' + text + '"');
  EXPECT_EQ(whole_text(Value(Bytes::copy_of(text))), "b\"" + text + '"');
  EXPECT_EQ(whole_text(Value(List{Value(text)})), "[\"" + text + "\"]");
}

// Cut into pieces, no character is taken apart.
TEST(WholeText, KeepsCharactersWhole) {
  std::string text = "a";
  for (int i = 0; i < 100; ++i) text += "漢é🙂";
  EXPECT_EQ(whole_text(Value(text)), '"' + text + '"');
}

TEST(WholeText, EscapesWhatCommandsATerminal) {
  const std::string blanks(100, ' ');
  EXPECT_EQ(whole_text(Value(blanks + "\x1b[31m\u202e")), '"' + blanks + "\\x1b[31m\\u202e\"");
}

}  // namespace
}  // namespace linden::admin

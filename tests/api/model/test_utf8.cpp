// tests/api/model/test_utf8.cpp
#include "api/model/utf8.h"

#include <gtest/gtest.h>

namespace linden {
namespace {

TEST(Utf8, KnowsTheEdgesOfEveryLength) {
  for (const char* good :
       {"", "a", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
        "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "eight by\xc3\xa4te"})
    EXPECT_TRUE(is_utf8(good)) << good;
  EXPECT_TRUE(is_utf8(std::string_view("\0", 1)));
}

// Two ways to write one text would be two tuples that look alike.
TEST(Utf8, RefusesOverlongSurrogatesAndWhatIsCutOff) {
  for (const char* bad :
       {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf",
        "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xc2", "\xe2\x82",
        "\xf0\x9f\x98", "\xc2\x41", "12345678\xff"})
    EXPECT_FALSE(is_utf8(bad)) << bad;
}

// Short texts are looked at in words that overlap: no byte may fall between them.
TEST(Utf8, SeesEveryByteOfEveryLength) {
  for (std::size_t size = 1; size <= 300; ++size) {
    const std::string good(size, 'x');
    EXPECT_TRUE(is_utf8(good)) << size;
    for (std::size_t at = 0; at < size; ++at) {
      std::string bad = good;
      bad[at] = '\x80';
      EXPECT_FALSE(is_utf8(bad)) << size << " " << at;
    }
  }
}

std::string escaped(std::string_view text, std::size_t characters_max = 80) {
  std::string out;
  append_escaped(out, text, characters_max);
  return out;
}

// What a tuple holds is anybody's; it must not steer the terminal of who lists it.
TEST(Utf8, EscapesWhatCouldAttackATerminal) {
  EXPECT_EQ(escaped("\x1b[2J\r\n\t"), "\\x1b[2J\\x0d\\n\\t");
  EXPECT_EQ(escaped("\xc2\x9b"), "\\x9b");                // a control sequence of one character
  EXPECT_EQ(escaped("\xe2\x80\xae"), "\\u202e");          // writing from right to left
  EXPECT_EQ(escaped("\xf3\xa0\x81\x81"), "\\U000e0041");  // an invisible tag
  EXPECT_EQ(escaped("\xff\"\\"), "\\xff\\\"\\\\");
  EXPECT_EQ(escaped("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f");
}

TEST(Utf8, CutsBetweenCharacters) {
  std::string out;
  EXPECT_FALSE(append_escaped(out, "\xc3\xa4\xc3\xb6\xc3\xbc", 2));
  EXPECT_EQ(out, "\xc3\xa4\xc3\xb6");
  EXPECT_TRUE(append_escaped(out, "ab", 2));
}

}  // namespace
}  // namespace linden

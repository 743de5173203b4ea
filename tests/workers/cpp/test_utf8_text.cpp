// tests/workers/cpp/test_utf8_text.cpp
#include "workers/cpp/utf8_text.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include <linden/tuple.h>

namespace linden {
namespace {

TEST(Utf8Text, LeavesTextAsItIs) {
  const std::string text = "plain, \xC3\xA4, \xE2\x82\xAC, \xF0\x9F\x8C\xB3, \xEF\xBF\xBD";
  EXPECT_EQ(utf8_text(text), text);
}

TEST(Utf8Text, ReplacesWhatIsNone) {
  for (const char* bytes : {"\xFF", "\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE2\x82",
                            "\x80", "a\xC3(b", "\xF0\x9F\x8C"}) {
    const std::string text = utf8_text(bytes);
    EXPECT_NE(text.find("\xEF\xBF\xBD"), std::string::npos) << bytes;
    EXPECT_NO_THROW((void)Tuple{text});  // which refuses what is no UTF-8
  }
}

TEST(Utf8Text, WaitsForTheRestOfACharacterIfMoreMayCome) {
  const std::string tree = "\xF0\x9F\x8C\xB3";
  for (std::size_t cut = 1; cut < tree.size(); ++cut) {
    std::size_t used = 0;
    EXPECT_EQ(utf8_text("a" + tree.substr(0, cut), true, used), "a");
    EXPECT_EQ(used, 1U);
    EXPECT_EQ(utf8_text("a" + tree.substr(0, cut), false, used), "a\xEF\xBF\xBD");
    EXPECT_EQ(used, 1U + cut);
  }
}

}  // namespace
}  // namespace linden

// How wide text is on a terminal.
#include "space/admin/columns.h"

#include <gtest/gtest.h>

namespace linden::admin {
namespace {

TEST(Columns, CountsWideCharactersTwiceAndCombiningOnesNotAtAll) {
  EXPECT_EQ(columns_of("abc"), 3u);
  EXPECT_EQ(columns_of("é"), 1u);
  EXPECT_EQ(columns_of("漢字"), 4u);
  EXPECT_EQ(columns_of("e\u0301"), 1u);
  EXPECT_EQ(columns_of("🙂"), 2u);
  EXPECT_EQ(columns_of(""), 0u);
}

TEST(Columns, CutsBetweenCharacters) {
  EXPECT_EQ(cut_to("abc", 2), "ab");
  EXPECT_EQ(cut_to("abc", 9), "abc");
  EXPECT_EQ(cut_to("漢字", 3), "漢");
  EXPECT_EQ(cut_to("漢字", 1), "");
  EXPECT_EQ(cut_to("e\u0301x", 1), "e\u0301");
}

}  // namespace
}  // namespace linden::admin

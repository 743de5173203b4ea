#include "space/storage/key_layout.h"

#include <gtest/gtest.h>

namespace linden::storage {
namespace {

using namespace std::string_literals;

// A data directory must stay readable: these bytes are what docs/design/storage-format.md says.
TEST(KeyLayout, BytesAreThoseOfTheFormat) {
  EXPECT_EQ(journal_key(SpaceNumber{1}, 2).view(), "\0\0\0\1\0\0\0\0\0\0\0\2"s);
  EXPECT_EQ(table_key(SpaceNumber{0x01020304}, TupleId{0x1122334455667788}).view(),
            "\x01\x02\x03\x04\x11\x22\x33\x44\x55\x66\x77\x88"s);
  EXPECT_EQ(rest_key(SpaceNumber{7}).view(), "\0\0\0\7\0\0\0\0\0\0\0\0"s);
  EXPECT_EQ(space_begin(SpaceNumber{255}), "\0\0\0\xff"s);
  EXPECT_EQ(space_end(SpaceNumber{255}), "\0\0\1\0"s);
  EXPECT_EQ(space_key(SpaceNumber{3}), "space:\0\0\0\3"s);
  EXPECT_EQ(number_value(258), "\0\0\0\0\0\0\1\2"s);
  EXPECT_EQ(space_value(Durability::kSync, "jobs"), "\1\2jobs"s);
}

// Loading relies on it: a space's records come in order and no other's come between.
TEST(KeyLayout, KeysSortAsNumbersDo) {
  EXPECT_LT(journal_key(SpaceNumber{1}, 255).view(), journal_key(SpaceNumber{1}, 256).view());
  EXPECT_LT(journal_key(SpaceNumber{1}, ~0ULL).view(), space_end(SpaceNumber{1}));
  EXPECT_LE(space_end(SpaceNumber{1}), space_begin(SpaceNumber{2}));
  EXPECT_LT(rest_key(SpaceNumber{2}).view(), table_key(SpaceNumber{2}, TupleId{1}).view());
}

TEST(KeyLayout, ReadsBackWhatItWrote) {
  EXPECT_EQ(number_in_space(journal_key(SpaceNumber{9}, 1234567890123).view()), 1234567890123U);
  EXPECT_EQ(number_in_space("short"), std::nullopt);
  EXPECT_EQ(number_of(number_value(77)), 77U);
  EXPECT_EQ(number_of(""), std::nullopt);
  const Result<SpaceInfo> info =
      space_of(space_key(SpaceNumber{5}), space_value(Durability::kProcess, "a space"));
  ASSERT_TRUE(info);
  EXPECT_EQ(*info, (SpaceInfo{SpaceNumber{5}, "a space", Durability::kProcess}));
}

TEST(KeyLayout, RefusesASpaceEntryOfAnotherVersion) {
  EXPECT_FALSE(space_of(space_key(SpaceNumber{5}), "\2\1jobs"));
  EXPECT_FALSE(space_of(space_key(SpaceNumber{5}), "\1\7jobs"));
  EXPECT_FALSE(space_of(space_key(SpaceNumber{5}), ""));
  EXPECT_FALSE(space_of("space:", "\1\1jobs"));
}

}  // namespace
}  // namespace linden::storage

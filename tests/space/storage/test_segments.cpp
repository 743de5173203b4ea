#include "space/storage/segments.h"

#include <gtest/gtest.h>

namespace linden::storage {
namespace {

std::vector<TupleId> ids(std::initializer_list<std::uint64_t> numbers) {
  std::vector<TupleId> all;
  for (const std::uint64_t number : numbers) all.push_back(TupleId{number});
  return all;
}

// A segment waits for two newer full ones, so that short-lived tuples are gone when it is looked
// at.
TEST(Segments, OldestIsDueWhenTwoNewerOnesAreFull) {
  Segments segments(100);
  segments.append(100, ids({1}));
  segments.append(100, ids({2}));
  segments.append(99, ids({3}));
  EXPECT_FALSE(segments.oldest_is_due());
  segments.append(1, ids({4}));
  EXPECT_TRUE(segments.oldest_is_due());
  EXPECT_EQ(segments.oldest_end(), 2U);
  segments.drop_oldest();
  EXPECT_FALSE(segments.oldest_is_due());
  EXPECT_EQ(segments.first(), 2U);
  EXPECT_EQ(segments.next(), 5U);
}

TEST(Segments, TouchedTuplesComeOnceAndInOrder) {
  Segments segments(100);
  segments.append(10, ids({5, 3, 5}));
  segments.append(10, ids({4, 3}));
  EXPECT_EQ(segments.oldest_touched(), ids({3, 4, 5}));
}

TEST(Segments, TheLastSegmentCanBeDroppedAndNumbersGoOn) {
  Segments segments(100);
  segments.append(10, ids({1}));
  EXPECT_EQ(segments.oldest_end(), 2U);
  segments.drop_oldest();
  EXPECT_EQ(segments.first(), segments.next());
  segments.append(10, ids({2}));
  EXPECT_EQ(segments.first(), 2U);
  EXPECT_EQ(segments.oldest_touched(), ids({2}));
}

TEST(TableIds, AddsAndRemoves) {
  TableIds table;
  table.append(TupleId{2});
  table.append(TupleId{5});
  table.update(ids({1, 5, 9}), ids({2}));
  EXPECT_EQ(table.size(), 3U);
  EXPECT_TRUE(table.contains(TupleId{1}));
  EXPECT_FALSE(table.contains(TupleId{2}));
  EXPECT_TRUE(table.contains(TupleId{5}));
  EXPECT_TRUE(table.contains(TupleId{9}));
}

}  // namespace
}  // namespace linden::storage

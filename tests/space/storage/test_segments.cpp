#include "space/storage/segments.h"

#include <random>
#include <set>

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

// Without a delete for a tuple that never reached the table, and with one for each that did.
TEST(TableIds, KnowsWhatWasAddedAndNotRemoved) {
  TableIds table;
  std::set<std::uint64_t> expected;
  std::mt19937_64 random(3);
  for (int step = 0; step < 20'000; ++step) {
    const std::uint64_t id = 1 + random() % 10'000;
    if (random() % 2 == 0) {
      table.add(TupleId{id});
      expected.insert(id);
    } else {
      table.remove(TupleId{id});
      expected.erase(id);
    }
  }
  EXPECT_EQ(table.size(), expected.size());
  for (std::uint64_t id = 1; id <= 10'000; ++id) {
    ASSERT_EQ(table.contains(TupleId{id}), expected.contains(id)) << id;
  }
  EXPECT_FALSE(table.contains(TupleId{~0ULL}));
}

}  // namespace
}  // namespace linden::storage

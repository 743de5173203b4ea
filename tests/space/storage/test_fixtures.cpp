// tests/space/storage/test_fixtures.cpp: what earlier versions have written is read (P35).
#include <fstream>

#include <gtest/gtest.h>

#include "fixtures/fixture_1.h"
#include "model_space.h"
#include "scratch.h"

namespace linden::storage {
namespace {

TEST(Fixtures, P35ADirectoryOfFormat1IsReadAsItWasWritten) {
  const Scratch scratch;
  const std::filesystem::path directory = scratch.path() / "data";
  std::filesystem::copy(
      std::filesystem::path(LINDEN_SOURCE_ROOT) / "tests/space/storage/fixtures/format-1",
      directory, std::filesystem::copy_options::recursive);
  ModelSpace expected;
  for (const auto& commit : history_of_fixture_1().commits) {
    for (const core::Mutation& mutation : commit) expected.apply(mutation);
  }

  const auto storage = open_rocksdb_storage(directory).value_or_throw();
  ASSERT_EQ(storage->spaces(), spaces_of_fixture_1());
  EXPECT_EQ(storage->epoch(), spaces_of_fixture_1().size() + 1);
  for (const SpaceInfo& info : storage->spaces()) {
    if (info.durability == Durability::kMemory) continue;
    SCOPED_TRACE(info.name);
    ModelSpace found;
    const Time time = storage->load(info.number, [&](core::Mutation&& each) { found.apply(each); })
                          .value_or_throw();
    EXPECT_TRUE(found.dump() == expected.dump());
    EXPECT_EQ(time, Time(Duration(1008)));
  }
}

}  // namespace
}  // namespace linden::storage

#include "space/storage/memory_storage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model_space.h"

namespace linden::storage {
namespace {

class MemoryStorageTest : public ::testing::Test {
 protected:
  Result<void> commit(SpaceNumber space, std::uint64_t id) {
    Batch batch;
    batch.start(space, Time{});
    batch.add(core::TupleAdded{TupleId{id}, Tuple{"x"}, {}});
    return storage_->commit(batch);
  }
  SpaceNumber create(std::string_view name, Durability durability) {
    return storage_->create_space(name, durability, {}, Time{}).value_or_throw().number;
  }
  std::size_t tuples_of(SpaceNumber space) {
    ModelSpace model;
    storage_->load(space, [&](core::Mutation&& each) { model.apply(each); }).value_or_throw();
    return model.ids().size();
  }

  std::shared_ptr<MemoryDisk> disk_ = make_memory_disk();
  std::unique_ptr<Storage> storage_ = open_memory_storage(disk_);
};

// P31: process durability may lose the newest commits with the power, sync none.
TEST_F(MemoryStorageTest, ALossOfPowerTakesWhatWasNotSynced) {
  const SpaceNumber process = create("process", Durability::kProcess);
  const SpaceNumber sync = create("sync", Durability::kSync);
  ASSERT_TRUE(commit(process, 1));
  ASSERT_TRUE(commit(sync, 1));
  ASSERT_TRUE(commit(process, 2));
  disk_->lose_unsynced();
  storage_ = open_memory_storage(disk_);
  EXPECT_EQ(tuples_of(process), 1U);  // the sync of the other space took it along
  EXPECT_EQ(tuples_of(sync), 1U);
}

// P33: after a failed write nothing more is accepted, also if the disk would take it again.
TEST_F(MemoryStorageTest, AfterAFailedWriteAllLaterOnesFail) {
  const SpaceNumber space = create("jobs", Durability::kProcess);
  disk_->fail_after(1);
  EXPECT_TRUE(commit(space, 1));
  EXPECT_EQ(commit(space, 2).error().code, ErrorCode::kStorageFailed);
  disk_->fail_after(100);
  EXPECT_FALSE(commit(space, 3));
  storage_ = open_memory_storage(disk_);
  EXPECT_EQ(tuples_of(space), 1U);
}

TEST_F(MemoryStorageTest, AFormerOwnerCannotWrite) {
  const SpaceNumber space = create("jobs", Durability::kProcess);
  const std::unique_ptr<Storage> owner = open_memory_storage(disk_);
  const Result<void> late = commit(space, 1);
  ASSERT_FALSE(late);
  EXPECT_THAT(late.error().message, ::testing::HasSubstr("another owner"));
}

TEST_F(MemoryStorageTest, AMemorySpaceTakesNoRoom) {
  const SpaceNumber space = create("scratch", Durability::kMemory);
  ASSERT_TRUE(commit(space, 1));
  EXPECT_EQ(disk_->bytes_of(space), 0U);
}

TEST_F(MemoryStorageTest, SaysThatItHasNoDirectoryToCopy) {
  EXPECT_EQ(storage_->checkpoint("/tmp/x").error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace linden::storage

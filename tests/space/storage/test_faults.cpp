// tests/space/storage/test_faults.cpp: disks that fail, fill up and lose power below RocksDB.
#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "faulty_file_system.h"
#include "model_space.h"
#include "scratch.h"

namespace linden::storage {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Fault = FaultyFileSystem::Fault;

// A space on a disk that can be made to fail, and what the space should be.
class FaultsTest : public ::testing::Test {
 protected:
  static constexpr SpaceNumber kSpace{1};
  static constexpr std::size_t kSegmentBytes = 4096;

  void create(Durability durability) {
    open().value_or_throw();
    storage_->create_space("jobs", durability, {}, Time{}).value_or_throw();
  }
  Result<void> open() {
    storage_.reset();
    auto opened = open_rocksdb_storage(path_, RocksdbOptions{kSegmentBytes, disk_.env()});
    if (!opened) return opened.error();
    storage_ = std::move(*opened);
    return {};
  }
  // Opens and loads; what is there now.
  Result<ModelSpace> found() {
    if (Result<void> opened = open(); !opened) return opened.error();
    ModelSpace model;
    const Result<Time> time =
        storage_->load(kSpace, [&](core::Mutation&& each) { model.apply(each); });
    if (!time) return time.error();
    return model;
  }

  Result<void> commit(const std::vector<core::Mutation>& mutations) {
    batch_.start(kSpace, Time(Duration(5)));
    for (const core::Mutation& mutation : mutations) batch_.add(mutation);
    return storage_->commit(batch_);
  }
  Result<void> put(std::uint64_t id, std::size_t body_bytes = 10) {
    return commit({core::TupleAdded{TupleId{id}, Tuple{"task", std::string(body_bytes, 'x')}, {}}});
  }
  // Puts tuples from `first` on until one is refused; how many were answered, and why it ended.
  std::pair<std::uint64_t, Failure> put_until_refused(std::uint64_t first,
                                                      std::size_t body_bytes = 10) {
    constexpr std::uint64_t kFarMax = 100'000;
    for (std::uint64_t id = first; id < kFarMax; ++id) {
      if (Result<void> done = put(id, body_bytes); !done) return {id - first, done.error()};
    }
    ADD_FAILURE() << "nothing was refused";
    return {kFarMax, Failure{}};
  }
  // Nothing is accepted any more although the disk is well again, and a restart finds what was
  // answered: tuples 1 to `answered`, and perhaps the one whose commit failed.
  void expect_ended_with(std::uint64_t answered) {
    disk_.heal();
    const Result<void> later = put(answered + 2);
    ASSERT_FALSE(later);
    EXPECT_THAT(later.error().message, HasSubstr("earlier write"));
    const std::vector<TupleId> ids = found().value_or_throw().ids();
    EXPECT_GE(ids.size(), answered);
    EXPECT_LE(ids.size(), answered + 1);
    for (std::uint64_t i = 0; i < ids.size(); ++i) EXPECT_EQ(ids[i], TupleId{i + 1});
  }

  Scratch scratch_;
  std::filesystem::path path_ = scratch_.path() / "data";
  FaultyFileSystem disk_;
  std::unique_ptr<Storage> storage_;
  Batch batch_;
};

// P33
TEST_F(FaultsTest, P33AFailedWriteEndsAllWriting) {
  create(Durability::kProcess);
  disk_.fail_after(Fault::kAppend, 20, ".log");
  const auto [answered, why] = put_until_refused(1);
  EXPECT_GT(answered, 0U);
  EXPECT_EQ(why.code, ErrorCode::kStorageFailed);
  EXPECT_THAT(why.message,
              AllOf(HasSubstr("'jobs'"), HasSubstr(path_.string()), HasSubstr("made to fail")));
  expect_ended_with(answered);
}

// P33: after a failed fsync nobody knows what is on disk, so it is not tried a second time.
TEST_F(FaultsTest, P33AFailedSyncEndsAllWriting) {
  create(Durability::kSync);
  disk_.fail_after(Fault::kSync, 7, ".log");
  const auto [answered, why] = put_until_refused(1);
  EXPECT_EQ(answered, 7U);
  EXPECT_EQ(why.code, ErrorCode::kStorageFailed);
  EXPECT_THAT(why.message, AllOf(HasSubstr("'jobs'"), HasSubstr("sync was made to fail")));
  EXPECT_EQ(disk_.faults(), 1U) << "it was tried again";
  expect_ended_with(answered);
}

TEST_F(FaultsTest, P33AFullDiskIsReportedAsSuch) {
  create(Durability::kProcess);
  disk_.fill_after(10'000);
  const auto [answered, why] = put_until_refused(1, 100);
  EXPECT_GT(answered, 10U);
  EXPECT_THAT(why.message, AllOf(HasSubstr("made full"), HasSubstr("check free space")));
  expect_ended_with(answered);
}

// P33: what fails in the background, when no commit waits for it, ends the writing too.
TEST_F(FaultsTest, P33AFailedWriteOfTheTableEndsAllWriting) {
  create(Durability::kProcess);
  disk_.fail_after(Fault::kAppend, 0, ".sst");
  const auto [answered, why] = put_until_refused(1, 1000);
  EXPECT_EQ(why.code, ErrorCode::kStorageFailed);
  EXPECT_GT(disk_.faults(), 0U);
  expect_ended_with(answered);
}

TEST_F(FaultsTest, P33ASpaceThatCannotBeWrittenIsNotCreated) {
  create(Durability::kProcess);
  disk_.fail_after(Fault::kSync, 0);
  const auto created = storage_->create_space("more", Durability::kProcess, {}, Time{});
  ASSERT_FALSE(created);
  EXPECT_THAT(created.error().message, HasSubstr("create space 'more'"));
  EXPECT_EQ(storage_->spaces().size(), 1U);
}

// ---- Power

class PowerTest : public FaultsTest {
 protected:
  // What the space was after each commit that was answered, and after the one that was not.
  struct History {
    std::vector<std::string> states;
    bool last_was_answered = true;
  };

  // Random commits and retirements until the power goes.
  History run_until_dark(std::uint64_t seed, std::uint64_t steps) {
    History history;
    RandomHistory random(seed);
    ModelSpace model;
    history.states.push_back(model.dump());
    disk_.power_off_after(steps);
    for (;;) {
      const std::vector<core::Mutation> mutations = random.next(model);
      history.states.push_back(model.dump());
      history.last_was_answered = static_cast<bool>(commit(mutations));
      if (!history.last_was_answered) return history;
      if (!storage_->retirement_due(kSpace) && random.below(40) != 0) continue;
      if (!storage_->retire(kSpace, model)) return history;
    }
  }

  void for_seeds(std::uint64_t count, Durability durability,
                 const std::function<void(const History&, std::uint64_t seed)>& check) {
    for (std::uint64_t seed = 1; seed <= count; ++seed) {
      SCOPED_TRACE("seed " + std::to_string(seed));
      create(durability);
      const History history = run_until_dark(seed, seed * 37 % 900 + 1);
      storage_.reset();
      disk_.power_on(seed);
      check(history, seed);
      storage_.reset();
      std::filesystem::remove_all(path_);
    }
  }
};

// P31, P32, P34: `sync` loses nothing that was answered; a commit that was not is there whole or
// not at all; a torn end is no reason to stop.
TEST_F(PowerTest, P31ALossOfPowerLosesNothingThatSyncHasAnswered) {
  for_seeds(60, Durability::kSync, [this](const History& history, std::uint64_t) {
    const Result<ModelSpace> model = found();
    ASSERT_TRUE(model) << model.error().message;
    const std::string state = model->dump();
    const std::size_t last = history.states.size() - 1;
    const bool is_last = state == history.states[last];
    const bool is_before = !history.last_was_answered && state == history.states[last - 1];
    EXPECT_TRUE(is_last || is_before);
  });
}

// `process` promises nothing here, but what it finds was once the state of the space, or it says
// that the journal has a hole; it does not go on with half a commit.
TEST_F(PowerTest, P34ALossOfPowerLeavesAStateThatProcessOnceHad) {
  std::size_t whole = 0;
  for_seeds(60, Durability::kProcess, [&](const History& history, std::uint64_t) {
    const Result<ModelSpace> model = found();
    if (!model) {
      EXPECT_THAT(model.error().message, HasSubstr("damaged"));
      return;
    }
    ++whole;
    EXPECT_TRUE(std::find(history.states.begin(), history.states.end(), model->dump()) !=
                history.states.end());
  });
  EXPECT_GT(whole, 40U);
}

// P28: a tuple goes to and fro between two spaces until the power goes, and is in one of them.
TEST_F(PowerTest, P28WhatGoesFromSpaceToSpaceIsNeverInBothNorInNone) {
  constexpr SpaceNumber kOther{2};
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    create(Durability::kSync);
    storage_->create_space("other", Durability::kProcess, {}, Time{}).value_or_throw();
    put(1).value_or_throw();
    disk_.power_off_after(seed * 37 % 200 + 1);
    SpaceNumber from = kSpace;
    SpaceNumber to = kOther;
    for (std::uint64_t id = 1;; ++id) {
      Batch out, in;
      out.start(from, Time(Duration(6)));
      out.add(core::TupleRemoved{TupleId{id}});
      in.start(to, Time(Duration(6)));
      in.add(core::TupleAdded{TupleId{id + 1}, Tuple{"task"}, {}});
      if (!storage_->commit_both(out, in)) break;
      std::swap(from, to);
    }
    storage_.reset();
    disk_.power_on(seed);
    open().value_or_throw();
    std::size_t there = 0;
    for (const SpaceNumber space : {kSpace, kOther}) {
      ModelSpace model;
      storage_->load(space, [&](core::Mutation&& each) { model.apply(each); }).value_or_throw();
      there += model.ids().size();
    }
    EXPECT_EQ(there, 1U);
    storage_.reset();
    std::filesystem::remove_all(path_);
  }
}

}  // namespace
}  // namespace linden::storage

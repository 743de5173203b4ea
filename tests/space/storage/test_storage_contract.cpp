// tests/space/storage/test_storage_contract.cpp: what every maker of storage promises.
#include <functional>
#include <memory>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model_space.h"
#include "scratch.h"
#include "space/storage/memory_storage.h"
#include "space/storage/record_codec.h"

namespace linden::storage {
namespace {

using ::testing::HasSubstr;

// Small, so that a few dozen commits fill several.
constexpr std::size_t kSegmentBytes = 512;

// A maker with its disk, which outlives what it opens.
struct Maker {
  virtual ~Maker() = default;
  virtual std::unique_ptr<Storage> open() = 0;
};

struct MemoryMaker final : Maker {
  std::shared_ptr<MemoryDisk> disk = std::make_shared<MemoryDisk>(kSegmentBytes);
  std::unique_ptr<Storage> open() override { return open_memory_storage(disk); }
};

struct RocksdbMaker final : Maker {
  Scratch scratch;
  std::unique_ptr<Storage> open() override {
    return open_rocksdb_storage(scratch.path() / "data", RocksdbOptions{kSegmentBytes})
        .value_or_throw();
  }
};

std::unique_ptr<Maker> make_memory() {
  return std::make_unique<MemoryMaker>();
}
std::unique_ptr<Maker> make_rocksdb() {
  return std::make_unique<RocksdbMaker>();
}

struct NamedMaker {
  const char* name;
  std::unique_ptr<Maker> (*make)();
};

constexpr Time at(std::int64_t microseconds) {
  return Time(Duration(microseconds));
}

core::TupleAdded added(std::uint64_t id, Tuple tuple) {
  return {TupleId{id}, std::move(tuple), {}};
}

class StorageContract : public ::testing::TestWithParam<NamedMaker> {
 protected:
  void open() { storage_ = maker_->open(); }
  void reopen() {
    storage_.reset();
    open();
  }

  SpaceNumber create(std::string_view name, Durability durability = Durability::kProcess,
                     const std::vector<core::Mutation>& first = {}) {
    return storage_->create_space(name, durability, first, at(1)).value_or_throw().number;
  }

  void commit(SpaceNumber space, const std::vector<core::Mutation>& mutations, Time now = at(2)) {
    batch_.start(space, now);
    for (const core::Mutation& mutation : mutations) batch_.add(mutation);
    storage_->commit(batch_).value_or_throw();
  }

  // What a restart would find.
  ModelSpace load(SpaceNumber space) {
    ModelSpace model;
    last_time_ =
        storage_->load(space, [&](core::Mutation&& each) { model.apply(each); }).value_or_throw();
    return model;
  }

  std::unique_ptr<Maker> maker_ = GetParam().make();
  std::unique_ptr<Storage> storage_ = maker_->open();
  Batch batch_;
  Time last_time_{};
};

INSTANTIATE_TEST_SUITE_P(Makers, StorageContract,
                         ::testing::Values(NamedMaker{"Memory", make_memory},
                                           NamedMaker{"Rocksdb", make_rocksdb}),
                         [](const auto& each) { return std::string(each.param.name); });

// P28: one step of two spaces.
TEST_P(StorageContract, P28CommitsTwoSpacesAsOne) {
  const SpaceNumber jobs = create("jobs");
  const SpaceNumber done = create("done", Durability::kSync);
  const SpaceNumber scratch = create("scratch", Durability::kMemory);
  commit(jobs, {added(1, Tuple{"task", 1}), added(2, Tuple{"task", 2})});
  const auto move = [&](std::uint64_t id, SpaceNumber to, std::uint64_t id_there) {
    Batch out, in;
    out.start(jobs, at(3));
    out.add(core::TupleRemoved{TupleId{id}});
    in.start(to, at(3));
    in.add(added(id_there, Tuple{"task", 1}));
    storage_->commit_both(out, in).value_or_throw();
  };
  move(1, done, 7);
  move(2, scratch, 8);
  reopen();
  EXPECT_TRUE(load(jobs).ids().empty());
  EXPECT_EQ(last_time_, at(3));
  EXPECT_EQ(load(done).ids(), std::vector<TupleId>{TupleId{7}});
  EXPECT_TRUE(load(scratch).ids().empty());
  Batch out, nowhere;
  out.start(jobs, at(4));
  out.add(added(9, Tuple{"task", 9}));
  nowhere.start(SpaceNumber{99}, at(4));
  EXPECT_EQ(storage_->commit_both(out, nowhere).error().code, ErrorCode::kNoSuchSpace);
  reopen();
  EXPECT_TRUE(load(jobs).ids().empty());
}

TEST_P(StorageContract, ListsSpacesInOrderOfCreationOverARestart) {
  EXPECT_TRUE(storage_->spaces().empty());
  create("jobs");
  create("data", Durability::kSync);
  create("scratch", Durability::kMemory);
  const std::vector<SpaceInfo> expected{{SpaceNumber{1}, "jobs", Durability::kProcess},
                                        {SpaceNumber{2}, "data", Durability::kSync},
                                        {SpaceNumber{3}, "scratch", Durability::kMemory}};
  EXPECT_EQ(storage_->spaces(), expected);
  reopen();
  EXPECT_EQ(storage_->spaces(), expected);
}

// A client that holds the number of a dropped space must not find itself in another one (P40).
TEST_P(StorageContract, NeverReusesANumber) {
  EXPECT_EQ(create("a"), SpaceNumber{1});
  EXPECT_EQ(create("b"), SpaceNumber{2});
  ASSERT_TRUE(storage_->drop_space(SpaceNumber{2}));
  reopen();
  EXPECT_EQ(create("b"), SpaceNumber{3});
}

TEST_P(StorageContract, RefusesNamesThatAreTakenEmptyOrTooLong) {
  create("jobs");
  const Result<SpaceInfo> again = storage_->create_space("jobs", Durability::kSync, {}, at(1));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(again.error().message, HasSubstr("'jobs'"));
  EXPECT_FALSE(storage_->create_space("", Durability::kSync, {}, at(1)));
  EXPECT_FALSE(storage_->create_space(std::string(256, 'x'), Durability::kSync, {}, at(1)));
  EXPECT_EQ(storage_->spaces().size(), 1U);
}

TEST_P(StorageContract, ADroppedSpaceIsGoneWithItsTuples) {
  const SpaceNumber space = create("jobs", Durability::kProcess, {added(1, Tuple{"a"})});
  ASSERT_TRUE(storage_->drop_space(space));
  EXPECT_EQ(storage_->drop_space(space).error().code, ErrorCode::kNoSuchSpace);
  batch_.start(space, at(2));
  batch_.add(added(2, Tuple{"b"}));
  EXPECT_EQ(storage_->commit(batch_).error().code, ErrorCode::kNoSuchSpace);
  reopen();
  EXPECT_TRUE(storage_->spaces().empty());
  EXPECT_EQ(storage_->load(space, [](core::Mutation&&) {}).error().code, ErrorCode::kNoSuchSpace);
}

TEST_P(StorageContract, InitialTuplesComeWithTheSpace) {
  const SpaceNumber space = create("jobs", Durability::kProcess,
                                   {added(1, Tuple{"config", 7}), added(2, Tuple{"config", 8})});
  reopen();
  EXPECT_EQ(load(space).ids(), (std::vector{TupleId{1}, TupleId{2}}));
  EXPECT_EQ(last_time_, at(1));
}

// P35: whatever a space can make durable comes back as it was.
TEST_P(StorageContract, BringsBackEveryKindOfMutation) {
  const SpaceNumber space = create("jobs");
  const core::Origin origin{SessionId{1, 2}, RequestId{9}};
  core::TupleAdded full{
      TupleId{1}, Tuple{1, 2.5, "text", Bytes::adopt(std::string(9000, 'b'))}, {}};
  full.attributes = {-3, Duration(50), 4, Tuple{"will"}, SessionId{5, 6}};
  full.expires_at = at(99);
  const std::vector<core::Mutation> mutations{
      core::SessionOpened{origin.session, "engine 1", Duration(5), Duration(6)},
      full,
      added(2, Tuple{"b"}),
      added(3, Tuple{"c"}),
      added(4, Tuple{"d"}),
      core::TupleReserved{TupleId{1}, 2, origin, Duration(7), false, 1},
      core::TupleStarted{TupleId{1}},
      core::TupleReleased{TupleId{2}, 3},
      core::TupleTaken{TupleId{3}, origin, 2, true},
      core::TupleDied{TupleId{4}, 5},
      added(5, Tuple{}),
      core::TupleRemoved{TupleId{5}},
      core::SessionOpened{SessionId{8, 8}, "", Duration(1), Duration(1)},
      core::SessionEnded{SessionId{8, 8}},
      core::RequestAnswered{origin, PutDone{TupleId{1}, 1}},
      core::RequestAnswered{{origin.session, RequestId{10}}, FinishDone{{ErrorCode::kStaleLease}}},
      core::NextTupleId{TupleId{100}}};
  ModelSpace model;
  for (const core::Mutation& mutation : mutations) {
    model.apply(mutation);
    commit(space, {mutation});
  }
  reopen();
  EXPECT_TRUE(load(space).dump() == model.dump());
}

// P35, P39: order and the server's time go on from where they were.
TEST_P(StorageContract, GivesMutationsBackInOrderAndKeepsTheTime) {
  const SpaceNumber space = create("jobs");
  for (std::uint64_t id = 1; id <= 300; ++id) {
    commit(space, {added(id, Tuple{"n"})}, at(static_cast<std::int64_t>(1000 + id)));
  }
  reopen();
  std::vector<std::uint64_t> seen;
  const Result<Time> time =
      storage_->load(space, [&](core::Mutation&& each) { seen.push_back(tuple_of(each).value); });
  ASSERT_TRUE(time);
  EXPECT_EQ(*time, at(1300));
  ASSERT_EQ(seen.size(), 300U);
  for (std::uint64_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i], i + 1);
}

TEST_P(StorageContract, SpacesDoNotMix) {
  const SpaceNumber first = create("first");
  const SpaceNumber second = create("second", Durability::kSync);
  commit(first, {added(1, Tuple{"of first"})});
  commit(second, {added(1, Tuple{"of second"}), added(2, Tuple{"of second"})});
  commit(first, {added(3, Tuple{"of first"})});
  reopen();
  EXPECT_EQ(load(second).ids(), (std::vector{TupleId{1}, TupleId{2}}));
  EXPECT_EQ(load(first).ids(), (std::vector{TupleId{1}, TupleId{3}}));
}

TEST_P(StorageContract, SeveralSpacesCommitFromTheirOwnThreads) {
  std::vector<SpaceNumber> numbers;
  for (const char* name : {"a", "b", "c"}) numbers.push_back(create(name));
  const auto run = [this](SpaceNumber space) {
    Batch batch;
    for (std::uint64_t id = 1; id <= 200; ++id) {
      batch.start(space, at(2));
      batch.add(added(id, Tuple{"x"}));
      storage_->commit(batch).value_or_throw();
    }
  };
  std::vector<std::thread> threads;
  for (const SpaceNumber space : numbers) threads.emplace_back(run, space);
  for (int i = 0; i < 20; ++i) create("more " + std::to_string(i));
  for (std::thread& thread : threads) thread.join();
  reopen();
  for (const SpaceNumber space : numbers) EXPECT_EQ(load(space).ids().size(), 200U);
}

// P31, `memory`: the tuples are gone, the space and its number are not, and no tuple id is given
// twice, so that a token from before the restart matches nothing.
TEST_P(StorageContract, AMemorySpaceIsEmptyAfterARestartButKeepsItsNumber) {
  const SpaceNumber space = create("scratch", Durability::kMemory, {added(1, Tuple{"a"})});
  commit(space, {added(2, Tuple{"b"})});
  EXPECT_FALSE(storage_->retirement_due(space));
  reopen();
  ASSERT_EQ(storage_->spaces().size(), 1U);
  EXPECT_EQ(storage_->spaces()[0].number, space);
  const ModelSpace once = load(space);
  EXPECT_TRUE(once.ids().empty());
  EXPECT_GT(once.next(), TupleId{2});
  reopen();
  EXPECT_GT(load(space).next(), once.next());
}

TEST_P(StorageContract, AnEmptyBatchIsNotWritten) {
  const SpaceNumber space = create("jobs");
  commit(space, {}, at(50));
  reopen();
  load(space);
  EXPECT_EQ(last_time_, at(1));
}

TEST_P(StorageContract, TheEpochRisesAtEachOpening) {
  const std::uint64_t first = storage_->epoch();
  reopen();
  EXPECT_EQ(storage_->epoch(), first + 1);
  reopen();
  EXPECT_EQ(storage_->epoch(), first + 2);
}

TEST_P(StorageContract, RetirementKeepsWhatLivesAndNothingElse) {
  const SpaceNumber space = create("jobs");
  ModelSpace model;
  const auto change = [&](const core::Mutation& mutation) {
    model.apply(mutation);
    commit(space, {mutation});
  };
  std::uint64_t id = 0;
  while (!storage_->retirement_due(space)) {
    change(added(++id, Tuple{"task", static_cast<std::int64_t>(id)}));
    if (id % 3 != 0) change(core::TupleRemoved{TupleId{id}});
  }
  ASSERT_TRUE(storage_->retire(space, model));
  EXPECT_FALSE(storage_->retirement_due(space));
  reopen();
  EXPECT_TRUE(load(space).dump() == model.dump());

  // Those that reached the table leave it again.
  for (const TupleId left : model.ids()) change(core::TupleRemoved{left});
  for (int segments = 0; segments < 4; ++segments) {
    ASSERT_TRUE(storage_->retire(space, model));
  }
  reopen();
  std::size_t tuples = 0;
  const auto count = [&](core::Mutation&& each) { tuples += tuple_of(each) != TupleId{} ? 1 : 0; };
  ASSERT_TRUE(storage_->load(space, count));
  EXPECT_EQ(tuples, 0U);
}

TEST_P(StorageContract, RetiringASpaceThatWroteNothingSinceIsHarmless) {
  const SpaceNumber space = create("jobs", Durability::kProcess, {added(1, Tuple{"a"})});
  ModelSpace model;
  model.apply(added(1, Tuple{"a"}));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(storage_->retire(space, model));
  model.apply(added(2, Tuple{"b"}));
  commit(space, {added(2, Tuple{"b"})});
  reopen();
  EXPECT_TRUE(load(space).dump() == model.dump());
}

// The rule that recovery rests on: a table entry may be newer than the journal records that are
// replayed over it, yet the end is the same, because each mutation sets absolute values and the
// newest change of a tuple is either in the journal, or in the table with nothing after it.
TEST_P(StorageContract, ARandomHistoryWithRetirementAtAnyTimeLoadsAsItWas) {
  for (std::uint64_t seed = 1; seed <= 15; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const SpaceNumber space = create("seed " + std::to_string(seed));
    RandomHistory history(seed);
    ModelSpace model;
    for (int step = 0; step < 400; ++step) {
      commit(space, history.next(model));
      if (storage_->retirement_due(space) || history.below(40) == 0) {
        ASSERT_TRUE(storage_->retire(space, model));
      }
      if (history.below(100) != 0) continue;
      reopen();
      for (const SpaceInfo& other : storage_->spaces()) {
        if (other.number != space) storage_->drop_space(other.number).value_or_throw();
      }
      ASSERT_TRUE(load(space).dump() == model.dump()) << "step " << step;
    }
  }
}

}  // namespace
}  // namespace linden::storage

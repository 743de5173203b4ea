// tests/space/storage/test_rocksdb_storage.cpp: what only a real disk can do: break, fill, be
// copied.
#include <algorithm>
#include <csignal>
#include <fstream>

#include <unistd.h>
#include <sys/resource.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model_space.h"
#include "scratch.h"

namespace linden::storage {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class RocksdbStorageTest : public ::testing::Test {
 protected:
  void open(std::size_t segment_bytes = 4096) {
    storage_.reset();
    storage_ = open_rocksdb_storage(path_, RocksdbOptions{segment_bytes}).value_or_throw();
  }

  Result<void> commit(const std::vector<core::Mutation>& mutations) {
    batch_.start(kSpace, Time(Duration(5)));
    for (const core::Mutation& mutation : mutations) batch_.add(mutation);
    return storage_->commit(batch_);
  }
  Result<void> put(std::uint64_t id, Tuple tuple = Tuple{"task", 1}) {
    return commit({core::TupleAdded{TupleId{id}, std::move(tuple), {}}});
  }
  void create_and_put(std::uint64_t count) {
    open();
    storage_->create_space("jobs", Durability::kProcess, {}, Time{}).value_or_throw();
    for (std::uint64_t id = 1; id <= count; ++id) put(id).value_or_throw();
  }

  std::vector<TupleId> load() {
    ModelSpace model;
    storage_->load(kSpace, [&](core::Mutation&& each) { model.apply(each); }).value_or_throw();
    return model.ids();
  }

  [[nodiscard]] std::filesystem::path newest(std::string_view extension) const {
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator(path_ / "db")) {
      if (entry.path().extension() == extension) found.push_back(entry.path());
    }
    return found.empty() ? std::filesystem::path() : *std::max_element(found.begin(), found.end());
  }

  // Opening must fail; why it did.
  std::string refusal() {
    storage_.reset();
    const auto opened = open_rocksdb_storage(path_);
    if (!opened) return opened.error().message;
    const Result<Time> loaded = (*opened)->load(kSpace, [](core::Mutation&&) {});
    return loaded ? "" : loaded.error().message;
  }

  static constexpr SpaceNumber kSpace{1};
  Scratch scratch_;
  std::filesystem::path path_ = scratch_.path() / "data";
  std::unique_ptr<Storage> storage_;
  Batch batch_;
};

TEST_F(RocksdbStorageTest, ASecondOpeningIsRefusedAndSaysByWhom) {
  open();
  const auto second = open_rocksdb_storage(path_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kStorageFailed);
  EXPECT_THAT(second.error().message,
              AllOf(HasSubstr("in use by process " + std::to_string(::getpid())),
                    HasSubstr(path_.string())));
}

// P34: what a crash leaves of the last write is no reason to stop.
TEST_F(RocksdbStorageTest, ATornEndOfTheLogIsDroppedSilently) {
  create_and_put(100);
  storage_.reset();
  const std::filesystem::path log = newest(".log");
  std::filesystem::resize_file(log, std::filesystem::file_size(log) - 3);
  open();
  EXPECT_EQ(load().size(), 99U);
  ASSERT_TRUE(put(100));
  open();
  EXPECT_EQ(load().size(), 100U);
}

// P34: what was acknowledged must not vanish without a word.
TEST_F(RocksdbStorageTest, DamageInTheMiddleOfTheLogStopsTheStartAndNamesTheFile) {
  create_and_put(5000);
  storage_.reset();
  const std::filesystem::path log = newest(".log");
  std::fstream file(log, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(std::filesystem::file_size(log) / 2));
  file.write("damage to several bytes of the log", 34);
  file.close();
  EXPECT_THAT(refusal(), AllOf(HasSubstr("damaged"), HasSubstr(log.filename().string()),
                               HasSubstr("checkpoint")));
}

TEST_F(RocksdbStorageTest, DamageInASortedFileNamesTheFileToo) {
  create_and_put(500);
  open();  // writes what the log had to a sorted file
  storage_.reset();
  const std::filesystem::path sorted = newest(".sst");
  ASSERT_FALSE(sorted.empty());
  std::fstream file(sorted, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(100);
  file.write("damage to several bytes of the file", 35);
  file.close();
  EXPECT_THAT(refusal(), AllOf(HasSubstr("damaged"), HasSubstr(sorted.filename().string())));
}

TEST_F(RocksdbStorageTest, ACheckpointIsADirectoryOfItsOwn) {
  create_and_put(50);
  const std::filesystem::path copy = scratch_.path() / "copy";
  ASSERT_TRUE(storage_->checkpoint(copy));
  EXPECT_FALSE(storage_->checkpoint(copy)) << "it is not empty";
  ASSERT_TRUE(put(51));
  {
    const auto other = open_rocksdb_storage(copy).value_or_throw();
    ASSERT_EQ(other->spaces(), storage_->spaces());
    ModelSpace model;
    ASSERT_TRUE(other->load(kSpace, [&](core::Mutation&& each) { model.apply(each); }));
    EXPECT_EQ(model.ids().size(), 50U);
  }
  open();
  EXPECT_EQ(load().size(), 51U);
}

TEST_F(RocksdbStorageTest, OpenedToReadItTellsEverythingAndWritesNothing) {
  create_and_put(50);
  storage_.reset();
  RocksdbOptions reading;
  reading.read_only = true;
  const auto opened = open_rocksdb_storage(path_, reading).value_or_throw();
  EXPECT_TRUE(opened->verify());
  ModelSpace model;
  ASSERT_TRUE(opened->load(kSpace, [&](core::Mutation&& each) { model.apply(each); }));
  EXPECT_EQ(model.ids().size(), 50U);
  const auto created = opened->create_space("more", Durability::kProcess, {}, Time{});
  ASSERT_FALSE(created);
  EXPECT_THAT(created.error().message, HasSubstr("only to be read"));
}

// Large bodies go through the journal and the table's blob files unchanged.
TEST_F(RocksdbStorageTest, LargeTuplesComeBackFromTheTable) {
  create_and_put(1);
  const Tuple large{"data", Bytes::adopt(std::string(3 << 20, 'z'))};
  ModelSpace model;
  model.apply(core::TupleAdded{TupleId{1}, Tuple{"task", 1}, {}});
  model.apply(core::TupleAdded{TupleId{2}, large, {}});
  ASSERT_TRUE(put(2, large));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(storage_->retire(kSpace, model));
  open();
  ModelSpace loaded;
  ASSERT_TRUE(storage_->load(kSpace, [&](core::Mutation&& each) { loaded.apply(each); }));
  EXPECT_TRUE(loaded.dump() == model.dump());
}

// No file of this process may grow beyond `bytes` while this lives: a disk that is full.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    (void)std::signal(SIGXFSZ, handler_);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int) = nullptr;
};

// P33: a failed write is reported, and nothing is accepted after it, also not when the disk would
// take it again; a restart finds what was acknowledged.
TEST_F(RocksdbStorageTest, AFailedWriteIsReportedAndEndsAllWriting) {
  create_and_put(10);
  std::uint64_t acknowledged = 10;
  Result<void> failed;
  {
    const FullDisk full(100'000);
    while ((failed = put(acknowledged + 1))) ++acknowledged;
  }
  EXPECT_EQ(failed.error().code, ErrorCode::kStorageFailed);
  EXPECT_THAT(failed.error().message,
              AllOf(HasSubstr("'jobs'"), HasSubstr(path_.string()), HasSubstr("free space")));
  const Result<void> later = put(acknowledged + 1);
  ASSERT_FALSE(later);
  EXPECT_THAT(later.error().message, HasSubstr("earlier write"));
  open();
  EXPECT_EQ(load().size(), acknowledged);
}

}  // namespace
}  // namespace linden::storage

// tests/api/data/test_host_store.cpp: large bytes of a host: one copy, gone when nobody uses them.
#include "api/data/host_store.h"

#include <fcntl.h>
#include <unistd.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <thread>

#include <linden/error.h>

#include "api/data/content_name.h"

namespace linden::data {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class HostStoreTest : public ::testing::Test {
 protected:
  HostStoreTest() {
    std::string pattern = (fs::temp_directory_path() / "linden-store-XXXXXX").string();
    base_ = ::mkdtemp(pattern.data());
    fs::create_directory(base_ / "memory");
    fs::create_directory(base_ / "disk");
  }
  ~HostStoreTest() override { fs::remove_all(base_); }

  [[nodiscard]] StorePaths paths(std::string_view farm = "f") const {
    return store_paths(base_ / "memory", base_ / "disk", farm);
  }
  [[nodiscard]] static std::size_t count(const fs::path& directory) {
    return fs::exists(directory)
               ? static_cast<std::size_t>(std::distance(fs::directory_iterator(directory), {}))
               : 0;
  }
  // Runs `body` in a process of its own, which then ends by kill -9.
  template <class Body>
  static void in_killed_process(Body body) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      body();
      ::kill(::getpid(), SIGKILL);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    ASSERT_TRUE(WIFSIGNALED(status));
  }

  fs::path base_;
};

TEST_F(HostStoreTest, GivesBackWhatWasPutAndCopiesEqualBytesOnce) {
  HostStore one(paths(), {1 << 20, 1 << 20});
  HostStore other(paths(), {1 << 20, 1 << 20});
  const std::string bytes(100'000, 'x');
  const Kept kept = one.put(bytes);
  EXPECT_EQ(other.put(bytes).name, kept.name);
  EXPECT_EQ(count(paths().memory / "kept"), 1U);
  const auto mapped = other.map(kept.name);
  ASSERT_TRUE(mapped);
  EXPECT_EQ(mapped->view(), bytes);
  EXPECT_EQ(one.id(), other.id());
}

TEST_F(HostStoreTest, WhatIsMappedIsPutAgainWithoutACopy) {
  HostStore store(paths(), {1 << 20, 1 << 20});
  const Kept kept = store.put(std::string(5'000, 'a'));
  const auto mapped = store.map(kept.name);
  const auto found = store.find_mapped(mapped->view());
  ASSERT_TRUE(found);
  EXPECT_EQ(found->name, kept.name);
  EXPECT_FALSE(store.find_mapped(mapped->view().substr(1)));
}

// Several threads write what is as large as this, a piece each.
TEST_F(HostStoreTest, EveryByteOfWhatIsLargeIsWritten) {
  HostStore store(paths(), {std::uint64_t{1} << 30, 1 << 20});
  for (const std::size_t extra : {0, 1, 2, 3}) {
    for (const char* how : {"fresh", "over something else"}) {
      std::string bytes((std::size_t{32} << 20) + extra, static_cast<char>('a' + extra));
      bytes.back() = how[0];
      const std::string name = store.put(bytes).name;
      ASSERT_TRUE(store.map(name)->view() == bytes) << extra << " bytes more, " << how;
      ASSERT_TRUE(store.remove(name));
    }
    store.trim(0);
  }
}

TEST_F(HostStoreTest, WhatWasCutShortIsNotGivenAndIsWrittenAnew) {
  HostStore store(paths(), {1 << 20, 1 << 20});
  const std::string bytes(50'000, 'x');
  const std::string name = store.put(bytes).name;
  fs::resize_file(paths().memory / "kept" / name, 40'000);  // as by a power cut
  EXPECT_FALSE(store.map(name));
  EXPECT_FALSE(store.find(name));
  EXPECT_EQ(store.put(bytes).name, name);
  EXPECT_EQ(store.map(name)->view(), bytes);
}

TEST_F(HostStoreTest, AChildThatLetsGoLetsGoOfNothingOfItsParents) {
  HostStore store(paths(), {1 << 20, 1 << 20});
  HostStore other(paths(), {1 << 20, 1 << 20});
  Kept kept = store.put("of the parent");
  in_killed_process([&] { kept.use.reset(); });
  EXPECT_FALSE(other.remove(kept.name));
}

TEST_F(HostStoreTest, WhatIsWantedByNowIsNotRemoved) {
  HostStore store(paths(), {1 << 20, 1 << 20});
  const std::string name = store.put("named by a tuple meanwhile").name;
  EXPECT_FALSE(store.remove(name, [] { return false; }));
  EXPECT_TRUE(store.map(name));
  EXPECT_TRUE(store.remove(name, [] { return true; }));
}

TEST_F(HostStoreTest, NothingInUseIsRemoved) {
  HostStore store(paths(), {1 << 20, 1 << 20});
  HostStore other(paths(), {1 << 20, 1 << 20});
  Kept kept = store.put("in use");
  EXPECT_FALSE(other.remove(kept.name));
  EXPECT_THAT(other.unused(), IsEmpty());
  kept.use.reset();
  EXPECT_THAT(other.unused(), ElementsAre(kept.name));
  auto mapped = store.map(kept.name);
  EXPECT_FALSE(other.remove(kept.name));
  mapped.reset();
  EXPECT_TRUE(other.remove(kept.name));
  EXPECT_FALSE(store.map(kept.name));
}

TEST_F(HostStoreTest, KillMinusNineEndsTheUse) {
  HostStore store(paths(), {1 << 20, 1 << 20});
  in_killed_process([&] {
    HostStore own(paths(), {1 << 20, 1 << 20});
    const Kept kept = own.put("of one that dies");
    const auto mapped = own.map(kept.name);
    if (!mapped) std::abort();
  });
  const auto names = store.unused();
  ASSERT_EQ(names.size(), 1U);
  EXPECT_EQ(store.map(names[0])->view(), "of one that dies");  // the bytes outlive it
  EXPECT_TRUE(store.remove(names[0]));
}

TEST_F(HostStoreTest, MemoryIsWrittenOverOnlyWhenNobodySeesIt) {
  HostStore store(paths(), {1 << 20, 1 << 20});
  const std::string first(64'000, '1');
  const std::string second(60'000, '2');
  const std::string name = store.put(first).name;
  const auto mapped = store.map(name);
  EXPECT_FALSE(store.remove(name));
  const Kept kept = store.put(second);
  EXPECT_EQ(mapped->view(), first);
  EXPECT_EQ(store.map(kept.name)->view(), second);
}

TEST_F(HostStoreTest, WhatWasRemovedIsWrittenOver) {
  HostStore store(paths(), {1 << 20, 1 << 20});
  const std::string name = store.put(std::string(64'000, '1')).name;
  EXPECT_TRUE(store.remove(name));
  EXPECT_EQ(count(paths().memory / "free"), 1U);
  const Kept kept = store.put(std::string(60'000, '2'));
  EXPECT_EQ(count(paths().memory / "free"), 0U);
  EXPECT_EQ(store.map(kept.name)->view(), std::string(60'000, '2'));
  store.trim(0);
  EXPECT_EQ(count(paths().memory / "new"), 0U);
}

TEST_F(HostStoreTest, ScratchMemoryComesFromWhatWasUsedAndGoesBackThere) {
  const auto store = std::make_shared<HostStore>(paths(), StoreLimits{1 << 20, 1 << 20});
  const std::string name = store->put(std::string(64'000, '1')).name;
  ASSERT_TRUE(store->remove(name));
  {
    const auto scratch = HostStore::scratch(store, 64'000);
    ASSERT_TRUE(scratch);
    EXPECT_EQ(count(paths().memory / "free"), 0U);
    std::ranges::fill(scratch->bytes(), 'x');
    EXPECT_EQ(scratch->bytes().back(), 'x');
  }
  EXPECT_EQ(count(paths().memory / "free"), 1U);
  EXPECT_FALSE(HostStore::scratch(store, 2 << 20));
  EXPECT_FALSE(HostStore::scratch(store, 0));
}

TEST_F(HostStoreTest, WhatHasNoRoomInMemoryGoesToDiskAndIsFoundThere) {
  HostStore store(paths(), {100'000, 1 << 20});
  const std::string first(60'000, '1');
  const std::string second(60'000, '2');
  const std::string name = store.put(first).name;  // nobody uses it any more
  const Kept kept = store.put(second);
  EXPECT_TRUE(fs::exists(paths().disk / "kept" / name));
  EXPECT_TRUE(fs::exists(paths().memory / "kept" / kept.name));
  EXPECT_EQ(store.map(name)->view(), first);
  EXPECT_EQ(store.map(kept.name)->view(), second);
  EXPECT_LE(store.usage().memory, 100'000U);
}

TEST_F(HostStoreTest, WhatIsInUseStaysInMemoryAndTheNewGoesToDisk) {
  HostStore store(paths(), {100'000, 1 << 20});
  const Kept first = store.put(std::string(60'000, '1'));
  const Kept second = store.put(std::string(60'000, '2'));
  EXPECT_TRUE(fs::exists(paths().memory / "kept" / first.name));
  EXPECT_TRUE(fs::exists(paths().disk / "kept" / second.name));
}

TEST_F(HostStoreTest, AFullStoreSaysSoAndKeepsWhatItHas) {
  HostStore store(paths(), {100'000, 100'000});
  const Kept first = store.put(std::string(90'000, '1'));
  const Kept second = store.put(std::string(90'000, '2'));
  try {
    static_cast<void>(store.put(std::string(90'000, '3')));
    FAIL() << "there is no room";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kOverloaded);
    EXPECT_THAT(error.what(), HasSubstr("90000 bytes"));
  }
  EXPECT_EQ(store.map(first.name)->size(), 90'000U);
  EXPECT_EQ(store.map(second.name)->size(), 90'000U);
  EXPECT_EQ(count(paths().memory / "new"), 0U);
  EXPECT_EQ(count(paths().disk / "new"), 0U);
}

TEST_F(HostStoreTest, AdoptsAFile) {
  HostStore store(paths(), {1 << 20, 1 << 20});
  const fs::path file = base_ / "run";
  std::ofstream(file) << "sorted pairs";
  const Kept kept = store.adopt(file);
  EXPECT_FALSE(fs::exists(file));
  EXPECT_EQ(store.map(kept.name)->view(), "sorted pairs");
}

TEST_F(HostStoreTest, AnArrivalWithOtherBytesGetsNoName) {
  HostStore store(paths(), {1 << 20, 1 << 20});
  const std::string name = content_name("what was wanted");
  {
    const auto arrival = store.receive(name, 15);
    arrival->append("something else!");
    EXPECT_THROW(static_cast<void>(arrival->finish()), Error);
  }
  EXPECT_FALSE(store.map(name));
  EXPECT_EQ(count(paths().memory / "new"), 0U);
  const auto arrival = store.receive(name, 15);
  arrival->append("what was ");
  arrival->append("wanted");
  EXPECT_EQ(arrival->finish().name, name);
}

TEST_F(HostStoreTest, NamesThatAreNoneAreNotLookedFor) {
  HostStore store(paths(), {1 << 20, 1 << 20});
  for (const char* name : {"", "../../etc/passwd", "0123", "zz"}) {
    EXPECT_FALSE(store.map(name)) << name;
  }
}

TEST_F(HostStoreTest, SweepsStoresThatNobodyHasOpen) {
  const HostStore living(paths("alive"), {1 << 20, 1 << 20});
  in_killed_process([&] {
    HostStore own(paths("dead"), {1 << 20, 1 << 20});
    static_cast<void>(own.put("x"));
  });
  {
    HostStore kept(paths("kept"), {1 << 20, 1 << 20});
    static_cast<void>(kept.put("for later"));
    kept.preserve();
  }
  const fs::path half_gone =
      base_ / "memory" / ("linden-" + std::to_string(::getuid()) + "-gone-1");
  fs::create_directories(half_gone / "kept");  // whoever removed it was killed meanwhile
  EXPECT_EQ(sweep_stores(base_ / "memory", base_ / "disk"), 1U);
  EXPECT_FALSE(fs::exists(half_gone));
  EXPECT_TRUE(fs::exists(paths("alive").memory));
  EXPECT_FALSE(fs::exists(paths("dead").memory));
  HostStore again(paths("kept"), {1 << 20, 1 << 20});
  EXPECT_EQ(again.map(content_name("for later"))->view(), "for later");
}

TEST_F(HostStoreTest, TheLastOneRemovesIt) {
  HostStore store(paths(), {1 << 20, 1 << 20});
  {
    HostStore other(paths(), {1 << 20, 1 << 20});
    EXPECT_FALSE(store.destroy_if_last());
  }
  EXPECT_TRUE(store.destroy_if_last());
  EXPECT_FALSE(fs::exists(paths().memory));
}

// None of them holds it open for the others when it has left and lives on.
TEST_F(HostStoreTest, TheLastOfThoseThatLeaveRemovesItThoughTheyAllLiveOn) {
  HostStore one(paths(), {1 << 20, 1 << 20});
  HostStore other(paths(), {1 << 20, 1 << 20});
  const std::string name = one.put("what is left of a farm").name;
  EXPECT_FALSE(one.destroy_if_last(true));
  EXPECT_TRUE(other.map(name));
  EXPECT_TRUE(one.map(name));
  EXPECT_TRUE(other.destroy_if_last(true));
  EXPECT_FALSE(fs::exists(paths().memory));
}

TEST_F(HostStoreTest, WhoOpensItWhileTheLastOneRemovesItMakesItAnew) {
  for (int round = 0; round < 50; ++round) {
    HostStore last(paths(), {1 << 20, 1 << 20});
    std::jthread remover([&] { static_cast<void>(last.destroy_if_last()); });
    HostStore next(paths(), {1 << 20, 1 << 20});
    remover.join();
    const Kept kept = next.put("still here");
    EXPECT_TRUE(next.map(kept.name)) << round;
    next.destroy();
  }
}

TEST_F(HostStoreTest, RefusesADirectoryThatOthersMayRead) {
  fs::create_directory(paths().memory);
  fs::permissions(paths().memory, fs::perms::all);
  EXPECT_THROW(HostStore(paths(), {1 << 20, 1 << 20}), Error);
}

TEST_F(HostStoreTest, SaysWhichDirectoryIsMissing) {
  try {
    const HostStore store(store_paths("/no/such/place", base_, "f"), {});
    FAIL() << "there is no such directory";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("/no/such/place"));
  }
}

}  // namespace
}  // namespace linden::data

// tests/space/storage/test_kill.cpp: a process that is killed with -9 in the middle of its commits.
#include <csignal>
#include <cstdio>
#include <random>
#include <string>

#include <unistd.h>
#include <sys/wait.h>

#include <gtest/gtest.h>

#include "model_space.h"
#include "scratch.h"

namespace linden::storage {
namespace {

// Runs commit_until_killed on `directory`, kills it once it has said `commits` lines, and returns
// the last commit that it acknowledged.
std::uint64_t run_and_kill(const std::filesystem::path& directory, const char* durability,
                           int commits) {
  int ends[2];
  if (::pipe(ends) != 0) return 0;
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], STDOUT_FILENO);
    ::close(ends[0]);
    ::close(ends[1]);
    ::execl(LINDEN_COMMIT_UNTIL_KILLED, LINDEN_COMMIT_UNTIL_KILLED, directory.c_str(), durability,
            nullptr);
    ::_exit(127);
  }
  ::close(ends[1]);
  std::FILE* const lines = ::fdopen(ends[0], "r");
  char line[32];
  std::uint64_t acknowledged = 0;
  for (int seen = 0; std::fgets(line, sizeof(line), lines) != nullptr; ++seen) {
    acknowledged = std::stoull(line);
    if (seen == commits) ::kill(child, SIGKILL);
  }
  std::fclose(lines);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status)) << "it ended by itself with " << WEXITSTATUS(status);
  return acknowledged;
}

// What was acknowledged is there, and what is there is the state after some commit.
void kill_again_and_again(const char* durability, int rounds, int commits_max) {
  const Scratch scratch;
  const std::filesystem::path directory = scratch.path() / "data";
  std::mt19937 random(7);
  std::uint64_t before = 0;
  for (int round = 0; round < rounds; ++round) {
    const int commits = static_cast<int>(random() % static_cast<unsigned>(commits_max));
    const std::uint64_t acknowledged = run_and_kill(directory, durability, commits);
    ASSERT_GT(acknowledged, before);
    const auto storage = open_rocksdb_storage(directory).value_or_throw();
    ModelSpace model;
    const Time time =
        storage->load(SpaceNumber{1}, [&](core::Mutation&& each) { model.apply(each); })
            .value_or_throw();
    const std::uint64_t last = model.next().value - 1;
    ASSERT_GE(last, acknowledged);
    EXPECT_EQ(time, Time(Duration(static_cast<std::int64_t>(last))));
    std::vector<TupleId> expected;
    for (std::uint64_t id = last < 5 ? 1 : last - 4; id <= last; ++id) {
      expected.push_back(TupleId{id});
    }
    ASSERT_EQ(model.ids(), expected);
    before = last;
  }
}

// P31, F1.
TEST(KilledProcess, LosesNothingThatItAcknowledgedWithProcessDurability) {
  kill_again_and_again("process", 12, 3000);
}

// P31, F1.
TEST(KilledProcess, LosesNothingThatItAcknowledgedWithSyncDurability) {
  kill_again_and_again("sync", 3, 200);
}

}  // namespace
}  // namespace linden::storage

#include "space/storage/directory.h"

#include <fstream>

#include <unistd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scratch.h"

namespace linden::storage {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

void write_file(const std::filesystem::path& path, std::string_view text) {
  std::ofstream(path) << text;
}

class DirectoryTest : public ::testing::Test {
 protected:
  // The message with which opening fails; empty if it succeeds.
  std::string refusal(const std::filesystem::path& path) {
    const Result<Directory> directory = Directory::open(path);
    if (directory) return {};
    EXPECT_EQ(directory.error().code, ErrorCode::kStorageFailed);
    return directory.error().message;
  }

  Scratch scratch_;
  std::filesystem::path path_ = scratch_.path() / "a" / "b";
};

TEST_F(DirectoryTest, IsCreatedWithItsParentsForTheOwnerAlone) {
  ASSERT_EQ(refusal(path_), "");
  struct stat status {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0700U);
  EXPECT_EQ(refusal(path_), "");
}

// Two servers on one directory would overwrite each other's journal.
TEST_F(DirectoryTest, IsOpenedByOneAtATime) {
  const Result<Directory> owner = Directory::open(path_);
  ASSERT_TRUE(owner);
  EXPECT_THAT(refusal(path_), AllOf(HasSubstr(path_.string()),
                                    HasSubstr("in use by process " + std::to_string(::getpid()))));
}

TEST_F(DirectoryTest, RefusesAFile) {
  const std::filesystem::path file = scratch_.path() / "file";
  write_file(file, "x");
  EXPECT_THAT(refusal(file), HasSubstr("is a file"));
}

// A mistyped path must not put a database among somebody's documents.
TEST_F(DirectoryTest, RefusesSomebodyElsesFilesAndWritesNothingThere) {
  write_file(scratch_.path() / "thesis.tex", "x");
  EXPECT_THAT(refusal(scratch_.path()), HasSubstr("not made by space-server"));
  EXPECT_FALSE(std::filesystem::exists(scratch_.path() / "lock"));
}

TEST_F(DirectoryTest, GoesOnAfterAFirstStartThatWasInterrupted) {
  std::filesystem::create_directories(path_);
  write_file(path_ / "lock", "");
  write_file(path_ / "format.new", "linden");
  EXPECT_EQ(refusal(path_), "");
}

TEST_F(DirectoryTest, RefusesANewerFormat) {
  std::filesystem::create_directories(path_);
  write_file(path_ / "format", "linden space directory, format 2\n");
  EXPECT_THAT(refusal(path_),
              AllOf(HasSubstr("format 2"), HasSubstr("up to 1"), HasSubstr("newer space-server")));
}

TEST_F(DirectoryTest, RefusesAnUnreadableFormat) {
  std::filesystem::create_directories(path_);
  write_file(path_ / "format", "garbage");
  EXPECT_THAT(refusal(path_), AllOf(HasSubstr("found 'garbage'"), HasSubstr("wanted")));
}

TEST_F(DirectoryTest, SaysWhenItCannotBeCreated) {
  EXPECT_THAT(refusal("/proc/linden"), HasSubstr("cannot be created"));
}

// Root may write everywhere, so a child that is nobody tries.
TEST_F(DirectoryTest, SaysWhenItIsNotWritable) {
  std::filesystem::permissions(scratch_.path(), std::filesystem::perms(0755));
  std::filesystem::create_directories(path_);
  std::filesystem::permissions(path_, std::filesystem::perms(0555));
  const pid_t child = ::fork();
  if (child == 0) {
    if (::geteuid() == 0 && ::setuid(65534) != 0) ::_exit(2);
    ::_exit(refusal(path_).find("is not writable") == std::string::npos ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

// A copy has its name once it is whole.
TEST_F(DirectoryTest, ACopyIsMadeUnderAnotherName) {
  const Result<std::filesystem::path> partial = Directory::begin_copy(path_);
  ASSERT_TRUE(partial);
  EXPECT_EQ(*partial, scratch_.path() / "a" / "b.partial");
  EXPECT_TRUE(std::filesystem::is_empty(*partial));
  EXPECT_FALSE(Directory::begin_copy(path_)) << "one is under way";
  ASSERT_TRUE(Directory::end_copy(path_));
  EXPECT_TRUE(std::filesystem::exists(path_));
  const Result<std::filesystem::path> again = Directory::begin_copy(path_);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(again.error().message, HasSubstr("is there already"));
}

TEST_F(DirectoryTest, OpenedToReadItIsNotChanged) {
  EXPECT_FALSE(Directory::open_to_read(path_));
  EXPECT_FALSE(std::filesystem::exists(path_));
  {
    const Result<Directory> owner = Directory::open(path_);
    ASSERT_TRUE(owner);
    const Result<Directory> other = Directory::open_to_read(path_);
    ASSERT_FALSE(other);
    EXPECT_THAT(other.error().message, HasSubstr("in use by process"));
  }
  std::filesystem::remove(path_ / "lock");  // as in a copy
  EXPECT_TRUE(Directory::open_to_read(path_));
  EXPECT_FALSE(std::filesystem::exists(path_ / "lock"));
}

}  // namespace
}  // namespace linden::storage

// Where a server may listen, and what it says when it cannot.
#include <sys/stat.h>

#include <fstream>

#include <gtest/gtest.h>

#include "space/server/listen.h"
#include "tests/space/server/conversation.h"

namespace linden::server {
namespace {

TEST(ListenTcpAddress, IsAHostAndAPort) {
  EXPECT_EQ(parse_tcp_address("127.0.0.1:4711")->port, 4711);
  EXPECT_EQ(parse_tcp_address("localhost:0")->host, "localhost");
  EXPECT_EQ(parse_tcp_address("[::1]:80")->host, "::1");
}

TEST(ListenTcpAddress, RefusesEverythingElse) {
  for (const char* wrong : {"", "4711", ":4711", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x",
                            "127.0.0.1:65536", "127.0.0.1:-1", "::1:80", "a:1 "}) {
    const Result<TcpAddress> parsed = parse_tcp_address(wrong);
    ASSERT_FALSE(parsed) << wrong;
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidArgument);
  }
}

// There is no authentication yet, so nobody may be served from elsewhere.
TEST(ListenTcp, RefusesPublicAddresses) {
  for (const char* wrong : {"0.0.0.0:0", "[::]:0", "10.0.0.1:0", "example.org:0"}) {
    const Result<Listening> listening = listen_tcp(wrong);
    ASSERT_FALSE(listening) << wrong;
    EXPECT_EQ(listening.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST(ListenTcp, NamesThePortThatItFoundAndRefusesOneInUse) {
  const Result<Listening> first = listen_tcp("127.0.0.1:0");
  ASSERT_TRUE(first);
  EXPECT_NE(first->address, "127.0.0.1:0");
  const Result<Listening> second = listen_tcp(first->address);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kUnreachable);
  EXPECT_NE(second.error().message.find("in use"), std::string::npos);
}

// Whoever can open the file can do everything, so it is its owner's alone.
TEST(ListenUnix, MakesAFileForItsOwnerOnly) {
  const Scratch scratch;
  const Result<Listening> listening = listen_unix(scratch.path("s"));
  ASSERT_TRUE(listening);
  struct stat status {};
  ASSERT_EQ(::stat(scratch.path("s").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

// After kill -9 the file is still there, and nobody listens on it.
TEST(ListenUnix, ReplacesAStaleFileButNotALiveServer) {
  const Scratch scratch;
  { const Result<Listening> dead = listen_unix(scratch.path("s")); }
  const Result<Listening> living = listen_unix(scratch.path("s"));
  ASSERT_TRUE(living);
  const Result<Listening> third = listen_unix(scratch.path("s"));
  ASSERT_FALSE(third);
  EXPECT_NE(third.error().message.find("another server"), std::string::npos);
}

TEST(ListenUnix, LeavesOtherFilesAlone) {
  const Scratch scratch;
  std::ofstream(scratch.path("s")) << "precious";
  const Result<Listening> listening = listen_unix(scratch.path("s"));
  ASSERT_FALSE(listening);
  EXPECT_TRUE(std::filesystem::exists(scratch.path("s")));
}

TEST(ListenUnix, SaysThatAPathIsTooLong) {
  const Result<Listening> listening = listen_unix("/tmp/" + std::string(200, 'x'));
  ASSERT_FALSE(listening);
  EXPECT_NE(listening.error().message.find("1 to 107"), std::string::npos);
}

TEST(ListenUnix, SaysThatAFolderIsMissing) {
  EXPECT_FALSE(listen_unix("/nonexistent-folder/socket"));
}

}  // namespace
}  // namespace linden::server

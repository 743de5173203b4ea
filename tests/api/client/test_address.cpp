// tests/api/client/test_address.cpp
#include "api/client/address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace linden::client {
namespace {

using ::testing::HasSubstr;

TEST(Address, ReadsUnixSocketsWithAndWithoutPrefix) {
  for (const auto* text : {"unix:/run/linden.sock", "/run/linden.sock"}) {
    const auto address = parse_address(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->kind, Address::Kind::kUnix);
    EXPECT_EQ(address->path, "/run/linden.sock");
  }
}

TEST(Address, ReadsHostAndPort) {
  const auto address = parse_address("tcp:localhost:7001");
  ASSERT_TRUE(address);
  EXPECT_EQ(address->kind, Address::Kind::kTcp);
  EXPECT_EQ(address->host, "localhost");
  EXPECT_EQ(address->port, 7001);
}

TEST(Address, ReadsBracketedVersion6Addresses) {
  const auto address = parse_address("tcp:[::1]:7001");
  ASSERT_TRUE(address);
  EXPECT_EQ(address->host, "::1");
}

// The message says what was wrong and how an address looks, so that nobody has to look it up.
TEST(Address, SaysWhatIsWrong) {
  const struct {
    const char* text;
    const char* why;
  } cases[] = {{"", "neither"},
               {"relative/path", "neither"},
               {"http://x", "neither"},
               {"tcp:host", "port"},
               {"tcp::80", "host is missing"},
               {"tcp:host:0", "1 to 65535"},
               {"tcp:host:70000", "1 to 65535"},
               {"tcp:host:80x", "1 to 65535"},
               {"tcp:host:-1", "1 to 65535"}};
  for (const auto& one : cases) {
    const auto address = parse_address(one.text);
    ASSERT_FALSE(address) << one.text;
    EXPECT_EQ(address.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(address.error().message, HasSubstr(one.why));
    EXPECT_THAT(address.error().message, HasSubstr("tcp:host:port"));
  }
}

TEST(Address, RefusesPathsThatNoUnixSocketCanHave) {
  const auto address = parse_address("unix:/" + std::string(200, 'x'));
  ASSERT_FALSE(address);
  EXPECT_THAT(address.error().message, HasSubstr("107 bytes"));
}

}  // namespace
}  // namespace linden::client

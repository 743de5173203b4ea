// tests/api/data/test_peer.cpp: data from one host to another.  Two stores stand for two hosts.
#include "api/data/peer.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <atomic>
#include <cstdlib>
#include <thread>
#include <vector>

#include <linden/error.h>

#include "api/client/address.h"
#include "api/data/content_name.h"

namespace linden::data {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class PeerTest : public ::testing::Test {
 protected:
  PeerTest() {
    std::string pattern = (fs::temp_directory_path() / "linden-peer-XXXXXX").string();
    base_ = ::mkdtemp(pattern.data());
    for (const char* part : {"a", "b", "disk"}) fs::create_directory(base_ / part);
    here_ = std::make_shared<HostStore>(store_paths(base_ / "a", base_ / "disk", "a"), limits_);
    there_ = std::make_unique<HostStore>(store_paths(base_ / "b", base_ / "disk", "b"), limits_);
  }
  ~PeerTest() override {
    here_.reset();
    there_.reset();
    fs::remove_all(base_);
  }

  const StoreLimits limits_{std::uint64_t{1} << 30, std::uint64_t{1} << 30};
  fs::path base_;
  std::shared_ptr<HostStore> here_;
  std::unique_ptr<HostStore> there_;
  Kept kept_;
};

TEST_F(PeerTest, FetchesBytes) {
  std::string bytes(5'000'001, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7 % 251);
  const Kept own = here_->put(bytes);
  const PeerServer server(here_, "secret", "127.0.0.1");
  ASSERT_TRUE(fetch_from_peer(server.address(), "secret", own.name, *there_, kept_));
  EXPECT_EQ(there_->map(own.name)->view(), bytes);
}

TEST_F(PeerTest, SeveralAtATime) {
  const Kept own = here_->put(std::string(1'000'000, 'x'));
  const PeerServer server(here_, "secret", "127.0.0.1");
  std::vector<std::jthread> threads;
  threads.reserve(8);
  std::atomic<int> fetched{0};
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&] {
      Kept kept;
      fetched += fetch_from_peer(server.address(), "secret", own.name, *there_, kept) ? 1 : 0;
    });
  threads.clear();
  EXPECT_EQ(fetched, 8);
}

TEST_F(PeerTest, SaysWhatItDoesNotHave) {
  const PeerServer server(here_, "secret", "127.0.0.1");
  EXPECT_FALSE(
      fetch_from_peer(server.address(), "secret", content_name("nobody's"), *there_, kept_));
}

TEST_F(PeerTest, RefusesWhoDoesNotKnowTheSecret) {
  const Kept own = here_->put("private");
  const PeerServer server(here_, "secret", "127.0.0.1");
  try {
    static_cast<void>(fetch_from_peer(server.address(), "wrong", own.name, *there_, kept_));
    FAIL() << "the secret was wrong";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNotAllowed);
    EXPECT_THAT(error.what(), HasSubstr(server.address()));
  }
  EXPECT_FALSE(there_->map(own.name));
  // It serves on.
  EXPECT_TRUE(fetch_from_peer(server.address(), "secret", own.name, *there_, kept_));
}

TEST_F(PeerTest, SaysThatNobodyListens) {
  std::string address;
  {
    const PeerServer server(here_, "secret", "127.0.0.1");
    address = server.address();
  }
  try {
    static_cast<void>(fetch_from_peer(address, "secret", content_name("x"), *there_, kept_));
    FAIL() << "nobody listens";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnreachable);
  }
}

// A peer that ends in the middle of its bytes, as one that is killed does.
TEST_F(PeerTest, APeerThatEndsInMidFetchLeavesNothing) {
  std::string large;
  large.resize(std::size_t{50} << 20, 'x');
  const Kept own = here_->put(large);
  auto server = std::make_unique<PeerServer>(here_, "secret", "127.0.0.1");
  const std::string address = server->address();
  std::jthread killer([&] { server.reset(); });
  try {
    static_cast<void>(fetch_from_peer(address, "secret", own.name, *there_, kept_));
  } catch (const Error& error) {
    EXPECT_THAT(error.code(), ::testing::AnyOf(ErrorCode::kConnectionLost, ErrorCode::kUnreachable,
                                               ErrorCode::kNotAllowed));
    EXPECT_FALSE(there_->map(own.name));
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(there_->paths().memory / "new"), {}), 0);
}

TEST_F(PeerTest, AnInterruptedFetchLeavesNothing) {
  // Listens, and never says a word.
  const client::Descriptor silent(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(silent.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(silent.get(), 1), 0);
  ASSERT_EQ(::getsockname(silent.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  const std::string where = "tcp:127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  try {
    static_cast<void>(
        fetch_from_peer(where, "secret", content_name("x"), *there_, kept_, [] { return true; }));
    FAIL() << "it was interrupted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kOutcomeUnknown);
  }
}

}  // namespace
}  // namespace linden::data

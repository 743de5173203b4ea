// How a server is found: what is given wins over the environment, and that over the default.
#include "space/admin/where.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace linden::admin {
namespace {

struct World {
  std::map<std::string, std::string> variables{{"HOME", "/home/me"}};
  std::map<std::string, std::string> files;
  std::set<std::string> sockets;

  [[nodiscard]] Outside outside() const {
    return {
        [this](const std::string& name) -> std::optional<std::string> {
          const auto found = variables.find(name);
          return found == variables.end() ? std::nullopt : std::optional(found->second);
        },
        [this](const std::string& path) -> Result<std::string> {
          const auto found = files.find(path);
          if (found == files.end()) return Failure{ErrorCode::kUnreachable, "no such file"};
          return found->second;
        },
        [this](const std::string& path) { return sockets.contains(path); },
    };
  }
};

constexpr const char* kFile =
    R"({"format": 1, "address": "unix:/run/a.sock", "tcp": "tcp:host:17", "space": "demo"})";

TEST(FindServer, TakesAnAddressAsItIs) {
  const World world;
  const auto where = find_server("tcp:localhost:4711", std::nullopt, world.outside());
  EXPECT_EQ(where.value().address, "tcp:localhost:4711");
  EXPECT_EQ(where.value().space, "farm");
}

TEST(FindServer, ReadsTheFileThatIsGiven) {
  World world;
  world.files["/tmp/c.json"] = kFile;
  world.sockets = {"/run/a.sock"};
  world.variables["LINDEN_CONNECTION"] = "/elsewhere";
  const auto where = find_server("/tmp/c.json", std::nullopt, world.outside());
  EXPECT_EQ(where.value().address, "unix:/run/a.sock");
  EXPECT_EQ(where.value().space, "demo");
}

TEST(FindServer, GoesByTcpWhereTheSocketIsNot) {
  World world;
  world.files["/tmp/c.json"] = kFile;
  EXPECT_EQ(find_server("/tmp/c.json", std::nullopt, world.outside()).value().address,
            "tcp:host:17");
}

TEST(FindServer, ObeysTheEnvironment) {
  World world;
  world.variables["LINDEN_CONNECTION"] = "unix:/run/b.sock";
  EXPECT_EQ(find_server(std::nullopt, std::nullopt, world.outside()).value().address,
            "unix:/run/b.sock");
}

TEST(FindServer, LooksIntoTheFolderOfTheCluster) {
  World world;
  world.files["/home/me/.linden/clusters/default/connection.json"] =
      R"({"address": "tcp:first:1"})";
  world.files["/srv/linden/clusters/big/connection.json"] = R"({"address": "tcp:second:2"})";
  EXPECT_EQ(find_server(std::nullopt, std::nullopt, world.outside()).value().address,
            "tcp:first:1");
  world.variables["LINDEN_HOME"] = "/srv/linden";
  world.variables["LINDEN_CONNECTION"] = "tcp:not:3";  // a cluster that is named wins
  EXPECT_EQ(find_server(std::nullopt, "big", world.outside()).value().address, "tcp:second:2");
}

TEST(FindServer, SaysWhichFileIsMissingAndWhatToDo) {
  const World world;
  const auto missing = find_server(std::nullopt, std::nullopt, world.outside());
  EXPECT_EQ(missing.error().code, ErrorCode::kUnreachable);
  EXPECT_NE(missing.error().message.find("/home/me/.linden/clusters/default/connection.json"),
            std::string::npos);
  EXPECT_NE(missing.error().message.find("space-cluster start"), std::string::npos);
}

TEST(FindServer, RefusesWhatIsNoConnectionFile) {
  for (const char* text : {"", "[]", "{", "{}", R"({"address": 17})", R"({"address": "nowhere"})",
                           R"({"format": 2, "address": "tcp:host:1"})"}) {
    World world;
    world.files["c.json"] = text;
    const auto where = find_server("c.json", std::nullopt, world.outside());
    ASSERT_FALSE(where.has_value()) << text;
    EXPECT_EQ(where.error().code, ErrorCode::kInvalidArgument) << text;
    EXPECT_NE(where.error().message.find("'c.json' is not a connection file"), std::string::npos);
  }
}

TEST(FindServer, ReadsARealFile) {
  const auto where = find_server("/no/such/file", std::nullopt, real_outside());
  EXPECT_EQ(where.error().code, ErrorCode::kUnreachable);
  EXPECT_NE(where.error().message.find("No such file or directory"), std::string::npos);
}

}  // namespace
}  // namespace linden::admin

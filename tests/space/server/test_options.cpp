// Command line and configuration file.
#include <fstream>

#include <gtest/gtest.h>

#include "space/server/options.h"
#include "tests/space/server/conversation.h"

namespace linden::server {
namespace {

TEST(Options, ListenInsideTheDirectoryUnlessToldOtherwise) {
  const ParsedOptions parsed = parse_options({"--directory", "/srv/linden/"});
  ASSERT_TRUE(parsed.options) << parsed.text;
  EXPECT_EQ(parsed.options->server.unix_path, "/srv/linden/space-server.sock");
  EXPECT_EQ(parsed.options->server.durability, storage::Durability::kProcess);
  EXPECT_EQ(parsed.options->server.threads, 1u);
  const ParsedOptions tcp = parse_options({"-d", "/srv/linden", "--tcp", "127.0.0.1:0"});
  ASSERT_TRUE(tcp.options) << tcp.text;
  EXPECT_EQ(tcp.options->server.unix_path, "");
}

TEST(Options, BusyPollingCanBeSwitchedOff) {
  const ParsedOptions parsed = parse_options({"--directory", "/x", "--busy-poll-us", "0"});
  ASSERT_TRUE(parsed.options) << parsed.text;
  EXPECT_EQ(parsed.options->server.limits.busy_poll_max, Duration::zero());
}

TEST(Options, HelpShowsExamplesExitCodesAndSignals) {
  const ParsedOptions parsed = parse_options({"--help"});
  EXPECT_EQ(parsed.exit_code, kExitClean);
  for (const char* wanted : {"--directory", "EXAMPLES", "EXIT CODES", "SIGNALS", "DURABILITY"}) {
    EXPECT_NE(parsed.text.find(wanted), std::string::npos) << wanted;
  }
}

TEST(Options, WrongOnesEndWithOneLineAndTheUsageCode) {
  const std::vector<std::vector<std::string>> wrong = {
      {},
      {"--no-such-option"},
      {"--directory"},
      {"--durability", "memory"},                           // nowhere to listen
      {"--durability", "process", "--tcp", "127.0.0.1:0"},  // nowhere to keep it
      {"--directory", "/x", "--durability", "forever"},     // no such durability
      {"--directory", "/x", "--threads", "0"},              //
      {"--directory", "/x", "--threads", "many"},           //
      {"--directory", "/x", "--frame-mebibytes-max", "0"},  //
      {"--directory", "/x", "--connections-max", "0"},      //
      {"--directory", "/x", "--busy-poll-us", "10001"},     //
      {"--directory", "/x", "--config", "/no/such/file"},   //
  };
  for (const auto& arguments : wrong) {
    const ParsedOptions parsed = parse_options(arguments);
    EXPECT_FALSE(parsed.options);
    EXPECT_EQ(parsed.exit_code, kExitUsage);
    EXPECT_EQ(parsed.text.find('\n'), parsed.text.size() - 1) << parsed.text;
  }
}

TEST(Options, TheCommandLineWinsOverTheFile) {
  const Scratch scratch;
  std::ofstream(scratch.path("c.toml"))
      << "directory = \"/a\"\nthreads = 3\ntcp = \"127.0.0.1:0\"\n";
  const ParsedOptions parsed =
      parse_options({"--config", scratch.path("c.toml"), "--threads", "2"});
  ASSERT_TRUE(parsed.options) << parsed.text;
  EXPECT_EQ(parsed.options->server.directory, "/a");
  EXPECT_EQ(parsed.options->server.threads, 2u);
  EXPECT_EQ(parsed.options->server.tcp_address, "127.0.0.1:0");
}

TEST(Options, AFileWithAnUnknownKeyOrAWrongTypeIsRefused) {
  const Scratch scratch;
  for (const char* text : {"directroy = \"/a\"\n", "directory = 7\n", "directory = \n"}) {
    std::ofstream(scratch.path("c.toml")) << text;
    const ParsedOptions parsed = parse_options({"--config", scratch.path("c.toml")});
    EXPECT_FALSE(parsed.options) << text;
    EXPECT_EQ(parsed.exit_code, kExitUsage);
  }
}

}  // namespace
}  // namespace linden::server

// space-server as a process: starting, being signalled, being killed, and starting again.
#include <signal.h>
#include <unistd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>

#include <gtest/gtest.h>

#include "tests/space/server/conversation.h"
#include "tests/space/server/program.h"

namespace linden::server {
namespace {

class ProgramTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::vector<std::string> on_disk(const std::string& durability = "process") const {
    return {"--directory", scratch_.path("data"), "--durability", durability};
  }
  [[nodiscard]] std::string socket() const { return scratch_.path("data/space-server.sock"); }
  [[nodiscard]] std::string log() const { return scratch_.path("log"); }
  // What went wrong is said in one line that begins with the program's name.
  void expect_one_line_about(const std::string& what) const {
    const std::string text = contents_of(log());
    const std::size_t start = text.rfind("space-server: ");
    ASSERT_NE(start, std::string::npos) << text;
    EXPECT_NE(text.find(what, start), std::string::npos) << text;
    EXPECT_EQ(std::count(text.begin() + static_cast<long>(start), text.end(), '\n'), 1) << text;
  }
  Scratch scratch_;
};

TEST_F(ProgramTest, SaysWhereItListensAndEndsCleanlyOnSigterm) {
  auto options = on_disk();
  const std::string ready_file = scratch_.path("ready.json");
  options.insert(options.end(), {"--unix", scratch_.path("s"), "--tcp", "127.0.0.1:0",
                                 "--ready-file", ready_file});
  Program program(options, log());
  EXPECT_EQ(program.ready_line() + "\n", contents_of(ready_file));
  EXPECT_NE(program.ready_line().find("\"pid\":" + std::to_string(program.pid())),
            std::string::npos);
  EXPECT_NE(program.ready_line().find("\"unix\":\"" + scratch_.path("s")), std::string::npos);
  EXPECT_NE(program.ready_line().find("\"tcp\":\"127.0.0.1:"), std::string::npos);
  struct stat status {};
  ASSERT_EQ(::stat(ready_file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  Peer peer(scratch_.path("s"));
  peer.hello(session(1));
  program.signal(SIGTERM);
  EXPECT_TRUE(peer.ends());
  EXPECT_EQ(program.wait(), kExitClean);
  EXPECT_FALSE(std::filesystem::exists(ready_file));
  EXPECT_FALSE(std::filesystem::exists(scratch_.path("s")));
}

// P27: an answer that overtook those that were lost with the connection before would let a client
// believe in a transaction that it has to begin again.
TEST_F(ProgramTest, WhatWasAskedOverAConnectionIsNotAnsweredOverTheNext) {
  Program program(on_disk(), log());
  Peer first(socket());
  first.hello(session(1));
  const SpaceNumber space = first.open("jobs", {task(1)});
  Peer second(socket());
  as<Counted>(first.ask(CountOp{any_task()}));  // by now the second one is accepted
  // So that the request and the connection that replaces its own are read in one round.
  program.signal(SIGSTOP);
  int status = 0;
  ASSERT_EQ(::waitpid(program.pid(), &status, WUNTRACED), program.pid());
  ASSERT_TRUE(WIFSTOPPED(status));
  const RequestId asked = first.request(take());
  wire::Hello hello;
  hello.session = session(1);
  hello.resume = true;
  second.send(hello);
  program.signal(SIGCONT);
  EXPECT_TRUE(second.expect<wire::Welcome>().resumed);
  second.set_space(space);
  second.set_next_request(100);
  EXPECT_EQ(as<Counted>(second.ask(CountOp{any_task()})).count, 0U);
  EXPECT_TRUE(second.has_nothing());
  second.set_next_request(asked.value);
  EXPECT_EQ(as<Found>(second.ask(take())).tuples.at(0).tuple, (Tuple{"task", 1}));  // P36
}

// P31, P35: what was answered survives kill -9, in order, with what was held.
TEST_F(ProgramTest, KeepsWhatItAnsweredOverAKill) {
  for (const char* durability : {"process", "sync"}) {
    SCOPED_TRACE(durability);
    const Scratch scratch;
    const std::vector<std::string> options = {"--directory", scratch.path("d"), "--durability",
                                              durability};
    const std::string socket = scratch.path("d/space-server.sock");
    int answered = 0;
    Token held;
    {
      Program program(options, log());
      ASSERT_FALSE(program.ready_line().empty()) << contents_of(log());
      Peer peer(socket);
      peer.hello(session(1));
      peer.open("jobs");
      std::vector<RequestId> ids;
      for (int i = 0; i < 500; ++i) ids.push_back(peer.request(put(i)));
      for (int i = 0; i < 400; ++i) {
        as<PutDone>(peer.reply_to(ids[static_cast<std::size_t>(i)]).answer);
        ++answered;
      }
      const Found found = as<Found>(peer.ask(take(Duration{0}, TakeMode::kReserve)));
      held = Token{found.tuples.at(0).id, found.tuples.at(0).attempt};
      program.signal(SIGKILL);
      EXPECT_EQ(program.wait(), 1000 + SIGKILL);
    }
    Program program(options, log());
    ASSERT_FALSE(program.ready_line().empty()) << contents_of(log());
    Peer peer(socket);
    EXPECT_TRUE(peer.hello(session(1), true).resumed);
    peer.open("jobs");
    peer.set_next_request(10'000);
    EXPECT_GE(as<Counted>(peer.ask(CountOp{any_task()})).count,
              static_cast<std::uint64_t>(answered - 1));
    // P20: the holder can still finish.
    FinishOp finish;
    finish.items.push_back(FinishItem{held, {}});
    EXPECT_EQ(as<FinishDone>(peer.ask(finish)).codes, std::vector{ErrorCode::kOk});
    EXPECT_EQ(as<Found>(peer.ask(take())).tuples.at(0).tuple, (Tuple{"task", 1}));
  }
}

// P36 over a restart: the client says the same request again and gets the same answer.
TEST_F(ProgramTest, RemembersAnswersOverAKill) {
  PutDone first;
  {
    Program program(on_disk(), log());
    Peer peer(socket());
    peer.hello(session(1));
    peer.open("jobs");
    peer.set_next_request(10);
    first = as<PutDone>(peer.ask(put(1)));
    program.signal(SIGKILL);
    program.wait();
  }
  Program program(on_disk(), log());
  Peer peer(socket());
  peer.hello(session(1), true);
  peer.open("jobs");
  peer.set_next_request(10);
  EXPECT_EQ(as<PutDone>(peer.ask(put(1))), first);
  EXPECT_EQ(as<Counted>(peer.ask(CountOp{any_task()})).count, 1u);
}

// P35: a client that was waiting says so again and does not notice.
TEST_F(ProgramTest, TakesAWaitingClientBackAfterAKill) {
  {
    Program program(on_disk(), log());
    Peer peer(socket());
    peer.hello(session(1));
    peer.open("jobs");
    peer.request(take(kForever));
    as<Counted>(peer.ask(CountOp{any_task()}));
    program.signal(SIGKILL);
    program.wait();
  }
  Program program(on_disk(), log());
  Peer peer(socket());
  peer.hello(session(1), true);
  peer.open("jobs");
  peer.set_next_request(2);
  const RequestId waiting = peer.request(take(kForever));
  peer.set_next_request(50);
  as<PutDone>(peer.ask(put(1)));
  EXPECT_EQ(as<Found>(peer.reply_to(waiting).answer).tuples.size(), 1u);
}

// P31, `memory`: nothing is kept.
TEST_F(ProgramTest, ASpaceOfDurabilityMemoryIsEmptyAfterAKill) {
  for (int round = 0; round < 2; ++round) {
    Program program(on_disk("memory"), log());
    Peer peer(socket());
    peer.hello(session(static_cast<std::uint64_t>(round + 1)));
    peer.open("jobs");
    EXPECT_EQ(as<Counted>(peer.ask(CountOp{any_task()})).count, 0u);
    as<PutDone>(peer.ask(put(1)));
    program.signal(SIGKILL);
    program.wait();
  }
}

TEST_F(ProgramTest, TwoServersNeverOpenOneDirectory) {
  Program first(on_disk(), log());
  ASSERT_FALSE(first.ready_line().empty());
  auto options = on_disk();
  options.insert(options.end(), {"--unix", scratch_.path("other")});
  Program second(options, log());
  EXPECT_TRUE(second.ready_line().empty());
  EXPECT_EQ(second.wait(), kExitStorage);
  expect_one_line_about("in use");
}

TEST_F(ProgramTest, SaysThatAPortIsInUse) {
  Program first({"--durability", "memory", "--tcp", "127.0.0.1:0"}, log());
  const std::string& line = first.ready_line();
  const std::size_t start = line.find("127.0.0.1:");
  const std::string address = line.substr(start, line.find('"', start) - start);
  Program second({"--durability", "memory", "--tcp", address}, log());
  EXPECT_EQ(second.wait(), kExitListen);
  expect_one_line_about("in use");
}

TEST_F(ProgramTest, SaysThatADirectoryIsNone) {
  Program program({"--directory", "/proc/nothing/here"}, log());
  EXPECT_EQ(program.wait(), kExitStorage);
  expect_one_line_about("/proc/nothing/here");
}

TEST_F(ProgramTest, RefusesToListenPublicly) {
  Program program({"--durability", "memory", "--tcp", "0.0.0.0:0"}, log());
  EXPECT_EQ(program.wait(), kExitUsage);
  expect_one_line_about("loopback");
}

// No orphan is left behind when whoever started it is killed.
TEST_F(ProgramTest, EndsWithItsParentProcess) {
  const pid_t parent = ::fork();
  if (parent == 0) {
    ::pause();
    ::_exit(0);
  }
  auto options = on_disk();
  options.insert(options.end(), {"--parent-pid", std::to_string(parent)});
  Program program(options, log());
  ASSERT_FALSE(program.ready_line().empty()) << contents_of(log());
  ::kill(parent, SIGKILL);
  ::waitpid(parent, nullptr, 0);
  EXPECT_EQ(program.wait(), kExitClean);
}

// Logs are kept and mailed about; what users compute stays out of them.
TEST_F(ProgramTest, TheLogNeverShowsTuples) {
  auto options = on_disk();
  options.insert(options.end(), {"--log-level", "trace"});
  Program program(options, log());
  Peer peer(socket());
  peer.hello(session(1));
  peer.open("jobs");
  as<PutDone>(peer.ask(PutOp{{NewTuple{Tuple{"a-very-secret-word"}, {}}}}));
  program.signal(SIGTERM);
  EXPECT_EQ(program.wait(), kExitClean);
  const std::string text = contents_of(log());
  EXPECT_NE(text.find("space_created"), std::string::npos);
  EXPECT_EQ(text.find("a-very-secret-word"), std::string::npos);
}

}  // namespace
}  // namespace linden::server

// tests/chaos/test_history.cpp
#include <unistd.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/chaos/history.h"

namespace linden::chaos {
namespace {

class HistoryFileTest : public ::testing::Test {
 protected:
  HistoryFileTest()
      : path_(std::filesystem::temp_directory_path() / ("history-" + std::to_string(::getpid()))) {}
  ~HistoryFileTest() override { std::filesystem::remove(path_); }

  void append(const std::string& text) { std::ofstream(path_, std::ios::app) << text; }

  std::filesystem::path path_;
};

Call some_call() {
  Call call;
  call.process = 7;
  call.kind = Kind::kCommit;
  call.words = "ab";
  call.count = 3;
  call.streamed = true;
  call.asked = 100;
  Item put;
  put.serial = 5;
  put.word = 'c';
  put.priority = -1;
  put.ttl = 250;
  put.max_attempts = 2;
  put.lives_with = true;
  put.delay = 70;
  put.group = 3;
  put.waits_for = 9;
  Item ended;
  ended.part = Item::Part::kEnded;
  ended.serial = 4;
  ended.id = 40;
  ended.attempt = 2;
  ended.started = false;
  call.items = {put, ended};
  return call;
}

TEST_F(HistoryFileTest, KeepsAllOfACall) {
  Call call = some_call();
  const HistoryFile file(path_);
  file.append(line_of_question(1, call));
  call.answered = 180;
  call.outcome = Outcome::kDone;
  call.items[0].id = 50;
  Item given;
  given.part = Item::Part::kGiven;
  given.serial = 3;
  given.id = 30;
  given.attempt = 1;
  call.items.push_back(given);
  file.append(line_of_answer(1, call));
  HistoryReader reader;
  reader.read_more(7, path_);
  ASSERT_EQ(reader.history().calls.size(), 1U);
  EXPECT_EQ(reader.history().calls[0], call);
  EXPECT_EQ(reader.answers(Kind::kCommit), 1U);
}

TEST_F(HistoryFileTest, IsReadWhileItGrows) {
  const HistoryFile file(path_);
  const Call call = some_call();
  file.append(line_of_question(1, call));
  HistoryReader reader;
  reader.read_more(7, path_);
  EXPECT_EQ(reader.history().calls.at(0).outcome, Outcome::kUnknown);
  Call answered = call;
  answered.answered = 200;
  answered.outcome = Outcome::kRefused;
  answered.refusal = "STALE_LEASE";
  file.append(line_of_answer(1, answered));
  reader.read_more(7, path_);
  reader.read_more(7, path_);
  ASSERT_EQ(reader.history().calls.size(), 1U);
  EXPECT_EQ(reader.history().calls[0], answered);
}

// A process that is killed may leave a line without its end.
TEST_F(HistoryFileTest, TakesNoNoticeOfATornLine) {
  const std::string question = line_of_question(1, some_call());
  append(question + '\n' + line_of_question(2, some_call()).substr(0, 30));
  HistoryReader reader;
  reader.read_more(7, path_);
  EXPECT_EQ(reader.history().calls.size(), 1U);
}

TEST_F(HistoryFileTest, TellsWhatTheControllerHasNoted) {
  append("* gone 3 500\n* disturbed 10 20\n");
  HistoryReader reader;
  reader.read_more(0, path_);
  EXPECT_EQ(reader.history().gone.at(3), 500);
  EXPECT_EQ(reader.history().disturbed, (std::vector<std::pair<Moment, Moment>>{{10, 20}}));
}

TEST_F(HistoryFileTest, RefusesWhatIsNoHistory) {
  append("> 1 x put - 1 0\n");
  HistoryReader reader;
  EXPECT_THROW(reader.read_more(1, path_), std::runtime_error);
}

}  // namespace
}  // namespace linden::chaos

// tests/workers/cpp/test_task_output.cpp: what a task prints becomes tuples in order (F5).
#include "workers/cpp/task_output.h"

#include <gtest/gtest.h>

#include <iomanip>

namespace linden {
namespace {

using namespace std::chrono_literals;

class TaskOutputF5 : public ::testing::Test {
 protected:
  TaskOutputF5()
      : output_(
            [this](std::vector<NewTuple> puts) {
              for (auto& put : puts) sent_.push_back(std::move(put.tuple));
            },
            [this] { ++waits_; }) {}

  std::vector<Tuple> end() {
    std::vector<NewTuple> puts;
    output_.end(puts);
    for (auto& put : puts) sent_.push_back(std::move(put.tuple));
    return std::exchange(sent_, {});
  }
  static Tuple piece(const char* stream, int n, const std::string& text) {
    return Tuple{"output", "me", 7, stream, n, text};
  }

  std::vector<Tuple> sent_;
  int waits_ = 0;
  TaskOutput output_;
};

TEST_F(TaskOutputF5, TravelsWithTheResultInOrder) {
  output_.begin("me", 7);
  output_.out() << "a" << 1;
  output_.errors() << "oh";
  output_.out() << "b" << '\n';
  EXPECT_TRUE(sent_.empty());
  EXPECT_EQ(end(), (std::vector{piece("stdout", 0, "a1"), piece("stderr", 1, "oh"),
                                piece("stdout", 2, "b\n")}));
}

TEST_F(TaskOutputF5, IsSentAtOnceWhenItIsFlushed) {
  output_.begin("me", 7);
  output_.out() << "begun" << std::flush;
  EXPECT_EQ(sent_, std::vector{piece("stdout", 0, "begun")});
  output_.out() << "soon after" << std::flush;
  EXPECT_EQ(sent_.size(), 1U) << "not for every line a message";
  output_.send_old(TaskOutput::Clock::now() + 1s);
  EXPECT_EQ(sent_.back(), piece("stdout", 1, "soon after"));
  sent_.clear();
  EXPECT_TRUE(end().empty());
}

// So whoever sends what is old sleeps while nobody prints.
TEST_F(TaskOutputF5, SaysThatItWaitsWhenItBeginsToAndWhileItDoes) {
  output_.begin("me", 7);
  EXPECT_EQ(waits_, 0);
  output_.out() << "a";
  output_.out() << "b";
  output_.errors() << "c";
  EXPECT_EQ(waits_, 1);
  output_.send_old(TaskOutput::Clock::time_point{});
  EXPECT_EQ(waits_, 2) << "it was too early, and is to be sent yet";
  output_.send_old(TaskOutput::Clock::now());
  EXPECT_EQ(waits_, 2) << "nothing is left";
  output_.out() << "d";
  EXPECT_EQ(waits_, 3);
  end();
  output_.send_old(TaskOutput::Clock::now() + 1s);
  EXPECT_EQ(waits_, 3) << "its task has ended, and the result took it along";
}

TEST_F(TaskOutputF5, IsSentInPiecesWhenItIsMuch) {
  output_.begin("me", 7);
  const std::string much(200'000, 'x');
  output_.out() << much;
  EXPECT_EQ(sent_.size(), 3U);
  std::string all;
  for (const auto& tuple : end()) all += tuple[5].as_text();
  EXPECT_EQ(all, much);
}

TEST_F(TaskOutputF5, DoesNotCutCharacters) {
  output_.begin("me", 7);
  output_.out() << "\xC3" << std::flush;
  output_.out() << "\xA4";
  EXPECT_EQ(end(), std::vector{piece("stdout", 0, "\xC3\xA4")});
}

TEST_F(TaskOutputF5, BeginsAnewWithEachTask) {
  output_.begin("me", 7);
  output_.out() << std::hex << std::setfill('.') << "x";
  output_.out().setstate(std::ios::failbit);
  EXPECT_EQ(end().size(), 1U);
  output_.out() << "between tasks, for nobody";
  output_.begin("me", 8);
  output_.out() << 255;
  EXPECT_EQ(end(), std::vector{(Tuple{"output", "me", 8, "stdout", 0, "255"})});
}

TEST_F(TaskOutputF5, ATaskThatPrintsNothingCostsNothing) {
  output_.begin("me", 7);
  EXPECT_TRUE(end().empty());
}

}  // namespace
}  // namespace linden

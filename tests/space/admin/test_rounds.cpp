// What is drawn on a terminal, round by round.
#include "space/admin/rounds.h"

#include <gtest/gtest.h>

namespace linden::admin {
namespace {

TEST(Frame, BeginsAtTheTopAndErasesWhatWasThere) {
  EXPECT_EQ(frame("one\ntwo\n", 80, 24), "\x1b[Hone\x1b[K\r\ntwo\x1b[K\x1b[J");
}

TEST(Frame, CutsLinesToTheTerminal) {
  EXPECT_EQ(frame("a long line\n", 6, 24), "\x1b[Ha long\x1b[K\x1b[J");
}

TEST(Frame, SaysHowManyLinesDoNotFit) {
  EXPECT_EQ(frame("1\n2\n3\n4\n", 80, 3),
            "\x1b[H1\x1b[K\r\n2\x1b[K\r\n... and 2 lines more\x1b[K\x1b[J");
  EXPECT_EQ(frame("1\n2\n3\n", 80, 3), "\x1b[H1\x1b[K\r\n2\x1b[K\r\n3\x1b[K\x1b[J");
}

TEST(Frame, StandsATerminalOfNoSize) {
  EXPECT_EQ(frame("1\n2\n", 0, 0), "\x1b[H\x1b[K\x1b[J");
}

TEST(Frame, IsEmptyIfNothingIsShown) {
  EXPECT_EQ(frame("", 80, 24), "\x1b[H\x1b[J");
}

}  // namespace
}  // namespace linden::admin

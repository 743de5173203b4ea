// Who is remembered, for how long, and which connection speaks for whom (P36).
#include <gtest/gtest.h>

#include "space/server/session_table.h"

namespace linden::server {
namespace {

using std::chrono::seconds;
using Kind = Admission::Kind;

constexpr Time kStart{seconds(1000)};

wire::Hello hello_of(std::uint64_t number, bool resume = false, Duration absent = {}) {
  wire::Hello hello;
  hello.session = SessionId{1, number};
  hello.resume = resume;
  hello.absent = absent;
  hello.memory = seconds(60);
  return hello;
}

TEST(SessionTable, OpensANewSession) {
  SessionTable table(10);
  const Admission admission = table.admit(hello_of(1), 1, kStart);
  EXPECT_EQ(admission.kind, Kind::kOpened);
  EXPECT_FALSE(admission.replaced);
  EXPECT_EQ(table.size(), 1u);
}

TEST(SessionTable, ResumesWithinTheMemory) {
  SessionTable table(10);
  table.admit(hello_of(1), 1, kStart);
  table.lost(SessionId{1, 1}, 1, kStart);
  const Admission admission = table.admit(hello_of(1, true, seconds(59)), 2, kStart + seconds(60));
  EXPECT_EQ(admission.kind, Kind::kResumed);
  EXPECT_FALSE(admission.replaced);
}

TEST(SessionTable, ExpiresWhoWasAwayForLonger) {
  SessionTable table(10);
  table.admit(hello_of(1), 1, kStart);
  table.lost(SessionId{1, 1}, 1, kStart);
  EXPECT_EQ(table.admit(hello_of(1, true, seconds(1)), 2, kStart + seconds(61)).kind,
            Kind::kExpired);
  table.forget(kStart + seconds(61));
  EXPECT_EQ(table.size(), 0u);
}

// The half-open old connection has not been noticed yet when the client is back already.
TEST(SessionTable, NamesTheConnectionThatIsReplaced) {
  SessionTable table(10);
  table.admit(hello_of(1), 1, kStart);
  EXPECT_EQ(table.admit(hello_of(1, true), 2, kStart).replaced, ConnectionNumber{1});
  table.lost(SessionId{1, 1}, 1, kStart);  // noticed at last: not the one that speaks
  table.closed(SessionId{1, 1}, 1);
  EXPECT_EQ(table.admit(hello_of(1, true), 3, kStart + seconds(900)).replaced, ConnectionNumber{2});
}

// A server that was started again knows nothing of who held nothing; a short absence loses nothing.
TEST(SessionTable, TakesAnUnknownSessionBackByItsAbsence) {
  SessionTable table(10);
  EXPECT_EQ(table.admit(hello_of(1, true, seconds(59)), 1, kStart).kind, Kind::kOpened);
  EXPECT_EQ(table.admit(hello_of(2, true, seconds(60)), 2, kStart).kind, Kind::kExpired);
}

TEST(SessionTable, TakesARestoredSessionBackHoweverLongTheServerWasAway) {
  SessionTable table(10);
  table.restored(SessionId{1, 1}, "engine", seconds(60), kStart);
  EXPECT_EQ(table.admit(hello_of(1, true, seconds(3000)), 1, kStart + seconds(30)).kind,
            Kind::kResumed);
}

TEST(SessionTable, ForgetsAtGoodbye) {
  SessionTable table(10);
  table.admit(hello_of(1), 1, kStart);
  table.closed(SessionId{1, 1}, 1);
  EXPECT_EQ(table.size(), 0u);
}

TEST(SessionTable, KeepsConnectedSessionsForEver) {
  SessionTable table(10);
  table.admit(hello_of(1), 1, kStart);
  table.forget(kStart + seconds(100'000));
  EXPECT_EQ(table.size(), 1u);
}

TEST(SessionTable, HasABound) {
  SessionTable table(1);
  table.admit(hello_of(1), 1, kStart);
  EXPECT_EQ(table.admit(hello_of(2), 2, kStart).kind, Kind::kFull);
  EXPECT_EQ(table.admit(hello_of(1), 3, kStart).kind, Kind::kResumed);
}

// P36: a drop that is repeated after a broken connection is answered as it was.
TEST(SessionTable, RemembersDropsUntilTheyAreAcknowledged) {
  SessionTable table(10);
  table.admit(hello_of(1), 1, kStart);
  table.remember_done(SessionId{1, 1}, RequestId{5}, RequestId{0});
  EXPECT_TRUE(table.has_done(SessionId{1, 1}, RequestId{5}));
  EXPECT_FALSE(table.has_done(SessionId{1, 1}, RequestId{6}));
  table.remember_done(SessionId{1, 1}, RequestId{9}, RequestId{6});
  EXPECT_FALSE(table.has_done(SessionId{1, 1}, RequestId{5}));
}

}  // namespace
}  // namespace linden::server

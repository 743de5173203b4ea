// Answers that nobody waits for travel in company: each of its own would wake a process that has
// other things to do, which costs more than all the rest of a call.
#include <gtest/gtest.h>

#include "tests/space/server/conversation.h"

namespace linden::server {
namespace {

using std::chrono::hours;

// Nothing goes out by the timer within a test.
ServerOptions with_long_patience() {
  ServerOptions options;
  options.limits.patient_answer_max = hours(1);
  return options;
}

TEST(ServerPatience, LetsAnAnswerTravelWithTheNext) {
  RunningServer server(with_long_patience());
  Peer peer(server.unix_path());
  peer.hello(session(1));
  peer.open("jobs");
  const RequestId first = peer.request_patiently(put(1));
  // Another client sees the put, so it has been applied and its answer has been made.
  Peer other(server.unix_path());
  other.hello(session(2));
  other.open("jobs");
  as<Found>(other.ask(take(kForever, TakeMode::kRead)));
  EXPECT_TRUE(peer.has_nothing());
  const RequestId second = peer.request(put(2));
  EXPECT_EQ(as<PutDone>(peer.reply_to(first).answer).first, TupleId{1});
  EXPECT_EQ(as<PutDone>(peer.reply_to(second).answer).first, TupleId{2});
}

TEST(ServerPatience, IsOverInTime) {
  RunningServer server;
  Peer peer(server.unix_path());
  peer.hello(session(1));
  peer.open("jobs");
  as<PutDone>(peer.reply_to(peer.request_patiently(put(1))).answer);
  as<PutDone>(peer.reply_to(peer.request_patiently(put(2))).answer);
}

// P38: bad news does not wait.
TEST(ServerPatience, DoesNotHoldARefusalBack) {
  RunningServer server(with_long_patience());
  Peer peer(server.unix_path());
  peer.hello(session(1));
  peer.open("jobs");
  EXPECT_EQ(as<Refused>(peer.reply_to(peer.request_patiently(TakeOp{})).answer).code,
            ErrorCode::kInvalidArgument);
}

// However many there are, they do not gather without bound.
TEST(ServerPatience, IsBoundedInBytes) {
  ServerOptions options = with_long_patience();
  options.limits.patient_bytes_max = 1000;
  RunningServer server(options);
  Peer peer(server.unix_path());
  peer.hello(session(1));
  peer.open("jobs");
  const RequestId first = peer.request_patiently(put(0));
  for (int i = 1; i < 200; ++i) peer.request_patiently(put(i));
  as<PutDone>(peer.reply_to(first).answer);
}

TEST(ServerPatience, EndsWithAGoodbye) {
  RunningServer server(with_long_patience());
  Peer peer(server.unix_path());
  peer.hello(session(1));
  peer.open("jobs");
  const RequestId id = peer.request_patiently(put(1));
  peer.send(wire::Goodbye{});
  as<PutDone>(peer.reply_to(id).answer);
  EXPECT_TRUE(peer.ends());
}

}  // namespace
}  // namespace linden::server

// Conversations with a server in this process: what every client may rely on.
#include <gtest/gtest.h>

#include "tests/space/server/conversation.h"

namespace linden::server {
namespace {

using std::chrono::seconds;

TEST(Server, WelcomesAndAnswers) {
  RunningServer server;
  Peer peer(server.unix_path());
  const wire::Welcome welcome = peer.hello(session(1));
  EXPECT_EQ(welcome.protocol, wire::kProtocolVersion);
  EXPECT_FALSE(welcome.resumed);
  EXPECT_EQ(welcome.heartbeat, seconds(1));
  peer.open("jobs");
  EXPECT_EQ(as<PutDone>(peer.ask(put(7))), (PutDone{TupleId{1}, 1}));
  const Found found = as<Found>(peer.ask(take()));
  ASSERT_EQ(found.tuples.size(), 1u);
  EXPECT_EQ(found.tuples[0].tuple, (Tuple{"task", 7}));
  EXPECT_EQ(as<Refused>(peer.ask(take())).code, ErrorCode::kNoMatch);
}

TEST(Server, ServesTcpOnLoopback) {
  ServerOptions options;
  options.tcp_address = "127.0.0.1:0";
  RunningServer server(options);
  Peer peer = Peer::over_tcp(server.tcp_address());
  peer.hello(session(1));
  peer.open("jobs");
  as<PutDone>(peer.ask(put(1)));
}

// P9: a client's operations take effect in the order in which they were issued.
TEST(Server, AnswersPipelinedRequestsInTheOrderOfTheirEffects) {
  RunningServer server;
  Peer peer(server.unix_path());
  peer.hello(session(1));
  peer.open("jobs");
  std::vector<RequestId> takes;
  for (int i = 0; i < 5000; ++i) {
    peer.request(put(i));
    takes.push_back(peer.request(take()));
  }
  for (int i = 0; i < 5000; ++i) {
    const Found found = as<Found>(peer.reply_to(takes[static_cast<std::size_t>(i)]).answer);
    ASSERT_EQ(found.tuples.size(), 1u);
    ASSERT_EQ(found.tuples[0].tuple, (Tuple{"task", i}));
  }
}

// P7, P10: the blocked take of one client is served by the put of another.
TEST(Server, HandsAPutToTheTakeThatWaits) {
  RunningServer server;
  Peer worker(server.unix_path());
  worker.hello(session(1));
  worker.open("jobs");
  const RequestId waiting = worker.request(take(kForever, TakeMode::kReserve));
  Peer client(server.unix_path());
  client.hello(session(2));
  client.open("jobs");
  as<PutDone>(client.ask(put(5)));
  const Found found = as<Found>(worker.reply_to(waiting).answer);
  ASSERT_EQ(found.tuples.size(), 1u);
  FinishOp finish;
  finish.items.push_back(
      FinishItem{Token{found.tuples[0].id, found.tuples[0].attempt}, {NewTuple{Tuple{"r"}, {}}}});
  EXPECT_EQ(as<FinishDone>(worker.ask(finish)).codes, std::vector{ErrorCode::kOk});
}

// P12: the timer of the host ends a wait.
TEST(Server, EndsAWaitInTime) {
  RunningServer server;
  Peer peer(server.unix_path());
  peer.hello(session(1));
  peer.open("jobs");
  EXPECT_EQ(as<Refused>(peer.ask(take(std::chrono::milliseconds(20)))).code, ErrorCode::kNoMatch);
}

// Hand-outs to one stream share a frame; none is lost or doubled by that (P15).
TEST(Server, MergesHandoutsOfAStreamIntoFewFrames) {
  RunningServer server;
  Peer worker(server.unix_path());
  worker.hello(session(1));
  worker.open("jobs");
  StreamOp stream;
  stream.templates = {any_task()};
  stream.credit = 1000;
  const RequestId id = worker.request(stream);
  as<Done>(worker.reply_to(id).answer);
  Peer client(server.unix_path());
  client.hello(session(2));
  client.open("jobs");
  PutOp all;
  for (int i = 0; i < 1000; ++i) all.tuples.push_back(task(i));
  as<PutDone>(client.ask(all));
  int next = 0;
  int frames = 0;
  while (next < 1000) {
    const auto event = worker.expect<wire::StreamEvent>();
    EXPECT_EQ(event.stream, id);
    ++frames;
    for (const Handout& handout : std::get<Delivered>(event.event).tuples) {
      ASSERT_EQ(handout.tuple, (Tuple{"task", next++}));
    }
  }
  EXPECT_LE(frames, 4);
}

TEST(ServerSpaces, AreOpenedByNameAndRefusedIfUnknown) {
  RunningServer server;
  Peer peer(server.unix_path());
  peer.hello(session(1));
  wire::OpenSpaceOp open;
  open.name = "nothing";
  EXPECT_EQ(as<Refused>(peer.ask_server(open)).code, ErrorCode::kNoSuchSpace);
  open.name = "bad\nname";
  open.create = true;
  EXPECT_EQ(as<Refused>(peer.ask_server(open)).code, ErrorCode::kInvalidArgument);
  peer.set_space(SpaceNumber{99});
  EXPECT_EQ(as<Refused>(peer.ask(put(1))).code, ErrorCode::kNoSuchSpace);
  peer.open("jobs");  // and goes on (P38)
  as<PutDone>(peer.ask(put(1)));
}

// Two who create the same space at once must find its initial tuples once.
TEST(ServerSpaces, HaveTheirInitialTuplesOnceHoweverOftenTheyAreOpened) {
  RunningServer server;
  Peer peer(server.unix_path());
  peer.hello(session(1));
  const SpaceNumber first = peer.open("jobs", {task(1), task(2)});
  EXPECT_EQ(peer.open("jobs", {task(1), task(2)}), first);
  EXPECT_EQ(as<Counted>(peer.ask(CountOp{any_task()})).count, 2u);
  const PutDone done = as<PutDone>(peer.ask(put(3)));
  EXPECT_GT(done.first, TupleId{2});
}

// P40: who waits in a space that is dropped is told; late finishes are stale.
TEST(ServerSpaces, WakeTheirWaitersWhenTheyAreDropped) {
  RunningServer server;
  Peer worker(server.unix_path());
  worker.hello(session(1));
  worker.open("jobs", {task(1)});
  const Found held = as<Found>(worker.ask(take(Duration{0}, TakeMode::kReserve)));
  const RequestId waiting = worker.request(take(kForever));
  StreamOp stream;
  stream.templates = {any_task()};
  const RequestId standing = worker.request(stream);
  as<Done>(worker.reply_to(standing).answer);
  Peer client(server.unix_path());
  client.hello(session(2));
  as<Done>(client.ask_server(wire::DropSpaceOp{"jobs"}));
  EXPECT_EQ(as<Refused>(worker.reply_to(waiting).answer).code, ErrorCode::kSpaceGone);
  const auto ended = worker.expect<wire::StreamEvent>();
  EXPECT_EQ(ended.stream, standing);
  EXPECT_EQ(std::get<StreamEnded>(ended.event).why.code, ErrorCode::kSpaceGone);
  FinishOp finish;
  finish.items.push_back(FinishItem{Token{held.tuples[0].id, held.tuples[0].attempt}, {}});
  EXPECT_EQ(as<FinishDone>(worker.ask(finish)).codes, std::vector{ErrorCode::kStaleLease});
  EXPECT_EQ(as<Refused>(worker.ask(put(1))).code, ErrorCode::kSpaceGone);
  // The same name is a new space, with a number of its own.
  const SpaceNumber old = worker.space();
  EXPECT_NE(worker.open("jobs"), old);
  EXPECT_EQ(as<Counted>(worker.ask(CountOp{any_task()})).count, 0u);
}

TEST(ServerSpaces, AreListedWithTheirCounts) {
  RunningServer server;
  Peer peer(server.unix_path());
  peer.hello(session(1));
  EXPECT_TRUE(as<wire::SpacesListed>(peer.ask_server(wire::ListSpacesOp{})).spaces.empty());
  peer.open("b", {task(1), task(2)});
  peer.open("a");
  const auto listed = as<wire::SpacesListed>(peer.ask_server(wire::ListSpacesOp{}));
  ASSERT_EQ(listed.spaces.size(), 2u);
  EXPECT_EQ(listed.spaces[0].name, "a");
  EXPECT_EQ(listed.spaces[1].name, "b");
  EXPECT_EQ(listed.spaces[1].tuples, 2u);
}

TEST(ServerStatus, CountsWhatGoesOn) {
  RunningServer server;
  Peer peer(server.unix_path());
  peer.hello(session(1));
  peer.open("jobs");
  as<PutDone>(peer.ask(put(1)));
  const auto status = as<wire::ServerStatus>(peer.ask_server(wire::ServerStatusOp{}));
  EXPECT_EQ(status.pid, static_cast<std::uint32_t>(::getpid()));
  EXPECT_EQ(status.connections, 1u);
  EXPECT_EQ(status.sessions, 1u);
  EXPECT_GE(status.requests, 2u);
}

TEST(Server, AnswersHeartbeats) {
  RunningServer server;
  Peer peer(server.unix_path());
  peer.hello(session(1));
  peer.send(wire::Heartbeat{});
  peer.expect<wire::HeartbeatBack>();
}

// A clean end answers what has come in (here: all of it was sent before stop) and closes.
TEST(Server, StopsCleanlyWithClientsThatWait) {
  RunningServer server;
  Peer peer(server.unix_path());
  peer.hello(session(1));
  peer.open("jobs");
  peer.request(take(kForever));
  as<Counted>(peer.ask(CountOp{any_task()}));
  EXPECT_EQ(server.stop(), kExitClean);
  EXPECT_TRUE(peer.ends());
  EXPECT_FALSE(std::filesystem::exists(server.unix_path()));
}

// A slow reader must not stop others (P30 says it of subscribers; it holds for everyone), and is
// not read from while its answers pile up.
TEST(ServerBackpressure, StopsReadingFromWhoDoesNotReadAndServesTheOthers) {
  ServerOptions options;
  options.limits.outbox_pause_bytes = 64 * 1024;
  RunningServer server(options);
  Peer slow(server.unix_path());
  slow.hello(session(1));
  const Bytes body = Bytes::adopt(std::string(100'000, 'x'));
  slow.open("jobs", {NewTuple{Tuple{"big", Value(body)}, {}}});
  TakeOp read;
  read.mode = TakeMode::kRead;
  read.templates = {Template{"big", kBytes}};
  // 30 MB of answers fill every buffer between the two.
  constexpr int kRequests = 300;
  std::vector<RequestId> ids;
  for (int i = 0; i < kRequests; ++i) ids.push_back(slow.request(read));
  Peer other(server.unix_path());
  other.hello(session(2));
  other.open("jobs");
  for (int i = 0; i < 100; ++i) as<PutDone>(other.ask(put(i)));
  for (const RequestId id : ids) {
    ASSERT_EQ(as<Found>(slow.reply_to(id).answer).tuples.size(), 1u);
  }
}

// What nobody takes off has a bound: such a connection is lost, and only it.
TEST(ServerBackpressure, DropsWhoLetsTooMuchPileUp) {
  ServerOptions options;
  options.limits.outbox_bytes_max = 1 << 20;
  RunningServer server(options);
  Peer slow(server.unix_path());
  slow.hello(session(1));
  slow.open("jobs", {NewTuple{Tuple{"big", Value(Bytes::adopt(std::string(3'000'000, 'x')))}, {}}});
  TakeOp read;
  read.mode = TakeMode::kRead;
  read.templates = {Template{"big", kBytes}};
  slow.request(read);
  EXPECT_TRUE(slow.ends());
  Peer other(server.unix_path());
  other.hello(session(2));
  other.open("jobs");
  as<PutDone>(other.ask(put(1)));
}

// One who sends faster than its space follows is slowed down, and loses nothing.
TEST(ServerBackpressure, BoundsWhatWaitsForASpace) {
  ServerOptions options;
  options.limits.backlog_bytes_max = 1024;
  RunningServer server(options);
  Peer peer(server.unix_path());
  peer.hello(session(1));
  peer.open("jobs");
  for (int i = 0; i < 1000; ++i) peer.request(put(i));
  EXPECT_EQ(as<Counted>(peer.ask(CountOp{any_task()})).count, 1000u);
}

TEST(ServerLimits, TurnsConnectionsAwayBeyondTheLimit) {
  ServerOptions options;
  options.limits.connections_max = 1;
  RunningServer server(options);
  Peer first(server.unix_path());
  first.hello(session(1));
  Peer second(server.unix_path());
  EXPECT_EQ(second.expect<wire::Rejected>().why.code, ErrorCode::kOverloaded);
  EXPECT_TRUE(second.ends());
  first.open("jobs");
}

}  // namespace
}  // namespace linden::server

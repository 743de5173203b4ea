// Sessions outlive their connections (P10, P18, P36).
#include <gtest/gtest.h>

#include "tests/space/server/conversation.h"

namespace linden::server {
namespace {

Token token_of(const Found& found) {
  return Token{found.tuples.at(0).id, found.tuples.at(0).attempt};
}

// P36: what was not answered is said again after a reconnect, and happens once.
TEST(Sessions, ARepeatedRequestHasItsEffectOnce) {
  RunningServer server;
  PutDone first;
  {
    Peer peer(server.unix_path());
    peer.hello(session(1));
    peer.open("jobs");
    peer.set_next_request(10);
    first = as<PutDone>(peer.ask(put(1)));
  }
  Peer again(server.unix_path());
  EXPECT_TRUE(again.hello(session(1), true).resumed);
  again.open("jobs");
  again.set_next_request(10);
  EXPECT_EQ(as<PutDone>(again.ask(put(1))), first);
  EXPECT_EQ(as<Counted>(again.ask(CountOp{any_task()})).count, 1u);
}

// P36 for a take: the tuple that was given with an answer that got lost is given again.
TEST(Sessions, ARepeatedTakeGivesTheSameTuple) {
  RunningServer server;
  {
    Peer peer(server.unix_path());
    peer.hello(session(1));
    peer.open("jobs", {task(1), task(2)});
    peer.set_next_request(10);
    EXPECT_EQ(as<Found>(peer.ask(take())).tuples.at(0).tuple, (Tuple{"task", 1}));
  }
  Peer again(server.unix_path());
  again.hello(session(1), true);
  again.open("jobs");
  again.set_next_request(10);
  EXPECT_EQ(as<Found>(again.ask(take())).tuples.at(0).tuple, (Tuple{"task", 1}));
}

// P18: a client that is back within its hold time keeps what it held, in spaces that it does not
// speak to as well.
TEST(Sessions, KeepTheirReservationsOverAReconnect) {
  RunningServer server;
  Token held;
  SpaceNumber space;
  {
    Peer peer(server.unix_path());
    peer.hello(session(1));
    space = peer.open("jobs", {task(1)});
    held = token_of(as<Found>(peer.ask(take(Duration{0}, TakeMode::kReserve))));
  }
  Peer again(server.unix_path());
  again.hello(session(1), true);
  again.set_space(space);  // without opening it again
  again.set_next_request(100);
  FinishOp finish;
  finish.items.push_back(FinishItem{held, {}});
  EXPECT_EQ(as<FinishDone>(again.ask(finish)).codes, std::vector{ErrorCode::kOk});
}

// A client notices a dead network before the server does.
TEST(Sessions, ASecondConnectionReplacesTheFirst) {
  RunningServer server;
  Peer first(server.unix_path());
  first.hello(session(1));
  first.open("jobs", {task(1)});
  const Token held = token_of(as<Found>(first.ask(take(Duration{0}, TakeMode::kReserve))));
  first.request(take(kForever));
  Peer second(server.unix_path());
  EXPECT_TRUE(second.hello(session(1), true).resumed);
  EXPECT_TRUE(first.ends());
  second.open("jobs");
  second.set_next_request(100);
  FinishOp finish;
  finish.items.push_back(FinishItem{held, {}});
  EXPECT_EQ(as<FinishDone>(second.ask(finish)).codes, std::vector{ErrorCode::kOk});
  // The blocked take of the first connection is gone (P10): the new tuple stays.
  as<PutDone>(second.ask(put(2)));
  EXPECT_EQ(as<Counted>(second.ask(CountOp{any_task()})).count, 1u);
}

// P10, P11: a waiter whose client is gone is never given a tuple.
TEST(Sessions, ABrokenConnectionEndsItsWaits) {
  RunningServer server;
  Peer witness(server.unix_path());
  witness.hello(session(2));
  witness.open("jobs");
  {
    Peer peer(server.unix_path());
    peer.hello(session(1));
    peer.open("jobs");
    peer.request(take(kForever));
    as<Counted>(peer.ask(CountOp{any_task()}));
  }
  // The server reads the end of one socket before what comes later on another.
  Peer again(server.unix_path());
  again.hello(session(1), true);
  as<PutDone>(witness.ask(put(1)));
  EXPECT_EQ(as<Counted>(witness.ask(CountOp{any_task()})).count, 1u);
}

// P18: a goodbye releases at once, and the connection is closed once that is done.
TEST(Sessions, AGoodbyeReleasesEverything) {
  RunningServer server;
  Peer peer(server.unix_path());
  peer.hello(session(1));
  peer.open("jobs", {task(1)});
  as<Found>(peer.ask(take(Duration{0}, TakeMode::kReserve)));
  const RequestId last = peer.request(put(2));
  peer.send(wire::Goodbye{});
  as<PutDone>(peer.reply_to(last).answer);  // what came before is answered
  EXPECT_TRUE(peer.ends());
  Peer other(server.unix_path());
  other.hello(session(2));
  other.open("jobs");
  EXPECT_EQ(as<Counted>(other.ask(CountOp{any_task()})).count, 2u);
}

// P25: a session's own tuples go with it.
TEST(Sessions, AGoodbyeRemovesWhatLivesWithTheSession) {
  RunningServer server;
  Peer peer(server.unix_path());
  peer.hello(session(1));
  peer.open("jobs");
  PutOp registration;
  registration.tuples.push_back(task(1));
  registration.tuples[0].attributes.lives_with = session(1);
  as<PutDone>(peer.ask(registration));
  peer.send(wire::Goodbye{});
  EXPECT_TRUE(peer.ends());
  Peer other(server.unix_path());
  other.hello(session(2));
  other.open("jobs");
  EXPECT_EQ(as<Counted>(other.ask(CountOp{any_task()})).count, 0u);
}

TEST(Sessions, AGoodbyeWithoutAnySpaceJustEnds) {
  RunningServer server;
  Peer peer(server.unix_path());
  peer.hello(session(1));
  peer.send(wire::Goodbye{});
  EXPECT_TRUE(peer.ends());
}

// P36: away for longer than it is remembered.
TEST(Sessions, ExpireAfterTheirMemory) {
  RunningServer server;
  Peer peer(server.unix_path());
  wire::Hello hello;
  hello.session = session(9);
  hello.resume = true;
  hello.absent = std::chrono::seconds(61);
  peer.send(hello);
  EXPECT_EQ(peer.expect<wire::Rejected>().why.code, ErrorCode::kSessionExpired);
  EXPECT_TRUE(peer.ends());
}

// Saying hello twice is harmless: the first Welcome was lost with its connection.
TEST(Sessions, AFirstHelloMayBeRepeated) {
  RunningServer server;
  {
    Peer peer(server.unix_path());
    peer.hello(session(1));
  }
  Peer peer(server.unix_path());
  EXPECT_FALSE(peer.hello(session(1)).resumed);
  peer.open("jobs");
  as<PutDone>(peer.ask(put(1)));
}

// P36 for the server's own requests: the space is there or gone either way.
TEST(Sessions, ARepeatedDropIsAnsweredAsBefore) {
  RunningServer server;
  {
    Peer peer(server.unix_path());
    peer.hello(session(1));
    peer.open("jobs");
    peer.set_next_request(50);
    as<Done>(peer.ask_server(wire::DropSpaceOp{"jobs"}));
  }
  Peer again(server.unix_path());
  again.hello(session(1), true);
  again.set_next_request(50);
  as<Done>(again.ask_server(wire::DropSpaceOp{"jobs"}));
  EXPECT_EQ(as<Refused>(again.ask_server(wire::DropSpaceOp{"jobs"})).code, ErrorCode::kNoSuchSpace);
}

}  // namespace
}  // namespace linden::server

// Several I/O threads: sessions and spaces of different threads post to each other.  Meant for
// ThreadSanitizer as well.
#include <gtest/gtest.h>

#include <deque>
#include <thread>

#include "tests/space/server/conversation.h"

namespace linden::server {
namespace {

constexpr int kTasks = 300;

void produce(const std::string& path, std::uint64_t number, const std::string& space) {
  Peer peer(path);
  peer.hello(session(number));
  peer.open(space);
  std::vector<RequestId> ids;
  for (int i = 0; i < kTasks; ++i) ids.push_back(peer.request(put(i)));
  for (const RequestId id : ids) as<PutDone>(peer.reply_to(id).answer);
  peer.send(wire::Goodbye{});
  EXPECT_TRUE(peer.ends());
}

void consume(const std::string& path, std::uint64_t number, const std::string& space) {
  Peer peer(path);
  peer.hello(session(number));
  peer.open(space);
  for (int i = 0; i < kTasks; ++i) {
    const Found found = as<Found>(peer.ask(take(kForever, TakeMode::kReserve)));
    FinishOp finish;
    finish.items.push_back(FinishItem{Token{found.tuples.at(0).id, found.tuples.at(0).attempt},
                                      {NewTuple{Tuple{"done", i}, {}}}});
    EXPECT_EQ(as<FinishDone>(peer.ask(finish)).codes, std::vector{ErrorCode::kOk});
  }
}

// Opens, drops, reconnects, says rubbish.
void disturb(const std::string& path, std::uint64_t number) {
  for (std::uint64_t i = 0; i < 30; ++i) {
    Peer peer(path);
    peer.hello(session(number), i > 0);
    peer.set_next_request(1 + 100 * i);
    const std::string own = "own-" + std::to_string(number);
    peer.open(own);
    peer.request(take(kForever));
    as<PutDone>(peer.ask(PutOp{{NewTuple{Tuple{"noise"}, {}}}}));
    as<wire::SpacesListed>(peer.ask_server(wire::ListSpacesOp{}));
    as<wire::ServerStatus>(peer.ask_server(wire::ServerStatusOp{}));
    if (i % 3 == 0) as<Done>(peer.ask_server(wire::DropSpaceOp{own}));
    if (i % 5 == 0) peer.send_bytes("rubbish rubbish rubbish");
  }
}

void stress(ServerOptions options) {
  RunningServer server(std::move(options));
  std::vector<std::thread> clients;
  for (std::uint64_t i = 0; i < 3; ++i) {
    const std::string space = "space-" + std::to_string(i);
    clients.emplace_back([&, i, space] { consume(server.unix_path(), 10 + i, space); });
    clients.emplace_back([&, i, space] { produce(server.unix_path(), 20 + i, space); });
    clients.emplace_back([&, i] { disturb(server.unix_path(), 30 + i); });
  }
  for (std::thread& client : clients) client.join();
  Peer witness(server.unix_path());
  witness.hello(session(99));
  for (int i = 0; i < 3; ++i) {
    witness.open("space-" + std::to_string(i));
    const Template done{"done", kInt};
    EXPECT_EQ(as<Counted>(witness.ask(CountOp{done})).count, static_cast<std::uint64_t>(kTasks));
    EXPECT_EQ(as<Counted>(witness.ask(CountOp{any_task()})).count, 0u);
  }
  EXPECT_EQ(server.stop(), kExitClean);
}

// P8: a put that was answered is seen by whoever asks next, on whatever thread its connection is;
// and what was taken is seen by nobody.
TEST(Threads, ShowEachPutToWhoeverAsksNext) {
  ServerOptions options;
  options.threads = 3;
  RunningServer server(options);
  std::deque<Peer> peers;
  for (std::uint64_t i = 0; i < 4; ++i) {
    peers.emplace_back(server.unix_path());
    peers.back().hello(session(1 + i));
    peers.back().open("jobs");
  }
  for (int i = 0; i < 400; ++i) {
    Peer& writer = peers[static_cast<std::size_t>(i) % 4];
    Peer& reader = peers[static_cast<std::size_t>(i + 1 + i / 4 % 3) % 4];
    as<PutDone>(writer.ask(put(i)));
    ASSERT_EQ(as<Found>(reader.ask(take(Duration{0}, TakeMode::kRead))).tuples.at(0).tuple,
              (Tuple{"task", i}));
    as<Found>(reader.ask(take()));
    ASSERT_EQ(as<Refused>(writer.ask(take())).code, ErrorCode::kNoMatch);
  }
}

TEST(Threads, OneServesEverybody) {
  stress({});
}

// Batches are flushed in the middle of a round then, between one socket and the next.
TEST(Threads, ServeEverybodyInBatchesOfOne) {
  for (const unsigned threads : {1U, 3U}) {
    ServerOptions options;
    options.threads = threads;
    options.limits.batch_commands_max = 1;
    stress(options);
  }
}

TEST(Threads, TwoServeEverybody) {
  ServerOptions options;
  options.threads = 2;
  stress(options);
}

TEST(Threads, ThreeServeEverybodyDurably) {
  const Scratch scratch;
  ServerOptions options;
  options.threads = 3;
  options.directory = scratch.path("data");
  options.durability = storage::Durability::kSync;
  stress(options);
}

}  // namespace
}  // namespace linden::server

// tests/bench/bench_round_trip.cpp: what one request costs over a Unix socket, and how many a
// second go through when they are pipelined.  Speaks frames with api/wire alone, so that the
// server's share is not mixed with the client library's.
//
//   bench_round_trip SPACE-SERVER [--only NAME]
// prints one line per figure: name, median, minimum and maximum of the runs, unit.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "api/wire/codec.h"

namespace linden {
namespace {

using SteadyClock = std::chrono::steady_clock;
using Micros = std::chrono::duration<double, std::micro>;

constexpr int kRuns = 5;

// A connection with its own session; blocking, one recv for what has come.
class Link {
 public:
  Link(const std::string& path, std::uint64_t number) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    socket_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
      std::perror("connect");
      std::exit(1);
    }
    wire::Hello hello;
    hello.session = SessionId{static_cast<std::uint64_t>(::getpid()), number};
    encoder_.encode(wire::ClientMessage(hello), out_);
    flush();
    next();
    wire::OpenSpaceOp open;
    open.name = "bench";
    open.create = true;
    encoder_.encode(wire::ClientMessage(wire::ServerRequest{RequestId{id_++}, {}, open}), out_);
    flush();
    const wire::ServerMessage answer = next();
    const auto& reply = std::get<wire::Reply>(answer);
    space_ = std::get<wire::SpaceOpened>(std::get<wire::ServerAnswer>(reply.answer)).number;
  }
  ~Link() { ::close(socket_); }
  Link(const Link&) = delete;

  void request(const Operation& operation) {
    encoder_.encode_request(RequestId{id_++}, RequestId{acknowledged_}, space_, operation, false,
                            out_);
  }
  // All before the next one have been answered.
  void acknowledge_all() { acknowledged_ = id_; }

  void flush() {
    while (!out_.empty()) {
      iovec pieces[64];
      msghdr message{};
      message.msg_iov = pieces;
      message.msg_iovlen = out_.gather(pieces, 64);
      const ssize_t count = ::sendmsg(socket_, &message, MSG_NOSIGNAL);
      if (count <= 0) std::exit(1);
      out_.consume(static_cast<std::size_t>(count));
    }
  }

  wire::ServerMessage next() {
    while (true) {
      std::optional<wire::Frame> frame = reader_.next().value_or_throw();
      if (frame) return decoder_.decode_server(*frame, reader_).value_or_throw();
      const std::span<char> space = reader_.prepare();
      const ssize_t count = ::recv(socket_, space.data(), space.size(), 0);
      if (count <= 0) std::exit(1);
      reader_.commit(static_cast<std::size_t>(count));
    }
  }
  Answer answer() {
    wire::ServerMessage message = next();
    return std::get<Answer>(std::move(std::get<wire::Reply>(message).answer));
  }

 private:
  int socket_;
  wire::Encoder encoder_;
  wire::Decoder decoder_;
  wire::FrameReader reader_{wire::kFrameBytesMaxDefault};
  wire::WriteBuffer out_;
  SpaceNumber space_;
  std::uint64_t id_ = 1;
  std::uint64_t acknowledged_ = 0;
};

PutOp put_of(std::string_view name, std::size_t bytes = 100) {
  return PutOp{{NewTuple{Tuple{name, 1, Value(Bytes::copy_of(std::string(bytes, 'x')))}, {}}}};
}
TakeOp take_of(std::string_view name, TakeMode mode) {
  TakeOp take;
  take.mode = mode;
  take.templates = {Template{name, kInt, kBytes}};
  take.timeout = kForever;
  return take;
}
FinishOp finish_of(const Handout& handout) {
  FinishOp finish;
  finish.items.push_back(FinishItem{Token{handout.id, handout.attempt}, {}});
  return finish;
}

// Microseconds of a put and its answer, one at a time.
double put_round_trip(const std::string& path) {
  Link link(path, 1);
  const PutOp put = put_of("a");
  const TakeOp take = take_of("a", TakeMode::kTake);
  std::vector<double> samples;
  for (int i = 0; i < 3000; ++i) {
    const auto start = SteadyClock::now();
    link.request(put);
    link.flush();
    link.answer();
    samples.push_back(Micros(SteadyClock::now() - start).count());
    link.request(take);
    link.flush();
    link.answer();
    link.acknowledge_all();
  }
  std::nth_element(samples.begin(), samples.begin() + samples.size() / 2, samples.end());
  return samples[samples.size() / 2];
}

// Microseconds from a put to the answer of the reserve that waits for it on another connection:
// half of a ping and a pong.
double hand_over(const std::string& path) {
  constexpr int kRounds = 3000;
  std::thread echo([&] {
    Link link(path, 2);
    link.request(take_of("ping", TakeMode::kReserve));
    link.flush();
    for (int i = 0; i < kRounds;) {
      const Answer answer = link.answer();
      const auto* found = std::get_if<Found>(&answer);
      if (found == nullptr) continue;
      link.request(put_of("pong"));
      link.request(finish_of(found->tuples.at(0)));
      if (++i < kRounds) link.request(take_of("ping", TakeMode::kReserve));
      link.flush();
    }
    link.answer();
    link.answer();
  });
  Link link(path, 3);
  std::vector<double> samples;
  for (int i = 0; i < kRounds; ++i) {
    const auto start = SteadyClock::now();
    link.request(put_of("ping"));
    link.request(take_of("pong", TakeMode::kTake));
    link.flush();
    while (true) {
      const Answer answer = link.answer();
      if (std::holds_alternative<Found>(answer)) break;
    }
    samples.push_back(Micros(SteadyClock::now() - start).count() / 2);
    link.acknowledge_all();
  }
  echo.join();
  std::nth_element(samples.begin(), samples.begin() + samples.size() / 2, samples.end());
  return samples[samples.size() / 2];
}

// put + reserve + finish of 100 bytes, `window` at a time on each of `clients` connections; cycles
// a second.
double cycles(const std::string& path, int clients, int window) {
  std::vector<std::unique_ptr<Link>> links;
  for (int i = 0; i < clients; ++i) {
    links.push_back(std::make_unique<Link>(path, 100 + static_cast<std::uint64_t>(i)));
  }
  const PutOp put = put_of("job");
  const TakeOp take = take_of("job", TakeMode::kReserve);
  std::vector<std::vector<FinishOp>> finishes(links.size());
  const int rounds = std::max(3, 200'000 / (clients * window));
  const auto start = SteadyClock::now();
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < links.size(); ++i) {
      for (const FinishOp& finish : finishes[i]) links[i]->request(finish);
      for (int k = 0; k < window; ++k) {
        links[i]->request(put);
        links[i]->request(take);
      }
      links[i]->flush();
    }
    for (std::size_t i = 0; i < links.size(); ++i) {
      std::size_t missing = finishes[i].size() + static_cast<std::size_t>(2 * window);
      finishes[i].clear();
      for (; missing > 0; --missing) {
        const Answer answer = links[i]->answer();
        if (const auto* found = std::get_if<Found>(&answer)) {
          finishes[i].push_back(finish_of(found->tuples.at(0)));
        }
      }
      links[i]->acknowledge_all();
    }
  }
  return rounds * double(clients) * window /
         std::chrono::duration<double>(SteadyClock::now() - start).count();
}

// The server under test, in a directory of its own.
class ServerProcess {
 public:
  ServerProcess(const char* program, const char* durability) {
    std::string folder = (std::filesystem::temp_directory_path() / "linden-bench-XXXXXX").string();
    if (::mkdtemp(folder.data()) == nullptr) std::exit(1);
    folder_ = folder;
    int ready[2];
    if (::pipe(ready) != 0) std::exit(1);
    pid_ = ::fork();
    if (pid_ == 0) {
      const std::string fd = std::to_string(ready[1]);
      ::execl(program, program, "--directory", folder.c_str(), "--durability", durability,
              "--ready-fd", fd.c_str(), "--log-level", "warn", nullptr);
      ::_exit(127);
    }
    ::close(ready[1]);
    char line[4096];
    if (::read(ready[0], line, sizeof(line)) <= 0) std::exit(1);
    ::close(ready[0]);
  }
  ~ServerProcess() {
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
    std::filesystem::remove_all(folder_);
  }
  [[nodiscard]] std::string socket() const { return (folder_ / "space-server.sock").string(); }

 private:
  std::filesystem::path folder_;
  pid_t pid_;
};

struct Figure {
  const char* name;
  const char* unit;
  std::function<double(const std::string&)> measure;
};

void run(const char* program, const char* only) {
  const Figure figures[] = {
      {"put_round_trip", "us", put_round_trip},
      {"hand_over", "us", hand_over},
      {"cycles_1x1", "/s", [](const std::string& path) { return cycles(path, 1, 1); }},
      {"cycles_1x100", "/s", [](const std::string& path) { return cycles(path, 1, 100); }},
      {"cycles_50x100", "/s", [](const std::string& path) { return cycles(path, 50, 100); }},
  };
  for (const char* durability : {"memory", "process", "sync"}) {
    for (const Figure& figure : figures) {
      const std::string name = std::string(figure.name) + "_" + durability;
      if (only != nullptr && name.find(only) == std::string::npos) continue;
      std::vector<double> results;
      for (int i = 0; i < kRuns; ++i) {
        const ServerProcess server(program, durability);
        results.push_back(figure.measure(server.socket()));
      }
      std::sort(results.begin(), results.end());
      std::printf("%-24s %12.1f  (%.1f to %.1f) %s\n", name.c_str(), results[kRuns / 2],
                  results.front(), results.back(), figure.unit);
      std::fflush(stdout);
    }
  }
}

}  // namespace
}  // namespace linden

int main(int argc, char** argv) {
  if (argc != 2 && !(argc == 4 && std::strcmp(argv[2], "--only") == 0)) {
    std::fprintf(stderr, "usage: bench_round_trip SPACE-SERVER [--only NAME]\n");
    return 2;
  }
  linden::run(argv[1], argc == 4 ? argv[3] : nullptr);
  return 0;
}

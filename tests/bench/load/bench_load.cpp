// tests/bench/load/bench_load.cpp: the load on a queue server, the same for all contestants.
//
//   bench_load WHO ADDRESS --clients 50 --window 100 [--bulk 100] [--seconds 1 | --cycles N]
//       cycles of put, take under a lease and end a second.  Each client says `window` puts and as
//       many takes at once, together with the ends of what it took last, and waits for all answers
//       before it goes on, as redis-benchmark does.  One thread, so that the server has the other
//       core for itself.
//   bench_load WHO ADDRESS --hand-over
//       microseconds from a put to the answer of another client's take that waits for it.
// ADDRESS is unix:PATH or tcp:PORT.  Prints one number; fails if anything was lost or doubled.
#include <unistd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "tests/bench/load/talk.h"

namespace linden::load {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

struct Options {
  std::string who;
  std::string address;
  std::size_t clients = 1;
  std::size_t window = 1;
  std::size_t bulk = 1;
  double seconds = 1;
  std::size_t cycles = 0;  // 0: for so many seconds
  bool hand_over = false;
};

[[noreturn]] void fail_with_errno(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

std::unique_ptr<Talk> make_talk(const std::string& who, std::uint64_t number) {
  if (who == "linden") return make_linden_talk(number);
  if (who == "redis-stream") return make_redis_stream_talk();
  if (who == "redis-list") return make_redis_list_talk();
  if (who == "beanstalkd") return make_beanstalkd_talk();
  if (who == "nats-jetstream") return make_nats_talk(number);
  throw WrongAnswer("no talk with '" + who + "'");
}

int connect_to(const std::string& address) {
  int connected = -1;
  int result = -1;
  if (address.starts_with("unix:")) {
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    std::strncpy(to.sun_path, address.c_str() + 5, sizeof(to.sun_path) - 1);
    connected = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    result = ::connect(connected, reinterpret_cast<const sockaddr*>(&to), sizeof(to));
  } else {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(static_cast<std::uint16_t>(std::stoul(address.substr(4))));
    connected = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(connected, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    result = ::connect(connected, reinterpret_cast<const sockaddr*>(&to), sizeof(to));
  }
  if (result != 0) fail_with_errno("connect");
  return connected;
}

// A talk and the socket that it is held over.
class Client {
 public:
  Client(const Options& options, std::uint64_t number)
      : talk(make_talk(options.who, number)), socket_(connect_to(options.address)) {
    talk->greet(out);
    flush();
    hear_all();
  }
  ~Client() { ::close(socket_); }
  Client(const Client&) = delete;

  // Blocks only if the server does not read.
  void flush() {
    for (std::size_t sent = 0; sent < out.size();) {
      const ssize_t count = ::send(socket_, out.data() + sent, out.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) fail_with_errno("send");
      sent += static_cast<std::size_t>(count);
    }
    out.clear();
  }
  // One read, which waits for something to come, and what it says.
  void hear() {
    if (in_.size() < filled_ + kReadBytes) in_.resize(filled_ + kReadBytes);
    const ssize_t count = ::recv(socket_, in_.data() + filled_, in_.size() - filled_, 0);
    if (count < 0) fail_with_errno("recv");
    if (count == 0) throw WrongAnswer("the server closed the connection");
    filled_ += static_cast<std::size_t>(count);
    const std::size_t used = talk->hear({in_.data(), filled_});
    std::memmove(in_.data(), in_.data() + used, filled_ - used);
    filled_ -= used;
  }
  void hear_all() {
    while (!talk->is_idle()) hear();
  }
  [[nodiscard]] int socket() const { return socket_; }

  const std::unique_ptr<Talk> talk;
  std::string out;

 private:
  static constexpr std::size_t kReadBytes = 64 * 1024;
  const int socket_;
  std::vector<char> in_;
  std::size_t filled_ = 0;
};

using Clients = std::vector<std::unique_ptr<Client>>;

Clients connect_all(const Options& options, std::size_t count) {
  Clients clients;
  for (std::size_t i = 0; i < count; ++i) {
    clients.push_back(std::make_unique<Client>(options, i + 1));
  }
  return clients;
}

Tally tally_of(const Clients& clients) {
  Tally all;
  for (const auto& client : clients) {
    all.put += client->talk->tally().put;
    all.taken += client->talk->tally().taken;
    all.ended += client->talk->tally().ended;
  }
  return all;
}

void check(const Clients& clients) {
  const Tally all = tally_of(clients);
  if (all.put == all.taken && all.taken == all.ended && all.put > 0) return;
  throw WrongAnswer(std::to_string(all.put) + " put, " + std::to_string(all.taken) + " taken, " +
                    std::to_string(all.ended) + " ended");
}

// Rounds of many clients until they are told to stop.
class Rounds {
 public:
  explicit Rounds(const Options& options)
      : options_(options),
        clients_(connect_all(options, options.clients)),
        poll_(::epoll_create1(EPOLL_CLOEXEC)),
        ready_(options.clients) {
    for (const auto& client : clients_) {
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.ptr = client.get();
      if (::epoll_ctl(poll_, EPOLL_CTL_ADD, client->socket(), &event) != 0) {
        fail_with_errno("epoll_ctl");
      }
    }
  }
  ~Rounds() { ::close(poll_); }
  Rounds(const Rounds&) = delete;

  double cycles_per_second() {
    for (const auto& client : clients_) ask(*client);
    if (options_.cycles > 0) return run_to(options_.cycles);
    run_for(options_.seconds / 4);
    const std::uint64_t before = tally_of(clients_).ended;
    const Seconds taken = run_for(options_.seconds);
    const std::uint64_t ended = tally_of(clients_).ended - before;
    if (ended == 0) throw WrongAnswer("not one cycle came to its end in the time");
    finish();
    return static_cast<double>(ended) / taken.count();
  }

 private:
  void ask(Client& client) {
    client.talk->end(options_.bulk > 1, client.out);
    for (std::size_t i = 0; i < options_.window; ++i) client.talk->put(options_.bulk, client.out);
    for (std::size_t i = 0; i < options_.window; ++i) client.talk->take(options_.bulk, client.out);
    client.flush();
  }

  // Hears whoever has been answered, and starts the next round of those who have it all.
  void serve_ready() {
    const int count = ::epoll_wait(poll_, ready_.data(), static_cast<int>(ready_.size()), 5000);
    if (count <= 0) throw WrongAnswer("no answer for 5 s");
    for (int i = 0; i < count; ++i) {
      auto& client = *static_cast<Client*>(ready_[static_cast<std::size_t>(i)].data.ptr);
      client.hear();
      if (!client.talk->is_idle()) continue;
      cycles_ += options_.window * options_.bulk;
      ask(client);
    }
  }

  Seconds run_for(double seconds) {
    const auto start = Clock::now();
    const auto end = start + std::chrono::duration_cast<Clock::duration>(Seconds(seconds));
    while (Clock::now() < end) serve_ready();
    return Clock::now() - start;
  }

  double run_to(std::uint64_t cycles) {
    const auto start = Clock::now();
    while (cycles_ < cycles) serve_ready();
    const Seconds taken = Clock::now() - start;
    finish();
    return static_cast<double>(cycles_) / taken.count();
  }

  // Lets everybody come to an end, so that all can be counted.
  void finish() {
    for (const auto& client : clients_) client->hear_all();
    for (const auto& client : clients_) {
      client->talk->end(options_.bulk > 1, client->out);
      client->talk->ping(client->out);
      client->flush();
    }
    for (const auto& client : clients_) client->hear_all();
    check(clients_);
  }

  const Options& options_;
  const Clients clients_;
  const int poll_;
  std::vector<epoll_event> ready_;
  std::uint64_t cycles_ = 0;
};

// The pings see to it that the take waits before the put comes.
double hand_over_us(const Options& options) {
  const Clients clients = connect_all(options, 2);
  Client& giver = *clients[0];
  Client& taker = *clients[1];
  std::vector<double> samples;
  const auto end =
      Clock::now() + std::chrono::duration_cast<Clock::duration>(Seconds(options.seconds));
  while (Clock::now() < end || samples.size() < 100) {
    taker.talk->take(1, taker.out);
    taker.flush();
    giver.talk->ping(giver.out);
    giver.flush();
    giver.hear_all();
    giver.talk->put(1, giver.out);
    const auto start = Clock::now();
    giver.flush();
    taker.hear_all();
    samples.push_back(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
    giver.hear_all();
    taker.talk->end(false, taker.out);
    taker.talk->ping(taker.out);
    taker.flush();
    taker.hear_all();
  }
  check(clients);
  std::nth_element(samples.begin(), samples.begin() + static_cast<long>(samples.size() / 2),
                   samples.end());
  return samples[samples.size() / 2];
}

Options options_from(int argc, char** argv) {
  Options options;
  if (argc < 3) throw WrongAnswer("usage: bench_load WHO ADDRESS [--clients N] [--window N] ...");
  options.who = argv[1];
  options.address = argv[2];
  for (int i = 3; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--hand-over") {
      options.hand_over = true;
      continue;
    }
    if (i + 1 == argc) throw WrongAnswer(name + " needs a number");
    const char* const value = argv[++i];
    if (name == "--clients") options.clients = std::strtoul(value, nullptr, 10);
    if (name == "--window") options.window = std::strtoul(value, nullptr, 10);
    if (name == "--bulk") options.bulk = std::strtoul(value, nullptr, 10);
    if (name == "--cycles") options.cycles = std::strtoul(value, nullptr, 10);
    if (name == "--seconds") options.seconds = std::strtod(value, nullptr);
  }
  return options;
}

}  // namespace
}  // namespace linden::load

int main(int argc, char** argv) {
  try {
    const linden::load::Options options = linden::load::options_from(argc, argv);
    std::printf("%.4f\n", options.hand_over ? linden::load::hand_over_us(options)
                                            : linden::load::Rounds(options).cycles_per_second());
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_load: %s\n", error.what());
    return 1;
  }
}

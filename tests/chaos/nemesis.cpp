#include "tests/chaos/nemesis.h"

#include <algorithm>
#include <chrono>
#include <thread>

namespace linden::chaos {
namespace {

// How often each fault happens, of a hundred.
constexpr std::array<std::pair<Fault, unsigned>, kFaults> kShares = {{
    {Fault::kServerKilled, 15},
    {Fault::kServerStopped, 10},
    {Fault::kClientKilled, 20},
    {Fault::kClientStopped, 20},
    {Fault::kClientEnded, 10},
    {Fault::kConnectionsCut, 15},
    {Fault::kConnectionsHeldUp, 10},
}};

// A longer time between two steps than this means that the whole machine had other things to do.
constexpr Moment kPause = 100'000;
constexpr Moment kBetweenQuestions = 150'000;
constexpr Moment kEndMax = 120'000'000;

}  // namespace

std::string_view name_of(Fault fault) {
  static constexpr std::array<std::string_view, kFaults> kNames = {
      "server killed", "server stopped",  "client killed",      "client stopped",
      "client ended",  "connections cut", "connections held up"};
  return kNames.at(static_cast<std::size_t>(fault));
}

Nemesis::Nemesis(NemesisOptions options, Server& server, Recorder& controller)
    : options_(std::move(options)),
      server_(server),
      controller_(controller),
      relay_(options_.directory / "relay.sock", server.socket(), options_.seed),
      random_(options_.seed),
      next_fault_(moment_now() + 500'000),
      last_step_(moment_now()) {
  while (clients_.size() < options_.clients) start_client();
}

void Nemesis::later(std::uint64_t milliseconds, std::function<void()> what) {
  due_.emplace(moment_now() + static_cast<Moment>(milliseconds) * 1'000, std::move(what));
}

// What happens on the way back to normal belongs to it.
void Nemesis::note_disturbed(Moment from) {
  controller_.note("disturbed " + std::to_string(from) + ' ' +
                   std::to_string(moment_now() + kPause));
}

void Nemesis::start_client() {
  const ProcessNumber number = ++last_number_;
  // By each way in turn.
  const std::array<std::string, 3> addresses = {
      "unix:" + server_.socket().string(), "tcp:" + server_.tcp(),
      "unix:" + (options_.directory / "relay.sock").string()};
  const std::string name = std::to_string(number);
  Process process(
      {options_.program, "worker", addresses[below(3)],
       (options_.directory / (name + ".history")).string(), name, std::to_string(random_())},
      options_.directory / "clients.log");
  clients_.emplace(number, Client{std::move(process)});
}

void Nemesis::step() {
  const Moment now = moment_now();
  if (now - last_step_ > kPause) note_disturbed(last_step_);
  while (!due_.empty() && due_.begin()->first <= now) {
    const auto what = std::move(due_.begin()->second);
    due_.erase(due_.begin());
    what();
  }
  reap();
  while (clients_.size() < options_.clients) start_client();
  watch_gone();
  if (now >= next_fault_) {
    std::uint64_t number = below(100);
    for (const auto& [fault, share] : kShares) {
      if (number < share) {
        let_happen(fault);
        break;
      }
      number -= share;
    }
    next_fault_ = moment_now() + static_cast<Moment>(20 + below(400)) * 1'000;
  }
  last_step_ = moment_now();
}

void Nemesis::let_happen(Fault fault) {
  auto& count = counts_[static_cast<std::size_t>(fault)];
  switch (fault) {
    case Fault::kServerKilled:
      if (server_is_well_) ++count, kill_server();
      break;
    case Fault::kServerStopped:
      if (server_is_well_) ++count, stop_server();
      break;
    case Fault::kConnectionsCut:
      ++count;
      relay_.cut();
      note_disturbed(moment_now());
      break;
    case Fault::kConnectionsHeldUp:
      if (relay_is_well_) ++count, hold_up();
      break;
    case Fault::kClientKilled:
      with_some_client([&](ProcessNumber, Client& client) {
        ++count;
        client.ending = true;
        client.process.signal(SIGKILL);
      });
      break;
    case Fault::kClientStopped:
      with_some_client([&](ProcessNumber number, Client& client) {
        ++count;
        client.process.signal(SIGSTOP);
        later(50 + below(1'500), [this, number] {
          const auto found = clients_.find(number);
          if (found != clients_.end()) found->second.process.signal(SIGCONT);
        });
      });
      break;
    case Fault::kClientEnded:
      with_some_client([&](ProcessNumber, Client& client) {
        ++count;
        client.ending = true;
        client.process.signal(SIGTERM);
      });
  }
}

void Nemesis::kill_server() {
  server_is_well_ = false;
  const Moment from = moment_now();
  server_.kill();
  later(below(300), [this, from] {
    server_.start();
    server_is_well_ = true;
    note_disturbed(from);
  });
}

void Nemesis::stop_server() {
  server_is_well_ = false;
  const Moment from = moment_now();
  server_.stop();
  later(20 + below(800), [this, from] {
    server_.go_on();
    server_is_well_ = true;
    note_disturbed(from);
  });
}

void Nemesis::hold_up() {
  relay_is_well_ = false;
  const Moment from = moment_now();
  relay_.hold_up(true);
  later(20 + below(1'500), [this, from] {
    relay_.hold_up(false);
    relay_is_well_ = true;
    note_disturbed(from);
  });
}

// One that nobody has told to end yet.
void Nemesis::with_some_client(const std::function<void(ProcessNumber, Client&)>& what) {
  std::vector<ProcessNumber> numbers;
  for (const auto& [number, client] : clients_) {
    if (!client.ending) numbers.push_back(number);
  }
  if (numbers.empty()) return;
  const ProcessNumber number = numbers[below(numbers.size())];
  what(number, clients_.at(number));
}

void Nemesis::reap() {
  for (auto client = clients_.begin(); client != clients_.end();) {
    const auto status = client->second.process.ended();
    if (!status) {
      ++client;
      continue;
    }
    // One that has just started may be told to end before it can say goodbye.
    const bool wanted = client->second.ending &&
                        (*status == 0 || *status == 128 + SIGKILL || *status == 128 + SIGTERM);
    if (!wanted) {
      surprises_.push_back("client " + std::to_string(client->first) + " ended with " +
                           std::to_string(*status) + "; clients.log may say why");
    }
    ended_[client->first] = 0;
    client = clients_.erase(client);
  }
}

// Asks without waiting: the server may be stopped, by us.
void Nemesis::watch_gone() {
  linden::Client client = controller_.space().client();
  if (!question_ && !ended_.empty() && moment_now() >= next_question_) {
    question_ = client.send(controller_.space().number(), ListSessionsOp{});
    asked_about_.clear();
    for (const auto& [number, times] : ended_) asked_about_.insert(number);
  }
  if (!question_) return;
  const auto answer = client.wait(*question_, Duration::zero());
  if (!answer) return;
  question_.reset();
  next_question_ = moment_now() + kBetweenQuestions;
  std::set<std::string> connected;
  const auto* listed = std::get_if<SessionsListed>(&*answer);
  if (listed == nullptr) return;
  for (const SessionInfo& session : listed->sessions) {
    if (session.connected) connected.insert(session.name);
  }
  for (const ProcessNumber number : asked_about_) {
    if (connected.contains("worker-" + std::to_string(number))) continue;
    if (++ended_[number] < 2) continue;
    ended_.erase(number);
    controller_.note("gone " + std::to_string(number) + ' ' + std::to_string(moment_now()));
  }
}

bool Nemesis::finish() {
  while (!due_.empty()) {
    const auto what = std::move(due_.begin()->second);
    due_.erase(due_.begin());
    what();
  }
  for (auto& [number, client] : clients_) {
    client.ending = true;
    client.process.signal(SIGCONT);
    client.process.signal(SIGTERM);
  }
  const Moment until = moment_now() + kEndMax;
  while ((!clients_.empty() || !ended_.empty()) && moment_now() < until) {
    reap();
    watch_gone();
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return clients_.empty() && ended_.empty();
}

}  // namespace linden::chaos

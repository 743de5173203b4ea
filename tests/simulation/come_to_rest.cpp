// tests/simulation/come_to_rest.cpp: after the faults, whatever can be served is served.
#include <algorithm>

#include "tests/simulation/simulation.h"

namespace linden::simulation {
namespace {

using std::chrono::milliseconds;

// Longer than any time that is asked for but "for ever" and the leases of some transactions, which
// their sessions renew.
constexpr Duration kLongEnough = milliseconds(12'000);
constexpr Duration kHeartbeat = milliseconds(200);
constexpr int kExchangesMax = 1'000;
constexpr std::size_t kFieldsMost = 3;

bool may_wait_for_ever(const Operation& operation) {
  const auto* take = std::get_if<TakeOp>(&operation);
  return take != nullptr && take->timeout == kForever;
}

}  // namespace

// Nothing is lost and nothing is late any more; everybody is there.
void Simulation::come_to_rest() {
  note("no more faults");
  apply(core::DiskSpace{false});
  for (SimClient& client : clients_) {
    if (!client.connected) connect(client);
  }
  exchange_all();
  for (const Time until = now_ + kLongEnough; now_ < until;) {
    pass_time(kHeartbeat, false);
    for (SimClient& client : clients_) {
      client.sent.emplace_back(core::SessionHeard{client.id, client.acknowledged()});
    }
    exchange_all();
  }
  check_everybody_is_answered();
  leave_all();
  take_all();
}

// Until nobody has anything to say.
void Simulation::exchange_all() {
  for (int turn = 0; turn < kExchangesMax; ++turn) {
    const bool silent = std::all_of(clients_.begin(), clients_.end(), [](const SimClient& client) {
      return client.sent.empty() && client.received.empty();
    });
    if (silent && effects_.messages.empty() && effects_.mutations.empty()) return;
    for (SimClient& client : clients_) {
      while (!client.sent.empty()) serve(client);
    }
    commit();
    for (SimClient& client : clients_) receive(client);
  }
  fail("clients and server do not come to an end with each other");
}

// That no waiting request matches a ready tuple has been looked at after every command.
void Simulation::check_everybody_is_answered() {
  for (const SimClient& client : clients_) {
    for (const auto& [request, operation] : client.unanswered) {
      if (may_wait_for_ever(operation)) continue;
      fail("request " + std::to_string(request.value) + " of s" + std::to_string(client.id.low) +
           " has not been answered");
    }
  }
}

void Simulation::leave_all() {
  for (SimClient& client : clients_) say_goodbye(client);
  commit();
  const core::SpaceCounters counters = state_.counters();
  if (counters.reserved != 0 || counters.waiters != 0) {
    fail("something is held, or waits, although everybody has left");
  }
}

// One who comes later gets all that there is, once it is revived and no longer paused.
void Simulation::take_all() {
  SimClient& client = clients_.front();
  connect(client);
  ReviveOp revive;
  revive.all = true;
  ask(client, revive);
  ask(client, ResumeOp{{}, true});
  // One that goes may let another come forward.
  std::uint64_t taken = 0;
  do {
    taken = state_.counters().takes;
    for (std::size_t fields = 1; fields <= kFieldsMost; ++fields) {
      TakeOp take;
      take.templates = {Template(std::vector<TemplateField>(fields, kAny))};
      take.count_max = 1'000;
      ask(client, take);
    }
    exchange_all();
  } while (taken != state_.counters().takes);
  const core::SpaceCounters left = state_.counters();
  if (left.ready != 0 || left.paused != 0 || left.dead != 0) {
    fail("tuples are free, but cannot be taken");
  }
  say_goodbye(client);
  commit();
}

}  // namespace linden::simulation

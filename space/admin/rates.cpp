// space/admin/rates.cpp
#include "space/admin/rates.h"

#include <fmt/format.h>

namespace linden::admin {

void Rates::look(const ServerInfo& server, const std::vector<SpaceStatus>& spaces, Time now) {
  before_ = std::exchange(now_, Look{server, {}, now});
  for (const SpaceStatus& space : spaces) now_.spaces[space.number] = space;
  ++looks_;
}

double Rates::per_second(std::uint64_t before, std::uint64_t now) const {
  const double seconds = std::chrono::duration<double>(now_.at - before_.at).count();
  if (looks_ < 2 || seconds <= 0) return 0;
  // A server that was started again in between counts from 0.
  return static_cast<double>(now < before ? now : now - before) / seconds;
}

SpaceRates Rates::of(const SpaceStatus& space) const {
  const auto found = before_.spaces.find(space.number);
  if (found == before_.spaces.end()) return {};
  const SpaceStatus& before = found->second;
  return {per_second(before.puts, space.puts), per_second(before.takes, space.takes),
          per_second(before.finishes, space.finishes), per_second(before.expired, space.expired),
          per_second(before.scans, space.scans)};
}

std::pair<double, double> Rates::of_server() const {
  return {per_second(before_.server.requests, now_.server.requests),
          per_second(before_.server.commits, now_.server.commits)};
}

std::string per_second(double rate) {
  if (rate == 0) return "0";
  return rate < 9.95 ? fmt::format("{:.1f}", rate) : fmt::format("{:.0f}", rate);
}

}  // namespace linden::admin

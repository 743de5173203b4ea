// space/admin/rates.h: what happens per second, from what a server has counted.  Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <linden/client.h>

namespace linden::admin {

struct SpaceRates {
  double puts = 0;
  double takes = 0;
  double finishes = 0;
  double expired = 0;
  double scans = 0;
};

// Compares the last two looks.  Before the second one all rates are 0.
class Rates {
 public:
  using Time = std::chrono::steady_clock::time_point;

  void look(const ServerInfo& server, const std::vector<SpaceStatus>& spaces, Time now);

  // 0 for a space that is new: its counts are from before it was looked at.
  [[nodiscard]] SpaceRates of(const SpaceStatus& space) const;
  // Requests and commits.
  [[nodiscard]] std::pair<double, double> of_server() const;

 private:
  struct Look {
    ServerInfo server;
    std::map<SpaceNumber, SpaceStatus> spaces;
    Time at{};
  };
  [[nodiscard]] double per_second(std::uint64_t before, std::uint64_t now) const;

  Look before_, now_;
  int looks_ = 0;
};

// "0", "3.5", "120"
[[nodiscard]] std::string per_second(double rate);

}  // namespace linden::admin

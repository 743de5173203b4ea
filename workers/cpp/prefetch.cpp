// workers/cpp/prefetch.cpp
#include "workers/cpp/prefetch.h"

#include <algorithm>

namespace linden {
namespace {

constexpr std::uint32_t kCreditMin = 2;
// So much work should lie ready: twice what results are gathered for, since new tasks come when
// results have gone.
constexpr double kCoveredS = 0.008;
constexpr double kWeight = 0.2;
constexpr double kShortestS = 1e-6;

}  // namespace

Prefetch::Prefetch(std::uint32_t credit_max)
    : credit_max_(std::max(credit_max, kCreditMin)), credit_(kCreditMin), mean_s_(kCoveredS) {}

bool Prefetch::observe(double seconds) {
  // A long task counts at once, short ones need a few: holding too much is worse than too little.
  const double weight = seconds > 4 * mean_s_ ? 1.0 : kWeight;
  mean_s_ += weight * (seconds - mean_s_);
  const double wanted = kCoveredS / std::max(mean_s_, kShortestS);
  const auto credit = static_cast<std::uint32_t>(
      std::clamp<double>(wanted, kCreditMin, static_cast<double>(credit_max_)));
  // Small changes are not worth a message.
  const bool is_small = 2 * credit > credit_ && 4 * credit < 5 * credit_ && credit > kCreditMin &&
                        credit < credit_max_;
  if (credit == credit_ || is_small) return false;
  credit_ = credit;
  return true;
}

}  // namespace linden

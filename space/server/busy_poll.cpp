#include "space/server/busy_poll.h"

#include <algorithm>

namespace linden::server {

namespace {

// One long pause among short gaps should not weigh more than some of them.
constexpr Duration kGapCounted = std::chrono::microseconds(1000);
constexpr int kGapsRemembered = 8;

// When others keep the core for longer than any gap that is waited out.
constexpr Duration kAfterContention = std::chrono::milliseconds(10);

}  // namespace

bool BusyPoll::look_again(Time now) {
  if (idle_since_ == kNever) idle_since_ = now;
  return gap_expected_ <= gap_max_ && now - idle_since_ <= gap_max_ && now >= not_before_ &&
         gap_max_ > Duration::zero();
}

void BusyPoll::found(Time now) {
  if (idle_since_ == kNever) return;
  const Duration gap = std::min(now - idle_since_, kGapCounted);
  gap_expected_ += (gap - gap_expected_) / kGapsRemembered;
  idle_since_ = kNever;
}

void BusyPoll::offered(Time before, Time after) {
  if (after - before > gap_max_) not_before_ = after + kAfterContention;
}

}  // namespace linden::server

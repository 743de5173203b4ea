#include "space/core/wait_index.h"

#include <algorithm>

namespace linden::core {
namespace {

constexpr std::uint32_t kNoTemplate = UINT32_MAX;

}  // namespace

void WaitIndex::add(const Waiter& waiter) {
  for (const Template& form : waiter.templates) lines_.line_of(form).insert(waiter.turn);
}

// Two templates of one line: it is gone already at the second.
void WaitIndex::remove(const Waiter& waiter) {
  for (const Template& form : waiter.templates) {
    lines_.leave_line_of(form, [&](Line& line) { line.erase(waiter.turn); });
  }
}

std::uint32_t WaitIndex::first_match(const Waiter& waiter, const encoding::FieldTable& tuple) {
  ++looked_at_;
  for (std::uint32_t i = 0; i < waiter.templates.size(); ++i) {
    if (encoding::matches(waiter.templates[i], tuple)) return i;
  }
  return kNoTemplate;
}

WaitIndex::Match WaitIndex::next(const encoding::FieldTable& tuple, bool exclusive, Slot only) {
  Match best;
  Turn best_turn;
  lines_.visit(tuple, [&](const Line& line) {
    for (const Turn& turn : line) {
      if (best.waiter != kNoSlot && best_turn < turn) return;
      if (exclusive && turn.held > 0) return;
      if (only != kNoSlot && waiters_[turn.waiter].transaction != only) continue;
      const std::uint32_t form = first_match(waiters_[turn.waiter], tuple);
      if (form == kNoTemplate) continue;
      best = {turn.waiter, form};
      best_turn = turn;
      return;
    }
  });
  return best;
}

void WaitIndex::find_all(const encoding::FieldTable& tuple, std::vector<Match>& out) {
  const std::size_t before = out.size();
  lines_.visit(tuple, [&](const Line& line) {
    for (const Turn& turn : line) {
      const std::uint32_t form = first_match(waiters_[turn.waiter], tuple);
      if (form != kNoTemplate) out.push_back({turn.waiter, form});
    }
  });
  const auto first = out.begin() + static_cast<std::ptrdiff_t>(before);
  std::sort(first, out.end(), [&](const Match& a, const Match& b) {
    return waiters_[a.waiter].number < waiters_[b.waiter].number;
  });
  out.erase(std::unique(first, out.end(),
                        [](const Match& a, const Match& b) { return a.waiter == b.waiter; }),
            out.end());
}

}  // namespace linden::core

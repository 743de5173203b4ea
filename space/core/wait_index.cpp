#include "space/core/wait_index.h"

#include <algorithm>

namespace linden::core {
namespace {

constexpr std::uint32_t kNoTemplate = UINT32_MAX;
// A mask that nobody waits with stays as long as there are few, or a lone waiter that comes and
// goes would make and destroy a table each time.
constexpr std::size_t kEmptyMasksKept = 8;

// The template without fields has no Parsed::actual_hash worth the name.
std::uint64_t hash_of(const Template& form) {
  static const encoding::FieldTable kNothing;
  return form.actual_mask() == 0 ? encoding::hash(kNothing, 0) : form.parsed().actual_hash;
}

}  // namespace

void WaitIndex::add(const Waiter& waiter) {
  for (const Template& form : waiter.templates) {
    std::vector<MaskIndex>& masks = by_arity_[form.size()];
    const std::uint64_t mask = form.actual_mask();
    auto index = std::find_if(masks.begin(), masks.end(),
                              [&](const MaskIndex& item) { return item.mask == mask; });
    if (index == masks.end()) {
      masks.emplace_back().mask = mask;
      index = std::prev(masks.end());
    }
    index->lines[hash_of(form)].insert(waiter.turn);
  }
}

void WaitIndex::remove(const Waiter& waiter) {
  for (const Template& form : waiter.templates) {
    std::vector<MaskIndex>& masks = by_arity_[form.size()];
    const std::uint64_t mask = form.actual_mask();
    const auto index = std::find_if(masks.begin(), masks.end(),
                                    [&](const MaskIndex& item) { return item.mask == mask; });
    if (index == masks.end()) continue;  // two templates of one line: it is gone already
    const auto line = index->lines.find(hash_of(form));
    if (line == index->lines.end()) continue;
    line->second.erase(waiter.turn);
    if (line->second.empty()) index->lines.erase(line);
    if (index->lines.empty() && masks.size() > kEmptyMasksKept) masks.erase(index);
  }
}

std::uint32_t WaitIndex::first_match(const Waiter& waiter, const encoding::FieldTable& tuple) {
  ++looked_at_;
  for (std::uint32_t i = 0; i < waiter.templates.size(); ++i) {
    if (encoding::matches(waiter.templates[i], tuple)) return i;
  }
  return kNoTemplate;
}

// Calls `visit(line)` for each line that may hold matching waiters.
template <class Visit>
void WaitIndex::visit(const encoding::FieldTable& tuple, Visit&& visit) {
  for (const MaskIndex& index : by_arity_[tuple.count]) {
    if (index.lines.empty()) continue;
    const auto line = index.lines.find(encoding::hash(tuple, index.mask));
    if (line != index.lines.end()) visit(line->second);
  }
}

WaitIndex::Match WaitIndex::next(const encoding::FieldTable& tuple, bool exclusive, Slot only) {
  Match best;
  Turn best_turn;
  visit(tuple, [&](const Line& line) {
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
  visit(tuple, [&](const Line& line) {
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

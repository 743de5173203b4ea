// space/core/wait_index.h: who waits, findable by tuple, in the order of their turns.
#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "api/model/encoding.h"
#include "space/core/mask_lines.h"
#include "space/core/waiter.h"

namespace linden::core {

class WaitIndex {
 public:
  explicit WaitIndex(const Slab<Waiter>& waiters) : waiters_(waiters) {}

  // `waiter.turn` must not change while it stands here.  O(templates log waiters).
  void add(const Waiter& waiter);
  void remove(const Waiter& waiter);

  // The waiter whose turn it is among those with a matching template, and the first template of it
  // that matches.  With `exclusive` only those that hold nothing; with `only`, those that wait in
  // that transaction.
  struct Match {
    Slot waiter = kNoSlot;
    std::uint32_t template_index = 0;
  };
  [[nodiscard]] Match next(const encoding::FieldTable& tuple, bool exclusive, Slot only = kNoSlot);

  // All waiters with a matching template, those that came first first.
  void find_all(const encoding::FieldTable& tuple, std::vector<Match>& out);

  [[nodiscard]] std::uint64_t looked_at() const { return looked_at_; }

 private:
  using Line = std::set<Turn>;
  [[nodiscard]] std::uint32_t first_match(const Waiter& waiter, const encoding::FieldTable& tuple);

  const Slab<Waiter>& waiters_;
  MaskLines<Line> lines_;
  std::uint64_t looked_at_ = 0;
};

}  // namespace linden::core

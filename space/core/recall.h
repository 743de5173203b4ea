// space/core/recall.h: which hand-out to ask back for somebody who is idle (F4).
//
// A stream with credit above one is handed tuples ahead of need.  When another reserver has nothing
// to do and nothing ready matches, the newest hand-out that has not begun is asked back from the
// stream that has most of them.
#pragma once

#include <vector>

#include "api/model/encoding.h"
#include "space/core/session_table.h"
#include "space/core/tuple_table.h"
#include "space/core/waiter.h"

namespace linden::core {

class Recall {
 public:
  Recall(const TupleTable& tuples, SessionTable& sessions, Slab<Waiter>& waiters)
      : tuples_(tuples), sessions_(sessions), waiters_(waiters) {}

  // The hand-out was given ahead to its stream, or has begun or left it.  O(1).
  void add_unstarted(Slot holding);
  void remove_unstarted(Slot holding);

  [[nodiscard]] bool anything_unstarted() const { return !holders_.empty(); }

  // The hand-out to ask back for `waiter`; kNoSlot if there is none.  O(hand-outs that have not
  // begun) at worst, and only done for a reserver that is idle.
  [[nodiscard]] Slot choose(const Waiter& waiter);

 private:
  [[nodiscard]] Slot newest_match(const Waiter& stream, const Waiter& waiter);

  const TupleTable& tuples_;
  SessionTable& sessions_;
  Slab<Waiter>& waiters_;
  std::vector<Slot> holders_;  // streams with unstarted > 0, in no order
  encoding::FieldTable fields_;
};

}  // namespace linden::core

// space/core/tuple_table.h: every tuple of a space, by slot and by id.
//
// An entry is small (48 bytes beside the tuple itself); what only few tuples need hangs off it.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "api/model/operation.h"
#include "space/core/slab.h"

namespace linden::core {

enum class EntryState : std::uint8_t {
  kReady,     // free for everybody, or about to be
  kReserved,  // handed out under a lease
  kHeld,      // taken in an open transaction: durably ready, hidden until its end (P27)
  kTaken,     // taken for good, kept for a repeated request (P36); nobody sees it
  kDead,      // attempts used up, no will (P19)
  kDelayed,   // not visible before its time (P18, P22)
  kBehind,    // behind an earlier tuple of its group (P22)
  kGuarded,   // waits for its guards (P24)
};
inline constexpr std::size_t kEntryStates = static_cast<std::size_t>(EntryState::kGuarded) + 1;

// What a put said beyond the priority, and what became of it.
struct EntryExtra {
  Attributes attributes;
  Time expires_at = kNever;
  Time visible_at{};  // while it is delayed; else zero
  // Guards; empty once all have been met.
  std::vector<bool> met;
  std::uint32_t open_guards = 0;  // not met yet
  bool overfull = false;          // what its guards have filled in is more than a tuple may hold

  // None of those in the attributes has been met.
  void begin_guards() {
    const std::size_t count = attributes.rare ? attributes.rare->when.size() : 0;
    met.assign(count, false);
    open_guards = static_cast<std::uint32_t>(count);
  }
  // They have done their work; what is left of the rare attributes is the group.
  void drop_guards();
};

struct Entry {
  Tuple tuple;
  TupleId id;  // 0: the slot is free
  std::unique_ptr<EntryExtra> extra;
  std::int32_t priority = 0;
  std::uint32_t attempt = 0;         // hand-outs so far
  std::uint32_t started_before = 0;  // started hand-outs that ended without a finish
  Slot holding = kNoSlot;            // kReserved, kTaken: the hand-out; kHeld: the transaction
  std::uint32_t indexed_in = 0;      // TemplateIndex: bit i: index i has a reference to this
  EntryState state = EntryState::kReady;
  bool exclusive = false;    // max_attempts == 1: never handed out ahead
  bool read_locked = false;  // kReady: read in an open transaction, and not to be taken by others
  bool paused = false;       // kReady: matches a pause, and not to be handed out

  [[nodiscard]] std::uint32_t max_attempts() const {
    return extra ? extra->attributes.max_attempts : 0;
  }
  [[nodiscard]] Time expires_at() const { return extra ? extra->expires_at : kNever; }
  [[nodiscard]] Time visible_at() const { return extra ? extra->visible_at : Time{}; }
  [[nodiscard]] std::string_view group() const {
    return extra && extra->attributes.rare ? std::string_view(extra->attributes.rare->group)
                                           : std::string_view();
  }
  // Makes room for what only few tuples need.
  EntryExtra& make_extra() {
    if (!extra) extra = std::make_unique<EntryExtra>();
    return *extra;
  }
  // Attributes as they were put.
  [[nodiscard]] Attributes attributes() const;
};

class TupleTable {
 public:
  // Adds a ready tuple; `id` must be new.  O(1).
  Slot add(TupleId id, Tuple tuple, Attributes&& attributes, Time expires_at);
  void remove(Slot slot);

  [[nodiscard]] Slot find(TupleId id) const;  // kNoSlot if there is none
  [[nodiscard]] Entry& operator[](Slot slot) { return entries_[slot]; }
  [[nodiscard]] const Entry& operator[](Slot slot) const { return entries_[slot]; }
  [[nodiscard]] std::size_t size() const { return size_; }

  // It will be looked at and removed soon: what lies behind its entry is on its way from memory.
  void foresee(Slot slot) const;

  // The tuple with the lowest id above `id`; kNoSlot at the end.  O(1) amortized over a walk.
  [[nodiscard]] Slot next_after(TupleId id) const;

 private:
  // Ids are dense, so they are looked up by page: 4 bytes a tuple, and walks go in order of put.
  static constexpr std::uint64_t kPageIds = 64;
  struct Page {
    std::uint64_t used = 0;  // bit i: there is a tuple at slots[i]
    std::array<Slot, kPageIds> slots;
  };
  [[nodiscard]] Page* page_of(TupleId id) const;
  void drop_newest_page_if_empty();

  Slab<Entry> entries_;
  std::map<std::uint64_t, std::unique_ptr<Page>> pages_;
  boost::unordered_flat_map<std::uint64_t, Page*> page_by_number_;
  std::size_t size_ = 0;
};

}  // namespace linden::core

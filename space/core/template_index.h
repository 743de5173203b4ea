// space/core/template_index.h: the ready tuples, findable by template (docs/design/matching.md).
//
// Tuples are grouped by arity.  For each mask (set of actual positions) that templates use, a hash
// index leads from the values of these fields to a bucket of references in the order in which they
// are to be handed out: highest priority first, then the oldest (P5).  The index of the empty mask
// always exists; the others are learned at first use and dropped when they only cost.  So the cost
// of an equality match depends neither on the number of tuples nor on which fields are actuals
// (P6).
//
// A tuple that stops being ready is only marked; its references are dropped when somebody walks
// over them or when a sweep finds that they are the majority.  So that costs O(1) amortized too,
// whichever index found the tuple.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <boost/container/small_vector.hpp>
#include <boost/unordered/unordered_flat_map.hpp>

#include "api/model/encoding.h"
#include "space/core/limits.h"
#include "space/core/tuple_table.h"

namespace linden::core {

class TemplateIndex {
 public:
  TemplateIndex(TupleTable& tuples, const Limits& limits) : tuples_(tuples), limits_(limits) {}

  // The tuple at `slot` is ready and nobody waits for it.  `fields` is its split.
  void add(Slot slot, const encoding::FieldTable& fields);
  // It is not ready any more; its state has been changed already or will be before the next call.
  void remove(Slot slot);

  // A ready tuple in a walk is offered if it is not `exclusive`, or if the walk wants those too.
  enum class Exclusive : bool { kSkip, kOffer };

  // So is one that is paused, which takes do not want and reads do.
  enum class Paused : bool { kSkip, kOffer };

  // The first match in the order of P5; kNoSlot if there is none.
  [[nodiscard]] Slot best(const Template& form, Exclusive exclusive,
                          Paused paused = Paused::kOffer);

  // Calls `visit(slot)` for matches in the order of P5, or in order of id above `after`, until it
  // returns false.  Nothing may be added or removed meanwhile.
  template <class Visit>
  void visit_best(const Template& form, Exclusive exclusive, Visit&& visit) {
    visit_best(form, exclusive, Paused::kOffer, std::forward<Visit>(visit));
  }
  template <class Visit>
  void visit_best(const Template& form, Exclusive exclusive, Paused paused, Visit&& visit) {
    Walk walk(*this, form, exclusive, paused);
    for (Slot slot = walk.next(); slot != kNoSlot && visit(slot);) slot = walk.next();
  }
  template <class Visit>
  void visit_by_id(const Template& form, TupleId after, Visit&& visit) {
    Walk walk(*this, form, after);
    for (Slot slot = walk.next(); slot != kNoSlot && visit(slot);) slot = walk.next();
  }

  // Templates that will be looked up next.  Changes nothing that can be seen: what the look-ups
  // will read is on its way from memory afterwards, for many at a time instead of for one after
  // another (group prefetching: Chen, Ailamaki, Gibbons and Mowry, "Improving Hash Join Performance
  // through Prefetching", ICDE 2004).
  void foresee(std::span<const Template* const> forms) const;

  // Ready tuples of that arity are paused now, or no more.  O(references to tuples of the arity).
  void regroup(std::size_t arity);

  // A look-up that compares so many tuples in vain is a scan: its actuals, if it has any, leave
  // over too much for its formals to choose from.
  static constexpr std::uint32_t kScanMin = 64;
  [[nodiscard]] std::uint64_t scans() const { return scans_; }

  // How `form` would be looked up.  Learns nothing.  O(candidates), or O(tuples of the arity) if
  // the index is not there yet.
  [[nodiscard]] Explained explain(const Template& form) const;

  [[nodiscard]] std::uint64_t ready() const { return ready_; }
  [[nodiscard]] std::uint64_t learned() const;  // indexes, all arities
  [[nodiscard]] std::uint64_t looked_at() const { return looked_at_; }

 private:
  // A reference is dead when the slot's tuple has another id or is not ready.
  struct Reference {
    Slot slot = kNoSlot;
    std::uint32_t id_low = 0;
    std::uint32_t id_high = 0;
    [[nodiscard]] std::uint64_t id() const { return std::uint64_t{id_high} << 32 | id_low; }
  };
  // One priority of a bucket, and either the exclusive tuples or the others, either those that are
  // paused or the others: what must be skipped together lies together, so skipping costs nothing.
  struct Level {
    std::int32_t priority = 0;
    bool exclusive = false;
    bool paused = false;
    std::vector<Reference> run;  // by id, from `head` on
    std::size_t head = 0;
    std::map<std::uint64_t, Slot> returned;  // by id: came back, older than the end of the run
    void trim();
  };
  // A bucket is one reference or a vector of levels, most urgent first.
  struct Bucket {
    Reference one;
    std::unique_ptr<std::vector<Level>> levels;
  };
  struct Index {
    bool used = false;
    std::uint64_t mask = 0;
    boost::unordered_flat_map<std::uint64_t, Bucket> buckets;
    std::size_t references = 0;      // dead ones too
    std::uint64_t last_used = 0;     // Group::lookups at that time
    std::uint64_t added_unused = 0;  // tuples added since it was used
  };
  struct Group {
    std::vector<Index> indexes;  // [0] has the empty mask
    std::uint64_t ready = 0;
    std::uint64_t lookups = 0;
  };
  // Where a bucket was found.
  struct Place {
    Bucket* bucket = nullptr;
    Index* index = nullptr;
    std::size_t number = 0;
  };
  // Walks some levels of a bucket side by side in order of id, dropping dead references on the way.
  class Merge {
   public:
    Merge(TemplateIndex& owner, const Place& place) : owner_(owner), place_(place) {}
    ~Merge() { finish(); }
    Merge(const Merge&) = delete;
    Merge& operator=(const Merge&) = delete;
    void add(Level& level, std::uint64_t after);
    [[nodiscard]] Slot next();
    // Closes the gaps; the merge is empty afterwards.
    void finish();

   private:
    struct Source {
      Level* level;
      std::size_t at;     // in the run
      std::size_t start;  // where the walk began
      bool gaps;          // the run has dead references between `start` and `at`
      std::map<std::uint64_t, Slot>::iterator returned;
    };
    void skip_dead(Source& source);
    TemplateIndex& owner_;
    Place place_;
    boost::container::small_vector<Source, 2> sources_;
  };
  // The matches of one template, one after another.
  class Walk {
   public:
    Walk(TemplateIndex& owner, const Template& form, Exclusive exclusive, Paused paused);
    Walk(TemplateIndex& owner, const Template& form, TupleId after);
    [[nodiscard]] Slot next();

   private:
    [[nodiscard]] Slot next_candidate();
    [[nodiscard]] Slot take_one();
    bool open_next_priority();
    [[nodiscard]] bool skips(bool exclusive, bool paused) const {
      return (exclusive && exclusive_ == Exclusive::kSkip) || (paused && paused_ == Paused::kSkip);
    }
    TemplateIndex& owner_;
    const Template& form_;
    Place place_;
    Merge merge_;
    Exclusive exclusive_ = Exclusive::kOffer;
    Paused paused_ = Paused::kOffer;
    TupleId after_;
    std::size_t next_level_ = 0;
    std::uint32_t in_vain_ = 0;
    bool by_id_;
    bool one_pending_ = false;
  };

  [[nodiscard]] bool alive(const Reference& reference) const;
  [[nodiscard]] Reference reference_to(Slot slot) const;
  void forget(Index& index, std::size_t number, const Reference& reference);
  void insert(Index& index, std::size_t number, std::uint64_t hash, Slot slot);
  void insert(std::vector<Level>& levels, const Reference& reference);
  Group& group_of(std::size_t arity);
  // The index to use for `mask`: its own, or the best other one if it is not worth having one.
  std::size_t choose(Group& group, std::size_t arity, std::uint64_t mask);
  // Which index serves a mask, or where it is to be made first.
  struct Plan {
    std::size_t number = 0;
    bool learn = false;
  };
  [[nodiscard]] Plan plan(const Group& group, std::uint64_t mask) const;
  void learn(Group& group, std::size_t number, std::size_t arity, std::uint64_t mask);
  [[nodiscard]] std::uint64_t hash_of(const Template& form, std::uint64_t mask) const;
  template <class Visit>
  void visit_alive(const Index& index, std::uint64_t hash, Visit&& visit) const;
  void drop(Index& index);
  void sweep(Index& index, std::size_t number);
  void sweep(Index& index, std::size_t number, Level& level);
  void regroup(Index& index, std::size_t number, std::vector<Level>& levels);
  bool matches(const Template& form, Slot slot);
  [[nodiscard]] Place find(const Template& form);
  [[nodiscard]] Slot foreseen(const Template& form) const;

  TupleTable& tuples_;
  const Limits& limits_;
  std::array<std::unique_ptr<Group>, kFieldsMax + 1> groups_;
  encoding::FieldTable fields_;  // of the tuple that is looked at
  std::uint64_t ready_ = 0;
  std::uint64_t looked_at_ = 0;
  std::uint64_t scans_ = 0;
};

}  // namespace linden::core

#include "space/core/template_index.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace linden::core {
namespace {

// A sweep waits until so many references more than needed are dead, so that it pays.
constexpr std::size_t kSweepSlack = 64;
// A learned index that nobody used while so many tuples (and four times those that are there) were
// added to it is dropped.
constexpr std::uint64_t kUnusedAddsMax = 100'000;
// Bits of Entry::indexed_in.
constexpr std::size_t kIndexesMax = 32;

}  // namespace

// ---- Adding and removing ------------------------------------------------------------------------

void TemplateIndex::add(Slot slot, const encoding::FieldTable& fields) {
  Group& group = group_of(fields.count);
  ++group.ready;
  ++ready_;
  for (std::size_t number = 0; number < group.indexes.size(); ++number) {
    Index& index = group.indexes[number];
    if (!index.used) continue;
    if (number > 0 && ++index.added_unused > kUnusedAddsMax + 4 * group.ready) {
      drop(index);
      continue;
    }
    if ((tuples_[slot].indexed_in >> number & 1) != 0) continue;  // its reference lives again
    insert(index, number, encoding::hash(fields, index.mask), slot);
  }
}

void TemplateIndex::remove(Slot slot) {
  Group& group = group_of(tuples_[slot].tuple.size());
  --group.ready;
  --ready_;
  for (std::size_t number = 0; number < group.indexes.size(); ++number) {
    Index& index = group.indexes[number];
    if (index.references > 2 * group.ready + kSweepSlack) sweep(index, number);
  }
}

void TemplateIndex::insert(Index& index, std::size_t number, std::uint64_t hash, Slot slot) {
  Bucket& bucket = index.buckets[hash];
  const Reference reference = reference_to(slot);
  if (!bucket.levels) {
    if (!alive(bucket.one)) {
      forget(index, number, bucket.one);
      bucket.one = reference;
    } else {
      bucket.levels = std::make_unique<std::vector<Level>>();
      insert(*bucket.levels, bucket.one);
      insert(*bucket.levels, reference);
      bucket.one = Reference{};
    }
  } else {
    insert(*bucket.levels, reference);
  }
  ++index.references;
  tuples_[slot].indexed_in |= std::uint32_t{1} << number;
}

void TemplateIndex::insert(std::vector<Level>& levels, const Reference& reference) {
  const Entry& entry = tuples_[reference.slot];
  const auto kind = [](const auto& of) { return std::pair(of.exclusive, of.paused); };
  auto level = levels.begin();
  while (level != levels.end() &&
         (level->priority > entry.priority ||
          (level->priority == entry.priority && kind(*level) < kind(entry)))) {
    ++level;
  }
  if (level == levels.end() || level->priority != entry.priority || kind(*level) != kind(entry)) {
    level = levels.insert(level, Level{});
    level->priority = entry.priority;
    level->exclusive = entry.exclusive;
    level->paused = entry.paused;
  }
  if (level->head == level->run.size() || level->run.back().id() < reference.id()) {
    level->trim();
    level->run.push_back(reference);
  } else {
    level->returned.emplace(reference.id(), reference.slot);
  }
}

void TemplateIndex::Level::trim() {
  constexpr std::size_t kHeadMin = 32;
  if (head == run.size()) {
    run.clear();
    head = 0;
  } else if (head > kHeadMin && head * 2 > run.size()) {
    run.erase(run.begin(), run.begin() + static_cast<std::ptrdiff_t>(head));
    head = 0;
  }
}

bool TemplateIndex::alive(const Reference& reference) const {
  if (reference.slot == kNoSlot) return false;
  const Entry& entry = tuples_[reference.slot];
  return entry.id.value == reference.id() && entry.state == EntryState::kReady;
}

TemplateIndex::Reference TemplateIndex::reference_to(Slot slot) const {
  const std::uint64_t id = tuples_[slot].id.value;
  return {slot, static_cast<std::uint32_t>(id), static_cast<std::uint32_t>(id >> 32)};
}

void TemplateIndex::forget(Index& index, std::size_t number, const Reference& reference) {
  if (reference.slot == kNoSlot) return;
  --index.references;
  Entry& entry = tuples_[reference.slot];
  if (entry.id.value == reference.id()) entry.indexed_in &= ~(std::uint32_t{1} << number);
}

// ---- Which indexes there are --------------------------------------------------------------------

TemplateIndex::Group& TemplateIndex::group_of(std::size_t arity) {
  std::unique_ptr<Group>& group = groups_[arity];
  if (!group) {
    group = std::make_unique<Group>();
    group->indexes.emplace_back().used = true;
  }
  return *group;
}

std::size_t TemplateIndex::choose(Group& group, std::size_t arity, std::uint64_t mask) {
  ++group.lookups;
  const Plan where = plan(group, mask);
  if (where.learn) learn(group, where.number, arity, mask);
  Index& index = group.indexes[where.number];
  if (index.mask == mask) {
    index.last_used = group.lookups;
    index.added_unused = 0;
  }
  return where.number;
}

TemplateIndex::Plan TemplateIndex::plan(const Group& group, std::uint64_t mask) const {
  for (std::size_t number = 0; number < group.indexes.size(); ++number) {
    const Index& index = group.indexes[number];
    if (index.used && index.mask == mask) return {number, false};
  }
  const std::size_t most = std::min(limits_.indexes_per_arity_max + 1, kIndexesMax);
  std::size_t number = 1;
  while (number < group.indexes.size() && group.indexes[number].used) ++number;
  if (number < most) return {number, true};
  // Full: the one unused for longest goes, if learning the new one costs no more than the look-ups
  // since then.  Otherwise the index that knows most of the actuals has to do.
  std::size_t oldest = 0;
  std::size_t best = 0;
  for (std::size_t i = 0; i < group.indexes.size(); ++i) {
    const Index& index = group.indexes[i];
    if (i > 0 && (oldest == 0 || index.last_used < group.indexes[oldest].last_used)) oldest = i;
    if ((index.mask & ~mask) == 0 &&
        std::popcount(index.mask) > std::popcount(group.indexes[best].mask)) {
      best = i;
    }
  }
  if (oldest == 0 || group.lookups - group.indexes[oldest].last_used <= group.ready) {
    return {best, false};
  }
  return {oldest, true};
}

void TemplateIndex::learn(Group& group, std::size_t number, std::size_t arity, std::uint64_t mask) {
  if (number == group.indexes.size()) group.indexes.emplace_back();
  Index& index = group.indexes[number];
  if (index.used) drop(index);
  index.used = true;
  index.mask = mask;
  for (Slot slot = tuples_.next_after(TupleId{}); slot != kNoSlot;
       slot = tuples_.next_after(tuples_[slot].id)) {
    Entry& entry = tuples_[slot];
    if (entry.tuple.size() != arity) continue;
    entry.indexed_in &= ~(std::uint32_t{1} << number);
    if (entry.state != EntryState::kReady) continue;
    encoding::split(entry.tuple, fields_);
    insert(index, number, encoding::hash(fields_, mask), slot);
  }
}

void TemplateIndex::drop(Index& index) {
  index = Index{};
}

std::uint64_t TemplateIndex::learned() const {
  std::uint64_t count = 0;
  for (const auto& group : groups_) {
    if (!group) continue;
    for (std::size_t i = 1; i < group->indexes.size(); ++i) count += group->indexes[i].used;
  }
  return count;
}

// ---- Sweeping -----------------------------------------------------------------------------------

void TemplateIndex::sweep(Index& index, std::size_t number) {
  boost::unordered::erase_if(index.buckets, [&](auto& item) {
    Bucket& bucket = item.second;
    if (!bucket.levels) {
      if (alive(bucket.one)) return false;
      forget(index, number, bucket.one);
      return true;
    }
    std::size_t left = 0;
    for (Level& level : *bucket.levels) {
      sweep(index, number, level);
      left += level.run.size() + level.returned.size();
    }
    std::erase_if(*bucket.levels,
                  [](const Level& level) { return level.run.empty() && level.returned.empty(); });
    if (left != 1) return left == 0;
    const Level& level = bucket.levels->front();
    bucket.one = level.run.empty() ? reference_to(level.returned.begin()->second) : level.run[0];
    bucket.levels.reset();
    return false;
  });
  if (index.buckets.bucket_count() > 64 &&
      index.buckets.size() * 8 < index.buckets.bucket_count()) {
    index.buckets.rehash(0);
  }
}

void TemplateIndex::sweep(Index& index, std::size_t number, Level& level) {
  std::size_t kept = 0;
  for (std::size_t i = level.head; i < level.run.size(); ++i) {
    const Reference reference = level.run[i];
    if (alive(reference)) {
      level.run[kept++] = reference;
    } else {
      forget(index, number, reference);
    }
  }
  level.run.resize(kept);
  level.head = 0;
  if (level.run.capacity() > 4 * kept + kSweepSlack) level.run.shrink_to_fit();
  std::erase_if(level.returned, [&](const auto& item) {
    const Reference reference{item.second, static_cast<std::uint32_t>(item.first),
                              static_cast<std::uint32_t>(item.first >> 32)};
    if (alive(reference)) return false;
    forget(index, number, reference);
    return true;
  });
}

// ---- Pauses -------------------------------------------------------------------------------------

void TemplateIndex::regroup(std::size_t arity) {
  if (!groups_[arity]) return;
  std::vector<Index>& indexes = groups_[arity]->indexes;
  for (std::size_t number = 0; number < indexes.size(); ++number) {
    for (auto& [hash, bucket] : indexes[number].buckets) {
      if (bucket.levels) regroup(indexes[number], number, *bucket.levels);
    }
  }
}

// A dead reference could live again in a level where its tuple does not belong any more, so these
// go first.
void TemplateIndex::regroup(Index& index, std::size_t number, std::vector<Level>& levels) {
  std::vector<Reference> all;
  for (Level& level : levels) {
    sweep(index, number, level);
    all.insert(all.end(), level.run.begin(), level.run.end());
    for (const auto& [id, slot] : level.returned) all.push_back(reference_to(slot));
  }
  levels.clear();
  std::sort(all.begin(), all.end(),
            [](const Reference& a, const Reference& b) { return a.id() < b.id(); });
  for (const Reference& reference : all) insert(levels, reference);
}

// ---- Looking up ---------------------------------------------------------------------------------

Slot TemplateIndex::best(const Template& form, Exclusive exclusive, Paused paused) {
  Walk walk(*this, form, exclusive, paused);
  return walk.next();
}

bool TemplateIndex::matches(const Template& form, Slot slot) {
  ++looked_at_;
  encoding::split(tuples_[slot].tuple, fields_);
  return encoding::matches(form, fields_);
}

// Of those actuals of `form` that `mask` names; it names no others.
std::uint64_t TemplateIndex::hash_of(const Template& form, std::uint64_t mask) const {
  static const encoding::FieldTable kNothing;
  if (mask == 0) return encoding::hash(kNothing, 0);
  if (mask == form.actual_mask()) return form.parsed().actual_hash;
  encoding::FieldTable actuals;
  for (std::uint64_t rest = mask; rest != 0; rest &= rest - 1) {
    const auto at = static_cast<std::size_t>(std::countr_zero(rest));
    actuals.fields[at] = form.parsed().fields[at].actual;
  }
  return encoding::hash(actuals, mask);
}

TemplateIndex::Place TemplateIndex::find(const Template& form) {
  const std::size_t arity = form.size();
  if (!groups_[arity]) return {};
  Group& group = *groups_[arity];
  const std::uint64_t mask = form.actual_mask();
  Place place;
  place.number = choose(group, arity, mask);
  place.index = &group.indexes[place.number];
  const std::uint64_t hash = hash_of(form, place.index->mask);
  const auto found = place.index->buckets.find(hash);
  if (found != place.index->buckets.end()) place.bucket = &found->second;
  return place;
}

// ---- Looking ahead ------------------------------------------------------------------------------

void TemplateIndex::foresee(std::span<const Template* const> forms) const {
  std::array<Slot, 32> slots;
  while (!forms.empty()) {
    const std::size_t count = std::min(forms.size(), slots.size());
    for (std::size_t i = 0; i < count; ++i) {
      slots[i] = foreseen(*forms[i]);
      if (slots[i] != kNoSlot) __builtin_prefetch(&tuples_[slots[i]], 1);
    }
    for (std::size_t i = 0; i < count; ++i) {
      if (slots[i] != kNoSlot) tuples_.foresee(slots[i]);
    }
    forms = forms.subspan(count);
  }
}

// The only tuple of its bucket; where there are many, the first one is looked at often.
Slot TemplateIndex::foreseen(const Template& form) const {
  const std::uint64_t mask = form.actual_mask();
  const auto& group = groups_[form.size()];
  if (mask == 0 || !group) return kNoSlot;
  const Plan where = plan(*group, mask);
  if (where.learn) return kNoSlot;
  const Index& index = group->indexes[where.number];
  const auto found = index.buckets.find(hash_of(form, index.mask));
  return found == index.buckets.end() || found->second.levels ? kNoSlot : found->second.one.slot;
}

// ---- Explaining ---------------------------------------------------------------------------------

template <class Visit>
void TemplateIndex::visit_alive(const Index& index, std::uint64_t hash, Visit&& visit) const {
  const auto found = index.buckets.find(hash);
  if (found == index.buckets.end()) return;
  const Bucket& bucket = found->second;
  if (!bucket.levels) {
    if (alive(bucket.one)) visit(bucket.one.slot);
    return;
  }
  for (const Level& level : *bucket.levels) {
    for (std::size_t at = level.head; at < level.run.size(); ++at) {
      if (alive(level.run[at])) visit(level.run[at].slot);
    }
    for (const auto& [id, slot] : level.returned) {
      if (alive({slot, static_cast<std::uint32_t>(id), static_cast<std::uint32_t>(id >> 32)})) {
        visit(slot);
      }
    }
  }
}

Explained TemplateIndex::explain(const Template& form) const {
  Explained result;
  const std::size_t arity = form.size();
  const std::uint64_t mask = form.actual_mask();
  result.arity = static_cast<std::uint32_t>(arity);
  result.index = mask;
  result.learned = mask == 0;
  result.scans = scans_;
  if (!groups_[arity]) return result;
  const Group& group = *groups_[arity];
  result.tuples = group.ready;
  const Plan where = plan(group, mask);
  result.learned = !where.learn;
  // Without the index all tuples are looked at here, to tell which it would lead to.
  const Index& index = group.indexes[where.learn ? 0 : where.number];
  if (!where.learn) result.index = index.mask;
  const std::uint64_t hash = hash_of(form, result.index);
  encoding::FieldTable fields;
  visit_alive(index, hash_of(form, index.mask), [&](Slot slot) {
    encoding::split(tuples_[slot].tuple, fields);
    if (where.learn && encoding::hash(fields, mask) != hash) return;
    ++result.candidates;
    result.matches += encoding::matches(form, fields);
  });
  return result;
}

TemplateIndex::Walk::Walk(TemplateIndex& owner, const Template& form, Exclusive exclusive,
                          Paused paused)
    : owner_(owner),
      form_(form),
      place_(owner.find(form)),
      merge_(owner, place_),
      exclusive_(exclusive),
      paused_(paused),
      by_id_(false) {
  one_pending_ = place_.bucket != nullptr && !place_.bucket->levels;
}

TemplateIndex::Walk::Walk(TemplateIndex& owner, const Template& form, TupleId after)
    : owner_(owner),
      form_(form),
      place_(owner.find(form)),
      merge_(owner, place_),
      after_(after),
      by_id_(true) {
  one_pending_ = place_.bucket != nullptr && !place_.bucket->levels;
}

Slot TemplateIndex::Walk::next() {
  Slot slot = next_candidate();
  while (slot != kNoSlot && !owner_.matches(form_, slot)) {
    if (++in_vain_ == kScanMin) ++owner_.scans_;
    slot = next_candidate();
  }
  return slot;
}

Slot TemplateIndex::Walk::next_candidate() {
  if (place_.bucket == nullptr) return kNoSlot;
  if (!place_.bucket->levels) return take_one();
  for (;;) {
    const Slot slot = merge_.next();
    if (slot != kNoSlot) return slot;
    if (!open_next_priority()) return kNoSlot;
  }
}

Slot TemplateIndex::Walk::take_one() {
  if (!std::exchange(one_pending_, false)) return kNoSlot;
  Reference& one = place_.bucket->one;
  if (!owner_.alive(one)) {
    owner_.forget(*place_.index, place_.number, one);
    one = Reference{};
    return kNoSlot;
  }
  if (one.id() <= after_.value) return kNoSlot;
  const Entry& entry = owner_.tuples_[one.slot];
  return skips(entry.exclusive, entry.paused) ? kNoSlot : one.slot;
}

bool TemplateIndex::Walk::open_next_priority() {
  merge_.finish();
  std::vector<Level>& levels = *place_.bucket->levels;
  if (next_level_ == levels.size()) return false;
  const std::int32_t priority = levels[next_level_].priority;
  for (; next_level_ < levels.size() && (by_id_ || levels[next_level_].priority == priority);
       ++next_level_) {
    Level& level = levels[next_level_];
    if (skips(level.exclusive, level.paused)) continue;
    merge_.add(level, after_.value);
  }
  return true;
}

void TemplateIndex::Merge::add(Level& level, std::uint64_t after) {
  std::size_t at = level.head;
  if (after > 0) {
    const auto first = level.run.begin() + static_cast<std::ptrdiff_t>(level.head);
    const auto above =
        std::upper_bound(first, level.run.end(), after,
                         [](std::uint64_t id, const Reference& item) { return id < item.id(); });
    at = static_cast<std::size_t>(above - level.run.begin());
  }
  sources_.push_back({&level, at, at, false, level.returned.upper_bound(after)});
}

void TemplateIndex::Merge::skip_dead(Source& source) {
  Level& level = *source.level;
  for (; source.at < level.run.size() && !owner_.alive(level.run[source.at]); ++source.at) {
    owner_.forget(*place_.index, place_.number, level.run[source.at]);
    if (source.at == level.head) {
      level.head = source.start = source.at + 1;
    } else {
      level.run[source.at] = Reference{};
      source.gaps = true;
    }
  }
  while (source.returned != level.returned.end()) {
    const auto& [id, slot] = *source.returned;
    const Reference reference{slot, static_cast<std::uint32_t>(id),
                              static_cast<std::uint32_t>(id >> 32)};
    if (owner_.alive(reference)) break;
    owner_.forget(*place_.index, place_.number, reference);
    source.returned = level.returned.erase(source.returned);
  }
}

Slot TemplateIndex::Merge::next() {
  Source* first = nullptr;
  std::uint64_t first_id = UINT64_MAX;
  bool from_run = false;
  for (Source& source : sources_) {
    skip_dead(source);
    Level& level = *source.level;
    if (source.at < level.run.size() && level.run[source.at].id() < first_id) {
      first = &source;
      first_id = level.run[source.at].id();
      from_run = true;
    }
    if (source.returned != level.returned.end() && source.returned->first < first_id) {
      first = &source;
      first_id = source.returned->first;
      from_run = false;
    }
  }
  if (first == nullptr) return kNoSlot;
  if (from_run) return first->level->run[first->at++].slot;
  return (first->returned++)->second;
}

// Moves what is left of the stretch that was walked to its end (or, if the walk began behind the
// head, to its beginning, leaving the rest to a sweep), so that no walk meets a dead reference
// twice.
void TemplateIndex::Merge::finish() {
  for (Source& source : sources_) {
    if (!source.gaps) continue;
    Level& level = *source.level;
    std::size_t to = source.at;
    for (std::size_t from = source.at; from-- > source.start;) {
      if (level.run[from].slot != kNoSlot) level.run[--to] = level.run[from];
    }
    if (source.start == level.head) {
      level.head = to;
    } else {
      level.run.erase(level.run.begin() + static_cast<std::ptrdiff_t>(source.start),
                      level.run.begin() + static_cast<std::ptrdiff_t>(to));
    }
  }
  sources_.clear();
}

}  // namespace linden::core

#include "space/core/tuple_table.h"

#include <cassert>
#include <iterator>
#include <utility>

namespace linden::core {

Attributes Entry::attributes() const {
  Attributes result;
  if (extra) result = extra->attributes;
  result.priority = priority;
  return result;
}

void EntryExtra::drop_guards() {
  met = {};
  open_guards = 0;
  if (!attributes.rare) return;
  RareAttributes rest;
  rest.group = attributes.rare->group;
  attributes.rare = rest.group.empty() ? Rare{} : Rare(std::move(rest));
}

Slot TupleTable::add(TupleId id, Tuple tuple, Attributes&& attributes, Time expires_at) {
  const Slot slot = entries_.take();
  Entry& entry = entries_[slot];
  entry.tuple = std::move(tuple);
  entry.id = id;
  entry.priority = attributes.priority;
  entry.exclusive = attributes.max_attempts == 1;
  // A renewed tuple may be plain otherwise.
  if (!attributes.is_plain() || expires_at != kNever) {
    entry.extra = std::make_unique<EntryExtra>(EntryExtra{std::move(attributes), expires_at});
  }
  Page* page = page_of(id);
  if (page == nullptr) {
    const std::uint64_t number = id.value / kPageIds;
    drop_newest_page_if_empty();
    auto made = std::make_unique<Page>();
    page = made.get();
    pages_.emplace_hint(pages_.end(), number, std::move(made));
    page_by_number_.emplace(number, page);
  }
  const std::uint64_t bit = std::uint64_t{1} << (id.value % kPageIds);
  assert((page->used & bit) == 0);
  page->used |= bit;
  page->slots[id.value % kPageIds] = slot;
  ++size_;
  return slot;
}

void TupleTable::remove(Slot slot) {
  const TupleId id = entries_[slot].id;
  Page* page = page_of(id);
  page->used &= ~(std::uint64_t{1} << (id.value % kPageIds));
  // The newest page stays, or a space that holds one tuple at a time would make a page for each.
  const std::uint64_t number = id.value / kPageIds;
  if (page->used == 0 && number != pages_.rbegin()->first) {
    page_by_number_.erase(number);
    pages_.erase(number);
  }
  entries_.give_back(slot);
  --size_;
}

void TupleTable::drop_newest_page_if_empty() {
  if (pages_.empty() || pages_.rbegin()->second->used != 0) return;
  page_by_number_.erase(pages_.rbegin()->first);
  pages_.erase(std::prev(pages_.end()));
}

TupleTable::Page* TupleTable::page_of(TupleId id) const {
  const auto found = page_by_number_.find(id.value / kPageIds);
  return found == page_by_number_.end() ? nullptr : found->second;
}

void TupleTable::foresee(Slot slot) const {
  const Entry& entry = entries_[slot];
  __builtin_prefetch(entry.tuple.head().data());
  if (Page* page = page_of(entry.id)) {
    __builtin_prefetch(page, 1);
    __builtin_prefetch(&page->slots[entry.id.value % kPageIds], 1);
  }
}

Slot TupleTable::find(TupleId id) const {
  const Page* page = page_of(id);
  if (page == nullptr) return kNoSlot;
  const std::uint64_t at = id.value % kPageIds;
  return (page->used >> at & 1) != 0 ? page->slots[at] : kNoSlot;
}

Slot TupleTable::next_after(TupleId id) const {
  const std::uint64_t first = id.value + 1;
  if (first == 0) return kNoSlot;
  const std::uint64_t number = first / kPageIds;
  if (const Page* page = page_of(TupleId{first})) {
    const std::uint64_t rest = page->used >> (first % kPageIds);
    if (rest != 0)
      return page->slots[first % kPageIds + static_cast<unsigned>(std::countr_zero(rest))];
  }
  const auto next = pages_.upper_bound(number);
  if (next == pages_.end() || next->second->used == 0) return kNoSlot;  // only the newest is empty
  return next->second->slots[static_cast<unsigned>(std::countr_zero(next->second->used))];
}

}  // namespace linden::core

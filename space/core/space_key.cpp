// space/core/space_key.cpp: idempotency keys (P23).
#include <algorithm>
#include <map>

#include "space/core/space_machine.h"

namespace linden::core {
namespace {

bool has_key(const NewTuple& put) {
  return put.attributes.rare && !put.attributes.rare->key.empty();
}

}  // namespace

bool SpaceState::Machine::have_keys(std::span<const NewTuple> tuples) {
  return std::any_of(tuples.begin(), tuples.end(), has_key);
}

// A key may occur twice among the tuples; then the second is a repetition of the first.
SpaceState::Machine::KeyCheck SpaceState::Machine::check_keys(
    std::span<const NewTuple> tuples) const {
  KeyCheck result;
  std::map<std::string_view, std::uint64_t> fresh;
  for (const NewTuple& put : tuples) {
    if (!has_key(put)) continue;
    const std::string& key = put.attributes.rare->key;
    const std::uint64_t content = content_digest(put);
    const TupleId known = keys_.find(key);
    const std::uint64_t before =
        known.value != 0 ? keys_.of(known)->content : fresh.try_emplace(key, content).first->second;
    if (before != content && result.conflict == nullptr) result.conflict = &put;
  }
  result.fresh = fresh.size();
  return result;
}

std::optional<Refused> SpaceState::Machine::check_room_for_keys(std::size_t fresh) const {
  if (fresh == 0 || keys_.size() + fresh <= limits_.keys_max) return std::nullopt;
  return Refused{ErrorCode::kOverloaded,
                 "put: " + std::to_string(keys_.size()) +
                     " keys are remembered in this space, the limit is " +
                     std::to_string(limits_.keys_max) +
                     "; use shorter windows, try again later or raise limits.keys_max"};
}

std::vector<TupleId> SpaceState::Machine::add_keyed(std::vector<NewTuple>&& tuples) {
  std::vector<TupleId> ids;
  ids.reserve(tuples.size());
  for (NewTuple& put : tuples) {
    const TupleId known = has_key(put) ? keys_.find(put.attributes.rare->key) : TupleId{};
    if (known.value != 0) {
      ids.push_back(known);
      continue;
    }
    const TupleId id = next_id_;
    ++next_id_.value;
    if (has_key(put)) remember_key(id, put);
    add_tuple(id, std::move(put));
    ids.push_back(id);
  }
  return ids;
}

// The key goes its own way from here: what is left of the tuple is plain, if the key was all that
// was rare about it.
void SpaceState::Machine::remember_key(TupleId id, NewTuple& put) {
  RareAttributes rest = *put.attributes.rare;
  UsedKey used{std::move(rest.key), content_digest(put), later(now_, rest.key_window)};
  emit(KeyRemembered{id, used.key, used.content, used.until});
  deadlines_.add(used.until, DueKind::kKey, id.value, kNoSlot);
  keys_.remember(id, std::move(used));
  rest.key.clear();
  rest.key_window = RareAttributes{}.key_window;
  put.attributes.rare = rest == RareAttributes{} ? Rare{} : Rare(std::move(rest));
}

void SpaceState::Machine::forget_key(TupleId id) {
  emit(KeyForgotten{id});
  keys_.forget(id);
}

}  // namespace linden::core

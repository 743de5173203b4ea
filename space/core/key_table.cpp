#include "space/core/key_table.h"

#include <utility>

#include "api/model/hash.h"

namespace linden::core {
namespace {

// Collects what is put, part after part; each with its length, so that no two ways of cutting the
// same bytes are equal.
class Digest {
 public:
  void add(std::uint64_t number) { state_ = encoding::hash_word(number, state_); }
  void add(std::string_view bytes) {
    add(bytes.size());
    state_ = encoding::hash_bytes(bytes, state_);
  }
  template <class Row>
  void add_row(const Row& row) {
    add(row.head());
    add(row.attachments().size());
    for (const Bytes& attachment : row.attachments()) add(attachment.view());
  }
  void add(const std::vector<Guard>& guards) {
    add(guards.size());
    for (const Guard& guard : guards) {
      add_row(guard.form);
      add(guard.fills.size());
      for (const Guard::Fill& fill : guard.fills) add(std::uint64_t{fill.from} << 32 | fill.to);
    }
  }
  void add(Duration duration) { add(static_cast<std::uint64_t>(duration.count())); }
  [[nodiscard]] std::uint64_t value() const { return state_; }

 private:
  std::uint64_t state_ = encoding::kHashSeed;
};

}  // namespace

std::uint64_t content_digest(const NewTuple& put) {
  const Attributes& attributes = put.attributes;
  Digest digest;
  digest.add_row(put.tuple);
  digest.add(static_cast<std::uint64_t>(attributes.priority));
  digest.add(attributes.ttl.value_or(Duration{0}));
  digest.add(attributes.max_attempts);
  digest.add(attributes.will.has_value());
  if (attributes.will) digest.add_row(*attributes.will);
  const SessionId owner = attributes.lives_with.value_or(SessionId{});
  digest.add(owner.high);
  digest.add(owner.low);
  const Rare& rare = attributes.rare;
  digest.add(rare ? rare->delay : Duration{0});
  digest.add(rare ? std::string_view(rare->group) : std::string_view());
  if (rare && !rare->when.empty()) digest.add(rare->when);
  return digest.value();
}

TupleId KeyTable::find(std::string_view key) const {
  const auto found = by_key_.find(key);
  return found == by_key_.end() ? TupleId{} : found->second;
}

const UsedKey* KeyTable::of(TupleId id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &found->second;
}

void KeyTable::remember(TupleId id, UsedKey used) {
  forget(id);
  const auto item = by_id_.emplace(id, std::move(used)).first;
  // An older entry of the same key would leave its view behind, which dies with it.
  by_key_.erase(std::string_view(item->second.key));
  by_key_.emplace(item->second.key, id);
}

void KeyTable::forget(TupleId id) {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return;
  const auto named = by_key_.find(std::string_view(found->second.key));
  if (named != by_key_.end() && named->second == id) by_key_.erase(named);
  by_id_.erase(found);
}

}  // namespace linden::core

// space/core/key_table.h: which idempotency keys were used, for which tuple and how long they are
// remembered (P23).
//
// A key outlives its tuple.  What was put is kept as a digest only, so a key costs about 150 bytes
// beside its own, whatever the tuple was.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include <boost/unordered/unordered_flat_map.hpp>

#include "api/model/operation.h"

namespace linden::core {

// Tuple and attributes but for the key and its window: what a repeated put must say again.  Part of
// the storage format: it must not change, or a repetition after an update of the server would count
// as a conflict.
[[nodiscard]] std::uint64_t content_digest(const NewTuple& put);

struct UsedKey {
  std::string key;
  std::uint64_t content = 0;  // content_digest
  Time until = kNever;
};

class KeyTable {
 public:
  // The tuple that the key was used for; 0: it is not known.  O(1).
  [[nodiscard]] TupleId find(std::string_view key) const;
  // What is known of the key that the tuple was put with; null: it had none, or it is forgotten.
  [[nodiscard]] const UsedKey* of(TupleId id) const;
  void remember(TupleId id, UsedKey used);
  void forget(TupleId id);
  [[nodiscard]] std::size_t size() const { return by_id_.size(); }
  // In ascending order, so that effects do not depend on hashes.
  [[nodiscard]] const std::map<TupleId, UsedKey>& by_id() const { return by_id_; }

 private:
  std::map<TupleId, UsedKey> by_id_;
  boost::unordered_flat_map<std::string_view, TupleId> by_key_;  // views of by_id_'s keys
};

}  // namespace linden::core

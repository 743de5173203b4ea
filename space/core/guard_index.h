// space/core/guard_index.h: the guards that nothing has met yet, findable by tuple (P24).
//
// They wait like takes and reads do (wait_index.h), so a put costs one look-up per distinct mask
// among them, and a graph of guarded tuples resolves in time linear in its size.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <vector>

#include "api/model/encoding.h"
#include "api/model/operation.h"
#include "space/core/mask_lines.h"

namespace linden::core {

// The `number`th guard of a tuple.
struct OpenGuard {
  TupleId tuple;
  std::uint32_t number = 0;
  friend auto operator<=>(const OpenGuard&, const OpenGuard&) = default;
};

class GuardIndex {
 public:
  // O(log guards of that line).
  void add(const Template& form, const OpenGuard& guard);
  void remove(const Template& form, const OpenGuard& guard);

  // All guards that the tuple meets, those of older tuples first.  They stay.
  void find_all(const encoding::FieldTable& tuple, std::vector<OpenGuard>& out);

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::uint64_t looked_at() const { return looked_at_; }

 private:
  using Line = std::map<OpenGuard, Template>;
  MaskLines<Line> lines_;
  std::size_t size_ = 0;
  std::uint64_t looked_at_ = 0;
};

}  // namespace linden::core

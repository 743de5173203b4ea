// space/core/mask_lines.h: lines of those who ask for tuples, findable by tuple
// (docs/design/matching.md).
//
// The mirror image of TemplateIndex: per arity and per mask among the templates, a hash of the
// actuals leads to the line of those who ask for them.  A tuple costs one look-up per distinct
// mask, however many stand in line.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "api/model/encoding.h"

namespace linden::core {

// `Line` is a container of those who ask with the same mask and actuals (or others that hash
// alike), such as a set.
template <class Line>
class MaskLines {
 public:
  // The line of those who ask as `form` does; made if there is none.
  Line& line_of(const Template& form) {
    std::vector<Mask>& masks = by_arity_[form.size()];
    auto index = find(masks, form.actual_mask());
    if (index == masks.end()) {
      masks.emplace_back().mask = form.actual_mask();
      index = std::prev(masks.end());
    }
    return index->lines[hash_of(form)];
  }

  // Calls `leave(line)` with that line, if there is one, and forgets the line if that emptied it.
  template <class Leave>
  void leave_line_of(const Template& form, Leave&& leave) {
    std::vector<Mask>& masks = by_arity_[form.size()];
    const auto index = find(masks, form.actual_mask());
    if (index == masks.end()) return;
    const auto line = index->lines.find(hash_of(form));
    if (line == index->lines.end()) return;
    leave(line->second);
    if (line->second.empty()) index->lines.erase(line);
    if (index->lines.empty() && masks.size() > kEmptyMasksKept) masks.erase(index);
  }

  // Calls `visit(line)` for each line that may hold somebody who asks for the tuple.
  template <class Visit>
  void visit(const encoding::FieldTable& tuple, Visit&& visit) {
    for (Mask& index : by_arity_[tuple.count]) {
      if (index.lines.empty()) continue;
      const auto line = index.lines.find(encoding::hash(tuple, index.mask));
      if (line != index.lines.end()) visit(line->second);
    }
  }

 private:
  // A mask that nobody asks with stays as long as there are few, or a lone waiter that comes and
  // goes would make and destroy a table each time.
  static constexpr std::size_t kEmptyMasksKept = 8;

  struct Mask {
    std::uint64_t mask = 0;
    boost::unordered_flat_map<std::uint64_t, Line> lines;
  };

  static auto find(std::vector<Mask>& masks, std::uint64_t mask) {
    return std::find_if(masks.begin(), masks.end(),
                        [&](const Mask& item) { return item.mask == mask; });
  }

  // The template without fields has no Parsed::actual_hash worth the name.
  static std::uint64_t hash_of(const Template& form) {
    static const encoding::FieldTable kNothing;
    return form.actual_mask() == 0 ? encoding::hash(kNothing, 0) : form.parsed().actual_hash;
  }

  std::array<std::vector<Mask>, kFieldsMax + 1> by_arity_;
};

}  // namespace linden::core

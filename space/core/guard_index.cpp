#include "space/core/guard_index.h"

#include <algorithm>

namespace linden::core {

void GuardIndex::add(const Template& form, const OpenGuard& guard) {
  size_ += lines_.line_of(form).emplace(guard, form).second;
}

void GuardIndex::remove(const Template& form, const OpenGuard& guard) {
  lines_.leave_line_of(form, [&](Line& line) { size_ -= line.erase(guard); });
}

void GuardIndex::find_all(const encoding::FieldTable& tuple, std::vector<OpenGuard>& out) {
  const std::size_t before = out.size();
  lines_.visit(tuple, [&](const Line& line) {
    for (const auto& [guard, form] : line) {
      ++looked_at_;
      if (encoding::matches(form, tuple)) out.push_back(guard);
    }
  });
  std::sort(out.begin() + static_cast<std::ptrdiff_t>(before), out.end());
}

}  // namespace linden::core

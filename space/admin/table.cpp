// space/admin/table.cpp
#include "space/admin/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cassert>

#include <linden/value.h>

#include "space/admin/columns.h"

namespace linden::admin {
namespace {

constexpr std::size_t kGap = 2;
constexpr std::size_t kLastColumnMin = 12;

std::string cut(const std::string& text, std::size_t columns) {
  if (columns_of(text) <= columns) return text;
  return std::string(cut_to(text, columns - 3)) + "...";
}

void append_cell(std::string& line, const std::string& cell, std::size_t width, Align align) {
  const std::string blanks(width - std::min(width, columns_of(cell)), ' ');
  line += align == Align::kRight ? blanks + cell : cell + blanks;
}

}  // namespace

void Table::add(std::vector<std::string> cells) {
  assert(cells.size() == columns_.size());
  rows_.push_back(std::move(cells));
}

std::string Table::text(std::size_t width) const {
  std::vector<std::size_t> widths;
  std::size_t before_last = 0;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t widest = columns_of(columns_[i].title);
    for (const auto& row : rows_) widest = std::max(widest, columns_of(row[i]));
    widths.push_back(widest);
    if (i + 1 < columns_.size()) before_last += widest + kGap;
  }
  if (width > 0) {
    const std::size_t left = width > before_last ? width - before_last : 0;
    widths.back() = std::min(widths.back(), std::max(left, kLastColumnMin));
  }
  std::string text;
  const auto append_row = [&](const auto& cell_of) {
    std::string line;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (i > 0) line.append(kGap, ' ');
      append_cell(line, cut(cell_of(i), widths[i]), widths[i], columns_[i].align);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  };
  append_row([&](std::size_t i) { return columns_[i].title; });
  for (const auto& row : rows_) append_row([&](std::size_t i) { return row[i]; });
  return text;
}

std::string with_unit(std::uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  constexpr std::array<const char*, 6> kUnits{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  auto number = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  // 1023.96 would be shown as 1024.0.
  for (; number >= 1023.95 && unit + 1 < kUnits.size(); ++unit) number /= 1024;
  return fmt::format("{:.1f} {}", number, kUnits[unit]);
}

std::string with_unit(Duration duration) {
  const double seconds = std::chrono::duration<double>(duration).count();
  if (seconds < 99.95) return fmt::format("{:.1f} s", seconds);
  if (seconds < 99.95 * 60) return fmt::format("{:.1f} min", seconds / 60);
  if (seconds < 47.95 * 3600) return fmt::format("{:.1f} h", seconds / 3600);
  return fmt::format("{:.1f} d", seconds / 86400);
}

std::string counted(std::uint64_t count, std::string_view thing) {
  return fmt::format("{} {}{}", count, thing, count == 1 ? "" : "s");
}

std::string harmless(std::string_view text) {
  const std::string quoted = to_string(Value(text));
  if (quoted.ends_with("...")) return quoted.substr(1, quoted.size() - 5) + "...";
  return quoted.substr(1, quoted.size() - 2);
}

}  // namespace linden::admin

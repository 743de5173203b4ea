// space/admin/table.h: aligned columns and units, for people.  Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <linden/ids.h>

namespace linden::admin {

enum class Align : std::uint8_t { kLeft, kRight };

struct Column {
  std::string title;
  Align align = Align::kLeft;
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // One cell per column, harmless to a terminal already.
  void add(std::vector<std::string> cells);

  // Lines of at most `width` columns, if the last column can be cut so far; 0: as wide as it is.
  [[nodiscard]] std::string text(std::size_t width = 0) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

[[nodiscard]] std::string with_unit(std::uint64_t bytes);  // "17 B", "1.5 KiB"
[[nodiscard]] std::string with_unit(Duration duration);    // "0.8 s", "3.5 min", "2.1 h", "40 d"
// "1 tuple", "2 tuples"
[[nodiscard]] std::string counted(std::uint64_t count, std::string_view thing);
// Text from a peer as it may be shown: without quotes, control characters escaped.
[[nodiscard]] std::string harmless(std::string_view text);

}  // namespace linden::admin

// api/data/payload.cpp
#include "api/data/payload.h"

namespace linden::data {
namespace {

Failure malformed(std::string_view line) {
  return {ErrorCode::kMalformed,
          "a table of large data has the line '" + std::string(line.substr(0, 100)) + "'"};
}

Result<TableLine> parse_line(std::string_view line) {
  if (line == "-") return TableLine{};
  const bool known = line.starts_with("= ") || line.starts_with("+ ");
  const auto space = line.find(' ', 2);
  if (!known || space == std::string_view::npos || space == 2) return malformed(line);
  return TableLine{static_cast<TableLine::Kind>(line[0]), std::string(line.substr(2, space - 2)),
                   std::string(line.substr(space + 1))};
}

}  // namespace

std::string table_text(const Table& table) {
  std::string text = table.farm + "\n";
  for (const TableLine& line : table.lines) {
    text += static_cast<char>(line.kind);
    if (line.kind != TableLine::Kind::kInline) text += " " + line.name + " " + line.store;
    text += "\n";
  }
  return text;
}

Result<Table> parse_table(std::string_view text) {
  Table table;
  bool first = true;
  while (!text.empty()) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) return malformed(text);
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (first) {
      table.farm = line;
      first = false;
      continue;
    }
    auto parsed = parse_line(line);
    if (!parsed) return parsed.error();
    table.lines.push_back(std::move(*parsed));
  }
  if (first) return malformed("");
  return table;
}

}  // namespace linden::data

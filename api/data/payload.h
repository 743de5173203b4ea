// api/data/payload.h: object fields some parts of which lie elsewhere.  Pure.
//
// Such an object has the codec of the object that it stands for and "+data" behind it.  Its first
// part is a table, text in lines that end in "\n":
//
//   <id of the farm's data>
//   -                 the next of the parts that follow
//   = <name> <store>  a part that lies elsewhere; no store: in the space
//   + <name> <store>  no part, but named by something inside of the parts
//
// Bytes, which have no codec, are as an object of the codec "bytes" with one part.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <linden/data.h>
#include <linden/farm.h>
#include <linden/result.h>
#include <linden/value.h>

namespace linden::data {

inline constexpr std::string_view kByReference = farm::kByReferenceSuffix;
inline constexpr std::string_view kBytesCodec = "bytes";
// Parts of this size and more are worth it: below, a copy over the socket costs less than a file.
inline constexpr std::size_t kLargeBytes = kLargeDataBytes;

struct TableLine {
  enum class Kind : char { kInline = '-', kElsewhere = '=', kNamed = '+' } kind = Kind::kInline;
  std::string name;
  std::string store;
  friend bool operator==(const TableLine&, const TableLine&) = default;
};

struct Table {
  std::string farm;
  std::vector<TableLine> lines;
  friend bool operator==(const Table&, const Table&) = default;
};

[[nodiscard]] std::string table_text(const Table& table);
// kMalformed says what is wrong.
[[nodiscard]] Result<Table> parse_table(std::string_view text);

}  // namespace linden::data

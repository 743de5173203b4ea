// space/storage/key_layout.h: the bytes of every key and of the small values beside them.
//
// docs/design/storage-format.md says the same in prose; tests/space/storage/test_key_layout.cpp
// pins both.  Numbers in keys are big-endian, so that keys sort as the numbers do.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <linden/ids.h>
#include <linden/result.h>

#include "space/storage/storage.h"

namespace linden::storage {

// Where a record stands in the journal of its space; the first is 1 and there is never a gap.
using Sequence = std::uint64_t;
inline constexpr Sequence kFirstSequence = 1;

// A space number and a number within the space: a journal key (sequence) or a table key (tuple id).
struct Key {
  std::array<char, 12> bytes;
  [[nodiscard]] std::string_view view() const noexcept { return {bytes.data(), bytes.size()}; }
};
[[nodiscard]] Key journal_key(SpaceNumber space, Sequence sequence) noexcept;
[[nodiscard]] Key table_key(SpaceNumber space, TupleId tuple) noexcept;

// What is not a tuple (sessions, remembered answers, the next id) lies in the table under the id
// that no tuple has.
[[nodiscard]] inline Key rest_key(SpaceNumber space) noexcept {
  return table_key(space, TupleId{0});
}

// The second number of a journal or table key; none if it is not 12 bytes long.
[[nodiscard]] std::optional<std::uint64_t> number_in_space(std::string_view key) noexcept;

// The first key of the space and the first one behind it, in journal and table alike.
[[nodiscard]] std::string space_begin(SpaceNumber space);
[[nodiscard]] std::string space_end(SpaceNumber space);

// The keys of `meta`.
inline constexpr std::string_view kEpochKey = "epoch";
inline constexpr std::string_view kNextSpaceKey = "next_space";
inline constexpr std::string_view kSpaceKeyPrefix = "space:";
[[nodiscard]] std::string space_key(SpaceNumber space);

// A number as a value of `meta`, and as the head of the rest value: 8 bytes big-endian.
[[nodiscard]] std::string number_value(std::uint64_t number);
[[nodiscard]] std::optional<std::uint64_t> number_of(std::string_view value) noexcept;

// The value under space_key: version, durability, name.
[[nodiscard]] std::string space_value(Durability durability, std::string_view name);
[[nodiscard]] Result<SpaceInfo> space_of(std::string_view key, std::string_view value);

}  // namespace linden::storage

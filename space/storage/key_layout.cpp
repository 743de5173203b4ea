#include "space/storage/key_layout.h"

#include <algorithm>

namespace linden::storage {
namespace {

constexpr char kSpaceValueVersion = 1;

template <class Number>
void write_big_endian(Number number, char* out) noexcept {
  for (std::size_t i = sizeof(Number); i-- > 0; number >>= 8) {
    out[i] = static_cast<char>(number & 0xFF);
  }
}

std::uint64_t read_big_endian(std::string_view bytes) noexcept {
  std::uint64_t number = 0;
  for (const char byte : bytes) number = number << 8 | static_cast<std::uint8_t>(byte);
  return number;
}

Key key_of(SpaceNumber space, std::uint64_t number) noexcept {
  Key key;
  write_big_endian(space.value, key.bytes.data());
  write_big_endian(number, key.bytes.data() + sizeof(space.value));
  return key;
}

std::string prefix_of(std::uint32_t space) {
  std::string prefix(sizeof(space), '\0');
  write_big_endian(space, prefix.data());
  return prefix;
}

}  // namespace

Key journal_key(SpaceNumber space, Sequence sequence) noexcept {
  return key_of(space, sequence);
}
Key table_key(SpaceNumber space, TupleId tuple) noexcept {
  return key_of(space, tuple.value);
}

std::optional<std::uint64_t> number_in_space(std::string_view key) noexcept {
  if (key.size() != sizeof(Key::bytes)) return std::nullopt;
  return read_big_endian(key.substr(sizeof(SpaceNumber::value)));
}

std::string space_begin(SpaceNumber space) {
  return prefix_of(space.value);
}

// The last number is not given to a space (create_space), so that there is always one behind.
std::string space_end(SpaceNumber space) {
  return prefix_of(space.value + 1);
}

std::string space_key(SpaceNumber space) {
  return std::string(kSpaceKeyPrefix) + prefix_of(space.value);
}

std::string number_value(std::uint64_t number) {
  std::string value(sizeof(number), '\0');
  write_big_endian(number, value.data());
  return value;
}

std::optional<std::uint64_t> number_of(std::string_view value) noexcept {
  if (value.size() != sizeof(std::uint64_t)) return std::nullopt;
  return read_big_endian(value);
}

std::string space_value(Durability durability, std::string_view name) {
  std::string value{kSpaceValueVersion, static_cast<char>(durability)};
  value += name;
  return value;
}

Result<SpaceInfo> space_of(std::string_view key, std::string_view value) {
  const std::string_view number = key.substr(std::min(key.size(), kSpaceKeyPrefix.size()));
  if (number.size() != sizeof(SpaceNumber::value) || value.size() < 2) {
    return Failure{ErrorCode::kStorageFailed, "an entry of the list of spaces is malformed"};
  }
  const auto durability = static_cast<std::uint8_t>(value[1]);
  if (value[0] != kSpaceValueVersion || durability > static_cast<int>(Durability::kSync)) {
    return Failure{ErrorCode::kStorageFailed,
                   "an entry of the list of spaces is of an unknown version; it was written by a "
                   "newer space-server, use that one"};
  }
  return SpaceInfo{SpaceNumber{static_cast<std::uint32_t>(read_big_endian(number))},
                   std::string(value.substr(2)), static_cast<Durability>(durability)};
}

}  // namespace linden::storage

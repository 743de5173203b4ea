// api/data/content_name.cpp
#include "api/data/content_name.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace linden::data {
namespace {

constexpr std::size_t kDigits = 32;

bool is_hex(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

}  // namespace

std::string content_name(std::string_view bytes) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes.data(), bytes.size()));
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string name;
  name.reserve(kDigits + 21);
  for (const unsigned char byte : canonical.digest) {
    name += kHex[byte >> 4];
    name += kHex[byte & 15];
  }
  return name + "-" + std::to_string(bytes.size());
}

bool parse_content_name(std::string_view name, std::uint64_t& size) noexcept {
  if (name.size() < kDigits + 2 || name[kDigits] != '-') return false;
  if (!std::all_of(name.begin(), name.begin() + kDigits, is_hex)) return false;
  const char* end = name.data() + name.size();
  const auto parsed = std::from_chars(name.data() + kDigits + 1, end, size);
  return parsed.ec == std::errc() && parsed.ptr == end;
}

}  // namespace linden::data

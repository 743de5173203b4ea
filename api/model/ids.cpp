// api/model/ids.cpp
#include <linden/ids.h>

namespace linden {

std::string to_string(const SessionId& session) {
  std::string digits(32, '0');
  for (unsigned i = 0; i < 32; ++i) {
    const std::uint64_t half = i < 16 ? session.high : session.low;
    digits[i] = "0123456789abcdef"[half >> (60 - 4 * (i % 16)) & 0xF];
  }
  return digits;
}

}  // namespace linden

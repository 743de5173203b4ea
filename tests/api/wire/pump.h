// tests/api/wire/pump.h: bytes from a WriteBuffer to a FrameReader without a network in between.
#pragma once

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>

#include "api/wire/frame.h"
#include "api/wire/write_buffer.h"

namespace linden::wire {

// Everything that waits in `out`, as one string.
inline std::string drain(WriteBuffer& out) {
  std::string bytes;
  iovec pieces[7];
  while (!out.empty()) {
    const std::size_t count = out.gather(pieces, std::size(pieces));
    std::size_t total = 0;
    for (std::size_t i = 0; i < count; ++i) {
      bytes.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
      total += pieces[i].iov_len;
    }
    out.consume(total);
  }
  return bytes;
}

// Gives `bytes` to the reader, at most `step` at a time; for one frame at most, as it reads none.
inline void feed(FrameReader& reader, std::string_view bytes, std::size_t step = 1 << 20) {
  while (!bytes.empty()) {
    const auto room = reader.prepare();
    const std::size_t count = std::min({room.size(), bytes.size(), step});
    std::memcpy(room.data(), bytes.data(), count);
    reader.commit(count);
    bytes.remove_prefix(count);
  }
}

}  // namespace linden::wire

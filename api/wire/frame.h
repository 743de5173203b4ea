// api/wire/frame.h: the stream of bytes cut into frames.
//
//   u32 frame bytes (of all that follows) | u32 message bytes | u32 attachment count | u32 length
//   of each attachment | message (one protobuf) | attachments
// all little-endian.  Limits are checked on the first bytes, before memory is taken (P38).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <linden/bytes.h>
#include <linden/result.h>

namespace linden::wire {

inline constexpr std::uint32_t kFrameBytesMaxDefault = std::uint32_t{1} << 30;
inline constexpr std::uint32_t kFrameBytesMaxBeforeHello = 64 * 1024;
inline constexpr std::uint32_t kFrameAttachmentsMax = 1'000'000;

// Bytes before the table of lengths, and those of them that "frame bytes" does not count.
inline constexpr std::size_t kFrameHeaderBytes = 12;
inline constexpr std::size_t kFrameLengthBytes = 4;

// One frame, lying in the reader's memory.  `message` and `attachments` are valid until the
// reader's next call; `keep` keeps a part.
struct Frame {
  std::string_view message;
  std::span<const std::string_view> attachments;
};

// Takes bytes as they come and gives frames.  A frame that is larger than the buffer gets a buffer
// of its own, which grows as its bytes arrive, so that a header alone takes no memory.
class FrameReader {
 public:
  // Of a usual buffer; it grows to the larger size while reads fill it.
  static constexpr std::size_t kBufferBytesMin = 64 * 1024;
  static constexpr std::size_t kBufferBytesMax = 256 * 1024;

  explicit FrameReader(std::uint32_t frame_bytes_max) : frame_bytes_max_(frame_bytes_max) {}
  void set_frame_bytes_max(std::uint32_t bytes) { frame_bytes_max_ = bytes; }

  // Where the next bytes from the network should go: at least 1 byte, usually tens of KiB.
  [[nodiscard]] std::span<char> prepare();
  // So many were written there.
  void commit(std::size_t count);

  // The next whole frame; nullopt: more bytes are needed.  kMalformed or kLimitExceeded: the stream
  // is of no further use.
  [[nodiscard]] Result<std::optional<Frame>> next();

  // Keeps `part` of the last frame beyond the next call: shares the buffer if the part is large,
  // copies it otherwise.
  [[nodiscard]] Bytes keep(std::string_view part) const;

 private:
  struct Header {
    std::size_t frame_bytes;  // of the whole frame, its first four bytes included
    std::uint32_t message_bytes;
    std::uint32_t attachment_count;
  };
  [[nodiscard]] std::size_t filled() const noexcept { return end_ - begin_; }
  // Of the frame that begins at begin_; nullopt: its header has not arrived.
  [[nodiscard]] Result<std::optional<Header>> header() const;
  [[nodiscard]] Result<std::optional<Frame>> cut(const Header& header);
  void make_room();
  void move_to_buffer_of(std::size_t bytes);
  // Bytes that a part given by keep() refers to must stay.
  [[nodiscard]] bool is_shared() const noexcept;

  std::uint32_t frame_bytes_max_;
  std::shared_ptr<char[]> buffer_;
  std::size_t capacity_ = 0;
  std::size_t usual_capacity_ = kBufferBytesMin;
  std::size_t begin_ = 0;  // first byte not yet given out
  std::size_t end_ = 0;    // after the last byte that has arrived
  std::size_t need_ = 0;   // bytes of the frame at begin_, once next() has seen its header
  std::vector<std::string_view> attachments_;
};

}  // namespace linden::wire

// api/wire/frame.cpp
#include "api/wire/frame.h"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cstring>
#include <string>

namespace linden::wire {
namespace {

// Less room than this is not worth a read.
constexpr std::size_t kReadBytesMin = 4096;
// A part of a large buffer is shared from this size on, if it is no negligible part of it.
constexpr std::size_t kKeepBytesMin = 64 * 1024;
constexpr std::size_t kLengthsKept = 64 * 1024;

std::uint32_t u32_at(const char* at) {
  std::uint32_t number;
  std::memcpy(&number, at, sizeof(number));
  return number;
}

Failure malformed(const char* wrong) {
  return {ErrorCode::kMalformed, std::string("a frame is malformed: ") + wrong};
}

}  // namespace

bool FrameReader::is_shared() const noexcept {
  if (buffer_.use_count() > 1) return true;
  // Whoever dropped the last share has read its bytes before we overwrite them.
  std::atomic_thread_fence(std::memory_order_acquire);
  return false;
}

std::span<char> FrameReader::prepare() {
  make_room();
  return {buffer_.get() + end_, capacity_ - end_};
}

void FrameReader::commit(std::size_t count) {
  assert(count <= capacity_ - end_);
  end_ += count;
  if (end_ == capacity_ && capacity_ == usual_capacity_)
    usual_capacity_ = std::min(usual_capacity_ * 2, kBufferBytesMax);
}

// A frame beyond the usual buffer gets one that ends where the frame ends, so that the frame after
// it does not keep it alive.  It grows with what has arrived: at most four times that.
void FrameReader::make_room() {
  if (begin_ == end_ && !is_shared()) begin_ = end_ = 0;
  const std::size_t missing = need_ > filled() ? need_ - filled() : kReadBytesMin;
  const std::size_t room = capacity_ - end_;
  if (need_ > usual_capacity_) {
    if (room < std::min(kReadBytesMin, missing))
      move_to_buffer_of(std::min(need_, std::max(4 * filled(), kBufferBytesMax)));
  } else if (room < missing || room < kReadBytesMin || capacity_ > kBufferBytesMax) {
    // More than the usual only if the caller left whole frames unread.
    move_to_buffer_of(std::max(usual_capacity_, filled() + missing));
  }
}

void FrameReader::move_to_buffer_of(std::size_t bytes) {
  const std::size_t count = filled();
  assert(bytes > count);
  if (bytes == capacity_ && !is_shared()) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, count);
  } else {
    std::shared_ptr<char[]> next = std::make_shared_for_overwrite<char[]>(bytes);
    if (count > 0) std::memcpy(next.get(), buffer_.get() + begin_, count);
    buffer_ = std::move(next);
    capacity_ = bytes;
  }
  begin_ = 0;
  end_ = count;
}

Result<std::optional<FrameReader::Header>> FrameReader::header() const {
  const char* const at = buffer_.get() + begin_;
  if (filled() < kFrameLengthBytes) return std::optional<Header>();
  const std::uint32_t bytes = u32_at(at);
  if (bytes > frame_bytes_max_)
    return Failure{ErrorCode::kLimitExceeded,
                   "a frame of " + std::to_string(bytes) + " bytes is larger than the limit of " +
                       std::to_string(frame_bytes_max_) + "; send less at once"};
  if (bytes < kFrameHeaderBytes - kFrameLengthBytes)
    return malformed("it is shorter than its header");
  if (filled() < kFrameHeaderBytes) return std::optional<Header>();
  const Header header{kFrameLengthBytes + bytes, u32_at(at + 4), u32_at(at + 8)};
  if (header.attachment_count > kFrameAttachmentsMax)
    return Failure{ErrorCode::kLimitExceeded,
                   "a frame has at most " + std::to_string(kFrameAttachmentsMax) +
                       " attachments, found " + std::to_string(header.attachment_count) +
                       "; send less at once"};
  const std::uint64_t least =
      kFrameHeaderBytes + std::uint64_t{4} * header.attachment_count + header.message_bytes;
  if (least > header.frame_bytes) return malformed("its parts are longer than the whole");
  return std::optional<Header>(header);
}

Result<std::optional<Frame>> FrameReader::next() {
  need_ = 0;
  if (buffer_ == nullptr) return std::optional<Frame>();
  auto header = this->header();
  if (!header) return header.error();
  if (!*header) return std::optional<Frame>();
  need_ = (*header)->frame_bytes;
  if (filled() < need_) return std::optional<Frame>();
  need_ = 0;
  return cut(**header);
}

Result<std::optional<Frame>> FrameReader::cut(const Header& header) {
  const char* const start = buffer_.get() + begin_;
  const char* const end = start + header.frame_bytes;
  const char* const lengths = start + kFrameHeaderBytes;
  const char* at = lengths + std::size_t{4} * header.attachment_count;
  const std::string_view message(at, header.message_bytes);
  at += header.message_bytes;

  attachments_.clear();
  // One frame with very many attachments should not cost memory for ever.
  if (attachments_.capacity() > kLengthsKept && header.attachment_count <= kLengthsKept)
    attachments_.shrink_to_fit();
  attachments_.reserve(header.attachment_count);
  for (std::uint32_t i = 0; i < header.attachment_count; ++i) {
    const std::uint32_t length = u32_at(lengths + std::size_t{4} * i);
    if (length > static_cast<std::size_t>(end - at))
      return malformed("its attachments are longer than the whole");
    attachments_.emplace_back(at, length);
    at += length;
  }
  if (at != end) return malformed("its attachments are shorter than the whole");
  begin_ += header.frame_bytes;
  return std::optional<Frame>(Frame{message, attachments_});
}

Bytes FrameReader::keep(std::string_view part) const {
  const bool most = part.size() >= capacity_ / 4;
  const bool much = part.size() >= kKeepBytesMin && part.size() >= capacity_ / 64;
  if (part.empty() || (!most && !much)) return Bytes::copy_of(part);
  return Bytes::share(buffer_, part);
}

}  // namespace linden::wire

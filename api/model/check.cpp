// api/model/check.cpp
#include "api/model/check.h"

#include "api/model/append.h"
#include "api/model/utf8.h"
#include "api/model/varint.h"

namespace linden::encoding {
namespace {

constexpr const char* kTooLong = "a field is longer than the bytes that are there";
constexpr const char* kNoText = "text is not UTF-8";
constexpr const char* kCutOff = "the bytes end in the middle of a field";

}  // namespace

bool HeadCheck::skip(std::uint64_t count) noexcept {
  if (count > left()) return fail(kTooLong);
  at_ += count;
  return true;
}

bool HeadCheck::check_varint(std::uint64_t& number) noexcept {
  if (at_ != end_ && static_cast<unsigned char>(*at_) < 0x80) {  // most are this short
    number = static_cast<unsigned char>(*at_++);
    return true;
  }
  return read_varint(at_, end_, number) || fail("a number is cut off or not in its shortest form");
}

bool HeadCheck::check_byte(unsigned char& byte) noexcept {
  if (at_ == end_) return fail(kCutOff);
  byte = static_cast<unsigned char>(*at_++);
  return true;
}

bool HeadCheck::peek_tag(unsigned char& tag) noexcept {
  if (at_ == end_) return fail("there are fewer fields than stated");
  tag = static_cast<unsigned char>(*at_);
  return true;
}

bool HeadCheck::check_count(std::size_t& count) noexcept {
  unsigned char byte = 0;
  if (!check_byte(byte)) return false;
  count = byte;
  return count <= kFieldsMax || fail("there are more than 64 fields");
}

bool HeadCheck::check_text(std::string_view& text) noexcept {
  std::uint64_t length = 0;
  if (!check_varint(length)) return false;
  const char* start = at_;
  if (!skip(length)) return false;
  text = {start, length};
  return is_utf8(text) || fail(kNoText);
}

bool HeadCheck::check_inline_bytes() noexcept {
  std::uint64_t length = 0;
  if (!check_varint(length)) return false;
  if (length >= kAttachmentBytesMin) return fail("large bytes must be an attachment");
  return skip(length);
}

bool HeadCheck::check_attachment() noexcept {
  std::uint64_t length = 0;
  if (!check_varint(length)) return false;
  if (length < kAttachmentBytesMin) return fail("small bytes must lie in the head");
  if (attachments_used_ == attachments_.size()) return fail("an attachment is missing");
  return attachments_[attachments_used_++].size() == length ||
         fail("an attachment is not as long as stated");
}

bool HeadCheck::check_list(std::size_t depth) noexcept {
  if (depth >= kListDepthMax) return fail("lists are nested too deeply");
  std::uint64_t length = 0;
  if (!check_varint(length)) return false;
  if (length > left()) return fail("a list is longer than the bytes that are there");
  // Elements must not reach beyond the list, so its end is the end for a while.
  const char* const outer_end = end_;
  end_ = at_ + length;
  std::uint64_t count = 0;
  if (!check_varint(count)) return false;
  if (count > left()) return fail("a list has fewer elements than stated");
  if (!check_some(count, depth + 1)) return false;
  if (at_ != end_) return fail("a list is longer than its elements");
  end_ = outer_end;
  return true;
}

bool HeadCheck::check_object() noexcept {
  saw_object_ = true;
  std::string_view codec;
  std::uint64_t parts = 0;
  if (!check_text(codec) || !check_varint(parts)) return false;
  for (; parts > 0; --parts) {
    unsigned char tag = 0;
    if (!check_byte(tag)) return false;
    if (tag == kTagBytes) {
      if (!check_inline_bytes()) return false;
    } else if (tag == kTagAttachment) {
      if (!check_attachment()) return false;
    } else {
      return fail("a part of an object must be bytes");
    }
  }
  return true;
}

// Every byte from outside comes by here, so what is usual (numbers, short texts) stays in one loop
// with its place in registers; the rest is check_payload's.
bool HeadCheck::check_some(std::uint64_t count, std::size_t depth) noexcept {
  const char* at = at_;
  const char* const end = end_;
  for (; count > 0; --count) {
    if (at == end) return fail(kCutOff);
    const auto tag = static_cast<unsigned char>(*at++);
    const auto room = static_cast<std::size_t>(end - at);
    if (tag <= kTagTrue) continue;
    if (tag <= kTagFloat) {
      if (room < sizeof(std::uint64_t)) return fail(kTooLong);
      at += sizeof(std::uint64_t);
      continue;
    }
    const std::size_t length = room == 0 ? 0xFF : static_cast<unsigned char>(*at);
    if (tag <= kTagBytes && length < 0x80) {
      if (length >= room) return fail(kTooLong);
      if (tag == kTagText && !is_utf8({at + 1, length})) return fail(kNoText);
      at += 1 + length;
      continue;
    }
    at_ = at;
    if (!check_payload(tag, depth)) return false;
    at = at_;
  }
  at_ = at;
  return true;
}

// What check_some has left: longer texts and bytes, and what holds others.
bool HeadCheck::check_payload(unsigned char tag, std::size_t depth) noexcept {
  switch (tag) {
    case kTagText: {
      std::string_view text;
      return check_text(text);
    }
    case kTagBytes:
      return check_inline_bytes();
    case kTagAttachment:
      return check_attachment();
    case kTagList:
      return check_list(depth);
    case kTagObject:
      return check_object();
    default:
      return fail("a field is of an unknown type");
  }
}

bool HeadCheck::check_field(FieldView& view) noexcept {
  const char* const start = at_;
  const std::size_t first_attachment = attachments_used_;
  if (!check_some(1, 0)) return false;
  view.bytes = {start, static_cast<std::size_t>(at_ - start)};
  view.attachments = attachments_.subspan(first_attachment, attachments_used_ - first_attachment);
  return true;
}

bool HeadCheck::check_end() noexcept {
  if (at_ != end_) return fail("there are bytes behind the last field");
  return attachments_used_ == attachments_.size() || fail("there are attachments of no field");
}

}  // namespace linden::encoding

// api/model/check.h: reads bytes from outside and believes nothing.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include <linden/bytes.h>

#include "api/model/encoding.h"

namespace linden::encoding {

// Walks a head and its attachments.  Each check_ advances behind what it checked, or returns false
// and says in `wrong` what is wrong.  Takes no memory, so a claimed count or length costs nothing.
class HeadCheck {
 public:
  HeadCheck(std::string_view head, std::span<const Bytes> attachments) noexcept
      : at_(head.data()), end_(head.data() + head.size()), attachments_(attachments) {}

  // The field count that a head begins with.
  bool check_count(std::size_t& count) noexcept;
  // So many fields of a tuple.
  bool check_fields(std::size_t count) noexcept { return check_some(count, 0); }
  // One actual of a template.  `view` is the field where it lies.
  bool check_field(FieldView& view) noexcept;
  // A varint length and so much UTF-8.
  bool check_text(std::string_view& text) noexcept;
  bool check_varint(std::uint64_t& number) noexcept;
  bool check_byte(unsigned char& byte) noexcept;
  // The tag of the next field or formal, which stays where it is.
  [[nodiscard]] bool peek_tag(unsigned char& tag) noexcept;
  // Nothing may be left over.
  bool check_end() noexcept;

  // True once a field held an object, at any depth.
  [[nodiscard]] bool saw_object() const noexcept { return saw_object_; }
  [[nodiscard]] const char* wrong() const noexcept { return wrong_; }

 private:
  bool fail(const char* wrong) noexcept {
    wrong_ = wrong;
    return false;
  }
  [[nodiscard]] std::size_t left() const noexcept { return static_cast<std::size_t>(end_ - at_); }
  bool skip(std::uint64_t count) noexcept;
  // Fields in a row, within so many lists.
  bool check_some(std::uint64_t count, std::size_t depth) noexcept;
  bool check_payload(unsigned char tag, std::size_t depth) noexcept;
  bool check_inline_bytes() noexcept;
  bool check_attachment() noexcept;
  bool check_list(std::size_t depth) noexcept;
  bool check_object() noexcept;

  const char* at_;
  const char* end_;
  std::span<const Bytes> attachments_;
  std::size_t attachments_used_ = 0;
  bool saw_object_ = false;
  const char* wrong_ = "";
};

}  // namespace linden::encoding

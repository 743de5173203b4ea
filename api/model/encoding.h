// api/model/encoding.h: the canonical bytes of fields, and how to look at them without taking them
// apart.
//
// A head is: u8 field count, then the fields.  A field is a tag byte and its payload; numbers are
// little-endian, `varint` is the shortest LEB128 form (a longer one is malformed), so equal values
// have equal bytes except for 0.0 and -0.0:
//   0x00 nil | 0x01 false | 0x02 true | 0x03 int: 8 bytes | 0x04 float: 8 bytes of IEEE 754
//   0x05 text: varint length, UTF-8
//   0x06 bytes: varint length, bytes (length < kAttachmentBytesMin)
//   0x07 bytes as attachment: varint length; the bytes are the next attachment in order of
//        appearance
//   0x08 list: varint bytes of what follows, varint count, elements
//   0x09 object: varint codec length, codec (UTF-8), varint part count, each part as 0x06 or 0x07
// Templates use the same, and for formals:
//   0x20 any | 0x21 typed: u8 FieldType | 0x22 between: low field, high field
//   0x23 prefix: varint length, UTF-8 | 0x24 one of: varint count, fields
//   0x25 list of: varint count, elements, each a field or formal
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <linden/field_view.h>
#include <linden/template.h>
#include <linden/tuple.h>

namespace linden::encoding {

// Most values of one OneOf, so that a template cannot take much more memory than its bytes.
inline constexpr std::size_t kOneOfValuesMax = 65'536;
// Most elements of all lists with formals of one template, for the same reason.
inline constexpr std::size_t kListOfElementsMax = 65'536;

// Equal by type and value; NaN equals nothing, also within lists.
[[nodiscard]] bool equal(const FieldView& a, const FieldView& b) noexcept;
// Equal fields have equal hashes.  Not part of any format: it may differ between builds.
[[nodiscard]] std::uint64_t hash(const FieldView& field) noexcept;
// Hash of the fields whose bits are set in `mask`, in order.
[[nodiscard]] std::uint64_t hash(const FieldTable& table, std::uint64_t mask) noexcept;

}  // namespace linden::encoding

namespace linden {

// A template taken apart once, when it is made.
struct Template::Parsed {
  struct Formal {
    enum class Kind : std::uint8_t {
      kActual,
      kAny,
      kTyped,
      kBetween,
      kPrefix,
      kOneOf,
      kListOf
    } kind = Kind::kAny;
    FieldType type = FieldType::kNil;         // kTyped
    encoding::FieldView actual;               // kActual
    std::vector<encoding::FieldView> values;  // kBetween: low, high; kOneOf: all
    std::string_view prefix;                  // kPrefix
    std::vector<Formal> elements;             // kListOf
  };
  std::string head;
  std::vector<Bytes> attachments;
  std::vector<Formal> fields;
  std::uint64_t actual_mask = 0;
  std::uint64_t actual_hash =
      0;  // encoding::hash of the actuals, comparable with hash(table, actual_mask)
};

namespace encoding {
// Whether one field of a tuple is what one field of a template asks for.
[[nodiscard]] bool matches(const Template::Parsed::Formal& formal, const FieldView& field) noexcept;
// As Template::matches, for a tuple that was split already.
[[nodiscard]] bool matches(const Template& form, const FieldTable& table) noexcept;
}  // namespace encoding

}  // namespace linden

// linden/field_view.h: the fields of a tuple where they lie, for callers to whom a Value each is
// too slow (language bindings, matching).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include <linden/tuple.h>
#include <linden/value.h>

namespace linden::encoding {

// One field of a tuple or actual of a template where it lies.  Valid as long as the tuple or
// template.
struct FieldView {
  std::string_view bytes;              // tag and payload
  std::span<const Bytes> attachments;  // the field's own, in order
  [[nodiscard]] FieldType type() const noexcept;
};

// The fields of one tuple.  Filled once per put and then used for every mask.
struct FieldTable {
  std::size_t count = 0;
  std::array<FieldView, kFieldsMax> fields;
};

// Splits a tuple that is known to be well formed (every Tuple is).  O(fields).
void split(const Tuple& tuple, FieldTable& out) noexcept;

// Readers for a field of the matching type; the caller has checked type().
[[nodiscard]] bool bool_of(const FieldView& field) noexcept;
[[nodiscard]] std::int64_t int_of(const FieldView& field) noexcept;
[[nodiscard]] double float_of(const FieldView& field) noexcept;
[[nodiscard]] std::string_view text_of(const FieldView& field) noexcept;
// Large bytes lie in `field.attachments[0]`, which can be shared.
[[nodiscard]] std::string_view bytes_of(const FieldView& field) noexcept;
[[nodiscard]] Value value_of(const FieldView& field);

// Walks the fields of a tuple in order, where a FieldTable would be too much.
class FieldWalk {
 public:
  explicit FieldWalk(const Tuple& tuple) noexcept;
  // False at the end.
  bool next(FieldView& out) noexcept;

 private:
  const char* at_;
  std::span<const Bytes> attachments_;
  std::size_t left_;
};

// Walks the elements of a list field in order.
class ListWalk {
 public:
  explicit ListWalk(const FieldView& list) noexcept;
  [[nodiscard]] std::size_t count() const noexcept { return count_; }
  // False at the end.
  bool next(FieldView& out) noexcept;

 private:
  std::string_view rest_;
  std::span<const Bytes> attachments_;
  std::size_t count_ = 0;
};

// An object's codec and parts, where they lie.
struct ObjectView {
  std::string_view codec;
  struct Part {
    std::string_view bytes;
    const Bytes* shared;  // the attachment that holds it, or null if it lies in the head
  };
  std::vector<Part> parts;
};
[[nodiscard]] ObjectView object_of(const FieldView& field);

}  // namespace linden::encoding

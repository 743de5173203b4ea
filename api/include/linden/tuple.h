// linden/tuple.h: an ordered, immutable row of typed fields.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <linden/bytes.h>
#include <linden/result.h>
#include <linden/value.h>

namespace linden {

namespace detail {
struct TupleRep;  // one reference-counted allocation: head bytes and the attachments' table
}
namespace encoding {
struct FieldView;  // linden/field_view.h
}

// Bytes values and object parts of this size or more lie beside a tuple's head as attachments and
// are never copied; smaller ones lie in the head.  Part of the format: equal tuples have equal
// heads.
inline constexpr std::size_t kAttachmentBytesMin = 4096;

// Most fields in a tuple or a template.
inline constexpr std::size_t kFieldsMax = 64;

// Deepest nesting of lists.
inline constexpr std::size_t kListDepthMax = 64;

// An ordered row of fields.  A tuple is its canonical encoding (docs/design/wire-protocol.md), so
// it travels, is compared and is stored without being taken apart.  Copying is one atomic
// increment.  Safe to share between threads.
class Tuple {
 public:
  Tuple() = default;  // no fields
  Tuple(std::initializer_list<Value> fields);
  // Throws Error: kLimitExceeded beyond kFieldsMax fields or kListDepthMax levels; kInvalidArgument
  // for text that is not UTF-8.
  explicit Tuple(std::span<const Value> fields);
  // Copying shares.
  Tuple(const Tuple& other) noexcept;
  Tuple(Tuple&& other) noexcept : rep_(other.rep_) { other.rep_ = nullptr; }
  Tuple& operator=(Tuple other) noexcept {
    std::swap(rep_, other.rep_);
    return *this;
  }
  ~Tuple();

  // Reads an encoding that came from outside: checks every length, type, limit and UTF-8.
  // kMalformed says what is wrong.
  [[nodiscard]] static Result<Tuple> decode(std::string_view head, std::vector<Bytes> attachments);

  [[nodiscard]] std::size_t size() const noexcept;                   // number of fields
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }  // it has no fields

  // The field as a value; large bytes are shared.  `index` must be below size().  O(index).
  [[nodiscard]] Value operator[](std::size_t index) const;
  [[nodiscard]] List values() const;

  [[nodiscard]] std::string_view head() const noexcept;               // the encoding
  [[nodiscard]] std::span<const Bytes> attachments() const noexcept;  // what lies beside it

  // Head plus attachments.
  [[nodiscard]] std::size_t byte_size() const noexcept;

  // By type and value, like Value; a NaN makes a tuple unequal to itself.
  friend bool operator==(const Tuple& a, const Tuple& b);

 private:
  friend class TupleBuilder;
  explicit Tuple(detail::TupleRep* rep) noexcept : rep_(rep) {}
  detail::TupleRep* rep_ = nullptr;
};

// Makes a tuple field by field without values in between; bindings use it.
class TupleBuilder {
 public:
  TupleBuilder();
  void add_nil();
  void add_bool(bool value);
  void add_int(std::int64_t value);
  void add_float(double value);
  void add_text(std::string_view utf8);    // Error kInvalidArgument if it is not UTF-8
  void add_bytes(std::string_view bytes);  // copies
  void add_bytes(const Bytes& bytes);      // shares if it is large
  void begin_list();                       // until end_list, what is added are its elements
  void end_list();                         // of the list begun last
  void add_object(std::string_view codec, std::span<const Bytes> parts);
  void add(const Value& value);
  void add(const encoding::FieldView& field);  // of another tuple, as it lies there

  // Error kLimitExceeded beyond kFieldsMax or kListDepthMax.  The builder is empty afterwards.
  [[nodiscard]] Tuple build();

 private:
  void count_element();
  void put_bytes(std::string_view bytes, const Bytes* shared);

  struct OpenList {
    std::size_t start;
    std::size_t count;
  };
  std::string head_;
  std::vector<Bytes> attachments_;
  std::vector<OpenList> open_;
  std::size_t fields_ = 0;
};

// For people: `("task", 17, b"...")`.
[[nodiscard]] std::string to_string(const Tuple& tuple);

}  // namespace linden

// linden/value.h: one field of a tuple, as a C++ value.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <linden/bytes.h>

namespace linden {

class Value;
using List = std::vector<Value>;  // of fields

// What a field can be.  The numbers are part of the wire and storage formats.
enum class FieldType : std::uint8_t {
  kNil = 0,
  kBool = 1,
  kInt = 2,
  kFloat = 3,
  kText = 4,
  kBytes = 5,
  kList = 6,
  kObject = 7,
};

// "nil", "bool", "int", "float", "text", "bytes", "list", "object".
[[nodiscard]] std::string_view name_of(FieldType type) noexcept;

// A value of the application that the space carries but does not look into: it can be stored and
// returned, not matched by value.  `parts[0]` is what `codec` made of it; further parts are its
// out-of-band buffers (pickle protocol 5).
struct Object {
  std::string codec;
  std::vector<Bytes> parts;

  friend bool operator==(const Object&, const Object&) = default;
};

// A field: nil, bool, int (64 bit), float (64 bit), text (UTF-8), bytes, list, or object.  No
// coercion ever happens between them: 1, 1.0, true and "1" are four different fields (P2).
class Value {
 public:
  using Variant =
      std::variant<std::monostate, bool, std::int64_t, double, std::string, Bytes, List, Object>;

  Value() = default;
  Value(std::nullptr_t) {}  // NOLINT(google-explicit-constructor)
  template <std::same_as<bool> T>
  Value(T value) : value_(value) {}  // NOLINT(google-explicit-constructor)
  template <std::signed_integral T>
  Value(T value)
      : value_(static_cast<std::int64_t>(value)) {}  // NOLINT(google-explicit-constructor)
  template <std::unsigned_integral T>
  requires(!std::same_as<T, bool> && sizeof(T) < sizeof(std::int64_t)) Value(T value)
      : value_(static_cast<std::int64_t>(value)) {}       // NOLINT(google-explicit-constructor)
  Value(double value) : value_(value) {}                  // NOLINT(google-explicit-constructor)
  Value(const char* text) : value_(std::string(text)) {}  // NOLINT(google-explicit-constructor)
  Value(std::string_view text)
      : value_(std::string(text)) {}                    // NOLINT(google-explicit-constructor)
  Value(std::string text) : value_(std::move(text)) {}  // NOLINT(google-explicit-constructor)
  Value(Bytes bytes) : value_(std::move(bytes)) {}      // NOLINT(google-explicit-constructor)
  Value(List list) : value_(std::move(list)) {}         // NOLINT(google-explicit-constructor)
  Value(Object object) : value_(std::move(object)) {}   // NOLINT(google-explicit-constructor)
  // What it holds.
  [[nodiscard]] FieldType type() const noexcept { return static_cast<FieldType>(value_.index()); }
  [[nodiscard]] bool is_nil() const noexcept { return value_.index() == 0; }

  // Each throws Error (kInvalidArgument) that says wanted and found if the value is of another
  // type.
  [[nodiscard]] bool as_bool() const;
  [[nodiscard]] std::int64_t as_int() const;
  [[nodiscard]] double as_float() const;
  [[nodiscard]] const std::string& as_text() const;
  [[nodiscard]] const Bytes& as_bytes() const;
  [[nodiscard]] const List& as_list() const;
  [[nodiscard]] const Object& as_object() const;
  // For std::visit.
  [[nodiscard]] const Variant& variant() const noexcept { return value_; }

  // Equal in type and value.  As in IEEE 754, NaN equals nothing and 0.0 equals -0.0.
  friend bool operator==(const Value& a, const Value& b) { return a.value_ == b.value_; }

 private:
  Variant value_;
};

// For people: `"text"`, `b"..."` shortened, `[1, 2]`, `<object pickle, 120 bytes>`; control
// characters are escaped.
[[nodiscard]] std::string to_string(const Value& value);

}  // namespace linden

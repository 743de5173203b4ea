// linden/template.h: what a take or read asks for: a row of actual and formal fields.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <linden/result.h>
#include <linden/tuple.h>
#include <linden/value.h>

namespace linden {

// Formals.
struct Any {};  // every field, nil too
struct Typed {
  FieldType type;
};  // every field of that type
struct Between {
  Value low;
  Value high;
};  // low <= field <= high, all of one type: int, float, text or bytes
struct Prefix {
  std::string text;
};  // text fields that begin so
struct OneOf {
  std::vector<Value> values;
};  // a field equal to one of them
class TemplateField;
struct ListOf {
  std::vector<TemplateField> elements;
};  // a list of as many elements, each as its actual or formal says; may nest
// The formals that say nothing but a type.
inline constexpr Any kAny{};
inline constexpr Typed kBool{FieldType::kBool};
inline constexpr Typed kInt{FieldType::kInt};
inline constexpr Typed kFloat{FieldType::kFloat};
inline constexpr Typed kText{FieldType::kText};
inline constexpr Typed kBytes{FieldType::kBytes};
inline constexpr Typed kList{FieldType::kList};
inline constexpr Typed kObject{FieldType::kObject};

// An actual (a Value: matches by type and value, P1, P2) or a formal.  An object cannot be an
// actual.
class TemplateField {
 public:
  using Variant = std::variant<Value, Any, Typed, Between, Prefix, OneOf, ListOf>;
  template <class T>
  requires std::constructible_from<Value, T> TemplateField(T&& actual)
      : field_(Value(std::forward<T>(actual))) {}  // NOLINT(google-explicit-constructor)
  TemplateField(Any formal) : field_(formal) {}    // NOLINT(google-explicit-constructor)
  TemplateField(Typed formal) : field_(formal) {}  // NOLINT(google-explicit-constructor)
  TemplateField(Between formal)
      : field_(std::move(formal)) {}  // NOLINT(google-explicit-constructor)
  TemplateField(Prefix formal)
      : field_(std::move(formal)) {}                          // NOLINT(google-explicit-constructor)
  TemplateField(OneOf formal) : field_(std::move(formal)) {}  // NOLINT(google-explicit-constructor)
  TemplateField(ListOf formal)                                // NOLINT(google-explicit-constructor)
      : field_(std::move(formal)) {}
  [[nodiscard]] const Variant& variant() const noexcept { return field_; }

 private:
  Variant field_;
};

// A row of actuals and formals.  Immutable; copying shares.
class Template {
 public:
  Template() = default;  // matches the tuple without fields
  // Throws Error: kLimitExceeded beyond kFieldsMax or kListDepthMax; kInvalidArgument for an object
  // as an actual, a Between of mixed or unordered types, text that is not UTF-8.
  Template(std::initializer_list<TemplateField> fields);
  explicit Template(std::span<const TemplateField> fields);
  // Every field of the tuple as an actual.
  [[nodiscard]] static Template exactly(const Tuple& tuple);

  // Reads an encoding that came from outside; kMalformed says what is wrong.
  [[nodiscard]] static Result<Template> decode(std::string_view head,
                                               std::vector<Bytes> attachments);

  [[nodiscard]] std::size_t size() const noexcept;       // number of fields
  [[nodiscard]] bool matches(const Tuple& tuple) const;  // P1, P2

  // Bit i is set where field i is an actual (OneOf of a single value and ListOf without formals
  // count as one).
  [[nodiscard]] std::uint64_t actual_mask() const noexcept;

  [[nodiscard]] std::string_view head() const noexcept;               // the encoding
  [[nodiscard]] std::span<const Bytes> attachments() const noexcept;  // what lies beside it

  struct Parsed;  // api/model/encoding.h
  [[nodiscard]] const Parsed& parsed() const noexcept;

 private:
  explicit Template(std::shared_ptr<const Parsed> parsed) : parsed_(std::move(parsed)) {}
  std::shared_ptr<const Parsed> parsed_;  // null: no fields
};

// For people: `("task", ?int, ?)`.
[[nodiscard]] std::string to_string(const Template& form);

}  // namespace linden

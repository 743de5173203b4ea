// linden/typed.h: templates whose fields have C++ types, and the typed results of what they match.
//
//   auto [word, n] = space.take<std::string, std::int64_t>("total", linden::any);
//
// The types are those of all fields, in order; so are the arguments: an actual, which must be equal
// (type and value, P1, P2), or a formal of that type: `any`, Between, Prefix, OneOf.  The result
// has the types; what matches always does.  With a timeout, or to be used again, the same as an
// object:
//
//   const auto totals = linden::form<std::string, std::int64_t>(linden::any, Between{1, 9});
//   auto [word, n] = space.take(totals, 5s);
//
// Field types:
//   bool, double, std::string, Bytes, Object, List      bool, float, text, bytes, object, list
//   std::int64_t, and every other integer type           int within the limits of that type: a
//   larger
//                                                        one does not match, and stays in the space
//   std::tuple<A, B>, std::pair<A, B>, std::array<A, n>  list of exactly these elements
//   std::nullptr_t                                       nil
//   Value                                                a field of any type
// Nothing is converted from one to another: 1 is no double, 1.0 no integer, and a character no
// text.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <linden/error.h>
#include <linden/field_view.h>
#include <linden/template.h>
#include <linden/tuple.h>

namespace linden {

// The formal of a typed template: whatever has the field's type.
inline constexpr Any any{};  // NOLINT(readability-identifier-naming): a word of templates

namespace detail {

template <class T>
inline constexpr bool kNever = false;

template <class T>
concept Integer = std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char> &&
                  !std::same_as<T, wchar_t> && !std::same_as<T, char8_t> &&
                  !std::same_as<T, char16_t> && !std::same_as<T, char32_t>;

[[noreturn]] void throw_out_of_range(const std::string& found, std::int64_t low,
                                     std::uint64_t high);
[[noreturn]] void throw_wrong_formal(std::string_view formal, FieldType wanted, FieldType found);
[[noreturn]] void throw_wrong_field(FieldType wanted, const encoding::FieldView& found);
[[noreturn]] void throw_wrong_size(std::size_t wanted, std::size_t found);

inline void expect_type(FieldType wanted, const encoding::FieldView& found) {
  if (found.type() != wanted) throw_wrong_field(wanted, found);
}

// How a C++ type is a field: its formal, how an actual is made of an argument, how it is read.
template <class T>
struct FieldOf {
  static_assert(
      kNever<T>,
      "this type cannot be a field: use bool, an integer type such as std::int64_t, double, "
      "std::string, linden::Bytes, linden::Object, linden::List, linden::Value, "
      "std::nullptr_t, or a std::tuple, std::pair or std::array of these for a list");
};

template <>
struct FieldOf<bool> {
  static constexpr FieldType kType = FieldType::kBool;
  static TemplateField formal() { return kBool; }
  template <class Argument>
  static TemplateField actual(const Argument& argument) {
    static_assert(std::same_as<Argument, bool>,
                  "a bool field wants an argument of type bool; nothing else is converted to it");
    return Value(argument);
  }
  static bool read(const encoding::FieldView& field) {
    expect_type(kType, field);
    return encoding::bool_of(field);
  }
};

template <Integer T>
struct FieldOf<T> {
  static constexpr FieldType kType = FieldType::kInt;
  static constexpr std::int64_t kLow = static_cast<std::int64_t>(std::numeric_limits<T>::min());
  static constexpr std::uint64_t kHigh =
      std::in_range<std::int64_t>(std::numeric_limits<T>::max())
          ? static_cast<std::uint64_t>(std::numeric_limits<T>::max())
          : std::uint64_t{INT64_MAX};
  static TemplateField formal() {
    if constexpr (std::numeric_limits<T>::min() == INT64_MIN) {
      return kInt;
    } else {
      return Between{Value(kLow), Value(static_cast<std::int64_t>(kHigh))};
    }
  }
  template <class Argument>
  static TemplateField actual(const Argument& argument) {
    static_assert(Integer<Argument>,
                  "an int field wants an argument of an integer type; a bool, a character or a "
                  "floating-point number is not converted to it");
    if (!std::in_range<T>(argument) || !std::in_range<std::int64_t>(argument))
      throw_out_of_range(std::to_string(argument), kLow, kHigh);
    return Value(static_cast<std::int64_t>(argument));
  }
  static T read(const encoding::FieldView& field) {
    expect_type(kType, field);
    const std::int64_t value = encoding::int_of(field);
    if (!std::in_range<T>(value)) throw_out_of_range(std::to_string(value), kLow, kHigh);
    return static_cast<T>(value);
  }
};

template <>
struct FieldOf<double> {
  static constexpr FieldType kType = FieldType::kFloat;
  static TemplateField formal() { return kFloat; }
  template <class Argument>
  static TemplateField actual(const Argument& argument) {
    static_assert(std::same_as<Argument, double> || std::same_as<Argument, float>,
                  "a float field wants an argument of type double or float: write 1.0, not 1");
    return Value(static_cast<double>(argument));
  }
  static double read(const encoding::FieldView& field) {
    expect_type(kType, field);
    return encoding::float_of(field);
  }
};

template <>
struct FieldOf<std::string> {
  static constexpr FieldType kType = FieldType::kText;
  static TemplateField formal() { return kText; }
  template <class Argument>
  static TemplateField actual(const Argument& argument) {
    static_assert(std::convertible_to<const Argument&, std::string_view>,
                  "a text field wants a std::string, a std::string_view or a literal");
    return Value(std::string_view(argument));
  }
  static std::string read(const encoding::FieldView& field) {
    expect_type(kType, field);
    return std::string(encoding::text_of(field));
  }
};

// Fields that are read as the class of the same name.
template <class T, FieldType type>
struct PlainFieldOf {
  static constexpr FieldType kType = type;
  static TemplateField formal() { return Typed{type}; }
  template <class Argument>
  static TemplateField actual(const Argument& argument) {
    static_assert(std::same_as<Argument, T>,
                  "a Bytes, List or Object field wants an argument of just that type");
    return Value(argument);
  }
  static T read(const encoding::FieldView& field) {
    expect_type(kType, field);
    return std::get<T>(encoding::value_of(field).variant());
  }
};
template <>
struct FieldOf<Bytes> : PlainFieldOf<Bytes, FieldType::kBytes> {};
template <>
struct FieldOf<List> : PlainFieldOf<List, FieldType::kList> {};
template <>
struct FieldOf<Object> : PlainFieldOf<Object, FieldType::kObject> {
  template <class Argument>
  static TemplateField actual(const Argument&) {
    static_assert(kNever<Argument>, "an object cannot be matched by value: use linden::any");
    return kAny;
  }
};

template <>
struct FieldOf<std::nullptr_t> {
  static constexpr FieldType kType = FieldType::kNil;
  static TemplateField formal() { return Value(); }
  template <class Argument>
  static TemplateField actual(const Argument&) {
    static_assert(std::same_as<Argument, std::nullptr_t>,
                  "a nil field wants nullptr or linden::any");
    return Value();
  }
  static std::nullptr_t read(const encoding::FieldView& field) {
    expect_type(kType, field);
    return nullptr;
  }
};

template <>
struct FieldOf<Value> {
  static TemplateField formal() { return kAny; }
  template <class Argument>
  static TemplateField actual(const Argument& argument) {
    static_assert(
        std::constructible_from<Value, const Argument&>,
        "this argument is no value: use nullptr, bool, an integer, double, text, Bytes or List");
    return Value(argument);
  }
  static Value read(const encoding::FieldView& field) { return encoding::value_of(field); }
};

// Lists of a known length.
template <class T, class... Elements>
struct RowOf {
  static constexpr FieldType kType = FieldType::kList;
  static TemplateField formal() { return ListOf{{FieldOf<Elements>::formal()...}}; }
  template <class Argument>
  static TemplateField actual(const Argument& argument) {
    static_assert(std::same_as<Argument, T>,
                  "a list field wants an argument of just its type, or linden::any");
    return std::apply(
        [](const auto&... elements) {
          return TemplateField(ListOf{{FieldOf<Elements>::actual(elements)...}});
        },
        argument);
  }
  static T read(const encoding::FieldView& field) {
    expect_type(kType, field);
    encoding::ListWalk walk(field);
    if (walk.count() != sizeof...(Elements)) throw_wrong_size(sizeof...(Elements), walk.count());
    // Braces: from left to right.
    return T{[&walk] {
      encoding::FieldView element;
      walk.next(element);
      return FieldOf<Elements>::read(element);
    }()...};
  }
};
template <class... Elements>
struct FieldOf<std::tuple<Elements...>> : RowOf<std::tuple<Elements...>, Elements...> {};
template <class A, class B>
struct FieldOf<std::pair<A, B>> : RowOf<std::pair<A, B>, A, B> {};

template <class T, std::size_t... I>
auto array_row(std::index_sequence<I...>)
    -> RowOf<std::array<T, sizeof...(I)>, std::enable_if_t<(I >= 0), T>...>;
template <class T, std::size_t n>
struct FieldOf<std::array<T, n>> : decltype(array_row<T>(std::make_index_sequence<n>())) {};

template <class T>
void expect_formal(std::string_view formal, const Value& value) {
  if constexpr (!std::same_as<T, Value>) {
    if (value.type() != FieldOf<T>::kType)
      throw_wrong_formal(formal, FieldOf<T>::kType, value.type());
  }
}

// Between, but no wider than the type.
template <class T>
TemplateField between(const Between& formal) {
  expect_formal<T>("Between", formal.low);
  expect_formal<T>("Between", formal.high);
  if constexpr (Integer<T>) {
    const auto low = std::max(formal.low.as_int(), FieldOf<T>::kLow);
    const auto high = std::min(formal.high.as_int(), static_cast<std::int64_t>(FieldOf<T>::kHigh));
    return Between{Value(low), Value(high)};
  } else {
    return formal;
  }
}

template <class T>
TemplateField one_of(const OneOf& formal) {
  for (const auto& value : formal.values) {
    expect_formal<T>("OneOf", value);
    if constexpr (Integer<T>) {
      if (!std::in_range<T>(value.as_int()))
        throw_out_of_range(std::to_string(value.as_int()), FieldOf<T>::kLow, FieldOf<T>::kHigh);
    }
  }
  return formal;
}

// The template's field that an argument for a field of type T makes.
template <class T, class Argument>
TemplateField field_for(const Argument& argument) {
  if constexpr (std::same_as<Argument, Any>) {
    return FieldOf<T>::formal();
  } else if constexpr (std::same_as<Argument, Typed>) {
    static_assert(kNever<T>, "the field's type is given already: write linden::any");
    return kAny;
  } else if constexpr (std::same_as<Argument, Between>) {
    return between<T>(argument);
  } else if constexpr (std::same_as<Argument, Prefix>) {
    static_assert(std::same_as<T, std::string> || std::same_as<T, Value>,
                  "a Prefix is for fields of type std::string");
    return argument;
  } else if constexpr (std::same_as<Argument, OneOf>) {
    return one_of<T>(argument);
  } else if constexpr (std::same_as<Argument, ListOf>) {
    static_assert(std::same_as<T, List> || std::same_as<T, Value>,
                  "a ListOf is for fields of type linden::List");
    return argument;
  } else if constexpr (std::is_array_v<Argument>) {
    return FieldOf<T>::actual(std::string_view(argument));
  } else {
    return FieldOf<T>::actual(argument);
  }
}

}  // namespace detail

// A template that knows the C++ types of its fields.  Made by form<...>(...).  Immutable; copying
// shares.
template <class... Fields>
class Form {
 public:
  // What it gives of a tuple.
  using Row = std::tuple<Fields...>;

  // As form().
  template <class... Arguments>
  requires(sizeof...(Arguments) == sizeof...(Fields)) static Form
      of(const Arguments&... arguments) {
    return Form(Template{detail::field_for<Fields>(arguments)...});
  }

  // For calls that are not typed.
  [[nodiscard]] const Template& untyped() const noexcept { return template_; }

  // The fields of a tuple that matches.  Throws Error kInvalidArgument if they have not the types.
  [[nodiscard]] static Row fields_of(const Tuple& tuple) {
    if (tuple.size() != sizeof...(Fields))
      detail::throw_wrong_size(sizeof...(Fields), tuple.size());
    [[maybe_unused]] encoding::FieldWalk walk(tuple);
    // Braces: from left to right.
    return Row{[&walk] {
      encoding::FieldView field;
      walk.next(field);
      return detail::FieldOf<Fields>::read(field);
    }()...};
  }

 private:
  explicit Form(Template untyped) : template_(std::move(untyped)) {}
  Template template_;
};

// A typed template: the types of all fields, and for each an actual or a formal.  Throws Error
// kInvalidArgument for an actual beyond the field's type, or a Between or OneOf of another type.
template <class... Fields, class... Arguments>
[[nodiscard]] Form<Fields...> form(const Arguments&... arguments) {
  static_assert(sizeof...(Arguments) == sizeof...(Fields),
                "wanted one argument for each field: an actual, or a formal such as linden::any");
  if constexpr (sizeof...(Arguments) == sizeof...(Fields)) {
    return Form<Fields...>::of(arguments...);
  }
}

}  // namespace linden

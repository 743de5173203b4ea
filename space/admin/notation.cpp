// space/admin/notation.cpp
#include "space/admin/notation.h"

#include <array>
#include <charconv>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <linden/error.h>

#include "space/admin/notation_text.h"

namespace linden::admin {
namespace {

constexpr std::array<FieldType, 8> kTypes{FieldType::kNil,   FieldType::kBool,  FieldType::kInt,
                                          FieldType::kFloat, FieldType::kText,  FieldType::kBytes,
                                          FieldType::kList,  FieldType::kObject};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

// Reads one row from left to right.
class Parser {
 public:
  Parser(std::string_view text, bool formals) : text_(text), formals_(formals) {}

  std::vector<TemplateField> row() {
    skip_blanks();
    expect('(', "a row of fields in parentheses, such as (\"task\", 17)");
    std::vector<TemplateField> fields;
    elements(')', [&] { fields.push_back(field()); });
    skip_blanks();
    if (at_ != text_.size()) fail("the end after the closing parenthesis");
    return fields;
  }

 private:
  // ---- Fields

  TemplateField field() {
    const std::size_t start = at_;
    if (!formals_) return value();
    if (accept('?')) return after_question_mark();
    if (peek() == '{') return one_of();
    if (peek() == '[') return list_of();
    return with_suffix(value(), start);
  }

  TemplateField after_question_mark() {
    if (is_letter(peek()) && !(peek() == 'b' && is_quote(peek(1)))) return typed();
    if (peek() == '{') return one_of();
    if (accept('[')) {
      Value low = value();
      expect_dots();
      Between between = between_of(std::move(low));
      expect(']', "']' after the range");
      return between;
    }
    const std::size_t start = at_;
    if (peek() == ',' || peek() == ')' || peek() == ']' || is_blank(peek()) || peek() == '\0')
      return Any{};
    TemplateField formal = with_suffix(value(), start);
    if (std::holds_alternative<Value>(formal.variant()))
      fail_at(start, "a type, a prefix, a range or {...} after the question mark");
    return formal;
  }

  Typed typed() {
    const std::size_t start = at_;
    const std::string_view name = word();
    std::string known;
    for (const FieldType type : kTypes) {
      if (name_of(type) == name) return {type};
      known += known.empty() ? "" : ", ";
      known += name_of(type);
    }
    fail_at(start, "a type (" + known + ")");
  }

  // A value, or the formal that the characters behind it make of it.
  TemplateField with_suffix(Value value, std::size_t start) {
    skip_blanks();
    if (accept('*')) {
      if (value.type() != FieldType::kText) fail_at(start, "text before the *");
      return Prefix{value.as_text()};
    }
    if (peek() == '.' && peek(1) == '.') {
      at_ += 2;
      return between_of(std::move(value));
    }
    return value;
  }

  Between between_of(Value low) {
    skip_blanks();
    const std::size_t start = at_;
    Between between{std::move(low), value()};
    if (between.low.type() != between.high.type())
      fail_at(start, "a range of one type, so " + std::string(name_of(between.low.type())) +
                         " after the dots");
    skip_blanks();
    return between;
  }

  OneOf one_of() {
    expect('{', "'{'");
    OneOf formal;
    elements('}', [&] { formal.values.push_back(value()); });
    return formal;
  }

  // A list whose elements may be formals; without any the template makes an actual of it.
  ListOf list_of() {
    const Nesting nesting(*this);
    expect('[', "'['");
    ListOf formal;
    elements(']', [&] {
      skip_blanks();
      formal.elements.push_back(field());
    });
    return formal;
  }

  // ---- Values

  Value value() {
    skip_blanks();
    const char c = peek();
    if (is_quote(c)) return text();
    if (c == 'b' && is_quote(peek(1))) return bytes();
    if (c == '[') return list();
    if (is_digit(c) || c == '-' || c == '+') return number();
    if (is_letter(c)) return named();
    fail(formals_ ? "a field: a value such as 17, \"text\" or nil, or a formal such as ?int"
                  : "a value such as 17, \"text\", b\"bytes\", nil, true or [1, 2]");
  }

  Value list() {
    const Nesting nesting(*this);
    expect('[', "'['");
    List values;
    elements(']', [&] { values.push_back(value()); });
    return values;
  }

  Value named() {
    const std::size_t start = at_;
    const std::string_view name = word();
    if (name == "nil" || name == "None" || name == "null") return {};
    if (name == "true" || name == "True") return true;
    if (name == "false" || name == "False") return false;
    if (name == "inf") return std::numeric_limits<double>::infinity();
    if (name == "nan") return std::numeric_limits<double>::quiet_NaN();
    fail_at(start, "nil, true, false or a number; text needs quotes");
  }

  Value number() {
    const std::size_t start = at_;
    const bool negative = peek() == '-';
    if (negative || peek() == '+') ++at_;
    if (is_letter(peek())) {
      if (word() != "inf") fail_at(start, "a number");
      const double infinity = std::numeric_limits<double>::infinity();
      return negative ? -infinity : infinity;
    }
    bool is_float = false;
    skip_digits(start);
    // One dot is a fraction, two are a range.
    if (peek() == '.' && peek(1) != '.') {
      is_float = true;
      ++at_;
      skip_digits(start);
    }
    if (peek() == 'e' || peek() == 'E') {
      is_float = true;
      ++at_;
      if (peek() == '-' || peek() == '+') ++at_;
      skip_digits(start);
    }
    const char* first = text_.data() + start + (text_[start] == '+' ? 1 : 0);
    return is_float ? read<double>(first, start, "a float that 64 bits can hold")
                    : read<std::int64_t>(first, start, "an int that 64 bits can hold");
  }

  template <class Number>
  Value read(const char* first, std::size_t start, const char* wanted) {
    Number number{};
    const auto [end, error] = std::from_chars(first, text_.data() + at_, number);
    if (error != std::errc() || end != text_.data() + at_) fail_at(start, wanted);
    return number;
  }

  Value text() {
    const Quoted quoted = read_quoted(text_, at_, QuotedKind::kText);
    return take(quoted);
  }

  Value bytes() {
    ++at_;
    Quoted quoted = read_quoted(text_, at_, QuotedKind::kBytes);
    return Bytes::adopt(take(std::move(quoted)));
  }

  std::string take(Quoted quoted) {
    if (!quoted.wrong.empty()) fail_at(quoted.end, quoted.wrong);
    at_ = quoted.end;
    return std::move(quoted.content);
  }

  // ---- Characters

  // '\0' stands for the end; a field cannot begin with it either.
  [[nodiscard]] char peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n'; }
  static bool is_quote(char c) { return c == '"' || c == '\''; }

  void skip_blanks() {
    while (is_blank(peek())) ++at_;
  }

  void skip_digits(std::size_t start) {
    if (!is_digit(peek())) fail_at(start, "a number");
    while (is_digit(peek())) ++at_;
  }

  bool accept(char wanted) {
    if (peek() != wanted) return false;
    ++at_;
    return true;
  }

  void expect(char wanted, const std::string& what) {
    skip_blanks();
    if (!accept(wanted)) fail(what);
  }

  void expect_dots() {
    skip_blanks();
    if (peek() != '.' || peek(1) != '.') fail("two dots, as in 1..5");
    at_ += 2;
  }

  std::string_view word() {
    const std::size_t start = at_;
    while (is_letter(peek()) || is_digit(peek())) ++at_;
    return text_.substr(start, at_ - start);
  }

  // Elements between commas up to `close`; the last one may have a comma behind it.
  template <class Element>
  void elements(char close, const Element& element) {
    for (;;) {
      skip_blanks();
      if (accept(close)) return;
      element();
      skip_blanks();
      if (accept(close)) return;
      if (!accept(',')) fail(std::string("a comma or '") + close + "'");
    }
  }

  // Keeps the depth of the recursion in bounds.
  class Nesting {
   public:
    explicit Nesting(Parser& parser) : parser_(parser) {
      if (++parser_.depth_ > kListDepthMax) parser_.fail("lists that are nested less deeply");
    }
    ~Nesting() { --parser_.depth_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;

   private:
    Parser& parser_;
  };

  [[noreturn]] void fail(const std::string& wanted) const { fail_at(at_, wanted); }
  [[noreturn]] void fail_at(std::size_t place, const std::string& wanted) const {
    throw Error(ErrorCode::kInvalidArgument, message_with_caret(text_, place, wanted));
  }

  std::string_view text_;
  bool formals_;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;
};

}  // namespace

Result<Template> parse_template(std::string_view text) {
  try {
    const std::vector<TemplateField> fields = Parser(text, true).row();
    return Template(std::span<const TemplateField>(fields));
  } catch (const Error& error) {
    return Failure{error.code(), error.what()};
  }
}

Result<Tuple> parse_tuple(std::string_view text) {
  try {
    List values;
    for (const TemplateField& field : Parser(text, false).row())
      values.push_back(std::get<Value>(field.variant()));
    return Tuple(std::span<const Value>(values));
  } catch (const Error& error) {
    return Failure{error.code(), error.what()};
  }
}

}  // namespace linden::admin

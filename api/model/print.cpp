// api/model/print.cpp: values, tuples and templates as people read them, short and harmless.
#include <charconv>
#include <cmath>

#include <linden/template.h>
#include <linden/tuple.h>
#include <linden/value.h>

#include "api/model/encoding.h"
#include "api/model/utf8.h"

namespace linden {
namespace {

constexpr std::size_t kTextShown = 80;      // characters of one text
constexpr std::size_t kBytesShown = 40;     // bytes of one run of bytes
constexpr std::size_t kElementsShown = 20;  // of one list or one-of
constexpr std::size_t kShownMax = 2000;     // bytes, after which everything is cut

class Printer {
 public:
  void text(std::string_view text) {
    out_ += '"';
    const bool all = append_escaped(out_, text, kTextShown);
    out_ += all ? "\"" : "\"...";
  }

  void bytes(std::string_view bytes) {
    out_ += "b\"";
    const bool all = append_escaped_bytes(out_, bytes, kBytesShown);
    out_ += all ? "\"" : "\"... (" + std::to_string(bytes.size()) + " bytes)";
  }

  void number(double number) {
    char digits[32];
    const auto end = std::to_chars(digits, digits + sizeof(digits), number).ptr;
    const std::string_view shown(digits, static_cast<std::size_t>(end - digits));
    out_ += shown;
    // 1.0 is not the int 1 (P2).
    if (std::isfinite(number) && shown.find_first_of(".e") == std::string_view::npos) out_ += ".0";
  }

  void object(std::string_view codec, std::size_t size) {
    out_ += "<object ";
    append_escaped(out_, codec, kTextShown);
    out_ += ", " + std::to_string(size) + " bytes>";
  }

  void value(const Value& value) {
    switch (value.type()) {
      case FieldType::kNil:
        out_ += "nil";
        break;
      case FieldType::kBool:
        out_ += value.as_bool() ? "true" : "false";
        break;
      case FieldType::kInt:
        out_ += std::to_string(value.as_int());
        break;
      case FieldType::kFloat:
        number(value.as_float());
        break;
      case FieldType::kText:
        text(value.as_text());
        break;
      case FieldType::kBytes:
        bytes(value.as_bytes().view());
        break;
      case FieldType::kList:
        list(value.as_list());
        break;
      case FieldType::kObject: {
        std::size_t size = 0;
        for (const Bytes& part : value.as_object().parts) size += part.size();
        object(value.as_object().codec, size);
        break;
      }
    }
  }

  void list(const List& elements) {
    row('[', ']', elements.size(), kElementsShown,
        [&](std::size_t index) { value(elements[index]); });
  }

  // What cannot be longer than it is shown is made without a Value in between.
  void field(const encoding::FieldView& field) {
    switch (field.type()) {
      case FieldType::kText:
        text(encoding::text_of(field));
        break;
      case FieldType::kBytes:
        bytes(encoding::bytes_of(field));
        break;
      case FieldType::kList: {
        encoding::ListWalk walk(field);
        row('[', ']', walk.count(), kElementsShown, [&](std::size_t) {
          encoding::FieldView element;
          walk.next(element);
          this->field(element);
        });
        break;
      }
      case FieldType::kObject: {
        const encoding::ObjectView view = encoding::object_of(field);
        std::size_t size = 0;
        for (const auto& part : view.parts) size += part.bytes.size();
        object(view.codec, size);
        break;
      }
      default:
        value(encoding::value_of(field));
    }
  }

  void formal(const Template::Parsed::Formal& formal) {
    using Kind = Template::Parsed::Formal::Kind;
    switch (formal.kind) {
      case Kind::kActual:
        field(formal.actual);
        break;
      case Kind::kAny:
        out_ += '?';
        break;
      case Kind::kTyped:
        out_ += '?';
        out_ += name_of(formal.type);
        break;
      case Kind::kBetween:
        out_ += "?[";
        field(formal.values[0]);
        out_ += "..";
        field(formal.values[1]);
        out_ += ']';
        break;
      case Kind::kPrefix:
        out_ += '?';
        text(formal.prefix);
        out_ += '*';
        break;
      case Kind::kOneOf:
        out_ += '?';
        row('{', '}', formal.values.size(), kElementsShown,
            [&](std::size_t index) { field(formal.values[index]); });
        break;
      case Kind::kListOf:
        row('[', ']', formal.elements.size(), kElementsShown,
            [&](std::size_t index) { this->formal(formal.elements[index]); });
        break;
    }
  }

  // Shows `count` things between brackets, at most `count_max` of them.
  template <class Show>
  void row(char open, char close, std::size_t count, std::size_t count_max, const Show& show) {
    out_ += open;
    for (std::size_t i = 0; i < count; ++i) {
      if (i > 0) out_ += ", ";
      if (i == count_max || out_.size() > kShownMax) {
        out_ += "... " + std::to_string(count - i) + " more";
        break;
      }
      show(i);
    }
    out_ += close;
  }

  [[nodiscard]] std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

}  // namespace

std::string to_string(const Value& value) {
  Printer printer;
  printer.value(value);
  return printer.take();
}

std::string to_string(const Tuple& tuple) {
  Printer printer;
  encoding::FieldWalk walk(tuple);
  printer.row('(', ')', tuple.size(), kFieldsMax, [&](std::size_t) {
    encoding::FieldView field;
    walk.next(field);
    printer.field(field);
  });
  return printer.take();
}

std::string to_string(const Template& form) {
  Printer printer;
  const auto& fields = form.parsed().fields;
  printer.row('(', ')', fields.size(), kFieldsMax,
              [&](std::size_t index) { printer.formal(fields[index]); });
  return printer.take();
}

}  // namespace linden

// api/model/template.cpp
#include <linden/template.h>

#include <bit>
#include <optional>

#include <linden/error.h>

#include "api/model/append.h"
#include "api/model/check.h"
#include "api/model/encoding.h"
#include "api/model/hash.h"
#include "api/model/varint.h"

namespace linden {
namespace {

using Parsed = Template::Parsed;
using Formal = Parsed::Formal;

[[noreturn]] void refuse(const std::string& message) {
  throw Error(ErrorCode::kInvalidArgument, message);
}

bool holds_object(const Value& value) {
  if (value.type() == FieldType::kObject) return true;
  if (value.type() != FieldType::kList) return false;
  for (const Value& element : value.as_list())
    if (holds_object(element)) return true;
  return false;
}

bool has_order(FieldType type) {
  return type == FieldType::kInt || type == FieldType::kFloat || type == FieldType::kText ||
         type == FieldType::kBytes;
}

// The list, if none of its elements is a formal: then it is an actual, and an index can serve it.
// `depth` lists lie around it.
std::optional<Value> actual_of(const ListOf& list, std::size_t depth) {
  encoding::check_depth(depth);
  List values;
  values.reserve(list.elements.size());
  bool actual = true;
  for (const TemplateField& element : list.elements) {
    if (const auto* value = std::get_if<Value>(&element.variant())) {
      values.push_back(*value);
    } else if (const auto* inner = std::get_if<ListOf>(&element.variant())) {
      std::optional<Value> nested = actual_of(*inner, depth + 1);
      actual = actual && nested.has_value();
      if (nested) values.push_back(std::move(*nested));
    } else {
      actual = false;
    }
  }
  if (!actual) return std::nullopt;
  return Value(std::move(values));
}

// ---- Into bytes ----

// Appends one field of a template; overloaded by what the field is.
class FieldWriter {
 public:
  FieldWriter(std::string& head, std::vector<Bytes>& attachments)
      : head_(head), attachments_(attachments) {}

  void operator()(const Value& actual) const {
    // Depth first, so that a list nested without end is refused before anybody walks it.
    encoding::append_value(head_, attachments_, actual);
    if (holds_object(actual))
      refuse("an object cannot be matched by value; use a formal such as kObject instead of " +
             to_string(actual));
  }

  void operator()(const Any&) const { tag(encoding::kTagAny); }

  void operator()(const Typed& typed) const {
    tag(encoding::kTagTyped);
    head_ += static_cast<char>(typed.type);
  }

  void operator()(const Between& between) const {
    const FieldType low = between.low.type();
    const FieldType high = between.high.type();
    if (low != high || !has_order(low))
      refuse("Between wants two ints, floats, texts or bytes, found " + std::string(name_of(low)) +
             " and " + std::string(name_of(high)));
    tag(encoding::kTagBetween);
    (*this)(between.low);
    (*this)(between.high);
  }

  void operator()(const Prefix& prefix) const {
    encoding::append_text(head_, prefix.text, encoding::kTagPrefix);
  }

  void operator()(const OneOf& one_of) const {
    if (one_of.values.size() > encoding::kOneOfValuesMax)
      throw Error(ErrorCode::kLimitExceeded,
                  "OneOf has at most " + std::to_string(encoding::kOneOfValuesMax) +
                      " values, found " + std::to_string(one_of.values.size()) +
                      "; use several templates or a Between");
    if (one_of.values.size() == 1) return (*this)(one_of.values[0]);
    tag(encoding::kTagOneOf);
    encoding::append_varint(head_, one_of.values.size());
    for (const Value& value : one_of.values) (*this)(value);
  }

  void operator()(const ListOf& list) {
    if (const std::optional<Value> actual = actual_of(list, 0)) return (*this)(*actual);
    elements_ += list.elements.size();
    if (elements_ > encoding::kListOfElementsMax)
      throw Error(ErrorCode::kLimitExceeded, "the lists with formals of a template have at most " +
                                                 std::to_string(encoding::kListOfElementsMax) +
                                                 " elements, found " + std::to_string(elements_) +
                                                 "; use kList or kAny for the field");
    tag(encoding::kTagListOf);
    encoding::append_varint(head_, list.elements.size());
    for (const TemplateField& element : list.elements) std::visit(*this, element.variant());
  }

 private:
  void tag(encoding::Tag tag) const { head_ += static_cast<char>(tag); }

  std::string& head_;
  std::vector<Bytes>& attachments_;
  std::size_t elements_ = 0;  // of lists with formals
};

// ---- From bytes ----

// Each reads one formal behind its tag; false: `wrong` or the check says what is wrong.
class FieldReader {
 public:
  explicit FieldReader(const Parsed& parsed) : check_(parsed.head, parsed.attachments) {}

  // Fills `fields`, whose views point into the head and attachments that were given.
  bool read_all(std::vector<Formal>& fields) {
    std::size_t count = 0;
    if (!check_.check_count(count)) return false;
    fields.resize(count);
    for (Formal& field : fields)
      if (!read(field)) return false;
    return check_.check_end();
  }
  [[nodiscard]] const char* wrong() const { return wrong_ != nullptr ? wrong_ : check_.wrong(); }

 private:
  bool fail(const char* wrong) {
    wrong_ = wrong;
    return false;
  }

  bool read(Formal& field, std::size_t depth = 0) {
    unsigned char tag = 0;
    if (!check_.peek_tag(tag)) return false;
    if (tag < encoding::kTagAny) {
      field.kind = Formal::Kind::kActual;
      return read_actual(field.actual);
    }
    check_.check_byte(tag);
    switch (tag) {
      case encoding::kTagAny:
        field.kind = Formal::Kind::kAny;
        return true;
      case encoding::kTagTyped:
        return read_typed(field);
      case encoding::kTagBetween:
        return read_between(field);
      case encoding::kTagPrefix:
        field.kind = Formal::Kind::kPrefix;
        return check_.check_text(field.prefix);
      case encoding::kTagOneOf:
        return read_one_of(field);
      case encoding::kTagListOf:
        return read_list_of(field, depth);
      default:
        return fail("a field is of an unknown kind");
    }
  }

  bool read_actual(encoding::FieldView& actual) {
    if (!check_.check_field(actual)) return false;
    return !check_.saw_object() || fail("an object cannot be matched by value");
  }

  bool read_typed(Formal& field) {
    unsigned char type = 0;
    if (!check_.check_byte(type)) return false;
    if (type > static_cast<unsigned char>(FieldType::kObject)) return fail("an unknown field type");
    field.kind = Formal::Kind::kTyped;
    field.type = static_cast<FieldType>(type);
    return true;
  }

  bool read_between(Formal& field) {
    field.kind = Formal::Kind::kBetween;
    field.values.resize(2);
    if (!read_actual(field.values[0]) || !read_actual(field.values[1])) return false;
    const FieldType type = field.values[0].type();
    return (type == field.values[1].type() && has_order(type)) ||
           fail("the ends of a range must be two ints, floats, texts or bytes");
  }

  bool read_one_of(Formal& field) {
    std::uint64_t count = 0;
    if (!check_.check_varint(count)) return false;
    if (count > encoding::kOneOfValuesMax) return fail("too many values to be one of");
    if (count == 1) {
      field.kind = Formal::Kind::kActual;
      return read_actual(field.actual);
    }
    field.kind = Formal::Kind::kOneOf;
    encoding::FieldView value;
    for (; count > 0; --count) {
      if (!read_actual(value)) return false;
      field.values.push_back(value);
    }
    field.values.shrink_to_fit();
    return true;
  }

  // One element after another, so that a claimed count costs nothing.
  bool read_list_of(Formal& field, std::size_t depth) {
    if (depth >= kListDepthMax) return fail("lists are nested too deeply");
    std::uint64_t count = 0;
    if (!check_.check_varint(count)) return false;
    if (count > encoding::kListOfElementsMax - elements_)
      return fail("too many elements of lists with formals");
    elements_ += count;
    field.kind = Formal::Kind::kListOf;
    for (; count > 0; --count) {
      Formal element;
      if (!read(element, depth + 1)) return false;
      field.elements.push_back(std::move(element));
    }
    field.elements.shrink_to_fit();
    return true;
  }

  encoding::HeadCheck check_;
  std::size_t elements_ = 0;  // of lists with formals
  const char* wrong_ = nullptr;
};

void learn_actuals(Parsed& parsed) {
  encoding::FieldTable table;
  for (std::size_t i = 0; i < parsed.fields.size(); ++i) {
    if (parsed.fields[i].kind != Formal::Kind::kActual) continue;
    table.fields[i] = parsed.fields[i].actual;
    parsed.actual_mask |= std::uint64_t{1} << i;
  }
  parsed.actual_hash = encoding::hash(table, parsed.actual_mask);
}

// Takes the bytes apart.  The views point into the result, which therefore stays where it is.
Result<std::shared_ptr<const Parsed>> parse(std::string head, std::vector<Bytes> attachments) {
  auto parsed = std::make_shared<Parsed>();
  parsed->head = std::move(head);
  parsed->attachments = std::move(attachments);
  FieldReader reader(*parsed);
  if (!reader.read_all(parsed->fields))
    return Failure{ErrorCode::kMalformed,
                   std::string("a template is malformed: ") + reader.wrong()};
  learn_actuals(*parsed);
  return std::shared_ptr<const Parsed>(std::move(parsed));
}

}  // namespace

Template::Template(std::initializer_list<TemplateField> fields)
    : Template(std::span<const TemplateField>(fields.begin(), fields.size())) {}

Template::Template(std::span<const TemplateField> fields) {
  if (fields.size() > kFieldsMax)
    throw Error(ErrorCode::kLimitExceeded, "a template has at most " + std::to_string(kFieldsMax) +
                                               " fields, found " + std::to_string(fields.size()) +
                                               "; match several by a list");
  if (fields.empty()) return;
  std::string head(1, static_cast<char>(fields.size()));
  std::vector<Bytes> attachments;
  FieldWriter writer(head, attachments);
  for (const TemplateField& field : fields) std::visit(writer, field.variant());
  parsed_ = parse(std::move(head), std::move(attachments)).value_or_throw();
}

Template Template::exactly(const Tuple& tuple) {
  if (tuple.empty()) return {};
  const std::span<const Bytes> attachments = tuple.attachments();
  auto parsed = parse(std::string(tuple.head()), {attachments.begin(), attachments.end()});
  // A tuple is well formed, so that only an object in it can be wrong.
  if (!parsed)
    refuse("an object cannot be matched by value, found " + to_string(tuple) +
           "; make the template field by field");
  return Template(std::move(parsed).value());
}

Result<Template> Template::decode(std::string_view head, std::vector<Bytes> attachments) {
  auto parsed = parse(std::string(head), std::move(attachments));
  if (!parsed) return parsed.error();
  if ((*parsed)->fields.empty()) return Template();
  return Template(std::move(parsed).value());
}

const Template::Parsed& Template::parsed() const noexcept {
  static const Parsed empty = [] {
    Parsed none;
    none.head.assign(1, '\0');
    learn_actuals(none);
    return none;
  }();
  return parsed_ != nullptr ? *parsed_ : empty;
}

std::size_t Template::size() const noexcept {
  return parsed().fields.size();
}

bool Template::matches(const Tuple& tuple) const {
  if (tuple.size() != size()) return false;
  encoding::FieldWalk walk(tuple);
  encoding::FieldView field;
  for (const Formal& formal : parsed().fields)
    if (!walk.next(field) || !encoding::matches(formal, field)) return false;
  return true;
}

std::uint64_t Template::actual_mask() const noexcept {
  return parsed().actual_mask;
}

std::string_view Template::head() const noexcept {
  return parsed().head;
}

std::span<const Bytes> Template::attachments() const noexcept {
  return parsed().attachments;
}

}  // namespace linden

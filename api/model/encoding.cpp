// api/model/encoding.cpp
#include "api/model/encoding.h"

#include <bit>
#include <cassert>
#include <cstring>

#include "api/model/append.h"
#include "api/model/hash.h"
#include "api/model/varint.h"

namespace linden::encoding {
namespace {

unsigned char tag_of(const FieldView& field) noexcept {
  return static_cast<unsigned char>(field.bytes[0]);
}

const char* payload_of(const FieldView& field) noexcept {
  return field.bytes.data() + 1;
}

std::string_view counted_at(const char*& at) noexcept {
  const std::uint64_t length = varint_at(at);
  const std::string_view bytes(at, length);
  at += length;
  return bytes;
}

// Advances over the well-formed field at `at` and counts the attachments that it uses.  With
// `none` there are none to count, and lists need not be walked.
const char* behind_field(const char* at, bool none, std::size_t& attachments) noexcept {
  switch (static_cast<unsigned char>(*at++)) {
    case kTagInt:
    case kTagFloat:
      return at + 8;
    case kTagText:
    case kTagBytes:
      return counted_at(at), at;
    case kTagAttachment:
      ++attachments;
      return varint_at(at), at;
    case kTagList: {
      const std::uint64_t length = varint_at(at);
      const char* const end = at + length;
      if (none) return end;
      varint_at(at);  // the count
      while (at != end) at = behind_field(at, none, attachments);
      return end;
    }
    case kTagObject: {
      counted_at(at);
      for (std::uint64_t parts = varint_at(at); parts > 0; --parts)
        at = behind_field(at, none, attachments);
      return at;
    }
    default:
      return at;  // nil, false, true
  }
}

// The same where there are no attachments, as in most tuples: a few steps for each kind.
const char* behind_plain_field(const char* at) noexcept {
  const auto tag = static_cast<unsigned char>(*at);
  if (tag <= kTagTrue) return at + 1;
  if (tag <= kTagFloat) return at + 1 + sizeof(std::uint64_t);
  if (tag <= kTagBytes || tag == kTagList) return counted_at(++at), at;
  std::size_t attachments = 0;
  return behind_field(at, true, attachments);
}

// Cuts the field at `at` off and advances.
FieldView cut_field(const char*& at, std::span<const Bytes>& attachments) noexcept {
  if (attachments.empty()) {
    const char* const start = at;
    at = behind_plain_field(start);
    return {{start, static_cast<std::size_t>(at - start)}, {}};
  }
  std::size_t used = 0;
  const char* const end = behind_field(at, false, used);
  FieldView field{{at, static_cast<std::size_t>(end - at)}, attachments.first(used)};
  attachments = attachments.subspan(used);
  at = end;
  return field;
}

bool equal_lists(const FieldView& a, const FieldView& b) noexcept {
  // Equal values have equally long bytes: 0.0 and -0.0 are the only ones that differ at all.
  if (a.bytes.size() != b.bytes.size()) return false;
  ListWalk walk_a(a);
  ListWalk walk_b(b);
  if (walk_a.count() != walk_b.count()) return false;
  FieldView element_a;
  FieldView element_b;
  while (walk_a.next(element_a) && walk_b.next(element_b))
    if (!equal(element_a, element_b)) return false;
  return true;
}

bool equal_attachments(const FieldView& a, const FieldView& b) noexcept {
  if (a.bytes != b.bytes || a.attachments.size() != b.attachments.size()) return false;
  for (std::size_t i = 0; i < a.attachments.size(); ++i) {
    const std::string_view left = a.attachments[i].view();
    const std::string_view right = b.attachments[i].view();
    if (left.data() != right.data() || left.size() != right.size()) {
      if (left != right) return false;
    }
  }
  return true;
}

std::uint64_t hash_field(const FieldView& field, std::uint64_t seed) noexcept {
  switch (const unsigned char tag = tag_of(field)) {
    case kTagInt:
      return hash_word(word_at<std::uint64_t>(payload_of(field)), seed ^ tag);
    case kTagFloat: {
      const auto number = word_at<double>(payload_of(field));
      // 0.0 and -0.0 are equal.
      const std::uint64_t bits = number == 0.0 ? 0 : std::bit_cast<std::uint64_t>(number);
      return hash_word(bits, seed ^ tag);
    }
    case kTagList: {
      ListWalk walk(field);
      std::uint64_t result = hash_word(walk.count(), seed ^ tag);
      for (FieldView element; walk.next(element);) result = hash_field(element, result);
      return result;
    }
    default: {
      std::uint64_t result = hash_bytes(field.bytes, seed);
      for (const Bytes& part : field.attachments) result = hash_bytes(part.view(), result);
      return result;
    }
  }
}

bool within(const FieldView& field, const FieldView& low, const FieldView& high) noexcept {
  const FieldType type = field.type();
  if (type != low.type()) return false;
  switch (type) {
    case FieldType::kInt: {
      const std::int64_t number = int_of(field);
      return int_of(low) <= number && number <= int_of(high);
    }
    case FieldType::kFloat: {
      const double number = float_of(field);
      return float_of(low) <= number && number <= float_of(high);
    }
    case FieldType::kText: {
      const std::string_view text = text_of(field);
      return text_of(low) <= text && text <= text_of(high);
    }
    case FieldType::kBytes: {
      const std::string_view bytes = bytes_of(field);
      return bytes_of(low) <= bytes && bytes <= bytes_of(high);
    }
    default:
      return false;
  }
}

bool matches_list(const std::vector<Template::Parsed::Formal>& elements,
                  const FieldView& field) noexcept {
  if (field.type() != FieldType::kList) return false;
  ListWalk walk(field);
  if (walk.count() != elements.size()) return false;
  FieldView element;
  for (const Template::Parsed::Formal& formal : elements)
    if (!walk.next(element) || !matches(formal, element)) return false;
  return true;
}

}  // namespace

FieldType FieldView::type() const noexcept {
  constexpr FieldType kTypes[] = {
      FieldType::kNil,  FieldType::kBool,  FieldType::kBool,  FieldType::kInt,  FieldType::kFloat,
      FieldType::kText, FieldType::kBytes, FieldType::kBytes, FieldType::kList, FieldType::kObject};
  assert(tag_of(*this) < std::size(kTypes));
  return kTypes[tag_of(*this)];
}

void split(const Tuple& tuple, FieldTable& out) noexcept {
  const std::string_view head = tuple.head();
  std::span<const Bytes> attachments = tuple.attachments();
  const char* at = head.data();
  out.count = static_cast<unsigned char>(*at++);
  for (std::size_t i = 0; i < out.count; ++i) out.fields[i] = cut_field(at, attachments);
}

bool bool_of(const FieldView& field) noexcept {
  return tag_of(field) == kTagTrue;
}

std::int64_t int_of(const FieldView& field) noexcept {
  return word_at<std::int64_t>(payload_of(field));
}

double float_of(const FieldView& field) noexcept {
  return word_at<double>(payload_of(field));
}

std::string_view text_of(const FieldView& field) noexcept {
  const char* at = payload_of(field);
  return counted_at(at);
}

std::string_view bytes_of(const FieldView& field) noexcept {
  return tag_of(field) == kTagAttachment ? field.attachments[0].view() : text_of(field);
}

Value value_of(const FieldView& field) {
  switch (field.type()) {
    case FieldType::kNil:
      return {};
    case FieldType::kBool:
      return bool_of(field);
    case FieldType::kInt:
      return int_of(field);
    case FieldType::kFloat:
      return float_of(field);
    case FieldType::kText:
      return text_of(field);
    case FieldType::kBytes:
      if (tag_of(field) == kTagAttachment) return field.attachments[0];
      return Bytes::copy_of(bytes_of(field));
    case FieldType::kList: {
      ListWalk walk(field);
      List list;
      list.reserve(walk.count());
      for (FieldView element; walk.next(element);) list.push_back(value_of(element));
      return list;
    }
    case FieldType::kObject: {
      const ObjectView view = object_of(field);
      Object object{std::string(view.codec), {}};
      object.parts.reserve(view.parts.size());
      for (const ObjectView::Part& part : view.parts)
        object.parts.push_back(part.shared != nullptr ? *part.shared : Bytes::copy_of(part.bytes));
      return object;
    }
  }
  return {};
}

FieldWalk::FieldWalk(const Tuple& tuple) noexcept
    : at_(tuple.head().data() + 1), attachments_(tuple.attachments()), left_(tuple.size()) {}

bool FieldWalk::next(FieldView& out) noexcept {
  if (left_ == 0) return false;
  --left_;
  out = cut_field(at_, attachments_);
  return true;
}

ListWalk::ListWalk(const FieldView& list) noexcept : attachments_(list.attachments) {
  const char* at = payload_of(list);
  varint_at(at);  // the length, which the view knows too
  count_ = varint_at(at);
  const char* const end = list.bytes.data() + list.bytes.size();
  rest_ = {at, static_cast<std::size_t>(end - at)};
}

bool ListWalk::next(FieldView& out) noexcept {
  if (rest_.empty()) return false;
  const char* at = rest_.data();
  out = cut_field(at, attachments_);
  rest_.remove_prefix(out.bytes.size());
  return true;
}

ObjectView object_of(const FieldView& field) {
  const char* at = payload_of(field);
  ObjectView view;
  view.codec = counted_at(at);
  const Bytes* shared = field.attachments.data();
  const std::uint64_t count = varint_at(at);
  view.parts.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    if (static_cast<unsigned char>(*at++) == kTagAttachment) {
      varint_at(at);
      view.parts.push_back({shared->view(), shared});
      ++shared;
    } else {
      view.parts.push_back({counted_at(at), nullptr});
    }
  }
  return view;
}

bool equal(const FieldView& a, const FieldView& b) noexcept {
  const unsigned char tag = tag_of(a);
  if (tag != tag_of(b)) return false;
  switch (tag) {
    case kTagInt:
      return int_of(a) == int_of(b);
    case kTagFloat:
      return float_of(a) == float_of(b);
    case kTagList:
      return equal_lists(a, b);
    case kTagAttachment:
    case kTagObject:
      return equal_attachments(a, b);
    default:
      return a.bytes == b.bytes;
  }
}

std::uint64_t hash(const FieldView& field) noexcept {
  return hash_field(field, kHashSeed);
}

std::uint64_t hash(const FieldTable& table, std::uint64_t mask) noexcept {
  std::uint64_t result = kHashSeed;
  for (; mask != 0; mask &= mask - 1)
    result = hash_field(table.fields[static_cast<std::size_t>(std::countr_zero(mask))], result);
  return result;
}

bool matches(const Template::Parsed::Formal& formal, const FieldView& field) noexcept {
  using Kind = Template::Parsed::Formal::Kind;
  switch (formal.kind) {
    case Kind::kActual:
      return equal(formal.actual, field);
    case Kind::kAny:
      return true;
    case Kind::kTyped:
      return field.type() == formal.type;
    case Kind::kBetween:
      return within(field, formal.values[0], formal.values[1]);
    case Kind::kPrefix:
      return field.type() == FieldType::kText && text_of(field).starts_with(formal.prefix);
    case Kind::kOneOf:
      for (const FieldView& value : formal.values)
        if (equal(value, field)) return true;
      return false;
    case Kind::kListOf:
      return matches_list(formal.elements, field);
  }
  return false;
}

bool matches(const Template& form, const FieldTable& table) noexcept {
  const auto& formals = form.parsed().fields;
  if (formals.size() != table.count) return false;
  for (std::size_t i = 0; i < table.count; ++i)
    if (!matches(formals[i], table.fields[i])) return false;
  return true;
}

}  // namespace linden::encoding

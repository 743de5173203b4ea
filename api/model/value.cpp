// api/model/value.cpp
#include <linden/value.h>

#include <linden/error.h>

namespace linden {
namespace {

template <class T>
const T& get(const Value& value, FieldType wanted) {
  if (const T* held = std::get_if<T>(&value.variant())) return *held;
  throw Error(ErrorCode::kInvalidArgument,
              "wanted a field of type " + std::string(name_of(wanted)) + ", found " +
                  std::string(name_of(value.type())) + "; look at type() first");
}

}  // namespace

std::string_view name_of(FieldType type) noexcept {
  switch (type) {
    case FieldType::kNil:
      return "nil";
    case FieldType::kBool:
      return "bool";
    case FieldType::kInt:
      return "int";
    case FieldType::kFloat:
      return "float";
    case FieldType::kText:
      return "text";
    case FieldType::kBytes:
      return "bytes";
    case FieldType::kList:
      return "list";
    case FieldType::kObject:
      return "object";
  }
  return "unknown";
}

bool Value::as_bool() const {
  return get<bool>(*this, FieldType::kBool);
}
std::int64_t Value::as_int() const {
  return get<std::int64_t>(*this, FieldType::kInt);
}
double Value::as_float() const {
  return get<double>(*this, FieldType::kFloat);
}
const std::string& Value::as_text() const {
  return get<std::string>(*this, FieldType::kText);
}
const Bytes& Value::as_bytes() const {
  return get<Bytes>(*this, FieldType::kBytes);
}
const List& Value::as_list() const {
  return get<List>(*this, FieldType::kList);
}
const Object& Value::as_object() const {
  return get<Object>(*this, FieldType::kObject);
}

}  // namespace linden

// api/model/plain.cpp: what is wrong with a result.
#include <linden/plain.h>

namespace linden::detail {

void throw_wrong_result(std::string_view wanted, const Value& found) {
  std::string text = "wanted " + std::string(wanted) + ", found " + to_string(found);
  if (found.type() == FieldType::kObject)
    text += ", which only Python can read; let the function return plain values";
  throw Error(ErrorCode::kInvalidArgument, text);
}

void expect_length(std::size_t wanted, const List& found) {
  if (found.size() != wanted) throw_wrong_size(wanted, found.size());
}

}  // namespace linden::detail

// api/model/typed.cpp: what is wrong with an argument or a field.
#include <linden/typed.h>

namespace linden::detail {

void throw_out_of_range(const std::string& found, std::int64_t low, std::uint64_t high) {
  throw Error(ErrorCode::kInvalidArgument,
              "wanted an integer from " + std::to_string(low) + " to " + std::to_string(high) +
                  ", as the field's type has them, found " + found + "; use a wider type");
}

void throw_wrong_formal(std::string_view formal, FieldType wanted, FieldType found) {
  throw Error(ErrorCode::kInvalidArgument,
              std::string(formal) + " for a field of type " + std::string(name_of(wanted)) +
                  " has a value of type " + std::string(name_of(found)) +
                  ", so nothing could match; give it values of the field's type");
}

void throw_wrong_field(FieldType wanted, const encoding::FieldView& found) {
  throw Error(ErrorCode::kInvalidArgument, "wanted a field of type " +
                                               std::string(name_of(wanted)) + ", found " +
                                               to_string(encoding::value_of(found)));
}

void throw_wrong_size(std::size_t wanted, std::size_t found) {
  throw Error(ErrorCode::kInvalidArgument,
              "wanted " + std::to_string(wanted) + " fields, found " + std::to_string(found));
}

}  // namespace linden::detail

#include "space/storage/space_name.h"

namespace linden::storage {

Result<void> check_space_name(std::string_view name) {
  if (!name.empty() && name.size() <= kSpaceNameBytesMax) return {};
  return Failure{ErrorCode::kInvalidArgument,
                 "create space: the name has " + std::to_string(name.size()) +
                     " bytes; give it 1 to " + std::to_string(kSpaceNameBytesMax)};
}

Failure space_exists(std::string_view name) {
  return {ErrorCode::kInvalidArgument,
          "create space: there is a space '" + std::string(name) + "' already; open that one"};
}

Failure no_such_space(SpaceNumber number) {
  return {ErrorCode::kNoSuchSpace, "there is no space of number " + std::to_string(number.value) +
                                       "; it was dropped or belongs to another server"};
}

}  // namespace linden::storage

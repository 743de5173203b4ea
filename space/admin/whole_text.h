// space/admin/whole_text.h: values as linden::to_string prints them, but to their end.  Pure.
#pragma once

#include <string>

#include <linden/value.h>

namespace linden::admin {

// An object is its codec and size: nothing is unpickled.
[[nodiscard]] std::string whole_text(const Value& value);

}  // namespace linden::admin

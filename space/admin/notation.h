// space/admin/notation.h: tuples and templates as people write them on a command line.  Pure.
//
//   row    ("task", 17, ...)          the same notation that linden::to_string prints
//   value  nil true false 17 -1.5 inf "text" 'text' b"bytes" [1, [2]]
//   formal ?                          any field, nil too
//          ?int ?text ...             any field of that type
//          "abc"*                     text that begins so
//          1..5                       from 1 to 5, both included; also "a".."f" and 0.5..1.0
//          {1, 2, "three"}            equal to one of these
// A formal of the last three kinds may have a ? before it and a range brackets, ?[1..5], as it is
// printed.  Escapes in text and bytes: \n \t \r \\ \" \' \xNN, in text also \uNNNN and \UNNNNNNNN.
#pragma once

#include <string_view>

#include <linden/result.h>
#include <linden/template.h>
#include <linden/tuple.h>

namespace linden::admin {

// Each fails with kInvalidArgument and a message of several lines: what was wanted and found, then
// the text and a caret below the place.
[[nodiscard]] Result<Template> parse_template(std::string_view text);
// Without formals.
[[nodiscard]] Result<Tuple> parse_tuple(std::string_view text);

}  // namespace linden::admin

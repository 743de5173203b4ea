// tests/simulation/describe.h: commands and messages as lines of text, to be compared and printed.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "space/core/command.h"
#include "space/core/effect.h"

namespace linden::simulation {

[[nodiscard]] std::string describe(const core::Origin& origin);
[[nodiscard]] std::string describe(const core::Command& command);

// What was said to each request or stream, in order; recalls are left out.  Refusals are compared
// by code, deliveries one by one, however they were grouped.
using Said = std::map<core::Origin, std::vector<std::string>>;
void add_lines(const core::Message& message, Said& out);
[[nodiscard]] std::string describe(const Said& said);

}  // namespace linden::simulation

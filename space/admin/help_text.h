// space/admin/help_text.h: what help and man page say beside the options.
#pragma once

#include <string>
#include <vector>

#include "space/admin/command_tree.h"

namespace linden::admin {

[[nodiscard]] const char* about();
[[nodiscard]] std::vector<Section> help_sections();
// As --help shows them.
[[nodiscard]] std::string help_text(const std::vector<Section>& sections);

}  // namespace linden::admin

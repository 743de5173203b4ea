// space/server/ready.h: tells whoever started the server that it listens, and where.
#pragma once

#include <string>

#include <linden/result.h>

#include "space/server/options.h"

namespace linden::server {

// {"pid":1234,"unix":"/path"|null,"tcp":"127.0.0.1:4711"|null,"version":"0.1.0"} and a line feed.
[[nodiscard]] std::string ready_line(const Server& server);

// Writes the line to --ready-fd, which is closed then, and --ready-file, which appears whole.
[[nodiscard]] Result<void> tell_ready(const Options& options, const std::string& line);

// Removes --ready-file.
void tell_ended(const Options& options);

}  // namespace linden::server

// space/server/log.h: lines for people and machines: event, then key=value; never tuple content.
#pragma once

#include <spdlog/logger.h>

#include <memory>
#include <string>
#include <string_view>

#include <linden/result.h>

namespace linden::server {

using Log = spdlog::logger;

// Writes to standard error.  `level`: trace, debug, info, warn, error, off.
[[nodiscard]] Result<std::shared_ptr<Log>> make_log(std::string_view level);
// For tests.
[[nodiscard]] std::shared_ptr<Log> make_silent_log();

// What came from outside, between quotation marks, with control characters escaped and at most
// `bytes_max` bytes, so that no client can forge a line.
[[nodiscard]] std::string in_quotes(std::string_view text, std::size_t bytes_max = 200);

}  // namespace linden::server

// space/server/log.h: lines for people and machines: event, then key=value; never tuple content.
#pragma once

#include <spdlog/logger.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <linden/ids.h>
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

// So many lines of one kind in a second, and no more: what is left out is counted.
class LogPace {
 public:
  static constexpr std::uint32_t kLinesMax = 20;
  [[nodiscard]] bool may_log(Time now);
  // How many have been left out since the last call.
  [[nodiscard]] std::uint64_t take_left_out() { return std::exchange(left_out_, 0); }

 private:
  Time second_{};  // when the first of `lines_` was written
  std::uint32_t lines_ = 0;
  std::uint64_t left_out_ = 0;
};

}  // namespace linden::server

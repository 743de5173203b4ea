#include "space/server/log.h"

#include <array>

#include <fmt/format.h>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

namespace linden::server {

Result<std::shared_ptr<Log>> make_log(std::string_view level) {
  constexpr std::array<std::string_view, 6> kLevels = {"trace", "debug", "info",
                                                       "warn",  "error", "off"};
  bool known = false;
  for (std::string_view name : kLevels) known = known || name == level;
  if (!known) {
    return Failure{ErrorCode::kInvalidArgument,
                   fmt::format("log level {}: no such level; take one of {}", in_quotes(level),
                               fmt::join(kLevels, ", "))};
  }
  auto log =
      std::make_shared<Log>("space-server", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  log->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
  log->set_level(spdlog::level::from_str(std::string(level)));
  log->flush_on(spdlog::level::trace);
  return log;
}

std::shared_ptr<Log> make_silent_log() {
  return std::make_shared<Log>("silent", std::make_shared<spdlog::sinks::null_sink_mt>());
}

bool LogPace::may_log(Time now) {
  if (lines_ == 0 || now - second_ >= std::chrono::seconds(1)) {
    second_ = now;
    lines_ = 0;
  }
  if (lines_ == kLinesMax) {
    ++left_out_;
    return false;
  }
  ++lines_;
  return true;
}

std::string in_quotes(std::string_view text, std::size_t bytes_max) {
  std::string result = "\"";
  for (const char byte : text.substr(0, bytes_max)) {
    const auto code = static_cast<unsigned char>(byte);
    if (byte == '"' || byte == '\\') {
      result += '\\';
      result += byte;
    } else if (code < 0x20 || code == 0x7F) {
      result += fmt::format("\\x{:02x}", code);
    } else {
      result += byte;
    }
  }
  result += text.size() > bytes_max ? "...\"" : "\"";
  return result;
}

}  // namespace linden::server

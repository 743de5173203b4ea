#include "space/server/ready.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>

#include <fmt/format.h>

#include "space/server/file_descriptor.h"

namespace linden::server {
namespace {

// A JSON text, or null for an empty one.
std::string json(std::string_view text) {
  if (text.empty()) return "null";
  std::string result = "\"";
  for (const char byte : text) {
    if (byte == '"' || byte == '\\') {
      result += '\\';
      result += byte;
    } else if (static_cast<unsigned char>(byte) < 0x20) {
      result += fmt::format("\\u{:04x}", static_cast<unsigned char>(byte));
    } else {
      result += byte;
    }
  }
  return result + "\"";
}

Result<void> write_all(int fd, std::string_view text, const std::string& where) {
  while (!text.empty()) {
    const ssize_t count = ::write(fd, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      return Failure{ErrorCode::kInvalidArgument, where + ": " + std::strerror(errno)};
    }
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

Result<void> write_file(const std::string& path, std::string_view line) {
  const std::string temporary = fmt::format("{}.{}", path, ::getpid());
  const FileDescriptor file(
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file.is_open()) {
    return Failure{ErrorCode::kInvalidArgument,
                   fmt::format("--ready-file {}: {}", path, std::strerror(errno))};
  }
  if (Result<void> written = write_all(file.get(), line, "--ready-file " + path); !written) {
    return written;
  }
  if (std::rename(temporary.c_str(), path.c_str()) != 0) {
    return Failure{ErrorCode::kInvalidArgument,
                   fmt::format("--ready-file {}: {}", path, std::strerror(errno))};
  }
  return {};
}

}  // namespace

std::string ready_line(const Server& server) {
  return fmt::format("{{\"pid\":{},\"unix\":{},\"tcp\":{},\"version\":{}}}\n", ::getpid(),
                     json(server.unix_path()), json(server.tcp_address()), json(LINDEN_VERSION));
}

Result<void> tell_ready(const Options& options, const std::string& line) {
  if (!options.ready_file.empty()) {
    if (Result<void> written = write_file(options.ready_file, line); !written) return written;
  }
  if (options.ready_fd) {
    const FileDescriptor pipe(*options.ready_fd);
    return write_all(pipe.get(), line, fmt::format("--ready-fd {}", *options.ready_fd));
  }
  return {};
}

void tell_ended(const Options& options) {
  if (!options.ready_file.empty()) ::unlink(options.ready_file.c_str());
}

}  // namespace linden::server

// tests/workers/cpp/shuffle/temporary_file.h: a file of a test, gone with it.
#pragma once

#include <unistd.h>

#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

namespace linden::shuffle {

inline std::string temporary_directory() {
  const char* directory = std::getenv("TMPDIR");
  return directory != nullptr ? directory : "/tmp";
}

class TemporaryFile {
 public:
  explicit TemporaryFile(std::string_view content = {})
      : path_(temporary_directory() + "/linden-test-XXXXXX") {
    descriptor_ = ::mkstemp(path_.data());
    std::ofstream(path_, std::ios::binary) << content;
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    ::close(descriptor_);
    ::unlink(path_.c_str());
  }

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] std::string content() const {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  std::string path_;
  int descriptor_ = -1;
};

}  // namespace linden::shuffle

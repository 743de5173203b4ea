// space/storage/directory.h: a server's directory: whether it is ours, and who has it.
//
//   <directory>/format   "linden space directory, format 1": what is in here, and since which
//   version <directory>/lock     locked by the server that has it open; holds its process id
//   <directory>/db/      RocksDB's own files
#pragma once

#include <cstdint>
#include <filesystem>

#include <linden/result.h>

namespace linden::storage {

// Raised when an older program could not read the directory any more.
inline constexpr std::uint32_t kFormatVersion = 1;

// The directory of one open storage.  Holds its lock until it is destroyed; the kernel releases it
// when the process ends, however that happens.
class Directory {
 public:
  // Creates the directory (0700, with its parents) if it is not there.  kStorageFailed says why
  // not: in use, not a directory, not writable, somebody else's files, a newer format.
  [[nodiscard]] static Result<Directory> open(const std::filesystem::path& path);
  // For looking only: makes and writes nothing.  A copy has no lock yet, and then nobody has it
  // open.
  [[nodiscard]] static Result<Directory> open_to_read(const std::filesystem::path& path);

  Directory(Directory&& other) noexcept;
  Directory& operator=(Directory&&) = delete;
  ~Directory();

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  [[nodiscard]] std::filesystem::path database() const { return database_in(path_); }

  [[nodiscard]] static std::filesystem::path database_in(const std::filesystem::path& path) {
    return path / "db";
  }
  // Declares the contents of `path` to be ours.  Synced.
  [[nodiscard]] static Result<void> write_format(const std::filesystem::path& path);
  // Makes a directory for a checkpoint under another name, which is returned; refuses if either is
  // there already.
  [[nodiscard]] static Result<std::filesystem::path> begin_copy(const std::filesystem::path& path);
  // Gives the copy, which is whole now, its name.  Synced.
  [[nodiscard]] static Result<void> end_copy(const std::filesystem::path& path);

 private:
  Directory(std::filesystem::path path, int lock) : path_(std::move(path)), lock_(lock) {}

  std::filesystem::path path_;
  int lock_;
};

}  // namespace linden::storage

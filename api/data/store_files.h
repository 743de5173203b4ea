// api/data/store_files.h: files and directories as the data store needs them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <linden/error.h>

namespace linden::data {

// A draft that nobody has written to for so long has lost its writer.
inline constexpr double kAbandonedDraftS = 600;

// "linden-<uid>-": how the directories of this user's stores begin.
[[nodiscard]] std::string store_prefix();
// Machine, boot and inode: the same for all processes that share the directory, and for no others.
[[nodiscard]] std::string directory_id(const std::filesystem::path& directory);
// Readable by this user only.  Throws Error kStorageFailed, kNotAllowed.
void make_private_directory(const std::filesystem::path& directory);
[[nodiscard]] bool is_there(const std::filesystem::path& path) noexcept;
[[nodiscard]] std::optional<std::uint64_t> size_at(const std::filesystem::path& file) noexcept;
[[nodiscard]] std::string host_name();
// Renames it first, in one step, so that nobody sees a part of it; such names begin so.
inline constexpr std::string_view kGone = "gone-";
void remove_out_of_sight(const std::filesystem::path& directory) noexcept;
[[nodiscard]] bool is_own(const std::filesystem::path& path) noexcept;
[[nodiscard]] std::string random_file_name();
// The file system's time, which is that of its files: that of `marker`, which is made or touched.
[[nodiscard]] double now_s(const std::filesystem::path& marker) noexcept;
void touch(const std::filesystem::path& file) noexcept;

struct Found {
  std::filesystem::path path;
  std::uint64_t size = 0;
  double changed_s = 0;
};
// Files of a directory; those that go meanwhile are left out, and so is a directory that is not
// there.
[[nodiscard]] std::vector<Found> files_in(const std::filesystem::path& directory);
[[nodiscard]] std::vector<Found> oldest_first(std::vector<Found> files);
[[nodiscard]] std::vector<std::filesystem::path> directories_in(
    const std::filesystem::path& directory);

[[nodiscard]] std::uint64_t size_of_file_system(const std::filesystem::path& path) noexcept;
[[nodiscard]] std::uint64_t free_in_file_system(const std::filesystem::path& path) noexcept;
// Throws Error kStorageFailed.
[[nodiscard]] std::uint64_t size_of(int fd);

// False with errno set.  Several threads copy what is large.
[[nodiscard]] bool write_all(int fd, std::string_view bytes, std::uint64_t offset = 0) noexcept;
// Renames; if the name is there already, with the same content, that one stays.
void give_name(const std::filesystem::path& draft, const std::filesystem::path& place);
[[nodiscard]] Error no_room(std::uint64_t bytes, const std::filesystem::path& memory,
                            const std::filesystem::path& disk);

// A file's bytes in memory until the end of the scope.
class FileMapping {
 public:
  // Throws Error kStorageFailed.
  FileMapping(int fd, std::uint64_t size);
  FileMapping(const FileMapping&) = delete;
  FileMapping& operator=(const FileMapping&) = delete;
  ~FileMapping();
  [[nodiscard]] std::string_view bytes() const noexcept { return bytes_; }

 private:
  std::string_view bytes_;
};

}  // namespace linden::data

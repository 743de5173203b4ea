// api/data/store_files.cpp
#include "api/data/store_files.h"

#include <fcntl.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <random>
#include <system_error>
#include <thread>

#include "api/data/system_error.h"

namespace linden::data {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPiece = std::size_t{4} << 20;
// Below this a second thread costs more than it saves.
constexpr std::size_t kThreadsFrom = std::size_t{32} << 20;
constexpr unsigned kThreadsMax = 4;

bool write_range(int fd, std::string_view bytes, std::uint64_t offset) noexcept {
  while (!bytes.empty()) {
    const ssize_t written =
        ::pwrite(fd, bytes.data(), std::min(bytes.size(), kPiece), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
  return true;
}

double seconds(const timespec& time) noexcept {
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

}  // namespace

std::string store_prefix() {
  return "linden-" + std::to_string(::getuid()) + "-";
}

std::string directory_id(const fs::path& directory) {
  std::ifstream boot("/proc/sys/kernel/random/boot_id");
  std::string id;
  boot >> id;
  struct stat found {};
  if (::stat(directory.c_str(), &found) != 0) throw_system_error("look at " + directory.string());
  return id + ":" + std::to_string(found.st_dev) + ":" + std::to_string(found.st_ino);
}

void make_private_directory(const fs::path& directory) {
  std::error_code failed;
  if (!fs::exists(directory.parent_path(), failed)) {
    throw Error(ErrorCode::kStorageFailed,
                "wanted a directory " + directory.parent_path().string() +
                    " for large data, and there is none; make it, or name another one");
  }
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
    throw_system_error("make directory " + directory.string());
  struct stat found {};
  if (::lstat(directory.c_str(), &found) != 0) throw_system_error("look at " + directory.string());
  // In /dev/shm everybody may make a directory of our name.
  if (!S_ISDIR(found.st_mode) || found.st_uid != ::getuid() || (found.st_mode & 077) != 0) {
    throw Error(ErrorCode::kNotAllowed,
                "wanted " + directory.string() +
                    " as a directory of this user that nobody else may open, and found another "
                    "owner or wider rights; remove it");
  }
}

bool is_there(const fs::path& path) noexcept {
  return ::access(path.c_str(), F_OK) == 0;
}

std::optional<std::uint64_t> size_at(const fs::path& file) noexcept {
  struct stat found {};
  if (::stat(file.c_str(), &found) != 0) return std::nullopt;
  return static_cast<std::uint64_t>(found.st_size);
}

void remove_out_of_sight(const fs::path& directory) noexcept {
  try {
    const fs::path gone =
        directory.parent_path() / (store_prefix() + std::string(kGone) + random_file_name());
    std::error_code ignored;
    if (::rename(directory.c_str(), gone.c_str()) == 0) fs::remove_all(gone, ignored);
  } catch (const std::exception&) {
    // No memory for a path: whoever sweeps next removes it.
  }
}

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

bool is_own(const fs::path& path) noexcept {
  struct stat found {};
  return ::lstat(path.c_str(), &found) == 0 && S_ISDIR(found.st_mode) && found.st_uid == ::getuid();
}

std::string random_file_name() {
  static const std::uint64_t kSalt = [] {
    std::random_device device;
    return (std::uint64_t{device()} << 32) | device();
  }();
  static std::atomic<std::uint64_t> count{0};
  return std::to_string(::getpid()) + "-" + std::to_string(kSalt) + "-" + std::to_string(++count);
}

void touch(const fs::path& file) noexcept {
  ::utimensat(AT_FDCWD, file.c_str(), nullptr, 0);
}

double now_s(const fs::path& marker) noexcept {
  touch(marker);
  struct stat found {};
  return ::stat(marker.c_str(), &found) == 0 ? seconds(found.st_mtim) : 0;
}

std::vector<Found> files_in(const fs::path& directory) {
  std::vector<Found> files;
  std::error_code failed;
  for (fs::directory_iterator entry(directory, failed), end; !failed && entry != end;
       entry.increment(failed)) {
    struct stat found {};
    if (::lstat(entry->path().c_str(), &found) != 0 || !S_ISREG(found.st_mode)) continue;
    files.push_back(
        {entry->path(), static_cast<std::uint64_t>(found.st_size), seconds(found.st_mtim)});
  }
  return files;
}

std::vector<Found> oldest_first(std::vector<Found> files) {
  std::ranges::sort(files, {},
                    [](const Found& file) { return std::pair(file.changed_s, file.path); });
  return files;
}

std::vector<fs::path> directories_in(const fs::path& directory) {
  std::vector<fs::path> found;
  std::error_code failed;
  for (fs::directory_iterator entry(directory, failed), end; !failed && entry != end;
       entry.increment(failed)) {
    std::error_code ignored;
    if (entry->is_directory(ignored)) found.push_back(entry->path());
  }
  return found;
}

std::uint64_t size_of_file_system(const fs::path& path) noexcept {
  struct statvfs found {};
  return ::statvfs(path.c_str(), &found) == 0 ? found.f_blocks * found.f_frsize : 0;
}

std::uint64_t free_in_file_system(const fs::path& path) noexcept {
  struct statvfs found {};
  return ::statvfs(path.c_str(), &found) == 0 ? found.f_bavail * found.f_frsize : 0;
}

std::uint64_t size_of(int fd) {
  struct stat found {};
  if (::fstat(fd, &found) != 0) throw_system_error("look at a file of the data store");
  return static_cast<std::uint64_t>(found.st_size);
}

bool write_all(int fd, std::string_view bytes, std::uint64_t offset) noexcept {
  const unsigned threads =
      bytes.size() < kThreadsFrom ? 1U : std::min(std::thread::hardware_concurrency(), kThreadsMax);
  if (threads < 2) return write_range(fd, bytes, offset);
  std::atomic<int> failed{0};
  const std::size_t share = (bytes.size() + threads - 1) / threads;
  const std::size_t part = (share + kPiece - 1) / kPiece * kPiece;
  std::vector<std::jthread> helpers;
  const auto write_part = [&](std::size_t from) {
    if (from < bytes.size() && !write_range(fd, bytes.substr(from, part), offset + from))
      failed = errno;
  };
  for (unsigned i = 1; i < threads; ++i) {
    try {
      helpers.emplace_back(write_part, i * part);
    } catch (const std::system_error&) {
      write_part(i * part);  // there are as many threads as there may be
    }
  }
  write_part(0);
  helpers.clear();
  errno = failed;
  return failed == 0;
}

void give_name(const fs::path& draft, const fs::path& place) {
  if (::renameat2(AT_FDCWD, draft.c_str(), AT_FDCWD, place.c_str(), RENAME_NOREPLACE) == 0) return;
  if (errno == EEXIST && size_at(place) == size_at(draft)) {
    ::unlink(draft.c_str());
    return;
  }
  // One of another size was cut short, by a power cut; EINVAL: not every file system can spare one.
  if ((errno != EEXIST && errno != EINVAL) || ::rename(draft.c_str(), place.c_str()) != 0)
    throw_system_error("name " + place.string());
}

Error no_room(std::uint64_t bytes, const fs::path& memory, const fs::path& disk) {
  return {ErrorCode::kOverloaded, "no room for " + std::to_string(bytes) + " bytes of data below " +
                                      memory.parent_path().string() + " or " +
                                      disk.parent_path().string() +
                                      "; purge results, or raise the limits"};
}

FileMapping::FileMapping(int fd, std::uint64_t size) {
  if (size == 0) return;
  void* at = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED) throw_system_error("map a file of the data store");
  bytes_ = {static_cast<const char*>(at), size};
}

FileMapping::~FileMapping() {
  if (!bytes_.empty()) ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
}

}  // namespace linden::data

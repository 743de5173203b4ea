#include "space/storage/directory.h"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <set>
#include <string>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <unistd.h>
#include <sys/file.h>
#include <sys/stat.h>

namespace linden::storage {
namespace {

constexpr const char* kLockName = "lock";
constexpr const char* kFormatName = "format";
constexpr const char* kNewFormatName = "format.new";
constexpr std::string_view kFormatPrefix = "linden space directory, format ";

std::string quoted(const std::filesystem::path& path) {
  return "'" + path.string() + "'";
}

Failure failure(const std::filesystem::path& path, const std::string& problem) {
  return {ErrorCode::kStorageFailed, "directory " + quoted(path) + " " + problem};
}

std::filesystem::path partial_name(std::filesystem::path path) {
  return path += ".partial";
}

std::string reason(int error) {
  return std::generic_category().message(error);
}

// Parents too; an existing directory is left as it is.
Result<void> make_directory(const std::filesystem::path& path) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  if (std::filesystem::is_directory(status)) return {};
  if (std::filesystem::exists(status)) {
    return failure(path, "is a file; name a directory that is empty or was made by space-server");
  }
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), error);
  if (!error && ::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    error.assign(errno, std::generic_category());
  }
  if (!error) return {};
  return failure(path, "cannot be created: " + error.message() +
                           "; name another or create it with the right owner");
}

// What is in it that is not from an interrupted first start.
Result<bool> has_foreign_files(const std::filesystem::path& path) {
  static const std::set<std::string> harmless{kLockName, kNewFormatName, "lost+found"};
  std::error_code error;
  for (std::filesystem::directory_iterator at(path, error), end; !error && at != end;
       at.increment(error)) {
    if (!harmless.contains(at->path().filename().string())) return true;
  }
  if (!error) return false;
  return failure(path, "cannot be read: " + error.message() + "; check its owner and mode");
}

Result<void> check_format(const std::filesystem::path& path) {
  std::ifstream file(path / kFormatName);
  std::string line;
  std::getline(file, line);
  std::uint32_t version = 0;
  if (line.starts_with(kFormatPrefix)) {
    std::from_chars(line.data() + kFormatPrefix.size(), line.data() + line.size(), version);
  }
  if (version == 0) {
    return failure(path, "has an unreadable file 'format': wanted '" + std::string(kFormatPrefix) +
                             std::to_string(kFormatVersion) + "', found '" + line.substr(0, 60) +
                             "'; restore that file from a copy or name another directory");
  }
  if (version > kFormatVersion) {
    return failure(path, "is of format " + std::to_string(version) + ", this program reads up to " +
                             std::to_string(kFormatVersion) + "; use a newer space-server");
  }
  return {};
}

std::string owner_of(int lock) {
  char text[32] = {};
  if (::pread(lock, text, sizeof(text) - 1, 0) <= 0) return "another process";
  return "process " + std::string(text, std::strcspn(text, "\n"));
}

// Locks the open file and returns its descriptor.
Result<int> lock_file(const std::filesystem::path& path, int lock) {
  if (::flock(lock, LOCK_EX | LOCK_NB) == 0) return lock;
  const int error = errno;
  const std::string owner = owner_of(lock);
  ::close(lock);
  if (error == EWOULDBLOCK) {
    return failure(path, "is in use by " + owner + "; stop that one first or name another");
  }
  return failure(path, "cannot be locked: " + reason(error) + "; name one on a local file system");
}

Result<int> take_lock(const std::filesystem::path& path) {
  const std::filesystem::path file = path / kLockName;
  const int lock = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0) {
    return failure(path, "is not writable: " + reason(errno) + "; check its owner and mode");
  }
  return lock_file(path, lock);
}

constexpr int kNoLock = -1;

Result<int> take_lock_if_there_is_one(const std::filesystem::path& path) {
  const int lock = ::open((path / kLockName).c_str(), O_RDONLY | O_CLOEXEC);
  if (lock >= 0) return lock_file(path, lock);
  if (errno == ENOENT) return kNoLock;
  return failure(path, "cannot be read: " + reason(errno) + "; check its owner and mode");
}

bool write_all(int file, std::string_view text) {
  return ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

// For the message that the next one who wants it reads; nothing depends on it.
void note_owner(int lock) {
  if (::ftruncate(lock, 0) == 0) (void)write_all(lock, std::to_string(::getpid()) + "\n");
}

bool sync_directory(const std::filesystem::path& path) {
  const int directory = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return false;
  const bool synced = ::fsync(directory) == 0;
  ::close(directory);
  return synced;
}

}  // namespace

Result<Directory> Directory::open(const std::filesystem::path& path) {
  if (Result<void> created = make_directory(path); !created) return created.error();
  std::error_code error;
  const bool ours = std::filesystem::exists(path / kFormatName, error);
  if (!ours) {
    // Nothing is written, not even a lock, into a directory that is not ours.
    const Result<bool> foreign = has_foreign_files(path);
    if (!foreign) return foreign.error();
    if (*foreign) {
      return failure(path, "has files in it but was not made by space-server; name an empty one");
    }
  }
  const Result<int> lock = take_lock(path);
  if (!lock) return lock.error();
  Directory directory(path, *lock);
  // Another server may have been first between the look and the lock.
  if (ours || std::filesystem::exists(path / kFormatName, error)) {
    if (Result<void> checked = check_format(path); !checked) return checked.error();
  } else if (Result<void> written = write_format(path); !written) {
    return written.error();
  }
  note_owner(directory.lock_);
  return directory;
}

Result<Directory> Directory::open_to_read(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::exists(path / kFormatName, error)) {
    return failure(path,
                   "was not made by space-server, or is not there; name the directory of a "
                   "server or a backup");
  }
  const Result<int> lock = take_lock_if_there_is_one(path);
  if (!lock) return lock.error();
  Directory directory(path, *lock);
  if (Result<void> checked = check_format(path); !checked) return checked.error();
  return directory;
}

Directory::Directory(Directory&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

// The file stays: removing it would let two servers lock two different files of that name.
Directory::~Directory() {
  if (lock_ >= 0) ::close(lock_);
}

Result<void> Directory::write_format(const std::filesystem::path& path) {
  const std::filesystem::path fresh = path / kNewFormatName;
  const int file = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return failure(path, "is not writable: " + reason(errno) + "; check its owner");
  const std::string text = std::string(kFormatPrefix) + std::to_string(kFormatVersion) + "\n";
  const bool written = write_all(file, text) && ::fsync(file) == 0;
  ::close(file);
  if (written && ::rename(fresh.c_str(), (path / kFormatName).c_str()) == 0 &&
      sync_directory(path)) {
    return {};
  }
  return failure(path, "cannot be written: " + reason(errno) + "; free space or name another");
}

Result<std::filesystem::path> Directory::begin_copy(const std::filesystem::path& path) {
  const std::filesystem::path partial = partial_name(path);
  for (const std::filesystem::path& taken : {path, partial}) {
    std::error_code error;
    if (!std::filesystem::exists(std::filesystem::symlink_status(taken, error))) continue;
    return Failure{
        ErrorCode::kInvalidArgument,
        "directory " + quoted(taken) + " is there already; name another or move that one away"};
  }
  if (Result<void> created = make_directory(partial); !created) return created.error();
  return partial;
}

Result<void> Directory::end_copy(const std::filesystem::path& path) {
  const std::filesystem::path parent = path.has_parent_path() ? path.parent_path() : ".";
  if (::rename(partial_name(path).c_str(), path.c_str()) == 0 && sync_directory(parent)) return {};
  return failure(path, "cannot be written: " + reason(errno) + "; free space or name another");
}

}  // namespace linden::storage

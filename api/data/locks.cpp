// api/data/locks.cpp
#include "api/data/locks.h"

#include <fcntl.h>
#include <unistd.h>
#include <sys/stat.h>

#include <cerrno>
#include <functional>

#include "api/data/system_error.h"

namespace linden::data {
namespace {

// Which byte stands for a name: any but the sign bit's half.  std::hash differs between programs.
std::int64_t byte_of(std::string_view name) noexcept {
  std::uint64_t hash = 14'695'981'039'346'656'037ULL;  // FNV-1a
  for (const unsigned char c : name) hash = (hash ^ c) * 1'099'511'628'211ULL;
  return static_cast<std::int64_t>(hash >> 2);
}

int lock(int fd, short type, std::int64_t byte, int command) noexcept {
  struct flock range {};
  range.l_type = type;
  range.l_whence = SEEK_SET;
  range.l_start = byte;
  range.l_len = 1;
  int result = 0;
  do {
    result = ::fcntl(fd, command, &range);
  } while (result != 0 && errno == EINTR);
  return result;
}

Descriptor open_file(const std::filesystem::path& file) {
  Descriptor fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) throw_system_error("open " + file.string());
  return fd;
}

}  // namespace

Locks::Locks(const std::filesystem::path& file) : remover_(open_file(file)) {
  shared_->users = open_file(file);
}

bool Locks::is_at(const std::filesystem::path& file) const noexcept {
  struct stat own {};
  struct stat there {};
  return ::fstat(remover_.get(), &own) == 0 && ::stat(file.c_str(), &there) == 0 &&
         own.st_dev == there.st_dev && own.st_ino == there.st_ino;
}

Locks::Use Locks::use(std::string_view name) {
  const std::int64_t byte = byte_of(name);
  while (!count_use(byte)) {
    // Whoever has it may be writing to a disk, and meanwhile other names are used and let go of.
    if (lock(shared_->users.get(), F_RDLCK, byte, F_OFD_SETLKW) != 0)
      throw_system_error("lock a name of the data store");
  }
  return {nullptr, [shared = shared_, byte, owner = ::getpid()](const void*) {
            // A child shares the description, and the lock is its parent's.
            if (::getpid() != owner) return;
            const std::scoped_lock last(shared->mutex);
            const auto count = shared->counts.find(byte);
            if (--count->second > 0) return;
            shared->counts.erase(count);
            lock(shared->users.get(), F_UNLCK, byte, F_OFD_SETLK);
          }};
}

bool Locks::count_use(std::int64_t byte) {
  const std::scoped_lock guard(shared_->mutex);
  const auto known = shared_->counts.find(byte);
  if (known != shared_->counts.end()) {
    ++known->second;
    return true;
  }
  if (lock(shared_->users.get(), F_RDLCK, byte, F_OFD_SETLK) == 0) {
    shared_->counts.emplace(byte, 1);
    return true;
  }
  if (errno != EAGAIN && errno != EACCES) throw_system_error("lock a name of the data store");
  return false;
}

Locks::Removal Locks::try_remove(std::string_view name) {
  const std::int64_t byte = byte_of(name);
  if (lock(remover_.get(), F_WRLCK, byte, F_OFD_SETLK) != 0) return {};
  return {remover_.get(), byte};
}

Locks::Removal::~Removal() {
  if (fd_ >= 0) lock(fd_, F_UNLCK, byte_, F_OFD_SETLK);
}

}  // namespace linden::data

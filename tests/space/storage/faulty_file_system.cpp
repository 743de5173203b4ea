#include "faulty_file_system.h"

#include <utility>

namespace linden::storage {
namespace {

using rocksdb::FileOptions;
using rocksdb::FSDirectory;
using rocksdb::FSWritableFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();

std::uint64_t size_of(const std::string& name) {
  std::error_code missing;
  const std::uintmax_t size = std::filesystem::file_size(name, missing);
  return missing ? 0 : size;
}

// RocksDB writes one path in several ways.
std::string plain(const std::string& name) {
  return std::filesystem::path(name).lexically_normal().string();
}

}  // namespace

// A file that is written through this disk.  Writing ahead of time (Allocate, RangeSync) is left
// out: it must change nothing.
class FaultyFileSystem::File final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  File(FaultyFileSystem& disk, const std::string& name, std::unique_ptr<FSWritableFile>&& file)
      : FSWritableFileOwnerWrapper(std::move(file)), disk_(disk), name_(plain(name)) {}

  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                  IODebugContext* debug) override {
    const IOStatus allowed = disk_.append(name_, data.size());
    return allowed.ok() ? FSWritableFileOwnerWrapper::Append(data, options, debug) : allowed;
  }
  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo&, IODebugContext* debug) override {
    return Append(data, options, debug);
  }
  IOStatus Sync(const IOOptions&, IODebugContext*) override { return disk_.sync(name_); }
  IOStatus Fsync(const IOOptions&, IODebugContext*) override { return disk_.sync(name_); }
  IOStatus RangeSync(std::uint64_t, std::uint64_t, const IOOptions&, IODebugContext*) override {
    return IOStatus::OK();
  }
  IOStatus Allocate(std::uint64_t, std::uint64_t, const IOOptions&, IODebugContext*) override {
    return IOStatus::OK();
  }

 private:
  FaultyFileSystem& disk_;
  const std::string name_;
};

class FaultyFileSystem::Folder final : public rocksdb::FSDirectoryWrapper {
 public:
  Folder(FaultyFileSystem& disk, const std::string& name, std::unique_ptr<FSDirectory>&& directory)
      : FSDirectoryWrapper(std::move(directory)), disk_(disk), name_(plain(name)) {}

  IOStatus Fsync(const IOOptions&, IODebugContext*) override { return disk_.sync_folder(name_); }
  IOStatus FsyncWithDirOptions(const IOOptions&, IODebugContext*,
                               const rocksdb::DirFsyncOptions&) override {
    return disk_.sync_folder(name_);
  }

 private:
  FaultyFileSystem& disk_;
  const std::string name_;
};

FaultyFileSystem::FaultyFileSystem()
    : FileSystemWrapper(rocksdb::FileSystem::Default()),
      // The environment takes a share; ours is not to be counted, it lives as long as this.
      env_(rocksdb::NewCompositeEnv(
          std::shared_ptr<rocksdb::FileSystem>(std::shared_ptr<void>(), this))) {}

FaultyFileSystem::~FaultyFileSystem() = default;

// ---- What a test says

void FaultyFileSystem::fail_after(Fault fault, std::uint64_t count, std::string_view suffix) {
  const std::lock_guard lock(mutex_);
  (fault == Fault::kAppend ? appends_ : syncs_) = Plan{count, std::string(suffix)};
}

void FaultyFileSystem::fill_after(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  room_ = bytes;
}

void FaultyFileSystem::heal() {
  const std::lock_guard lock(mutex_);
  appends_ = syncs_ = Plan{};
  room_ = kUnlimited;
}

std::uint64_t FaultyFileSystem::faults() const {
  const std::lock_guard lock(mutex_);
  return faults_;
}

void FaultyFileSystem::power_off_after(std::uint64_t steps) {
  const std::lock_guard lock(mutex_);
  steps_of_power_ = steps;
}

void FaultyFileSystem::power_on(std::uint64_t seed) {
  const std::lock_guard lock(mutex_);
  std::mt19937_64 random(seed);
  for (const auto& [name, file] : files_) {
    if (!std::filesystem::exists(name)) continue;  // the test has cleared it away itself
    if (!file.entry_synced) {
      std::filesystem::remove(name);
      continue;
    }
    const std::uint64_t unsynced = file.size - file.synced;
    const std::uint64_t kept = file.synced + (unsynced == 0 ? 0 : random() % (unsynced + 1));
    std::filesystem::resize_file(name, kept);
  }
  files_.clear();
  steps_of_power_ = kUnlimited;
}

// ---- What the disk does

bool FaultyFileSystem::fails(Plan& plan, const std::string& name) {
  if (plan.left == kUnlimited || !name.ends_with(plan.suffix)) return false;
  if (plan.left > 0) {
    --plan.left;
    return false;
  }
  ++faults_;
  return true;
}

bool FaultyFileSystem::step_has_power() {
  if (steps_of_power_ == 0) return false;
  if (steps_of_power_ != kUnlimited) --steps_of_power_;
  return true;
}

IOStatus FaultyFileSystem::append(const std::string& name, std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  if (!step_has_power()) return IOStatus::IOError(name, "the power is off");
  if (fails(appends_, name)) return IOStatus::IOError(name, "this append was made to fail");
  if (bytes > room_) {
    ++faults_;
    return IOStatus::NoSpace(name, "this disk was made full");
  }
  if (room_ != kUnlimited) room_ -= bytes;
  files_[name].size += bytes;
  return IOStatus::OK();
}

IOStatus FaultyFileSystem::sync(const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (!step_has_power()) return IOStatus::IOError(name, "the power is off");
  if (fails(syncs_, name)) return IOStatus::IOError(name, "this sync was made to fail");
  Written& file = files_[name];
  file.synced = file.size;
  return IOStatus::OK();
}

IOStatus FaultyFileSystem::sync_folder(const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (!step_has_power()) return IOStatus::IOError(name, "the power is off");
  for (auto& [file, written] : files_) {
    if (std::filesystem::path(file).parent_path() == name) {
      written.entry_synced = true;
    }
  }
  return IOStatus::OK();
}

IOStatus FaultyFileSystem::change(const std::string& name) {
  const std::lock_guard lock(mutex_);
  return steps_of_power_ > 0 ? IOStatus::OK() : IOStatus::IOError(name, "the power is off");
}

// ---- What RocksDB asks for

void FaultyFileSystem::track(const std::string& name, std::unique_ptr<FSWritableFile>* file) {
  *file = std::make_unique<File>(*this, name, std::move(*file));
}

IOStatus FaultyFileSystem::NewWritableFile(const std::string& name, const FileOptions& options,
                                           std::unique_ptr<FSWritableFile>* file,
                                           IODebugContext* debug) {
  if (const IOStatus allowed = change(name); !allowed.ok()) return allowed;
  const IOStatus made = target_->NewWritableFile(name, options, file, debug);
  if (!made.ok()) return made;
  const std::lock_guard lock(mutex_);
  files_[plain(name)] = Written{};
  track(name, file);
  return made;
}

IOStatus FaultyFileSystem::ReopenWritableFile(const std::string& name, const FileOptions& options,
                                              std::unique_ptr<FSWritableFile>* file,
                                              IODebugContext* debug) {
  if (const IOStatus allowed = change(name); !allowed.ok()) return allowed;
  const IOStatus opened = target_->ReopenWritableFile(name, options, file, debug);
  if (!opened.ok()) return opened;
  const std::lock_guard lock(mutex_);
  const std::uint64_t size = size_of(name);
  files_.try_emplace(plain(name), Written{size, size, true});
  track(name, file);
  return opened;
}

IOStatus FaultyFileSystem::NewDirectory(const std::string& name, const IOOptions& options,
                                        std::unique_ptr<FSDirectory>* directory,
                                        IODebugContext* debug) {
  const IOStatus opened = target_->NewDirectory(name, options, directory, debug);
  if (opened.ok()) *directory = std::make_unique<Folder>(*this, name, std::move(*directory));
  return opened;
}

IOStatus FaultyFileSystem::RenameFile(const std::string& from, const std::string& to,
                                      const IOOptions& options, IODebugContext* debug) {
  if (const IOStatus allowed = change(from); !allowed.ok()) return allowed;
  const IOStatus renamed = target_->RenameFile(from, to, options, debug);
  if (!renamed.ok()) return renamed;
  const std::lock_guard lock(mutex_);
  if (auto file = files_.extract(plain(from))) {
    files_.erase(plain(to));
    file.key() = plain(to);
    file.mapped().entry_synced = true;
    files_.insert(std::move(file));
  }
  return renamed;
}

IOStatus FaultyFileSystem::DeleteFile(const std::string& name, const IOOptions& options,
                                      IODebugContext* debug) {
  if (const IOStatus allowed = change(name); !allowed.ok()) return allowed;
  const std::uint64_t size = size_of(name);
  const IOStatus deleted = target_->DeleteFile(name, options, debug);
  if (!deleted.ok()) return deleted;
  const std::lock_guard lock(mutex_);
  files_.erase(plain(name));
  if (room_ != kUnlimited) room_ += size;
  return deleted;
}

IOStatus FaultyFileSystem::GetFreeSpace(const std::string& path, const IOOptions& options,
                                        std::uint64_t* free, IODebugContext* debug) {
  const std::lock_guard lock(mutex_);
  if (room_ == kUnlimited) return target_->GetFreeSpace(path, options, free, debug);
  *free = room_;
  return IOStatus::OK();
}

}  // namespace linden::storage

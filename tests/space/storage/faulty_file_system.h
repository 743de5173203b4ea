// tests/space/storage/faulty_file_system.h: a disk below RocksDB that fails, fills up and loses
// power when a test says so.
//
// Files lie on the real disk; this remembers how much of each has been synced.  It is strict where
// POSIX is: a new file is lost with the power until its directory has been synced, and a sync of
// one file says nothing of another.  Renames and deletions count as done at once, which is the
// harsher of the two ways in which they can turn out.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

namespace linden::storage {

// Threads: RocksDB calls it from several.
class FaultyFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  enum class Fault { kAppend, kSync };

  FaultyFileSystem();
  ~FaultyFileSystem() override;
  const char* Name() const override { return "FaultyFileSystem"; }

  // For RocksdbOptions; lives as long as this.
  [[nodiscard]] rocksdb::Env* env() const noexcept { return env_.get(); }

  // After `count` more of that kind on files whose name ends in `suffix`, all fail, until heal().
  void fail_after(Fault fault, std::uint64_t count, std::string_view suffix = "");
  // From now on the disk takes so many more bytes; deleting gives room again.
  void fill_after(std::uint64_t bytes);
  // The disk is as it should be again; what was not written stays unwritten.
  void heal();
  // How often something was asked to fail and did.
  [[nodiscard]] std::uint64_t faults() const;

  // The power goes, at once or after so many more appends and syncs: nothing works until
  // power_on(), which finds of every file what was synced and, by chance, more of its beginning.
  void power_off_after(std::uint64_t steps);
  void power_on(std::uint64_t seed);

  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus ReopenWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                       std::unique_ptr<rocksdb::FSWritableFile>* file,
                                       rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewDirectory(const std::string& name, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* directory,
                                 rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& name, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetFreeSpace(const std::string& path, const rocksdb::IOOptions& options,
                                 std::uint64_t* free, rocksdb::IODebugContext* debug) override;

 private:
  class File;
  class Folder;
  struct Written {
    std::uint64_t size = 0;
    std::uint64_t synced = 0;
    bool entry_synced = false;
  };
  struct Plan {
    std::uint64_t left = std::numeric_limits<std::uint64_t>::max();
    std::string suffix;
  };

  // Each says whether the disk does it, and notes that it did.
  rocksdb::IOStatus append(const std::string& name, std::uint64_t bytes);
  rocksdb::IOStatus sync(const std::string& name);
  rocksdb::IOStatus sync_folder(const std::string& name);
  rocksdb::IOStatus change(const std::string& name);
  bool fails(Plan& plan, const std::string& name);
  bool step_has_power();
  void track(const std::string& name, std::unique_ptr<rocksdb::FSWritableFile>* file);

  mutable std::mutex mutex_;
  std::map<std::string, Written> files_;
  Plan appends_, syncs_;
  std::uint64_t room_ = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t faults_ = 0;
  std::uint64_t steps_of_power_ = std::numeric_limits<std::uint64_t>::max();
  std::unique_ptr<rocksdb::Env> env_;
};

}  // namespace linden::storage

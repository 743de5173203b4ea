#include "space/storage/database.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <mutex>

#include <rocksdb/env.h>
#include <rocksdb/table.h>

namespace linden::storage {

// Where RocksDB's log lines go.  It names the damaged file in a warning and not in the status, so
// the last such line is kept; nothing is written to disk.
class Logbook final : public rocksdb::Logger {
 public:
  Logbook() : rocksdb::Logger(rocksdb::InfoLogLevel::WARN_LEVEL) {}

  using rocksdb::Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    char line[1024];
    const int length = std::vsnprintf(line, sizeof(line), format, arguments);
    if (length <= 0 || std::string_view(line).find(" bytes; ") == std::string_view::npos) return;
    const std::lock_guard lock(mutex_);
    damage_ = line;
  }

  // "/data/db/000012.log: dropping 512 bytes; Corruption: checksum mismatch", or empty.
  [[nodiscard]] std::string damage() const {
    const std::lock_guard lock(mutex_);
    return damage_;
  }

 private:
  mutable std::mutex mutex_;
  std::string damage_;
};

namespace {

// A body of this size is written once, into a blob file, and not again by every compaction.
constexpr std::uint64_t kBlobBytesMin = std::uint64_t{4} << 10;

rocksdb::DBOptions database_options(std::size_t memtable_bytes, std::shared_ptr<Logbook> logbook,
                                    rocksdb::Env* env) {
  rocksdb::DBOptions options;
  if (env != nullptr) options.env = env;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.info_log = std::move(logbook);
  // A torn end is what a crash leaves; anything else wrong with the log stops the start (P34).
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  options.track_and_verify_wals_in_manifest = true;
  // The table is written seldom; this flushes it, so that old logs can go.
  options.max_total_wal_size = 4 * memtable_bytes;
  // One writer at a time is usual.  Measured (tests/bench/bench_commit.cpp): sharing a memtable
  // between writers costs the single one time.
  options.allow_concurrent_memtable_write = false;
  options.enable_write_thread_adaptive_yield = false;
  // A directory, and a copy of it, says nothing of the machine that it was made on.
  options.db_host_id.clear();
  // Nobody reads RocksDB's own figures.
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.skip_stats_update_on_db_open = true;
  options.max_background_jobs = 2;
  options.max_manifest_file_size = std::uint64_t{16} << 20;
  return options;
}

// Records are written once, read at a restart, and go by ranges: no compression, no filters.
rocksdb::ColumnFamilyOptions journal_options(std::size_t memtable_bytes) {
  rocksdb::ColumnFamilyOptions options;
  options.write_buffer_size = memtable_bytes;
  options.target_file_size_base = memtable_bytes;
  options.max_bytes_for_level_base = 4 * memtable_bytes;
  options.compression = rocksdb::kNoCompression;
  return options;
}

// Never read but at a restart, so no filters here either; a key is overwritten when the tuple
// changes.
rocksdb::ColumnFamilyOptions table_options(std::size_t memtable_bytes) {
  rocksdb::ColumnFamilyOptions options;
  options.write_buffer_size = memtable_bytes;
  options.compression = rocksdb::kNoCompression;
  options.enable_blob_files = true;
  options.min_blob_size = kBlobBytesMin;
  options.enable_blob_garbage_collection = true;
  options.blob_garbage_collection_force_threshold = 0.5;
  return options;
}

// About four segments: what a busy space puts and takes is gone before it would be flushed.
std::size_t memtable_bytes_for(const RocksdbOptions& options) {
  return std::clamp(4 * options.segment_bytes, std::size_t{1} << 20, std::size_t{64} << 20);
}

}  // namespace

Database::Database(std::filesystem::path directory, std::shared_ptr<Logbook> logbook)
    : directory_(std::move(directory)), logbook_(std::move(logbook)) {}

Result<std::unique_ptr<Database>> Database::open(const std::filesystem::path& directory,
                                                 const RocksdbOptions& options) {
  const std::size_t memtable_bytes = memtable_bytes_for(options);
  auto logbook = std::make_shared<Logbook>();
  std::unique_ptr<Database> database(new Database(directory, logbook));
  const std::vector<rocksdb::ColumnFamilyDescriptor> families{
      {rocksdb::kDefaultColumnFamilyName, rocksdb::ColumnFamilyOptions()},
      {"journal", journal_options(memtable_bytes)},
      {"table", table_options(memtable_bytes)}};
  rocksdb::DB* db = nullptr;
  if (options.read_only) {
    const rocksdb::Status status =
        rocksdb::DB::OpenForReadOnly(database_options(memtable_bytes, logbook, options.env),
                                     directory.string(), families, &database->families_, &db);
    if (!status.ok()) return database->failure("open", status);
    database->db_.reset(db);
    return database;
  }
  const rocksdb::Status status =
      rocksdb::DB::Open(database_options(memtable_bytes, logbook, options.env), directory.string(),
                        families, &database->families_, &db);
  if (!status.ok()) return database->failure("open", status);
  database->db_.reset(db);
  return database;
}

Database::~Database() {
  if (!db_) return;
  for (rocksdb::ColumnFamilyHandle* family : families_) {
    (void)db_->DestroyColumnFamilyHandle(family);
  }
  (void)db_->Close();
}

Result<std::string> Database::meta_value(std::string_view key) {
  std::string value;
  const rocksdb::Status status =
      db_->Get(rocksdb::ReadOptions(), meta(), rocksdb::Slice(key.data(), key.size()), &value);
  if (status.ok() || status.IsNotFound()) return value;
  return failure("read the list of spaces", status);
}

Failure Database::failure(std::string_view action, const rocksdb::Status& status) const {
  std::string message = "cannot " + std::string(action) + " in '" + directory_.string() + "': ";
  if (!status.IsCorruption()) {
    message +=
        status.ToString() + "; check free space and the owner of the files, then start again";
    return {ErrorCode::kStorageFailed, std::move(message)};
  }
  const std::string damage = logbook_->damage();
  message += "damaged: " + (damage.empty() ? status.ToString() : damage);
  message += "; restore the directory from a checkpoint, or move it away and begin anew";
  return {ErrorCode::kStorageFailed, std::move(message)};
}

}  // namespace linden::storage

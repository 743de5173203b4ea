// space/storage/database.h: RocksDB as the storage uses it: how it is opened and tuned, and what
// its errors become.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include <rocksdb/db.h>

#include <linden/result.h>

#include "space/storage/storage.h"

namespace linden::storage {

class Logbook;

// One open RocksDB with its three column families.
class Database {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Database>> open(
      const std::filesystem::path& directory, const RocksdbOptions& options);
  ~Database();

  [[nodiscard]] rocksdb::DB& db() noexcept { return *db_; }
  [[nodiscard]] rocksdb::ColumnFamilyHandle* meta() const noexcept { return families_[0]; }
  [[nodiscard]] rocksdb::ColumnFamilyHandle* journal() const noexcept { return families_[1]; }
  [[nodiscard]] rocksdb::ColumnFamilyHandle* table() const noexcept { return families_[2]; }

  // The value under `key` of meta; empty if there is none.
  [[nodiscard]] Result<std::string> meta_value(std::string_view key);

  // `action` is what was tried: "write the journal of space 'jobs'".
  [[nodiscard]] Failure failure(std::string_view action, const rocksdb::Status& status) const;

 private:
  Database(std::filesystem::path directory, std::shared_ptr<Logbook> logbook);

  std::filesystem::path directory_;
  std::shared_ptr<Logbook> logbook_;
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> families_;
};

}  // namespace linden::storage

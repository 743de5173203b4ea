// space/storage/rocksdb_storage.cpp: the journal and the table in one RocksDB per server directory.
//
// docs/design/storage-format.md has the keys and values, docs/decisions/0005-journal-and-table.md
// the reasons.  What a commit costs is one Put; everything else here happens once per segment, per
// space or per start.
#include <algorithm>
#include <atomic>
#include <cassert>
#include <limits>
#include <map>
#include <mutex>
#include <shared_mutex>

#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/write_batch.h>

#include "space/storage/database.h"
#include "space/storage/directory.h"
#include "space/storage/record_codec.h"
#include "space/storage/segments.h"
#include "space/storage/space_name.h"

namespace linden::storage {
namespace {

// A write batch that once held large tuples does not keep their memory for ever.
constexpr std::size_t kKeptBytesMax = std::size_t{1} << 20;

// Enough that loading reads the disk in long runs.
constexpr std::size_t kReadAheadBytes = std::size_t{2} << 20;

rocksdb::Slice slice(std::string_view bytes) {
  return {bytes.data(), bytes.size()};
}
std::string_view view(const rocksdb::Slice& bytes) {
  return {bytes.data(), bytes.size()};
}

// One space.  Belongs to the strand that commits to it, but for `info`, which never changes.
struct Space {
  Space(SpaceInfo space, std::size_t segment_bytes)
      : info(std::move(space)), segments(segment_bytes) {}

  [[nodiscard]] bool is_kept() const noexcept { return info.durability != Durability::kMemory; }

  const SpaceInfo info;
  Segments segments;
  TableIds table;
  Time last_time{};
  bool loaded = false;
  rocksdb::WriteBatch write;  // kept for its memory
};

class RocksdbStorage final : public Storage {
 public:
  RocksdbStorage(Directory directory, std::unique_ptr<Database> database,
                 const RocksdbOptions& options)
      : directory_(std::move(directory)), database_(std::move(database)), options_(options) {}

  // A clean stop leaves nothing to the kernel's mercy, also in process durability.  After a failed
  // write RocksDB must not be asked to sync: Debian's build asserts that nobody does.
  ~RocksdbStorage() override {
    if (!failed_ && !options_.read_only) (void)database_->db().SyncWAL();
  }
  RocksdbStorage(const RocksdbStorage&) = delete;
  RocksdbStorage& operator=(const RocksdbStorage&) = delete;

  // Reads what spaces there are and raises the epoch.
  Result<void> start();

  std::uint64_t epoch() const override { return epoch_; }
  std::vector<SpaceInfo> spaces() const override;
  Result<SpaceInfo> create_space(std::string_view name, Durability durability,
                                 const std::vector<core::Mutation>& first, Time now) override;
  Result<void> drop_space(SpaceNumber number) override;
  Result<void> commit(const Batch& batch) override;
  Result<void> commit_both(const Batch& one, const Batch& other) override;
  Result<Time> load(SpaceNumber number,
                    const std::function<void(core::Mutation&&)>& visit) override;
  bool retirement_due(SpaceNumber number) const override;
  Result<void> retire(SpaceNumber number, const LiveState& live) override;
  Result<std::uint64_t> free_bytes() const override;
  Result<void> reclaim() override;
  Result<void> checkpoint(const std::filesystem::path& directory) override;
  Result<void> verify() override;

 private:
  Space* find(SpaceNumber number) const;
  Result<void> write(rocksdb::WriteBatch& batch, bool sync, const char* what, const Space* space);
  // The journal record of a commit: into a batch that is to be written; it has been written.
  Result<void> stage(const Space& space, const Batch& batch, rocksdb::WriteBatch& into);
  static void note_written(Space& space, const Batch& batch);
  Result<void> read_spaces();
  [[nodiscard]] bool table_can_be_merged() const;
  Result<void> copy_to(const std::filesystem::path& directory);
  Result<void> load_table(Space& space, const MutationVisitor& visit);
  Result<void> load_journal(Space& space, const MutationVisitor& visit);
  Result<void> load_record(Space& space, std::string_view record, const MutationVisitor& visit);
  Failure damaged(const Space& space, const std::string& problem) const;
  Failure unreadable(const Space& space, const rocksdb::Status& status) const;

  Directory directory_;  // outlives the database, so that the lock goes last
  std::unique_ptr<Database> database_;
  RocksdbOptions options_;
  std::uint64_t epoch_ = 0;
  std::atomic<bool> failed_ = false;

  // Guards which spaces there are, not what is in them: spaces come and go on the server's own
  // strand while others commit on theirs.
  mutable std::shared_mutex mutex_;
  std::uint32_t next_space_ = 1;
  std::map<SpaceNumber, std::unique_ptr<Space>> spaces_;
};

// ---- Opening
// -------------------------------------------------------------------------------------

Result<void> RocksdbStorage::start() {
  const Result<std::string> epoch = database_->meta_value(kEpochKey);
  if (!epoch) return epoch.error();
  epoch_ = number_of(*epoch).value_or(0) + (options_.read_only ? 0 : 1);
  const Result<std::string> next = database_->meta_value(kNextSpaceKey);
  if (!next) return next.error();
  next_space_ = static_cast<std::uint32_t>(number_of(*next).value_or(1));
  if (Result<void> read = read_spaces(); !read || options_.read_only) return read;

  rocksdb::WriteBatch batch;
  batch.Put(database_->meta(), slice(kEpochKey), number_value(epoch_));
  return write(batch, true, "raise the epoch", nullptr);
}

Result<void> RocksdbStorage::read_spaces() {
  const std::unique_ptr<rocksdb::Iterator> at(
      database_->db().NewIterator(rocksdb::ReadOptions(), database_->meta()));
  for (at->Seek(slice(kSpaceKeyPrefix));
       at->Valid() && at->key().starts_with(slice(kSpaceKeyPrefix)); at->Next()) {
    Result<SpaceInfo> info = space_of(view(at->key()), view(at->value()));
    if (!info) return info.error();
    const SpaceNumber number = info->number;
    spaces_[number] = std::make_unique<Space>(std::move(*info), options_.segment_bytes);
  }
  if (at->status().ok()) return {};
  return database_->failure("read the list of spaces", at->status());
}

// ---- Spaces
// --------------------------------------------------------------------------------------

Space* RocksdbStorage::find(SpaceNumber number) const {
  const std::shared_lock lock(mutex_);
  const auto found = spaces_.find(number);
  return found == spaces_.end() ? nullptr : found->second.get();
}

std::vector<SpaceInfo> RocksdbStorage::spaces() const {
  const std::shared_lock lock(mutex_);
  std::vector<SpaceInfo> all;
  for (const auto& [number, space] : spaces_) all.push_back(space->info);
  return all;
}

Result<SpaceInfo> RocksdbStorage::create_space(std::string_view name, Durability durability,
                                               const std::vector<core::Mutation>& first, Time now) {
  const std::unique_lock lock(mutex_);
  for (const auto& [number, space] : spaces_) {
    if (space->info.name == name) return space_exists(name);
  }
  if (Result<void> checked = check_space_name(name); !checked) return checked.error();

  auto space = std::make_unique<Space>(
      SpaceInfo{SpaceNumber{next_space_}, std::string(name), durability}, options_.segment_bytes);
  const SpaceNumber number = space->info.number;
  rocksdb::WriteBatch batch;
  batch.Put(database_->meta(), slice(kNextSpaceKey), number_value(next_space_ + 1));
  batch.Put(database_->meta(), space_key(number), space_value(durability, name));
  Batch record;
  record.start(number, now);
  for (const core::Mutation& mutation : first) record.add(mutation);
  if (space->is_kept()) {
    batch.Put(database_->journal(), slice(journal_key(number, kFirstSequence).view()),
              slice(record.record()));
  }
  if (Result<void> done = write(batch, true, "create space", space.get()); !done) {
    return done.error();
  }
  if (space->is_kept()) space->segments.append(record.record().size(), record.touched());
  space->last_time = now;
  space->loaded = true;
  ++next_space_;
  return (spaces_[number] = std::move(space))->info;
}

Result<void> RocksdbStorage::drop_space(SpaceNumber number) {
  const std::unique_lock lock(mutex_);
  const auto found = spaces_.find(number);
  if (found == spaces_.end()) return no_such_space(number);
  rocksdb::WriteBatch batch;
  batch.Delete(database_->meta(), space_key(number));
  batch.DeleteRange(database_->journal(), space_begin(number), space_end(number));
  batch.DeleteRange(database_->table(), space_begin(number), space_end(number));
  if (Result<void> done = write(batch, true, "drop space", found->second.get()); !done) return done;
  spaces_.erase(found);
  return {};
}

// ---- Writing
// -------------------------------------------------------------------------------------

Result<void> RocksdbStorage::write(rocksdb::WriteBatch& batch, bool sync, const char* what,
                                   const Space* space) {
  if (failed_.load(std::memory_order_relaxed)) {
    return Failure{ErrorCode::kStorageFailed, "an earlier write to '" + directory_.path().string() +
                                                  "' failed; the server must be started again"};
  }
  if (options_.read_only) {
    return Failure{ErrorCode::kStorageFailed,
                   "'" + directory_.path().string() + "' was opened only to be read"};
  }
  rocksdb::WriteOptions options;
  options.sync = sync;
  const rocksdb::Status status = database_->db().Write(options, &batch);
  if (status.ok()) return {};
  failed_ = true;
  std::string action = what;
  if (space != nullptr) action += " '" + space->info.name + "'";
  return database_->failure(action, status);
}

Result<void> RocksdbStorage::commit(const Batch& batch) {
  Space* const space = find(batch.space());
  if (space == nullptr) return no_such_space(batch.space());
  if (batch.empty() || !space->is_kept()) return {};
  if (space->write.GetDataSize() > kKeptBytesMax) space->write = rocksdb::WriteBatch();
  space->write.Clear();
  if (Result<void> staged = stage(*space, batch, space->write); !staged) return staged;
  const bool sync = space->info.durability == Durability::kSync;
  if (Result<void> done = write(space->write, sync, "write to space", space); !done) return done;
  note_written(*space, batch);
  return {};
}

Result<void> RocksdbStorage::commit_both(const Batch& one, const Batch& other) {
  rocksdb::WriteBatch both;
  bool sync = false;
  std::vector<std::pair<Space*, const Batch*>> kept;
  for (const Batch* batch : {&one, &other}) {
    Space* const space = find(batch->space());
    if (space == nullptr) return no_such_space(batch->space());
    if (batch->empty() || !space->is_kept()) continue;
    if (Result<void> staged = stage(*space, *batch, both); !staged) return staged;
    sync = sync || space->info.durability == Durability::kSync;
    kept.emplace_back(space, batch);
  }
  if (kept.empty()) return {};
  const Space* const first = kept.front().first;
  if (Result<void> done = write(both, sync, "write to space", first); !done) return done;
  for (const auto& [space, batch] : kept) note_written(*space, *batch);
  return {};
}

Result<void> RocksdbStorage::stage(const Space& space, const Batch& batch,
                                   rocksdb::WriteBatch& into) {
  assert(space.loaded && "a space is loaded before its first commit");
  const Key key = journal_key(batch.space(), space.segments.next());
  const rocksdb::Status put =
      into.Put(database_->journal(), slice(key.view()), slice(batch.record()));
  if (put.ok()) return {};
  failed_ = true;
  return database_->failure("write to space '" + space.info.name + "'", put);
}

void RocksdbStorage::note_written(Space& space, const Batch& batch) {
  space.segments.append(batch.record().size(), batch.touched());
  space.last_time = batch.time();
}

bool RocksdbStorage::retirement_due(SpaceNumber number) const {
  const Space* const space = find(number);
  return space != nullptr && space->segments.oldest_is_due();
}

// One batch, so that after a crash the segment is either still in the journal or its tuples are in
// the table.  Not synced: it loses nothing that the journal does not have if it goes.
Result<void> RocksdbStorage::retire(SpaceNumber number, const LiveState& live) {
  Space* const space = find(number);
  if (space == nullptr) return no_such_space(number);
  Segments& segments = space->segments;
  if (segments.first() == segments.next()) return {};

  rocksdb::WriteBatch batch;
  Batch record;
  const auto encode = [&](const std::vector<core::Mutation>& mutations) {
    record.start(number, space->last_time);
    for (const core::Mutation& mutation : mutations) record.add(mutation);
    return slice(record.record());
  };
  const TablePlan plan = plan_table(
      segments.oldest_touched(), space->table, live,
      [&](TupleId id, const std::vector<core::Mutation>& mutations) {
        batch.Put(database_->table(), slice(table_key(number, id).view()), encode(mutations));
      });
  for (const TupleId id : plan.removed) {
    batch.Delete(database_->table(), slice(table_key(number, id).view()));
  }
  std::vector<core::Mutation> mutations;
  live.describe_rest(mutations);
  const std::string rest = number_value(segments.oldest_end()) + encode(mutations).ToString();
  batch.Put(database_->table(), slice(rest_key(number).view()), rest);
  batch.DeleteRange(database_->journal(), slice(journal_key(number, segments.first()).view()),
                    slice(journal_key(number, segments.oldest_end()).view()));
  if (Result<void> done = write(batch, false, "write the table of space", space); !done) {
    return done;
  }
  plan.apply_to(space->table);
  segments.drop_oldest();
  return {};
}

Result<std::uint64_t> RocksdbStorage::free_bytes() const {
  std::uint64_t free = 0;
  const rocksdb::Status status = database_->db().GetEnv()->GetFreeSpace(
      Directory::database_in(directory_.path()).string(), &free);
  if (!status.ok()) return database_->failure("ask for free space", status);
  return free;
}

// Merging writes what lives a second time before the first goes; of bodies, a quarter at most.
bool RocksdbStorage::table_can_be_merged() const {
  rocksdb::DB& db = database_->db();
  std::uint64_t rows = 0;
  std::uint64_t bodies = 0;
  (void)db.GetIntProperty(database_->table(), "rocksdb.estimate-live-data-size", &rows);
  (void)db.GetIntProperty(database_->table(), "rocksdb.live-blob-file-size", &bodies);
  const Result<std::uint64_t> free = free_bytes();
  return free && rows + bodies / 4 < *free / 2;
}

// What was retired is gone from memory at once, from the log when no memtable needs that any more,
// and from sorted files when they are merged.
Result<void> RocksdbStorage::reclaim() {
  if (failed_.load(std::memory_order_relaxed)) return {};
  rocksdb::FlushOptions flush;
  flush.allow_write_stall = true;
  rocksdb::Status status =
      database_->db().Flush(flush, {database_->meta(), database_->journal(), database_->table()});
  const rocksdb::CompactRangeOptions all;
  if (status.ok()) {
    status = database_->db().CompactRange(all, database_->journal(), nullptr, nullptr);
  }
  if (status.ok() && table_can_be_merged()) {
    status = database_->db().CompactRange(all, database_->table(), nullptr, nullptr);
  }
  // Too little room for merging is no reason to stop: nothing is lost, and it is tried again.
  if (status.ok() || status.IsNoSpace()) return {};
  return database_->failure("give back space", status);
}

Result<void> RocksdbStorage::checkpoint(const std::filesystem::path& directory) {
  const Result<std::filesystem::path> partial = Directory::begin_copy(directory);
  if (!partial) return partial.error();
  const Result<void> copied = copy_to(*partial);
  if (copied) return Directory::end_copy(directory);
  std::error_code ignored;
  std::filesystem::remove_all(*partial, ignored);
  return copied;
}

// The log is copied rather than flushed: most of what it has will never reach a sorted file.
Result<void> RocksdbStorage::copy_to(const std::filesystem::path& directory) {
  constexpr std::uint64_t kNeverFlush = std::numeric_limits<std::uint64_t>::max();
  rocksdb::Checkpoint* made = nullptr;
  rocksdb::Status status = rocksdb::Checkpoint::Create(&database_->db(), &made);
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
  if (status.ok()) {
    status = checkpoint->CreateCheckpoint(Directory::database_in(directory).string(), kNeverFlush);
  }
  if (!status.ok()) {
    return database_->failure("write a checkpoint to '" + directory.string() + "' from what is",
                              status);
  }
  // Last, so that half a checkpoint is not taken for a whole one.
  return Directory::write_format(directory);
}

Result<void> RocksdbStorage::verify() {
  const rocksdb::Status status = database_->db().VerifyChecksum();
  if (status.ok()) return {};
  return database_->failure("verify what is", status);
}

// ---- Loading
// -------------------------------------------------------------------------------------

Result<Time> RocksdbStorage::load(SpaceNumber number,
                                  const std::function<void(core::Mutation&&)>& visit) {
  Space* const space = find(number);
  if (space == nullptr) return no_such_space(number);
  assert(!space->loaded && "a space is loaded once");
  if (!space->is_kept()) {
    if (epoch_ > 1) visit(core::NextTupleId{first_tuple_of_epoch(epoch_)});
  } else {
    space->segments.begin_at(kFirstSequence);
    if (Result<void> done = load_table(*space, visit); !done) return done.error();
    if (Result<void> done = load_journal(*space, visit); !done) return done.error();
  }
  space->loaded = true;
  return space->last_time;
}

std::unique_ptr<rocksdb::Iterator> new_iterator(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* in,
                                                const rocksdb::Slice& end) {
  rocksdb::ReadOptions options;
  options.iterate_upper_bound = &end;
  options.readahead_size = kReadAheadBytes;
  options.fill_cache = false;
  return std::unique_ptr<rocksdb::Iterator>(db.NewIterator(options, in));
}

// The rest record has id 0 and so comes first: sessions are known before tuples name them.
Result<void> RocksdbStorage::load_table(Space& space, const MutationVisitor& visit) {
  const std::string end = space_end(space.info.number);
  const rocksdb::Slice end_slice = end;
  const auto at = new_iterator(database_->db(), database_->table(), end_slice);
  for (at->Seek(space_begin(space.info.number)); at->Valid(); at->Next()) {
    const std::optional<std::uint64_t> id = number_in_space(view(at->key()));
    std::string_view record = view(at->value());
    if (!id) return damaged(space, "its table has a key of a wrong length");
    if (*id != 0) {
      space.table.add(TupleId{*id});
    } else {
      const std::optional<Sequence> first = number_of(record.substr(0, sizeof(Sequence)));
      if (!first) return damaged(space, "its table has a rest record that is too short");
      space.segments.begin_at(*first);
      record.remove_prefix(sizeof(Sequence));
    }
    if (Result<void> done = load_record(space, record, visit); !done) return done;
  }
  if (at->status().ok()) return {};
  return unreadable(space, at->status());
}

Result<void> RocksdbStorage::load_journal(Space& space, const MutationVisitor& visit) {
  const std::string end = space_end(space.info.number);
  const rocksdb::Slice end_slice = end;
  const auto at = new_iterator(database_->db(), database_->journal(), end_slice);
  std::vector<TupleId> touched;
  const auto visit_and_note = [&](core::Mutation&& mutation) {
    const TupleId id = tuple_of(mutation);
    if (id != TupleId{} && (touched.empty() || touched.back() != id)) touched.push_back(id);
    visit(std::move(mutation));
  };
  for (at->Seek(slice(journal_key(space.info.number, space.segments.next()).view())); at->Valid();
       at->Next()) {
    const std::optional<Sequence> sequence = number_in_space(view(at->key()));
    if (sequence != space.segments.next()) {
      return damaged(space, "its journal lacks record " + std::to_string(space.segments.next()));
    }
    touched.clear();
    const std::string_view record = view(at->value());
    if (Result<void> done = load_record(space, record, visit_and_note); !done) return done;
    space.segments.append(record.size(), touched);
  }
  if (at->status().ok()) return {};
  return unreadable(space, at->status());
}

Result<void> RocksdbStorage::load_record(Space& space, std::string_view record,
                                         const MutationVisitor& visit) {
  const Result<Time> time = read_record(record, visit);
  if (!time) return damaged(space, time.error().message);
  space.last_time = std::max(space.last_time, *time);
  return {};
}

Failure RocksdbStorage::damaged(const Space& space, const std::string& problem) const {
  return database_->failure("load space '" + space.info.name + "'",
                            rocksdb::Status::Corruption(problem));
}

Failure RocksdbStorage::unreadable(const Space& space, const rocksdb::Status& status) const {
  return database_->failure("load space '" + space.info.name + "'", status);
}

}  // namespace

Result<std::unique_ptr<Storage>> open_rocksdb_storage(const std::filesystem::path& path,
                                                      const RocksdbOptions& options) {
  Result<Directory> directory =
      options.read_only ? Directory::open_to_read(path) : Directory::open(path);
  if (!directory) return directory.error();
  Result<std::unique_ptr<Database>> database = Database::open(directory->database(), options);
  if (!database) return database.error();
  auto storage =
      std::make_unique<RocksdbStorage>(std::move(*directory), std::move(*database), options);
  if (Result<void> started = storage->start(); !started) return started.error();
  return std::unique_ptr<Storage>(std::move(storage));
}

}  // namespace linden::storage

#include "space/storage/memory_storage.h"

#include <algorithm>
#include <cassert>

#include "space/storage/record_codec.h"
#include "space/storage/space_name.h"

namespace linden::storage {

void MemoryDisk::lose_unsynced() {
  const std::lock_guard lock(mutex_);
  for (auto& [number, space] : spaces_) space.journal.resize(space.synced);
}

void MemoryDisk::fail_after(std::uint64_t writes) {
  const std::lock_guard lock(mutex_);
  writes_left_ = writes;
}

std::size_t MemoryDisk::bytes_of(SpaceNumber number) const {
  const std::lock_guard lock(mutex_);
  const auto found = spaces_.find(number);
  if (found == spaces_.end()) return 0;
  std::size_t bytes = found->second.rest.size();
  for (const auto& [id, record] : found->second.table) bytes += record.size();
  for (const std::string& record : found->second.journal) bytes += record.size();
  return bytes;
}

bool MemoryDisk::write_allowed() {
  if (writes_left_ == 0) return false;
  --writes_left_;
  return true;
}

// One log carries all spaces, so what syncs one syncs everything before it.
void MemoryDisk::sync_all() {
  for (auto& [number, space] : spaces_) space.synced = space.journal.size();
}

class MemoryStorage final : public Storage {
 public:
  explicit MemoryStorage(std::shared_ptr<MemoryDisk> disk) : disk_(std::move(disk)) {
    const std::lock_guard lock(disk_->mutex_);
    epoch_ = ++disk_->epoch_;
  }

  std::uint64_t epoch() const override { return epoch_; }

  std::vector<SpaceInfo> spaces() const override {
    const std::lock_guard lock(disk_->mutex_);
    std::vector<SpaceInfo> all;
    for (const auto& [number, space] : disk_->spaces_) all.push_back(space.info);
    return all;
  }

  Result<SpaceInfo> create_space(std::string_view name, Durability durability,
                                 const std::vector<core::Mutation>& first, Time now) override {
    const std::lock_guard lock(disk_->mutex_);
    for (const auto& [number, space] : disk_->spaces_) {
      if (space.info.name == name) return space_exists(name);
    }
    if (Result<void> checked = check_space_name(name); !checked) return checked.error();
    if (Result<void> allowed = write(); !allowed) return allowed.error();
    const SpaceInfo info{SpaceNumber{disk_->next_space_++}, std::string(name), durability};
    MemoryDisk::Space& space = disk_->spaces_[info.number];
    space.info = info;
    Entry& entry = open_entry(info.number);
    if (durability == Durability::kMemory) return info;
    Batch batch;
    batch.start(info.number, now);
    for (const core::Mutation& mutation : first) batch.add(mutation);
    append(space, entry, batch);
    disk_->sync_all();
    return info;
  }

  Result<void> drop_space(SpaceNumber number) override {
    const std::lock_guard lock(disk_->mutex_);
    if (!disk_->spaces_.contains(number)) return no_such_space(number);
    if (Result<void> allowed = write(); !allowed) return allowed;
    disk_->spaces_.erase(number);
    entries_.erase(number);
    return {};
  }

  Result<void> commit(const Batch& batch) override { return commit_all({&batch}); }
  Result<void> commit_both(const Batch& one, const Batch& other) override {
    return commit_all({&one, &other});
  }

  Result<Time> load(SpaceNumber number,
                    const std::function<void(core::Mutation&&)>& visit) override {
    const std::lock_guard lock(disk_->mutex_);
    const auto found = disk_->spaces_.find(number);
    if (found == disk_->spaces_.end()) return no_such_space(number);
    const MemoryDisk::Space& space = found->second;
    Entry& entry = open_entry(number);
    if (space.info.durability == Durability::kMemory) {
      if (epoch_ > 1) visit(core::NextTupleId{first_tuple_of_epoch(epoch_)});
      return Time{};
    }
    return load_records(space, entry, visit);
  }

  bool retirement_due(SpaceNumber number) const override {
    const std::lock_guard lock(disk_->mutex_);
    const auto found = entries_.find(number);
    return found != entries_.end() && found->second.segments.oldest_is_due();
  }

  Result<void> retire(SpaceNumber number, const LiveState& live) override {
    const std::lock_guard lock(disk_->mutex_);
    const auto found = disk_->spaces_.find(number);
    if (found == disk_->spaces_.end()) return no_such_space(number);
    MemoryDisk::Space& space = found->second;
    Entry& entry = entry_of(number);
    if (entry.segments.first() == entry.segments.next()) return {};
    if (Result<void> allowed = write(); !allowed) return allowed;

    Batch record;
    const auto encode = [&](const std::vector<core::Mutation>& mutations) {
      record.start(number, entry.last_time);
      for (const core::Mutation& mutation : mutations) record.add(mutation);
      return std::string(record.record());
    };
    const TablePlan plan =
        plan_table(entry.segments.oldest_touched(), entry.table, live,
                   [&](TupleId id, const std::vector<core::Mutation>& mutations) {
                     space.table[id] = encode(mutations);
                   });
    for (const TupleId id : plan.removed) space.table.erase(id);
    plan.apply_to(entry.table);
    std::vector<core::Mutation> rest;
    live.describe_rest(rest);
    space.rest = encode(rest);
    for (; space.first < entry.segments.oldest_end(); ++space.first) space.journal.pop_front();
    entry.segments.drop_oldest();
    // The table is newer than the journal; a loss of power must not take what lies between.
    disk_->sync_all();
    return {};
  }

  Result<std::uint64_t> free_bytes() const override {
    return std::numeric_limits<std::uint64_t>::max();
  }

  Result<void> reclaim() override { return {}; }
  Result<void> verify() override { return {}; }

  Result<void> checkpoint(const std::filesystem::path& directory) override {
    return Failure{ErrorCode::kInvalidArgument,
                   "checkpoint to '" + directory.string() +
                       "': this server keeps its spaces in memory and has no directory to copy; "
                       "start it with a directory"};
  }

 private:
  // One write of all batches.
  Result<void> commit_all(std::initializer_list<const Batch*> batches) {
    const std::lock_guard lock(disk_->mutex_);
    std::vector<std::pair<MemoryDisk::Space*, const Batch*>> kept;
    bool sync = false;
    for (const Batch* batch : batches) {
      const auto found = disk_->spaces_.find(batch->space());
      if (found == disk_->spaces_.end()) return no_such_space(batch->space());
      MemoryDisk::Space& space = found->second;
      if (batch->empty() || space.info.durability == Durability::kMemory) continue;
      sync = sync || space.info.durability == Durability::kSync;
      kept.emplace_back(&space, batch);
    }
    if (kept.empty()) return {};
    if (Result<void> allowed = write(); !allowed) return allowed;
    for (const auto& [space, batch] : kept) append(*space, entry_of(batch->space()), *batch);
    if (sync) disk_->sync_all();
    return {};
  }

  // What this storage knows of a space beside what is on disk.
  struct Entry {
    explicit Entry(std::size_t segment_bytes) : segments(segment_bytes) {}
    Segments segments;
    TableIds table;
    Time last_time{};
  };

  Entry& open_entry(SpaceNumber number) {
    entries_.erase(number);
    return entries_.try_emplace(number, disk_->segment_bytes_).first->second;
  }

  Entry& entry_of(SpaceNumber number) {
    const auto found = entries_.find(number);
    assert(found != entries_.end() && "the space was not loaded");
    return found->second;
  }

  static void append(MemoryDisk::Space& space, Entry& entry, const Batch& batch) {
    space.journal.emplace_back(batch.record());
    entry.segments.append(batch.record().size(), batch.touched());
    entry.last_time = batch.time();
  }

  // Whether this storage may still write.
  Result<void> write() {
    if (epoch_ != disk_->epoch_) {
      return Failure{ErrorCode::kStorageFailed,
                     "the spaces were opened again by another owner; stop this server"};
    }
    if (!failed_ && disk_->write_allowed()) return {};
    failed_ = true;
    return Failure{ErrorCode::kStorageFailed, "the disk in memory is full; stop this server"};
  }

  static Result<Time> load_records(const MemoryDisk::Space& space, Entry& entry,
                                   const std::function<void(core::Mutation&&)>& visit) {
    Time last{};
    const auto read = [&](const std::string& record, const MutationVisitor& each) -> Result<void> {
      const Result<Time> time = read_record(record, each);
      if (!time) return time.error();
      last = std::max(last, *time);
      return {};
    };
    if (!space.rest.empty()) {
      if (Result<void> done = read(space.rest, visit); !done) return done.error();
    }
    for (const auto& [id, record] : space.table) {
      if (Result<void> done = read(record, visit); !done) return done.error();
      entry.table.add(id);
    }
    entry.segments.begin_at(space.first);
    for (const std::string& record : space.journal) {
      std::vector<TupleId> touched;
      const auto each = [&](core::Mutation&& mutation) {
        if (tuple_of(mutation) != TupleId{}) touched.push_back(tuple_of(mutation));
        visit(std::move(mutation));
      };
      if (Result<void> done = read(record, each); !done) return done.error();
      entry.segments.append(record.size(), touched);
    }
    entry.last_time = last;
    return last;
  }

  std::shared_ptr<MemoryDisk> disk_;
  std::uint64_t epoch_ = 0;
  bool failed_ = false;
  std::map<SpaceNumber, Entry> entries_;
};

std::shared_ptr<MemoryDisk> make_memory_disk() {
  return std::make_shared<MemoryDisk>();
}

std::unique_ptr<Storage> open_memory_storage(std::shared_ptr<MemoryDisk> disk) {
  return std::make_unique<MemoryStorage>(std::move(disk));
}

}  // namespace linden::storage

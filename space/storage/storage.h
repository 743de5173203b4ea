// space/storage/storage.h: the port to whatever makes a server's spaces durable.
//
// A maker keeps, for each space, a list of mutations (space/core/mutation.h).  It is a journal and
// a table (docs/design/storage-format.md): each commit is one journal record with all its
// mutations; when the oldest journal segment is retired, only the tuples of it that still live are
// written to the table one by one.  Nothing here speaks of RocksDB: a second maker puts the same
// keys into a distributed database.  tests/space/storage/ has one contract suite that runs on every
// maker.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <linden/result.h>

#include "space/core/mutation.h"

namespace rocksdb {
class Env;
}

namespace linden::storage {

// What a reply waits for (P31).
enum class Durability : std::uint8_t {
  kMemory = 0,   // nothing is kept; a restart finds the space empty
  kProcess = 1,  // survives kill -9 of the server: written, not synced
  kSync = 2,     // survives power loss: synced
};
[[nodiscard]] std::string_view name_of(
    Durability durability) noexcept;  // "memory", "process", "sync"
[[nodiscard]] Result<Durability> durability_named(
    std::string_view name);  // kInvalidArgument lists the names

struct SpaceInfo {
  SpaceNumber number;
  std::string name;
  Durability durability = Durability::kProcess;
  friend bool operator==(const SpaceInfo&, const SpaceInfo&) = default;
};

// The mutations of one commit, encoded on the strand of the space, written wherever commit() is
// called.
class Batch {
 public:
  // `now` is stored so that the server time goes on from there after a restart (P39).
  void start(SpaceNumber space, Time now);
  void add(const core::Mutation& mutation);
  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  [[nodiscard]] std::uint32_t count() const noexcept { return count_; }
  [[nodiscard]] SpaceNumber space() const noexcept { return space_; }
  [[nodiscard]] Time time() const noexcept { return time_; }
  [[nodiscard]] std::string_view record() const noexcept { return record_; }
  // The tuples that the mutations name, in order, with repetitions: what retirement has to look at.
  [[nodiscard]] const std::vector<TupleId>& touched() const noexcept { return touched_; }

 private:
  SpaceNumber space_;
  Time time_{};
  std::uint32_t count_ = 0;
  std::string record_;
  std::vector<TupleId> touched_;
};

// Answers what of a space lives, when a segment is retired.  SpaceState's describe functions,
// behind an interface.
class LiveState {
 public:
  virtual ~LiveState() = default;
  virtual bool describe(TupleId id, std::vector<core::Mutation>& out) const = 0;
  virtual void describe_rest(std::vector<core::Mutation>& out) const = 0;
};

// Threads: one call at a time per space; different spaces may be used from different threads.
class Storage {
 public:
  virtual ~Storage() = default;

  // Rises each time that the storage is opened and is durable before the first commit, so that what
  // a former owner left behind can be told from what this one does.  It fences as far as one
  // directory goes: its lock keeps a second owner out, and a copy of the directory (checkpoint)
  // counts on by itself.
  [[nodiscard]] virtual std::uint64_t epoch() const = 0;

  // All spaces, in order of their numbers.
  [[nodiscard]] virtual std::vector<SpaceInfo> spaces() const = 0;

  // Creates a space and commits `first` in the same step (how a space gets its initial tuples).
  // Synced, whatever the durability: it is rare.  A memory space keeps its name and number over a
  // restart, so that the numbers that clients hold stay valid; `first` it does not.
  // kInvalidArgument if there is one of that name or the name is empty or over 255 bytes.
  virtual Result<SpaceInfo> create_space(std::string_view name, Durability durability,
                                         const std::vector<core::Mutation>& first, Time now) = 0;

  // Its number is not given to another space.  kNoSuchSpace if there is none.
  virtual Result<void> drop_space(SpaceNumber space) = 0;

  // Makes one batch durable as its space demands; it is so when this returns.  A failure means that
  // the server must stop, and everything after it fails as well (P33).  An empty batch is not
  // written.
  virtual Result<void> commit(const Batch& batch) = 0;

  // Two batches of two spaces as one: after a crash both are there or neither is (P28).  Synced if
  // one of them is.  Spaces of durability memory take no part.
  virtual Result<void> commit_both(const Batch& one, const Batch& other) = 0;

  // Gives back every mutation that still matters, in an order that restores the space: what is not
  // a tuple, then tuples by id, then what happened since (repetitions are harmless, mutation.h
  // says why).  Returns the time of the space's last commit.  kStorageFailed names the file when
  // the middle of the log is damaged (P34).  Called once per space that open found, before its
  // first commit.  A memory space gives back only where to go on counting tuples, so that a token
  // from before the restart matches no tuple from after it.
  virtual Result<Time> load(SpaceNumber space,
                            const std::function<void(core::Mutation&&)>& visit) = 0;

  // Whether the oldest journal segment of the space is due to retire, and doing so.  `live` is
  // consistent with all that was committed.  Called on the strand of the space with no commit under
  // way.  Work is bounded by one segment and the bodies of the tuples that it touched.  retire()
  // before it is due is allowed; it may retire the segment that is being written.
  [[nodiscard]] virtual bool retirement_due(SpaceNumber space) const = 0;
  virtual Result<void> retire(SpaceNumber space, const LiveState& live) = 0;

  // How many bytes the disk below still takes, for this user; the largest number if nothing is kept
  // on a disk.
  [[nodiscard]] virtual Result<std::uint64_t> free_bytes() const = 0;

  // Gives back to the disk what nobody needs any more, as far as that can be done now.  It happens
  // by itself as long as commits go on; this is for a disk that is nearly full.  Takes seconds; any
  // thread, beside commits.
  virtual Result<void> reclaim() = 0;

  // A consistent copy of all that is committed, which can be opened as a directory of its own.  It
  // has its name once it is whole.  kInvalidArgument if something of that name, or of that name
  // with ".partial" behind it, is there.  Takes seconds; any thread, beside commits.
  virtual Result<void> checkpoint(const std::filesystem::path& directory) = 0;

  // Reads what lies on the disk, whether or not it matters to a space, and compares it with its
  // checksums; load() checks what is in the records.  kStorageFailed names the damaged file (P34).
  virtual Result<void> verify() = 0;
};

// For makers: the first tuple id of a memory space in an epoch.
[[nodiscard]] TupleId first_tuple_of_epoch(std::uint64_t epoch) noexcept;

// Keeps its spaces in this process; for `--durability memory` servers and for tests.  The disk
// (memory_storage.h) outlives the storage, so that a simulation can crash and reopen.
class MemoryDisk;
[[nodiscard]] std::shared_ptr<MemoryDisk> make_memory_disk();
[[nodiscard]] std::unique_ptr<Storage> open_memory_storage(std::shared_ptr<MemoryDisk> disk);

struct RocksdbOptions {
  // A journal segment is retired when two newer ones of this size exist.  Larger ones write fewer
  // tuples to the table and take longer to load.
  std::size_t segment_bytes = std::size_t{16} << 20;
  // The operating system as RocksDB sees it; null: the real one.  Outlives the storage.  Tests put
  // a disk there that fails when they say so.
  rocksdb::Env* env = nullptr;
  // Nothing is written, not even made: for looking at a directory that no server has open.
  bool read_only = false;
};
// Opens or creates; takes the directory's lock so that no second server opens it.  Errors:
// kStorageFailed that names the directory and says whether it is in use, not a Linden directory, of
// a newer format, not writable, or damaged.
[[nodiscard]] Result<std::unique_ptr<Storage>> open_rocksdb_storage(
    const std::filesystem::path& directory, const RocksdbOptions& options = {});

}  // namespace linden::storage

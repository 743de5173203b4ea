// space/storage/memory_storage.h: spaces that live in this process, and a disk that can be made to
// fail.
//
// It keeps the same records as RocksDB does, in the same journal and table, so the contract suite
// and a simulation see what a real disk would do: what was committed before a crash is there after
// it, what was not synced is lost with the power, a failed write fails all later ones.
#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "space/storage/segments.h"

namespace linden::storage {

// What is "on disk".  Opening it again fences the storage that had it before: that one's writes
// fail from then on.  The mutex is here because several spaces may commit at a time.
class MemoryDisk {
 public:
  explicit MemoryDisk(std::size_t segment_bytes = std::size_t{1} << 20)
      : segment_bytes_(segment_bytes) {}

  // The power goes: records of process durability that nothing has synced since are gone.
  void lose_unsynced();

  // After `writes` more the disk is full: every later write fails.
  void fail_after(std::uint64_t writes);

  // Records and table entries of a space; 0 if there is no such space.
  [[nodiscard]] std::size_t bytes_of(SpaceNumber space) const;

 private:
  friend class MemoryStorage;

  struct Space {
    SpaceInfo info;
    std::map<TupleId, std::string> table;
    std::string rest;  // empty: never retired
    Sequence first = kFirstSequence;
    std::deque<std::string> journal;
    std::size_t synced = 0;  // so many of the journal's records survive a loss of power
  };

  // False once the disk is full.
  bool write_allowed();
  void sync_all();

  mutable std::mutex mutex_;
  std::size_t segment_bytes_;
  std::uint64_t epoch_ = 0;
  std::uint32_t next_space_ = 1;
  std::uint64_t writes_left_ = std::numeric_limits<std::uint64_t>::max();
  std::map<SpaceNumber, Space> spaces_;
};

}  // namespace linden::storage

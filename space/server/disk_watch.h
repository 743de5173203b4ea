// space/server/disk_watch.h: how much room the disk below the spaces has left (P33).
//
// It is asked once a second; in between, what is written is reckoned, so that a burst of puts does
// not run past the mark unseen.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>

#include "space/storage/storage.h"

namespace linden::server {

class DiskWatch {
 public:
  // Below `reserve_bytes` the disk is low; 0: it never is.
  DiskWatch(const storage::Storage& storage, std::uint64_t reserve_bytes)
      : storage_(storage), reserve_bytes_(reserve_bytes) {}

  // Asks the disk.  One thread at a time.  If it does not say, what was known last stays.
  void look();

  // Any thread: so many bytes were committed.
  void wrote(std::size_t bytes) noexcept {
    above_.fetch_sub(kWrites * static_cast<std::int64_t>(bytes), std::memory_order_relaxed);
  }
  // Any thread.
  [[nodiscard]] bool is_low() const noexcept {
    return reserve_bytes_ != 0 && above_.load(std::memory_order_relaxed) < 0;
  }
  [[nodiscard]] std::uint64_t reserve_bytes() const noexcept { return reserve_bytes_; }

 private:
  // A record goes into the log and may go into a sorted file soon after.
  static constexpr std::int64_t kWrites = 2;

  const storage::Storage& storage_;
  const std::uint64_t reserve_bytes_;
  // What is free beyond the reserve.
  std::atomic<std::int64_t> above_{std::numeric_limits<std::int64_t>::max() / 2};
};

}  // namespace linden::server

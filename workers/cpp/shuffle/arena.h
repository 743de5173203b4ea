// workers/cpp/shuffle/arena.h: memory for many small pieces that go all at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace linden::shuffle {

// Pieces are named by 32-bit places, in units of 8 bytes, that rise in the order of allocation;
// they never move.  One thread.
class Arena {
 public:
  using Place = std::uint32_t;

  Place allocate(std::size_t bytes) {
    const auto units = static_cast<std::uint32_t>((bytes + kUnit - 1) / kUnit);
    if (units > end_ - next_) grow(units);
    const Place place = next_;
    next_ += units;
    return place;
  }

  [[nodiscard]] char* at(Place place) {
    return blocks_[place / kBlockUnits] + std::size_t{kUnit} * (place % kBlockUnits);
  }
  [[nodiscard]] const char* at(Place place) const {
    return blocks_[place / kBlockUnits] + std::size_t{kUnit} * (place % kBlockUnits);
  }

  // What it has taken from the heap.
  [[nodiscard]] std::size_t bytes() const noexcept { return blocks_.size() * kBlockBytes; }

  // The same after a piece of `bytes`.
  [[nodiscard]] std::size_t bytes_with(std::size_t bytes) const noexcept {
    const std::size_t left = std::size_t{kUnit} * (end_ - next_);
    return this->bytes() +
           (bytes <= left ? 0 : (bytes + kBlockBytes - 1) / kBlockBytes * kBlockBytes);
  }

  // Whether a piece of `bytes` can still be named.
  [[nodiscard]] bool has_room_for(std::size_t bytes) const noexcept {
    return (blocks_.size() + 1) * kBlockBytes + bytes < std::size_t{kUnit} << 32U;
  }

  void clear() {
    blocks_.clear();
    owned_.clear();
    next_ = end_ = 0;
  }

 private:
  static constexpr std::uint32_t kUnit = 8;
  static constexpr std::uint32_t kBlockUnits = 1U << 15U;
  static constexpr std::size_t kBlockBytes = std::size_t{kUnit} * kBlockUnits;

  // A piece that is larger than a block gets several in a row.
  void grow(std::uint32_t units) {
    const std::size_t count = (units + kBlockUnits - 1) / kBlockUnits;
    owned_.push_back(std::make_unique_for_overwrite<char[]>(count * kBlockBytes));
    next_ = static_cast<Place>(blocks_.size() * kBlockUnits);
    end_ = next_ + static_cast<std::uint32_t>(count * kBlockUnits);
    for (std::size_t i = 0; i < count; ++i) {
      blocks_.push_back(owned_.back().get() + i * kBlockBytes);
    }
  }

  std::vector<char*> blocks_;
  std::vector<std::unique_ptr<char[]>> owned_;
  Place next_ = 0;
  Place end_ = 0;
};

}  // namespace linden::shuffle

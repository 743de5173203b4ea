// space/core/slab.h: many small things of one kind in stable places that are named by 32 bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace linden::core {

using Slot = std::uint32_t;
inline constexpr Slot kNoSlot = UINT32_MAX;

// Memory grows by chunks that never move, so a reference stays valid until its slot is given back.
// Slots are reused, the one given back last first; T is assigned T{} when it is given back.
template <class T>
class Slab {
 public:
  [[nodiscard]] Slot take() {
    if (!free_.empty()) {
      const Slot slot = free_.back();
      free_.pop_back();
      return slot;
    }
    if (used_ == chunks_.size() * kChunk) chunks_.push_back(std::make_unique<T[]>(kChunk));
    return used_++;
  }
  void give_back(Slot slot) {
    (*this)[slot] = T{};
    free_.push_back(slot);
  }
  [[nodiscard]] T& operator[](Slot slot) { return chunks_[slot / kChunk][slot % kChunk]; }
  [[nodiscard]] const T& operator[](Slot slot) const {
    return chunks_[slot / kChunk][slot % kChunk];
  }
  // One more than the highest slot ever taken.
  [[nodiscard]] Slot end() const { return used_; }

 private:
  static constexpr Slot kChunk = 256;
  std::vector<std::unique_ptr<T[]>> chunks_;
  std::vector<Slot> free_;
  Slot used_ = 0;
};

}  // namespace linden::core

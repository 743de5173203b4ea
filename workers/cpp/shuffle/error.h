// workers/cpp/shuffle/error.h: what the shuffle throws.
#pragma once

#include <stdexcept>

namespace linden::shuffle {

// Something outside failed: the disk is full, a file is damaged, numbers are out of range.
class ShuffleError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace linden::shuffle

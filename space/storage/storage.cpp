// space/storage/storage.cpp: what the port itself knows: the names of durabilities, and a batch.
#include "space/storage/storage.h"

#include <array>

#include "space/storage/record_codec.h"

namespace linden::storage {
namespace {

constexpr std::array<std::string_view, 3> kDurabilityNames{"memory", "process", "sync"};

// A batch that once held large tuples does not keep their memory for ever.
constexpr std::size_t kKeptBytesMax = std::size_t{1} << 20;

}  // namespace

std::string_view name_of(Durability durability) noexcept {
  return kDurabilityNames.at(static_cast<std::size_t>(durability));
}

Result<Durability> durability_named(std::string_view name) {
  for (std::size_t i = 0; i < kDurabilityNames.size(); ++i) {
    if (kDurabilityNames[i] == name) return static_cast<Durability>(i);
  }
  return Failure{ErrorCode::kInvalidArgument, "durability '" + std::string(name) +
                                                  "' is not known; use memory, process or sync"};
}

// 2^40 tuples for each opening; the first one counts from 1.
TupleId first_tuple_of_epoch(std::uint64_t epoch) noexcept {
  return TupleId{epoch <= 1 ? 1 : (epoch - 1) << 40};
}

void Batch::start(SpaceNumber space, Time now) {
  space_ = space;
  time_ = now;
  count_ = 0;
  touched_.clear();
  if (record_.capacity() > kKeptBytesMax) record_ = {};
  begin_record(record_, now);
}

void Batch::add(const core::Mutation& mutation) {
  append_mutation(record_, mutation);
  ++count_;
  const TupleId tuple = tuple_of(mutation);
  // Mutations of one tuple often follow each other: added, then reserved.
  if (tuple != TupleId{} && (touched_.empty() || touched_.back() != tuple)) {
    touched_.push_back(tuple);
  }
}

}  // namespace linden::storage

// tests/fuzz/fuzz_records.cpp: any bytes are a record of mutations, or refused (P34); what was read
// means something, since written and read again it is the same.
#include "fuzz_main.h"

#include <limits>
#include <utility>

#include "space/core/mutation.h"
#include "space/storage/record_codec.h"
#include "tests/api/wire/random_messages.h"

namespace linden::storage {
namespace {

std::string written(Time time, const std::vector<core::Mutation>& mutations) {
  std::string record;
  begin_record(record, time);
  for (const core::Mutation& mutation : mutations) append_mutation(record, mutation);
  return record;
}

// Mutations as a space makes them of what clients ask.
std::vector<core::Mutation> some_mutations(wire::RandomMessages& random) {
  const auto number = [&] { return static_cast<std::uint64_t>(random.below(1 << 20)); };
  const auto id = [&] { return TupleId{number()}; };
  const auto session = [&] { return SessionId{number(), number()}; };
  const auto origin = [&] { return core::Origin{session(), {number()}}; };
  const auto small = [&] { return static_cast<std::uint32_t>(random.below(1000)); };
  std::vector<core::Mutation> mutations;
  const auto add = [&](core::Mutation mutation) { mutations.push_back(std::move(mutation)); };
  for (std::size_t count = 1 + random.below(12); count > 0; --count) {
    switch (random.below(11)) {
      case 0: {
        Attributes attributes;
        attributes.priority = static_cast<std::int32_t>(small()) - 500;
        if (random.below(2) == 0) attributes.ttl = Duration(small());
        attributes.max_attempts = small();
        if (random.below(2) == 0) attributes.will = random.tuple();
        if (random.below(2) == 0) attributes.lives_with = session();
        add(core::TupleAdded{id(), random.tuple(), attributes, Time(Duration(small()))});
        break;
      }
      case 1:
        add(core::TupleReserved{id(), small(), origin(), Duration(small()), random.below(2) == 0,
                                small()});
        break;
      case 2:
        add(core::TupleStarted{id()});
        break;
      case 3:
        add(core::TupleReleased{id(), small()});
        break;
      case 4:
        add(core::TupleTaken{id(), origin(), small(), random.below(2) == 0});
        break;
      case 5:
        add(core::TupleRemoved{id()});
        break;
      case 6:
        add(core::TupleDied{id(), small()});
        break;
      case 7:
        add(core::SessionOpened{session(), "engine", Duration(small()), kForever});
        break;
      case 8:
        add(core::SessionEnded{session()});
        break;
      case 9:
        add(core::RequestAnswered{origin(), PutDone{id(), small()}});
        add(core::RequestAnswered{origin(), FinishDone{{ErrorCode::kOk, ErrorCode::kStaleLease}}});
        break;
      default:
        add(core::NextTupleId{id()});
    }
  }
  return mutations;
}

}  // namespace
}  // namespace linden::storage

std::vector<std::string> fuzz_samples(std::uint64_t seed) {
  using namespace linden;
  wire::RandomMessages random(seed);
  std::vector<std::string> samples;
  for (int i = 0; i < 300; ++i) {
    const Time time{Duration(static_cast<std::int64_t>(random.below(1'000'000)))};
    samples.push_back(storage::written(time, storage::some_mutations(random)));
  }
  return samples;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace linden;
  const std::string_view record(reinterpret_cast<const char*>(data), size);
  std::vector<core::Mutation> mutations;
  const auto time = storage::read_record(
      record, [&](core::Mutation&& mutation) { mutations.push_back(std::move(mutation)); });
  if (!time) {
    FUZZ_CHECK(time.error().code == ErrorCode::kStorageFailed);
    return 0;
  }
  const std::string again = storage::written(*time, mutations);
  std::vector<core::Mutation> read_again;
  const auto time_again = storage::read_record(
      again, [&](core::Mutation&& mutation) { read_again.push_back(std::move(mutation)); });
  FUZZ_CHECK(time_again && *time_again == *time);
  FUZZ_CHECK(storage::written(*time, read_again) == again);
  return 0;
}

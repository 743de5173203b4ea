// space/storage/record_codec.h: mutations <-> the bytes of a record.
//
// A record is what one commit writes, and also what a table entry holds: a version byte, the server
// time, then mutations up to its end.  docs/design/storage-format.md has every layout.
//
// To change a record:
//   1. A new kind of mutation: give it the next free tag below (a tag is never reused, also not
//   that
//      of a kind that is gone), write and read it in record_codec.cpp, add its row to
//      storage-format.md and its bytes to tests/space/storage/test_record_codec.cpp.
//   2. A new field of an existing kind: give the kind a new tag and keep reading the old one, as in
//      1.  Bytes that were once written mean the same for ever; the golden test holds us to it.
//      A kind of remembered answer is given the next free number instead: an older program refuses
//      those that it does not know.  The bits of a tuple's attributes are used up.
//   3. Anything that an older program must not misread: raise kRecordVersion and keep reading all
//      earlier versions.  A program that meets a version or a tag that it does not know refuses to
//      start rather than to guess.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "space/core/mutation.h"

namespace linden::storage {

inline constexpr std::uint8_t kRecordVersion = 1;

enum class MutationTag : std::uint8_t {
  kTupleAdded = 1,
  kTupleReserved = 2,
  kTupleStarted = 3,
  kTupleReleased = 4,
  kTupleTaken = 5,
  kTupleRemoved = 6,
  kTupleDied = 7,
  kSessionOpened = 8,
  kSessionEnded = 9,
  kRequestAnswered = 10,
  kNextTupleId = 11,
  kTupleDelayed = 12,
  kTupleRenewed = 13,
  kKeyRemembered = 14,
  kKeyForgotten = 15,
  kGuardMet = 16,
  kPauseSet = 24,
  kPauseEnded = 25,
};

// The names that storage-format.md uses; a test compares the two tables.
inline constexpr std::array<std::pair<MutationTag, std::string_view>, 18> kMutationNames{{
    {MutationTag::kTupleAdded, "TupleAdded"},
    {MutationTag::kTupleReserved, "TupleReserved"},
    {MutationTag::kTupleStarted, "TupleStarted"},
    {MutationTag::kTupleReleased, "TupleReleased"},
    {MutationTag::kTupleTaken, "TupleTaken"},
    {MutationTag::kTupleRemoved, "TupleRemoved"},
    {MutationTag::kTupleDied, "TupleDied"},
    {MutationTag::kSessionOpened, "SessionOpened"},
    {MutationTag::kSessionEnded, "SessionEnded"},
    {MutationTag::kRequestAnswered, "RequestAnswered"},
    {MutationTag::kNextTupleId, "NextTupleId"},
    {MutationTag::kTupleDelayed, "TupleDelayed"},
    {MutationTag::kTupleRenewed, "TupleRenewed"},
    {MutationTag::kKeyRemembered, "KeyRemembered"},
    {MutationTag::kKeyForgotten, "KeyForgotten"},
    {MutationTag::kGuardMet, "GuardMet"},
    {MutationTag::kPauseSet, "PauseSet"},
    {MutationTag::kPauseEnded, "PauseEnded"},
}};

// Begins a record in `out`, which is emptied.
void begin_record(std::string& out, Time now);
void append_mutation(std::string& out, const core::Mutation& mutation);

// The tuple that a mutation names; 0 if it names none.
[[nodiscard]] TupleId tuple_of(const core::Mutation& mutation) noexcept;

using MutationVisitor = std::function<void(core::Mutation&&)>;

// Visits the mutations in order and returns the record's time.  kStorageFailed says what is wrong
// with the bytes; mutations before the bad one have been visited then.
[[nodiscard]] Result<Time> read_record(std::string_view record, const MutationVisitor& visit);

}  // namespace linden::storage

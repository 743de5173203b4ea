// space/core/mutants.h: deliberate bugs, for the tests of the tests.
//
// tests/simulation builds the core once more per mutant, with LINDEN_MUTANT set, and demands that
// the simulation notices.  Everywhere else it is 0 and the compiler drops the branches.
#pragma once

#ifndef LINDEN_MUTANT
#define LINDEN_MUTANT 0
#endif

namespace linden::core {

enum class Mutant {
  kNone = 0,
  kSkipFencing = 1,        // finish and release accept any token of a reserved tuple
  kReplyBeforeCommit = 2,  // the server sends replies before the commit (in the simulated server)
  kLoseWakeUp = 3,         // a tuple that comes back is not offered to those who wait
};
inline constexpr Mutant kMutant = static_cast<Mutant>(LINDEN_MUTANT);

}  // namespace linden::core

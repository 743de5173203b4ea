// tests/chaos/checker.h: whether a history of real processes kept the promises of a space.  Pure.
//
// It knows only what clients know: when they asked, when and what they were answered.  A call
// without an answer may have happened or not; it counts as happened as soon as anything that it put
// is seen, or when a tuple is gone that nothing else can have removed.  Each rule errs on the side
// of the space: what concurrency, a lost answer or a killed process can explain is no violation.
#pragma once

#include <string>
#include <vector>

#include "tests/chaos/history.h"

namespace linden::chaos {

struct Violation {
  enum class Sort : std::uint8_t {
    kLost,     // an acknowledged tuple is gone, and nobody can have removed it (P31)
    kDoubled,  // stored, taken or finished twice, or back (P17, P23, P32, P36)
    kHalf,     // a part of what happens as one, or something that was refused (P26, P27, P38)
    kNone,     // "nothing matches", although something did all the while (P8)
    kOrder,    // not the most urgent, the oldest (P5)
    kFencing,  // a token that is not the latest was accepted, or given out twice (P16)
    kExpired,  // seen after its time to live or its session (P21, P25)
    kEarly,    // seen before its delay was over, its guard was met, or its turn in its group (P22,
               // P24)
  };
  Sort sort = Sort::kLost;
  std::string what;
  Serial serial = 0;  // of the tuple that it is about
};
[[nodiscard]] std::string_view name_of(Violation::Sort sort);

struct Verdict {
  std::vector<Violation> violations;
  // How much there was to check.
  std::uint64_t tuples = 0;   // certainly put
  std::uint64_t ended = 0;    // of those: taken, finished, removed
  std::uint64_t unknown = 0;  // calls without an answer
  std::uint64_t nones = 0;    // answers "nothing matches"
  [[nodiscard]] std::uint64_t count(Violation::Sort sort) const;
};

// The history is complete: all its processes have ended, and what was left has been taken by the
// controller (process 0), or seen by its kLeft.
[[nodiscard]] Verdict check(const History& history);

// All calls that have to do with that tuple, in order of time: for people.
[[nodiscard]] std::vector<std::string> excerpt(const History& history, Serial serial);

}  // namespace linden::chaos

// api/model/operation.cpp
#include "api/model/operation.h"

#include <algorithm>

namespace linden {

bool operator==(const Guard& a, const Guard& b) {
  return a.form.head() == b.form.head() &&
         std::ranges::equal(a.form.attachments(), b.form.attachments()) && a.fills == b.fills;
}

std::string_view name_of(TupleState state) noexcept {
  switch (state) {
    case TupleState::kReady:
      return "ready";
    case TupleState::kReserved:
      return "reserved";
    case TupleState::kStarted:
      return "started";
    case TupleState::kDead:
      return "dead";
    case TupleState::kDelayed:
      return "delayed";
    case TupleState::kBehind:
      return "behind";
    case TupleState::kGuarded:
      return "guarded";
    case TupleState::kPaused:
      return "paused";
  }
  return "unknown";
}

std::string_view name_of(PauseKind kind) noexcept {
  return kind == PauseKind::kPause ? "pause" : "drain";
}

}  // namespace linden

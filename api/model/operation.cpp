// api/model/operation.cpp
#include "api/model/operation.h"

namespace linden {

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
  }
  return "unknown";
}

}  // namespace linden

// api/model/error.cpp
#include <linden/error.h>

namespace linden {

std::string_view name_of(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::kOk:
      return "OK";
    case ErrorCode::kNoMatch:
      return "NO_MATCH";
    case ErrorCode::kCancelled:
      return "CANCELLED";
    case ErrorCode::kInvalidArgument:
      return "INVALID_ARGUMENT";
    case ErrorCode::kLimitExceeded:
      return "LIMIT_EXCEEDED";
    case ErrorCode::kStaleLease:
      return "STALE_LEASE";
    case ErrorCode::kNoSuchSpace:
      return "NO_SUCH_SPACE";
    case ErrorCode::kSpaceGone:
      return "SPACE_GONE";
    case ErrorCode::kSessionExpired:
      return "SESSION_EXPIRED";
    case ErrorCode::kProtocolMismatch:
      return "PROTOCOL_MISMATCH";
    case ErrorCode::kMalformed:
      return "MALFORMED";
    case ErrorCode::kOutcomeUnknown:
      return "OUTCOME_UNKNOWN";
    case ErrorCode::kConnectionLost:
      return "CONNECTION_LOST";
    case ErrorCode::kUnreachable:
      return "UNREACHABLE";
    case ErrorCode::kStorageFailed:
      return "STORAGE_FAILED";
    case ErrorCode::kOverloaded:
      return "OVERLOADED";
    case ErrorCode::kNotAllowed:
      return "NOT_ALLOWED";
    case ErrorCode::kClosed:
      return "CLOSED";
    case ErrorCode::kShuttingDown:
      return "SHUTTING_DOWN";
    case ErrorCode::kKeyConflict:
      return "KEY_CONFLICT";
    case ErrorCode::kTransactionConflict:
      return "TRANSACTION_CONFLICT";
    case ErrorCode::kInternal:
      return "INTERNAL";
  }
  return "UNKNOWN";
}

}  // namespace linden

// linden/error.h: what can be refused or fail, as codes and as one exception.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace linden {

// One table for every layer: the wire carries the numbers
// (api/wire/proto/linden/wire/v1/error.proto says the same; a test compares them), C++ throws Error
// with the code, Python has a class per code.
enum class ErrorCode : std::uint8_t {
  kOk = 0,
  kNoMatch = 1,               // nothing matched in time; nothing was removed
  kCancelled = 2,             // the request was cancelled; nothing was removed
  kInvalidArgument = 3,       // the request makes no sense; no effect
  kLimitExceeded = 4,         // more than a stated limit; no effect
  kStaleLease = 5,            // the token is not the latest hand-out of its tuple; no effect
  kNoSuchSpace = 6,           // no space of that name or number
  kSpaceGone = 7,             // the space was dropped
  kSessionExpired = 8,        // the session was away for longer than it is remembered
  kProtocolMismatch = 9,      // the other side speaks another version of the protocol
  kMalformed = 10,            // bytes that are no valid message
  kOutcomeUnknown = 11,       // the caller's deadline passed before the answer came
  kConnectionLost = 12,       // the server went away and did not come back in time
  kUnreachable = 13,          // no server at that address
  kStorageFailed = 14,        // the disk said no
  kOverloaded = 15,           // a bounded queue is full; try again later
  kNotAllowed = 16,           // the principal has no right to do this
  kClosed = 17,               // the object was closed by its owner
  kShuttingDown = 18,         // the server is about to stop
  kKeyConflict = 19,          // the idempotency key was used with another content
  kTransactionConflict = 20,  // what the transaction relied on has changed
  kInternal = 21,             // a bug of ours; please report it
};

// "NO_MATCH", "STALE_LEASE", ...
[[nodiscard]] std::string_view name_of(ErrorCode code) noexcept;

// The exception of the C++ API.  what() says what was wanted, what was found and what to do.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  [[nodiscard]] ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

}  // namespace linden

// space/server/dispatch.h: what a message means, decided without looking at anything else.  Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <linden/result.h>

#include "api/wire/messages.h"
#include "space/core/command.h"
#include "space/storage/storage.h"

namespace linden::server {

// One row per operation, in the order of the variant.
struct OperationRow {
  std::string_view name;
  bool may_wait = false;   // may be answered long after it was applied
  bool is_stream = false;  // goes on after its answer
};
[[nodiscard]] const OperationRow& row_of(const Operation& operation);

// Request -> Command.
[[nodiscard]] core::Command to_command(SessionId session, wire::Request&& request);
[[nodiscard]] core::Command to_attached(const wire::Hello& hello, RequestId acknowledged);

// Whether `operation` keeps its requester waiting: applied, and answered only when a tuple comes.
[[nodiscard]] bool waits(const Operation& operation);

// Checks what the codec does not know.  Each refusal says wanted, found and remedy.
[[nodiscard]] std::optional<Refused> check_hello(const wire::Hello& hello);
[[nodiscard]] std::optional<Refused> check_space_name(std::string_view name);
[[nodiscard]] std::optional<Refused> check_initial(const std::vector<NewTuple>& initial);
[[nodiscard]] Result<storage::Durability> durability_of(std::optional<std::uint8_t> wanted,
                                                        storage::Durability otherwise);

// Answers for spaces that are not there.  A dropped one ended its leases, so that a late finish
// finds its token stale (P40).
[[nodiscard]] Refused no_such_space(SpaceNumber number);
[[nodiscard]] Refused no_such_space(std::string_view name);
[[nodiscard]] Refused space_gone(std::string_view name);
[[nodiscard]] Answer answer_of_dropped_space(std::string_view name, const Operation& operation);

}  // namespace linden::server

// space/admin/session.cpp
#include "space/admin/session.h"

#include <unistd.h>
#include <fmt/format.h>

#include <cmath>

#include "space/admin/where.h"

namespace linden::admin {

int exit_code_of(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::kOk:
      return kExitOk;
    case ErrorCode::kNoMatch:
      return kExitNothing;
    case ErrorCode::kInvalidArgument:
      return kExitUsage;
    case ErrorCode::kUnreachable:
    case ErrorCode::kConnectionLost:
    case ErrorCode::kOutcomeUnknown:
    case ErrorCode::kProtocolMismatch:
    case ErrorCode::kMalformed:
      return kExitUnreachable;
    default:
      return kExitRefused;
  }
}

Duration duration_of(double seconds) {
  if (std::isnan(seconds) || seconds < 0)
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("wanted seconds of 0 or more, found {}", seconds));
  if (seconds > 9e12) return kForever;
  return Duration(static_cast<std::int64_t>(std::llround(seconds * 1e6)));
}

Client& Session::client() {
  if (client_) return *client_;
  const Where where =
      find_server(options_.connection, options_.cluster_id, real_outside()).value_or_throw();
  space_name_ = options_.space.value_or(where.space);
  ConnectOptions connect;
  connect.address = where.address;
  connect.name = fmt::format("space-admin pid={}", ::getpid());
  connect.timeout = timeout();
  connect.reconnect = timeout();
  client_ = Client::connect(connect, interrupt_);
  return *client_;
}

Space& Session::space(bool create) {
  if (!space_) {
    Client& connected = client();
    space_ = connected.open_space(space_name_, {create, std::nullopt, {}}, timeout(), interrupt_);
  }
  return *space_;
}

Answer Session::ask_any(SpaceNumber number, Operation operation) {
  const RequestId request = client().send(number, std::move(operation));
  auto answer = client().wait(request, timeout(), interrupt_);
  if (!answer)
    throw Error(ErrorCode::kOutcomeUnknown,
                fmt::format("no answer from {} within {} s; the server may be busy, try a longer "
                            "--timeout",
                            client().address(), options_.timeout_s));
  if (const auto* refused = std::get_if<Refused>(&*answer))
    throw Error(refused->code, refused->message);
  return std::move(*answer);
}

}  // namespace linden::admin

#include "space/server/dispatch.h"

#include <array>
#include <utility>

#include <fmt/format.h>

#include "space/server/log.h"

namespace linden::server {
namespace {

constexpr std::array<OperationRow, std::variant_size_v<Operation>> kRows = {{
    {.name = "put"},
    {.name = "take", .may_wait = true},
    {.name = "stream", .is_stream = true},
    {.name = "subscribe", .is_stream = true},
    {.name = "ack"},
    {.name = "credit"},
    {.name = "cancel"},
    {.name = "finish"},
    {.name = "release"},
    {.name = "count"},
    {.name = "explain"},
    {.name = "list"},
    {.name = "summarize"},
    {.name = "sessions"},
    {.name = "commit"},
    {.name = "begin"},
    {.name = "end"},
    {.name = "renew"},
    {.name = "collect"},
    {.name = "revive"},
    {.name = "pause"},
    {.name = "resume"},
    {.name = "pauses"},
}};

constexpr std::size_t kSpaceNameBytesMax = 200;

// The length of the UTF-8 character that `text` begins with; 0 if it begins with none (RFC 3629:
// no overlong forms, no surrogates, nothing above U+10FFFF).
std::size_t utf8_character(std::string_view text) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = at(0);
  if (lead < 0x80) return 1;
  const std::size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((at(i) & 0xC0) != 0x80) return 0;
  }
  if (lead == 0xE0 && at(1) < 0xA0) return 0;
  if (lead == 0xED && at(1) > 0x9F) return 0;
  if (lead == 0xF0 && at(1) < 0x90) return 0;
  if (lead == 0xF4 && at(1) > 0x8F) return 0;
  return size;
}

// U+0000 to U+001F and U+007F to U+009F.
bool is_control(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x20 || lead == 0x7F) return true;
  return lead == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0;
}

bool is_clean_text(std::string_view text) {
  while (!text.empty()) {
    const std::size_t size = utf8_character(text);
    if (size == 0 || is_control(text)) return false;
    text.remove_prefix(size);
  }
  return true;
}

}  // namespace

const OperationRow& row_of(const Operation& operation) {
  return kRows[operation.index()];
}

core::Command to_command(SessionId session, wire::Request&& request) {
  core::Command command;  // a Perform; filled where it is, because moving an operation costs
  auto& perform = std::get<core::Perform>(command);
  perform.from = core::Origin{session, request.id};
  perform.operation = std::move(request.operation);
  return command;
}

core::Command to_attached(const wire::Hello& hello, RequestId acknowledged) {
  return core::SessionAttached{hello.session, hello.name, hello.hold, hello.memory, acknowledged};
}

bool waits(const Operation& operation) {
  if (!row_of(operation).may_wait) return false;
  const auto* take = std::get_if<TakeOp>(&operation);
  return take == nullptr || take->timeout > Duration::zero();
}

std::optional<Refused> check_hello(const wire::Hello& hello) {
  if (hello.protocol != wire::kProtocolVersion) {
    return Refused{
        ErrorCode::kProtocolMismatch,
        fmt::format("hello: this server speaks protocol {}, the client speaks {}; {} the {}",
                    wire::kProtocolVersion, hello.protocol, "update",
                    hello.protocol < wire::kProtocolVersion ? "client" : "server")};
  }
  if (hello.session.is_none()) {
    return Refused{ErrorCode::kInvalidArgument,
                   "hello: the session id is zero; draw 128 random bits for it"};
  }
  if (hello.hold < Duration::zero() || hello.memory < Duration::zero() ||
      hello.absent < Duration::zero()) {
    return Refused{ErrorCode::kInvalidArgument,
                   "hello: hold, memory and absent are durations of zero or more, found a negative "
                   "one"};
  }
  return std::nullopt;
}

std::optional<Refused> check_space_name(std::string_view name) {
  if (name.empty() || name.size() > kSpaceNameBytesMax) {
    return Refused{ErrorCode::kInvalidArgument,
                   fmt::format("space name: wanted 1 to {} bytes, found {}; choose another name",
                               kSpaceNameBytesMax, name.size())};
  }
  if (!is_clean_text(name)) {
    return Refused{
        ErrorCode::kInvalidArgument,
        fmt::format("space name {}: wanted UTF-8 without control characters; choose another name",
                    in_quotes(name))};
  }
  return std::nullopt;
}

std::optional<Refused> check_initial(const std::vector<NewTuple>& initial) {
  for (const NewTuple& item : initial) {
    if (item.attributes.lives_with) {
      return Refused{ErrorCode::kInvalidArgument,
                     "open space: an initial tuple cannot live with a session; put it once the "
                     "space is open"};
    }
  }
  return std::nullopt;
}

Result<storage::Durability> durability_of(std::optional<std::uint8_t> wanted,
                                          storage::Durability otherwise) {
  if (!wanted) return otherwise;
  if (*wanted > static_cast<std::uint8_t>(storage::Durability::kSync)) {
    return Failure{
        ErrorCode::kInvalidArgument,
        fmt::format("open space: durability {} is none; take memory (0), process (1) or sync (2)",
                    *wanted)};
  }
  return static_cast<storage::Durability>(*wanted);
}

Refused no_such_space(SpaceNumber number) {
  return Refused{ErrorCode::kNoSuchSpace,
                 fmt::format("space number {}: there is none; open it by name", number.value)};
}

Refused no_such_space(std::string_view name) {
  return Refused{
      ErrorCode::kNoSuchSpace,
      fmt::format("space {}: there is none of that name; open it with create", in_quotes(name))};
}

Refused space_gone(std::string_view name) {
  return Refused{ErrorCode::kSpaceGone, fmt::format("space {} was dropped", in_quotes(name))};
}

Answer answer_of_dropped_space(std::string_view name, const Operation& operation) {
  if (const auto* finish = std::get_if<FinishOp>(&operation)) {
    for (const FinishItem& item : finish->items) {
      if (!item.token) return space_gone(name);
    }
    return FinishDone{std::vector<ErrorCode>(finish->items.size(), ErrorCode::kStaleLease)};
  }
  if (const auto* commit = std::get_if<CommitOp>(&operation); commit && !commit->finishes.empty()) {
    return Refused{ErrorCode::kStaleLease,
                   fmt::format("commit: space {} was dropped, which ended its leases; nothing was "
                               "done",
                               in_quotes(name))};
  }
  if (const auto* release = std::get_if<ReleaseOp>(&operation)) {
    return FinishDone{std::vector<ErrorCode>(release->items.size(), ErrorCode::kStaleLease)};
  }
  return space_gone(name);
}

}  // namespace linden::server

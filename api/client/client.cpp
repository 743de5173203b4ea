// api/client/client.cpp: the public face of Core.
#include <linden/client.h>

#include <array>

#include <linden/space.h>

#include "api/client/core.h"

namespace linden {

namespace {

constexpr std::array<std::string_view, 3> kDurabilities{"memory", "process", "sync"};

std::string durability_name(std::uint8_t number) {
  return std::string(number < kDurabilities.size() ? kDurabilities[number] : "unknown");
}

std::uint8_t durability_number(const std::string& name) {
  for (std::size_t i = 0; i < kDurabilities.size(); ++i) {
    if (kDurabilities[i] == name) return static_cast<std::uint8_t>(i);
  }
  throw Error(ErrorCode::kInvalidArgument,
              "durability '" + name + "' is none of memory, process, sync");
}

template <class Wanted>
Wanted expect(std::optional<client::AnyAnswer>&& answer, std::string_view what) {
  if (!answer) {
    throw Error(ErrorCode::kOutcomeUnknown,
                std::string(what) + ": the server did not answer in time; it may be busy or away");
  }
  if (auto* of_server = std::get_if<wire::ServerAnswer>(&*answer)) {
    if constexpr (!std::same_as<Wanted, Done>) {
      if (auto* wanted = std::get_if<Wanted>(of_server)) return std::move(*wanted);
    }
  } else {
    auto& of_space = std::get<Answer>(*answer);
    if (const auto* refused = std::get_if<Refused>(&of_space))
      throw Error(refused->code, refused->message);
    if constexpr (std::same_as<Wanted, Done>) {
      if (std::holds_alternative<Done>(of_space)) return {};
    }
  }
  throw Error(ErrorCode::kMalformed,
              std::string(what) + ": the server gave an answer of another kind");
}

}  // namespace

Client Client::connect(const ConnectOptions& options, const Interrupt& interrupt) {
  return Client(client::Core::connect(options, interrupt));
}

Space Client::open_space(std::string_view name, const SpaceOptions& options, Duration timeout,
                         const Interrupt& interrupt) {
  wire::OpenSpaceOp open{std::string(name), options.create, std::nullopt, options.initial};
  if (options.durability) open.durability = durability_number(*options.durability);
  const auto id = core_->send({}, wire::ServerOperation(std::move(open)), AnswerTo::kWaiter);
  const auto opened = expect<wire::SpaceOpened>(core_->wait(id, timeout, interrupt),
                                                "opening space '" + std::string(name) + "'");
  return Space(*this, std::string(name), opened.number, durability_name(opened.durability),
               opened.created);
}

void Client::drop_space(std::string_view name, Duration timeout, const Interrupt& interrupt) {
  const auto id = core_->send({}, wire::ServerOperation(wire::DropSpaceOp{std::string(name)}),
                              AnswerTo::kWaiter);
  expect<Done>(core_->wait(id, timeout, interrupt), "dropping space '" + std::string(name) + "'");
}

std::vector<SpaceStatus> Client::spaces(Duration timeout, const Interrupt& interrupt) {
  const auto id = core_->send({}, wire::ServerOperation(wire::ListSpacesOp{}), AnswerTo::kWaiter);
  auto listed = expect<wire::SpacesListed>(core_->wait(id, timeout, interrupt), "listing spaces");
  std::vector<SpaceStatus> result;
  for (auto& one : listed.spaces) {
    result.push_back({one.number,
                      std::move(one.name),
                      durability_name(one.durability),
                      one.tuples,
                      one.ready,
                      one.reserved,
                      one.dead,
                      one.waiters,
                      one.bytes,
                      one.scans,
                      one.paused,
                      one.pauses,
                      one.delayed,
                      one.behind,
                      one.guarded,
                      one.subscriptions,
                      one.puts,
                      one.takes,
                      one.finishes,
                      one.expired});
  }
  return result;
}

ServerInfo Client::server(Duration timeout, const Interrupt& interrupt) {
  const auto id = core_->send({}, wire::ServerOperation(wire::ServerStatusOp{}), AnswerTo::kWaiter);
  auto status = expect<wire::ServerStatus>(core_->wait(id, timeout, interrupt),
                                           "asking the server how it is");
  return {std::move(status.version),
          status.pid,
          status.up,
          std::move(status.directory),
          std::move(status.durability),
          status.connections,
          status.sessions,
          status.requests,
          status.commits};
}

void Client::backup(std::string_view directory, Duration timeout, const Interrupt& interrupt) {
  const auto id = core_->send({}, wire::ServerOperation(wire::BackupOp{std::string(directory)}),
                              AnswerTo::kWaiter);
  expect<Done>(core_->wait(id, timeout, interrupt), "backup to '" + std::string(directory) + "'");
}

RequestId Client::send(SpaceNumber space, Operation operation, AnswerTo answer_to) {
  return core_->send(space, std::move(operation), answer_to);
}

std::optional<Answer> Client::wait(RequestId request, Duration timeout,
                                   const Interrupt& interrupt) {
  auto answer = core_->wait(request, timeout, interrupt);
  if (!answer) return std::nullopt;
  if (auto* of_space = std::get_if<Answer>(&*answer)) return std::move(*of_space);
  return Answer(Refused{ErrorCode::kMalformed, "the server gave an answer of another kind"});
}

void Client::forget(RequestId request) {
  core_->forget(request);
}
void Client::cancel(SpaceNumber space, RequestId request) {
  core_->cancel(space, request);
}

std::vector<Completion> Client::completions(Duration timeout, const Interrupt& interrupt) {
  return core_->completions(timeout, interrupt);
}

SessionId Client::session() const {
  return core_->session();
}
const std::string& Client::address() const {
  return core_->address();
}
bool Client::connected() const {
  return core_->connected();
}
std::uint64_t Client::reconnects() const {
  return core_->reconnects();
}
std::optional<Failure> Client::failure() const {
  return core_->failure();
}
std::uint32_t Client::server_pid() const {
  return core_->server_pid();
}
void Client::close(bool goodbye) {
  core_->close(goodbye);
}

}  // namespace linden

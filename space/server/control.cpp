#include "space/server/control.h"

#include <unistd.h>

#include <filesystem>
#include <utility>
#include <boost/asio/dispatch.hpp>

#include <fmt/format.h>

#include "space/server/connection.h"
#include "space/server/dispatch.h"

namespace linden::server {

namespace asio = boost::asio;

namespace {

// Puts `initial` into a space of its own and returns what that changed there, so that the core's
// rules hold for initial tuples too.
struct Initial {
  std::vector<core::Mutation> mutations;
  std::optional<Refused> refused;
};
Initial apply_initial(const std::vector<NewTuple>& initial, const core::Limits& limits,
                      bool disk_is_low, Time now) {
  Initial result;
  if (initial.empty()) return result;
  if ((result.refused = check_initial(initial))) return result;
  const SessionId nobody{~std::uint64_t{0}, ~std::uint64_t{0}};
  core::SpaceState scratch(limits);
  core::Effects effects;
  scratch.apply(core::DiskSpace{disk_is_low}, now, effects);
  scratch.apply(core::SessionAttached{nobody, "", Duration{0}, Duration{0}, RequestId{1}}, now,
                effects);
  effects.clear();
  scratch.apply(core::Perform{core::Origin{nobody, RequestId{1}}, PutOp{initial}}, now, effects);
  for (core::Message& message : effects.messages) {
    auto* reply = std::get_if<core::Reply>(&message);
    if (reply == nullptr) continue;
    if (auto* refused = std::get_if<Refused>(&reply->answer)) result.refused = std::move(*refused);
  }
  for (core::Mutation& mutation : effects.mutations) {
    if (std::holds_alternative<core::TupleAdded>(mutation) ||
        std::holds_alternative<core::NextTupleId>(mutation)) {
      result.mutations.push_back(std::move(mutation));
    }
  }
  return result;
}

}  // namespace

Control::Control(ServerFacts facts, const std::vector<std::unique_ptr<IoThread>>& threads,
                 HostTools& tools)
    : facts_(std::move(facts)),
      threads_(threads),
      tools_(tools),
      started_at_(threads.front()->clock().now()),
      sessions_(threads.front()->limits().sessions_max),
      sweep_timer_(std::in_place, threads.front()->context()) {}

template <class Function>
void Control::at_home(Function&& function) {
  asio::dispatch(home().context(), std::forward<Function>(function));
}

// ---- Spaces of a start

void Control::add_restored(storage::SpaceInfo info, core::SpaceState&& state) {
  const Time now = home().clock().now();
  std::vector<core::Mutation> rest;
  state.describe_rest(rest);
  for (const core::Mutation& mutation : rest) {
    if (const auto* opened = std::get_if<core::SessionOpened>(&mutation)) {
      sessions_.restored(opened->id, opened->name, opened->memory, now);
    }
  }
  state.restored(now);
  add_host(std::move(info), std::move(state));
}

std::shared_ptr<SpaceHost> Control::add_host(storage::SpaceInfo info, core::SpaceState&& state) {
  IoThread& thread = *threads_[info.number.value % threads_.size()];
  auto host = std::make_shared<SpaceHost>(std::move(info), std::move(state), thread, tools_);
  directory_.add(host);
  for (const auto& each : threads_) {
    asio::dispatch(each->context(), [&thread = *each, host] { thread.host_added(host); });
  }
  asio::dispatch(thread.context(), [host] { host->start(); });
  return host;
}

void Control::start() {
  sweep();
}

void Control::see_to_disk() {
  tools_.disk.look();
  if (tools_.disk.is_low() != disk_is_low_) {
    disk_is_low_ = !disk_is_low_;
    home().log().warn("disk_{} reserve_bytes={}", disk_is_low_ ? "low" : "has_room",
                      tools_.disk.reserve_bytes());
  }
  const Time now = home().clock().now();
  // Not all the time, so that a disk that others have filled is not kept busy for nothing.
  const bool was_tried =
      reclaimed_at_ != Time{} && now < reclaimed_at_ + home().limits().reclaim_interval;
  if (!disk_is_low_ || is_reclaiming_ || was_tried) return;
  is_reclaiming_ = true;
  reclaimed_at_ = now;
  tools_.chores.post([this] {
    const Result<void> result = tools_.storage.reclaim();
    if (!result) tools_.fatal(result.error());
    at_home([this] { is_reclaiming_ = false; });
  });
}

void Control::sweep() {
  sessions_.forget(home().clock().now());
  see_to_disk();
  sweep_timer_->expires_after(std::chrono::seconds(1));
  sweep_timer_->async_wait([this](const boost::system::error_code& error) {
    if (!error) sweep();
  });
}

void Control::stop_admitting() {
  is_ending_ = true;
  sweep_timer_->cancel();
}

void Control::shut() {
  sweep_timer_.reset();
  admitted_.clear();
  dropping_.clear();
  backing_up_.clear();
  for (const auto& [name, host] : directory_.all()) host->shut();
}

// ---- Sessions

void Control::admit(std::shared_ptr<Connection> connection, wire::Hello hello) {
  at_home([this, connection = std::move(connection), hello = std::move(hello)] {
    decide_admission(connection, hello);
  });
}

void Control::decide_admission(const std::shared_ptr<Connection>& connection,
                               const wire::Hello& hello) {
  if (is_ending_) {
    reject(connection, Refused{ErrorCode::kShuttingDown, "the server is about to stop"});
    return;
  }
  const Admission admission = sessions_.admit(hello, connection->number(), home().clock().now());
  if (admission.kind == Admission::Kind::kExpired) {
    reject(connection,
           Refused{ErrorCode::kSessionExpired,
                   "the session was away for longer than it is remembered; open a new one"});
    return;
  }
  if (admission.kind == Admission::Kind::kFull) {
    reject(connection, Refused{ErrorCode::kOverloaded,
                               fmt::format("the server remembers {} sessions, which is its limit; "
                                           "try again later",
                                           sessions_.size())});
    return;
  }
  if (admission.replaced) {
    const auto old = admitted_.find(*admission.replaced);
    if (old != admitted_.end()) {
      asio::dispatch(old->second->thread().context(), [old = old->second] { old->replaced(); });
    }
  }
  admitted_[connection->number()] = connection;
  const bool known = admission.kind == Admission::Kind::kResumed;
  home().log().info("session_{} session={} name={} connection={}", known ? "resumed" : "opened",
                    to_string(hello.session), in_quotes(hello.name), connection->number());
  welcome(connection, hello.resume && known, known);
}

void Control::welcome(const std::shared_ptr<Connection>& connection, bool resumed,
                      bool attach_everywhere) {
  const Limits& limits = home().limits();
  wire::Welcome welcome{wire::kProtocolVersion,
                        facts_.version,
                        facts_.id,
                        resumed,
                        limits.heartbeat,
                        limits.frame_bytes_max,
                        static_cast<std::uint32_t>(::getpid())};
  asio::dispatch(connection->thread().context(),
                 [connection, welcome = std::move(welcome), attach_everywhere] {
                   connection->welcome(welcome, attach_everywhere);
                   connection->thread().end_of_round();
                 });
}

void Control::reject(const std::shared_ptr<Connection>& connection, Refused why) {
  asio::dispatch(connection->thread().context(),
                 [connection, why = std::move(why)] { connection->reject(why); });
}

void Control::lost(SessionId session, ConnectionNumber by) {
  at_home([this, session, by] { sessions_.lost(session, by, home().clock().now()); });
}

void Control::closed(SessionId session, ConnectionNumber by) {
  at_home([this, session, by] {
    sessions_.closed(session, by);
    home().log().info("session_closed session={} connection={}", to_string(session), by);
  });
}

void Control::disconnected(ConnectionNumber number) {
  at_home([this, number] { admitted_.erase(number); });
}

// ---- Requests to the server

void Control::ask(std::shared_ptr<Connection> connection, SessionId session,
                  wire::ServerRequest request) {
  at_home([this, question = Question{
                     std::move(connection), session, request.id, request.acknowledged,
                     std::move(request.operation)}]() mutable { handle(std::move(question)); });
}

void Control::answer(const Question& to, ServerAnswer answer) {
  asio::dispatch(to.connection->thread().context(),
                 [connection = to.connection, id = to.id, answer = std::move(answer)] {
                   connection->answer(id, answer);
                   connection->thread().end_of_round();
                 });
}

void Control::handle(Question&& question) {
  if (auto* open = std::get_if<wire::OpenSpaceOp>(&question.operation)) {
    const wire::OpenSpaceOp operation = std::move(*open);
    open_space(std::move(question), operation);
  } else if (auto* drop = std::get_if<wire::DropSpaceOp>(&question.operation)) {
    const std::string name = std::move(drop->name);
    drop_space(std::move(question), name);
  } else if (std::holds_alternative<wire::ListSpacesOp>(question.operation)) {
    list_spaces(std::move(question));
  } else if (auto* backup = std::get_if<wire::BackupOp>(&question.operation)) {
    const std::string directory = std::move(backup->directory);
    back_up(std::move(question), directory);
  } else {
    answer(question, wire::ServerAnswer(status()));
  }
}

void Control::open_space(Question&& question, const wire::OpenSpaceOp& open) {
  if (std::optional<Refused> refused = check_space_name(open.name)) {
    answer(question, Answer(std::move(*refused)));
    return;
  }
  const auto dropping = dropping_.find(open.name);
  if (dropping != dropping_.end()) {
    question.operation = open;
    dropping->second.push_back(std::move(question));
    return;
  }
  if (const std::shared_ptr<SpaceHost> host = directory_.find(open.name)) {
    answer(question,
           wire::ServerAnswer(wire::SpaceOpened{
               host->info().number, static_cast<std::uint8_t>(host->info().durability), false}));
    return;
  }
  if (!open.create) {
    answer(question, Answer(no_such_space(open.name)));
    return;
  }
  answer(question, create_space(open));
}

Control::ServerAnswer Control::create_space(const wire::OpenSpaceOp& open) {
  const Result<storage::Durability> durability = durability_of(open.durability, facts_.durability);
  if (!durability) return Answer(Refused{durability.error().code, durability.error().message});
  if (facts_.directory.empty() && *durability != storage::Durability::kMemory) {
    return Answer(Refused{
        ErrorCode::kInvalidArgument,
        fmt::format("open space {}: wanted durability {}, but this server keeps nothing on disk; "
                    "start space-server with --directory",
                    in_quotes(open.name), storage::name_of(*durability))});
  }
  const Time now = home().clock().now();
  const bool is_kept = *durability != storage::Durability::kMemory;
  Initial initial =
      apply_initial(open.initial, facts_.space_limits, is_kept && tools_.disk.is_low(), now);
  if (initial.refused) return Answer(std::move(*initial.refused));
  Result<storage::SpaceInfo> created =
      tools_.storage.create_space(open.name, *durability, initial.mutations, now);
  if (!created) {
    if (created.error().code == ErrorCode::kStorageFailed) tools_.fatal(created.error());
    return Answer(Refused{created.error().code, created.error().message});
  }
  core::SpaceState state(facts_.space_limits);
  for (core::Mutation& mutation : initial.mutations) state.restore(std::move(mutation));
  state.restored(now);
  const SpaceNumber number = created->number;
  home().log().info("space_created space={} number={} durability={}", in_quotes(open.name),
                    number.value, storage::name_of(*durability));
  add_host(std::move(*created), std::move(state));
  return wire::ServerAnswer(
      wire::SpaceOpened{number, static_cast<std::uint8_t>(*durability), true});
}

void Control::drop_space(Question&& question, const std::string& name) {
  const std::shared_ptr<SpaceHost> host = directory_.find(name);
  if (!host) {
    const bool repeated = sessions_.has_done(question.session, question.id);
    answer(question, repeated ? Answer(Done{}) : Answer(no_such_space(name)));
    return;
  }
  directory_.remove(name);
  dropping_[name];
  asio::dispatch(host->thread().context(), [this, host, question = std::move(question)] {
    host->stop_for_drop([this, host, question] {
      at_home([this, host, question] { drop_stopped(host, question); });
    });
  });
}

// On the home strand; the host applies nothing more.
void Control::drop_stopped(const std::shared_ptr<SpaceHost>& host, const Question& question) {
  const storage::SpaceInfo& info = host->info();
  const Result<void> result = tools_.storage.drop_space(info.number);
  if (!result) {
    tools_.fatal(result.error());
    return;
  }
  home().log().info("space_dropped space={} number={}", in_quotes(info.name), info.number.value);
  sessions_.remember_done(question.session, question.id, question.acknowledged);
  for (const auto& each : threads_) {
    asio::dispatch(each->context(),
                   [&thread = *each, number = info.number] { thread.host_removed(number); });
  }
  asio::dispatch(host->thread().context(), [host] {
    host->dropped();
    host->thread().flush();
  });
  answer(question, Answer(Done{}));
  const auto waiting = dropping_.extract(info.name);
  for (Question& open : waiting.mapped()) handle(std::move(open));
}

// Asks every host on its own thread; the last one to answer completes the list.
void Control::list_spaces(Question&& question) {
  struct Listing {
    Question question;
    wire::SpacesListed list;
    std::size_t missing;
  };
  const auto& all = directory_.all();
  auto listing = std::make_shared<Listing>(Listing{std::move(question), {}, all.size()});
  if (all.empty()) answer(listing->question, wire::ServerAnswer(std::move(listing->list)));
  listing->list.spaces.resize(all.size());
  std::size_t index = 0;
  for (const auto& [name, host] : all) {
    asio::dispatch(host->thread().context(), [this, listing, index, host = host] {
      at_home([listing, index, listed = host->listed()]() mutable {
        listing->list.spaces[index] = std::move(listed);
        if (--listing->missing > 0) return;
        answer(listing->question, wire::ServerAnswer(std::move(listing->list)));
      });
    });
    ++index;
  }
}

// ---- Backups

std::optional<Refused> Control::check_backup(const std::string& directory) const {
  const std::filesystem::path path = std::filesystem::path(directory).lexically_normal();
  if (!path.is_absolute()) {
    return Refused{ErrorCode::kInvalidArgument,
                   fmt::format("backup: wanted an absolute path on the server's host, found {}",
                               in_quotes(directory))};
  }
  const std::filesystem::path inside = path.lexically_relative(facts_.directory);
  if (!facts_.directory.empty() && !inside.empty() && *inside.begin() != "..") {
    return Refused{ErrorCode::kInvalidArgument,
                   fmt::format("backup: {} is in the server's own directory; name one beside it",
                               in_quotes(directory))};
  }
  return std::nullopt;
}

// One at a time.  A client that was away says its request again, and is answered with the rest.
void Control::back_up(Question&& question, const std::string& directory) {
  if (sessions_.has_done(question.session, question.id)) {
    answer(question, Answer(Done{}));
    return;
  }
  if (!backing_up_.empty()) {
    const Question& first = backing_up_.front();
    if (first.session == question.session && first.id == question.id) {
      backing_up_.push_back(std::move(question));
    } else {
      answer(question, Answer(Refused{ErrorCode::kOverloaded,
                                      "backup: another one is under way; try again later"}));
    }
    return;
  }
  if (std::optional<Refused> refused = check_backup(directory)) {
    answer(question, Answer(std::move(*refused)));
    return;
  }
  backing_up_.push_back(std::move(question));
  tools_.chores.post([this, directory] {
    Result<void> result = tools_.storage.checkpoint(directory);
    at_home([this, directory, result = std::move(result)] { backed_up(directory, result); });
  });
}

void Control::backed_up(const std::string& directory, const Result<void>& result) {
  home().log().info("backup directory={} result={}", in_quotes(directory),
                    result ? "done" : name_of(result.error().code));
  for (const Question& question : std::exchange(backing_up_, {})) {
    if (result) {
      sessions_.remember_done(question.session, question.id, question.acknowledged);
      answer(question, Answer(Done{}));
    } else {
      answer(question, Answer(Refused{result.error().code, "backup: " + result.error().message}));
    }
  }
}

wire::ServerStatus Control::status() const {
  wire::ServerStatus result;
  result.version = facts_.version;
  result.pid = static_cast<std::uint32_t>(::getpid());
  result.up = threads_.front()->clock().now() - started_at_;
  result.directory = facts_.directory;
  result.durability = storage::name_of(facts_.durability);
  result.sessions = sessions_.size();
  for (const auto& thread : threads_) {
    const Counters& counters = thread->counters();
    result.connections += counters.connections.load(std::memory_order_relaxed);
    result.requests += counters.requests.load(std::memory_order_relaxed);
    result.commits += counters.commits.load(std::memory_order_relaxed);
  }
  return result;
}

}  // namespace linden::server

#include "tests/simulation/simulation.h"

#include <algorithm>

namespace linden::simulation {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kClients = 4;
constexpr Duration kHold = milliseconds(5'000);
constexpr Duration kMemory = milliseconds(15'000);  // beyond the hold time

core::Limits small_limits(std::uint64_t bytes_max) {
  core::Limits limits;
  limits.bytes_max = bytes_max;
  limits.indexes_per_arity_max = 3;  // so that indexes are learned, dropped and done without
  limits.subscription_backlog_max = ReferenceSpace::kBacklogMax;  // so that there are gaps
  return limits;
}

}  // namespace

// ---- Disk ---------------------------------------------------------------------------------------

namespace {

struct IdOf {
  template <class What>
  TupleId operator()(const What& what) const {
    if constexpr (requires { TupleId{what.id}; }) {
      return what.id;
    } else {
      return {};
    }
  }
};

}  // namespace

void SimDisk::commit(const std::vector<core::Mutation>& mutations) {
  segments_.back().insert(segments_.back().end(), mutations.begin(), mutations.end());
}

void SimDisk::retire(const core::SpaceState& state) {
  std::set<TupleId> touched;
  for (const core::Mutation& mutation : segments_.front()) {
    touched.insert(std::visit(IdOf{}, mutation));
  }
  for (const TupleId id : touched) {
    std::vector<core::Mutation> described;
    if (state.describe(id, described)) {
      table_[id] = std::move(described);
    } else {
      table_.erase(id);
    }
  }
  rest_.clear();
  state.describe_rest(rest_);
  segments_.pop_front();
}

void SimDisk::load(core::SpaceState& state) const {
  const auto give = [&](const std::vector<core::Mutation>& mutations) {
    for (const core::Mutation& mutation : mutations) state.restore(core::Mutation(mutation));
  };
  give(rest_);
  for (const auto& [id, described] : table_) give(described);
  for (const auto& segment : segments_) give(segment);
}

// ---- Chance -------------------------------------------------------------------------------------

Simulation::Simulation(std::uint64_t seed, bool keep_history)
    : random_(seed), keep_history_(keep_history) {
  // Every third space has a quota that it often reaches (P33).
  if (seed % 3 == 0) reference_.bytes_max = 40 + below(200);
  committed_ = reference_;
  state_ = core::SpaceState(small_limits(reference_.bytes_max));
  other_.reference.bytes_max = other_.committed.bytes_max = reference_.bytes_max;
  other_.state = core::SpaceState(small_limits(reference_.bytes_max));
  clients_.resize(kClients);
  for (SimClient& client : clients_) {
    client.id = {1, ++session_count_};
    connect(client);
  }
}

// Odd numbers of microseconds, so that no two things are due at the same moment.
Duration Simulation::some_time() {
  static constexpr std::int64_t kScale[] = {50, 500, 3'000, 8'000};
  return milliseconds(10) + Duration(below(static_cast<std::uint64_t>(kScale[below(4)]) * 1'000));
}

NewTuple Simulation::some_tuple() {
  static const char* const kWords[] = {"a", "b", "c"};
  NewTuple put;
  const auto number = static_cast<std::int64_t>(below(3));
  switch (below(4)) {
    case 0:
      put.tuple = Tuple{Value(kWords[below(3)])};
      break;
    case 1:
      put.tuple = Tuple{Value(kWords[below(3)]), Value(number)};
      break;
    case 2:
      put.tuple = Tuple{Value(kWords[below(2)]), Value(kWords[below(2)])};
      break;
    default:
      put.tuple = Tuple{Value(kWords[below(2)]), Value(number), Value(kWords[below(3)])};
  }
  Attributes& attributes = put.attributes;
  if (chance(20)) attributes.priority = static_cast<std::int32_t>(below(3)) - 1;
  if (chance(10)) attributes.ttl = some_time();
  if (chance(20)) attributes.max_attempts = static_cast<std::uint32_t>(1 + below(2));
  if (chance(15)) attributes.will = Tuple{Value("a"), Value(static_cast<std::int64_t>(below(3)))};
  if (chance(10)) attributes.lives_with = SessionId{1, 1 + below(session_count_ + 1)};
  if (chance(25)) attributes.rare = some_rare(put.tuple.size());
  return put;
}

Guard Simulation::some_guard(std::size_t fields) {
  Guard guard{some_form(), {}};
  for (std::uint64_t count = below(3); count > 0; --count) {
    guard.fills.push_back({static_cast<std::uint32_t>(below(guard.form.size())),
                           static_cast<std::uint32_t>(below(fields))});
  }
  return guard;
}

RareAttributes Simulation::some_rare(std::size_t fields) {
  RareAttributes rare;
  if (chance(40)) rare.key = "key " + std::to_string(below(3));
  if (chance(80)) rare.key_window = some_time();
  if (chance(40)) rare.delay = some_time();
  if (chance(50)) rare.group = "group " + std::to_string(below(3));
  while (chance(30)) rare.when.push_back(some_guard(fields));
  return rare;
}

std::vector<NewTuple> Simulation::some_tuples(std::uint64_t most) {
  std::vector<NewTuple> puts(below(most + 1));
  for (NewTuple& put : puts) put = some_tuple();
  // A key makes sense only if somebody says the same again.
  if (!puts.empty() && chance(5)) {
    puts.back() = {Tuple{Value("again")}, {}};
    puts.back().attributes.rare = RareAttributes{.key = "again", .key_window = some_time()};
  }
  return puts;
}

Template Simulation::some_form() {
  const Tuple like = some_tuple().tuple;
  std::vector<TemplateField> fields;
  for (const Value& value : like.values()) {
    switch (below(5)) {
      case 0:
        fields.emplace_back(kAny);
        break;
      case 1:
        fields.emplace_back(Typed{value.type()});
        break;
      case 2:
        fields.emplace_back(OneOf{{value, Value("b")}});
        break;
      default:
        fields.emplace_back(value);
    }
  }
  return Template(fields);
}

std::vector<Template> Simulation::some_forms() {
  std::vector<Template> forms(chance(80) ? 1 : 1 + below(3));
  for (Template& form : forms) form = some_form();
  return forms;
}

Token Simulation::some_token(SimClient& client) {
  if (client.tokens.empty()) return {TupleId{1 + below(20)}, 1};
  // Mostly the newest ones, which are likely to be held still.
  const std::size_t count = client.tokens.size();
  const std::size_t back = chance(80) ? below(std::min<std::size_t>(count, 4)) : below(count);
  return client.tokens[count - 1 - back];
}

RequestId Simulation::some_transaction(SimClient& client) {
  if (client.transactions.empty() || chance(5)) return {1 + below(client.next.value)};
  auto open = client.transactions.begin();
  std::advance(open, static_cast<std::ptrdiff_t>(below(client.transactions.size())));
  return open->first;
}

// Acknowledges, changes the credit of or ends a subscription, which may be unknown.
Operation Simulation::about_subscription(SimClient& client) {
  auto subscription = client.subscriptions.begin();
  RequestId id{1 + below(client.next.value)};
  std::uint64_t received = 0;
  if (!client.subscriptions.empty()) {
    std::advance(subscription, static_cast<std::ptrdiff_t>(below(client.subscriptions.size())));
    id = subscription->first;
    received = subscription->second.received;
  }
  if (chance(5)) return some_cancel(client, id);
  if (chance(10)) return CreditOp{id, static_cast<std::uint32_t>(below(5))};
  return AckOp{id, chance(60) ? received : below(received + 1), {}};
}

// Keeps what it has acknowledged and some of what a taking stream was given last; the rest may be
// given to anybody again.
CancelOp Simulation::some_cancel(const SimClient& client, RequestId target) {
  CancelOp op{target, {}};
  const auto stream = client.streams.find(target);
  if (stream == client.streams.end()) return op;
  op.kept = stream->second.acknowledged;
  for (const TupleId id : stream->second.unacknowledged) {
    if (chance(50)) {
      op.kept.push_back(id);
    } else {
      consumed_.erase(id);
    }
  }
  return op;
}

// Mostly of what is there, so that it is often possible.
CommitOp Simulation::some_commit(SimClient& client) {
  CommitOp op{some_tuples(2), {}, {}};
  if (chance(40)) op.finishes.push_back(some_token(client));
  if (chance(10)) op.finishes.push_back(some_token(client));
  for (const auto& [id, item] : reference_.items) {
    const bool ready = item.state == ReferenceSpace::State::kReady;
    if (op.takes.size() < 2 && chance(ready ? 30 : 3)) op.takes.push_back(id);
  }
  return op;
}

// Mostly of what is dead.
Operation Simulation::some_revival() {
  if (chance(30)) {
    return ReviveOp{{},
                    true,
                    chance(50) ? std::optional(some_form()) : std::nullopt,
                    static_cast<std::uint32_t>(below(4))};
  }
  ReviveOp op;
  for (const auto& [id, item] : reference_.items) {
    if (chance(item.state == ReferenceSpace::State::kDead ? 70 : 2)) op.ids.push_back(id);
  }
  return op;
}

// Few at a time, so that most things are not paused.
Operation Simulation::some_pause() {
  if (reference_.pauses.size() > 2 || chance(10)) return ListPausesOp{};
  const PauseKind kind = chance(70) ? PauseKind::kPause : PauseKind::kDrain;
  return PauseOp{kind, chance(80) ? std::optional(some_form()) : std::nullopt};
}

std::optional<Template> Simulation::some_paused_form() {
  if (reference_.pauses.empty()) return std::nullopt;
  return reference_.pauses[below(reference_.pauses.size())].form;
}

// ---- Clients ------------------------------------------------------------------------------------

Operation Simulation::some_operation(SimClient& client) {
  const auto some_mode = [&] { return static_cast<TakeMode>(below(3)); };
  const auto some_stream = [&]() -> RequestId {
    if (client.streams.empty()) return {1 + below(client.next.value)};
    auto stream = client.streams.begin();
    std::advance(stream, static_cast<std::ptrdiff_t>(below(client.streams.size())));
    return stream->first;
  };
  const auto maybe_inside = [&]() -> RequestId {
    if (client.transactions.empty() || !chance(60)) return {};
    return some_transaction(client);
  };
  switch (below(33)) {
    case 20:
    case 21:
      return some_commit(client);
    case 22:
    case 23:
    case 24:
      // Few at a time, and mostly longer than what happens inside.
      if (client.transactions.size() < 1 + below(3)) {
        return BeginOp{chance(70) ? Duration(milliseconds(60'000)) : some_time()};
      }
      return EndOp{some_transaction(client), chance(80)};
    case 25: {
      SubscribeOp op{some_forms()};
      op.credit = static_cast<std::uint32_t>(below(ReferenceSpace::kBacklogMax + 1));
      op.initial = chance(50);
      op.follow = chance(80);
      return op;
    }
    case 26:
    case 27:
      return about_subscription(client);
    case 29:
      return CollectOp{some_form(), {2}, chance(50)};
    case 32:
      return some_revival();
    case 30:
      return some_pause();
    case 31:
      return ResumeOp{some_paused_form(), chance(20)};
    case 28:
      return RenewOp{{{TupleId{1 + below(reference_.next_id.value)},
                       chance(80) ? std::optional(some_time()) : std::nullopt}}};
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
      return PutOp{some_tuples(3), maybe_inside()};
    case 5:
    case 6:
    case 7:
    case 8: {
      TakeOp op{some_mode(), some_forms()};
      if (chance(30)) op.count_max = static_cast<std::uint32_t>(1 + below(4));
      op.timeout = chance(40) ? Duration{0} : chance(50) ? kForever : some_time();
      op.lease = some_time();
      op.transaction = maybe_inside();
      if (op.transaction.value != 0 && chance(90) && op.mode == TakeMode::kReserve) {
        op.mode = TakeMode::kTake;
      }
      return op;
    }
    case 9:
    case 10: {
      StreamOp op{some_mode(), some_forms()};
      op.credit = static_cast<std::uint32_t>(below(5));
      op.lease = some_time();
      if (chance(30)) op.after = {below(reference_.next_id.value + 1)};
      return op;
    }
    case 11: {
      if (chance(50)) return AckOp{{}, 0, std::exchange(client.taken, {})};
      const RequestId id = some_stream();
      const auto stream = client.streams.find(id);
      if (client.subscriptions.contains(id)) return about_subscription(client);
      if (stream == client.streams.end()) return AckOp{id, below(4), {}};
      return AckOp{id, below(stream->second.delivered + 1), {}};
    }
    case 12:
      return CreditOp{some_stream(), static_cast<std::uint32_t>(below(5))};
    case 13:
      return some_cancel(client,
                         chance(50) ? some_stream() : RequestId{1 + below(client.next.value)});
    case 14:
    case 15:
    case 16: {
      FinishOp op;
      op.items.resize(below(3));
      for (FinishItem& item : op.items) {
        if (chance(90)) item.token = some_token(client);
        item.puts = some_tuples(2);
      }
      if (chance(40)) op.started.push_back(some_token(client));
      return op;
    }
    case 17: {
      ReleaseOp op;
      op.items.resize(1 + below(2));
      for (ReleaseItem& item : op.items) {
        item = {some_token(client), chance(50), chance(30) ? some_time() : Duration{0}};
      }
      return op;
    }
    case 18:
      if (chance(30)) return ExplainOp{some_form()};
      return CountOp{some_form(), maybe_inside()};
    default: {
      ListOp op;
      if (chance(50)) op.form = some_form();
      op.after = {chance(50) ? 0 : below(reference_.next_id.value + 1)};
      op.limit = static_cast<std::uint32_t>(1 + below(100));
      op.all_states = chance(70);
      if (chance(30)) op.state = static_cast<TupleState>(below(8));
      return op;
    }
  }
}

void Simulation::ask(SimClient& client, Operation operation) {
  const RequestId request = client.next;
  ++client.next.value;
  client.unanswered[request] = operation;
  if (const auto* stream = std::get_if<StreamOp>(&operation)) {
    client.streams[request].form = *stream;
  }
  if (std::holds_alternative<BeginOp>(operation)) client.transactions[request];
  if (const auto* subscribe = std::get_if<SubscribeOp>(&operation)) {
    client.subscriptions[request].form = *subscribe;
  }
  if (const auto* cancel = std::get_if<CancelOp>(&operation)) {
    client.streams.erase(cancel->target);
    client.subscriptions.erase(cancel->target);
  }
  if (const auto* ack = std::get_if<AckOp>(&operation)) {
    // An acknowledgement is not repeated after a reconnect: the stream's count begins anew then.
    auto stream = client.streams.find(ack->stream);
    client.unanswered.erase(request);
    if (stream != client.streams.end()) {
      auto& waiting = stream->second.unacknowledged;
      const std::uint64_t before = stream->second.delivered - waiting.size();
      for (std::uint64_t i = before; i < ack->delivered && !waiting.empty(); ++i) {
        stream->second.acknowledged.push_back(waiting.front());
        waiting.erase(waiting.begin());
      }
    }
  }
  client.sent.push_back(core::Perform{{client.id, request}, std::move(operation)});
}

void Simulation::act(SimClient& client) {
  if (!client.connected) {
    if (chance(30)) connect(client);
    return;
  }
  if (chance(2)) return say_goodbye(client);
  if (chance(4)) return lose_connection(client, chance(80));
  if (chance(10)) {
    client.sent.push_back(core::SessionHeard{client.id, client.acknowledged()});
    return;
  }
  ask(client, some_operation(client));
}

void Simulation::receive(SimClient& client) {
  while (!client.received.empty()) {
    const core::Message message = std::move(client.received.front());
    client.received.pop_front();
    take_in(client, message);
  }
}

void Simulation::take_in(SimClient& client, const core::Message& message) {
  std::visit([&](const auto& what) { take_in(client, what); }, message);
}

void Simulation::take_in(SimClient& client, const core::Reply& reply) {
  const auto asked = client.unanswered.find(reply.to.request);
  if (asked == client.unanswered.end()) {
    return;  // of an acknowledgement
  }
  const auto* put = std::get_if<PutDone>(&reply.answer);
  const bool elsewhere = std::holds_alternative<CollectOp>(asked->second);
  if (put != nullptr && put->first.value != 0 && !elsewhere) {
    highest_seen_ = std::max(highest_seen_, TupleId{put->first.value + put->count - 1});
  }
  const auto* keyed = std::get_if<KeyedPutDone>(&reply.answer);
  if (keyed != nullptr) {
    for (const TupleId id : keyed->ids) highest_seen_ = std::max(highest_seen_, id);
  }
  const bool was_put = put != nullptr || keyed != nullptr;
  if (const auto* found = std::get_if<Found>(&reply.answer)) {
    const auto& take = std::get<TakeOp>(asked->second);
    const TakeMode mode = take.mode;
    const auto open = client.transactions.find(take.transaction);
    if (mode == TakeMode::kTake) client.taken.push_back(reply.to.request);
    for (const Handout& handout : found->tuples) {
      if (handout.id.value == 0) continue;  // the transaction's own
      if (mode == TakeMode::kTake && take.transaction.value != 0) {
        // A refusal may have overtaken what makes the transaction; the client has given it up then.
        if (open != client.transactions.end()) open->second.emplace_back(reply.to, handout.id);
        continue;
      }
      note_handout(reply.to, mode, handout);
      if (mode == TakeMode::kReserve) client.tokens.push_back({handout.id, handout.attempt});
    }
  }
  if (const auto* done = std::get_if<FinishDone>(&reply.answer)) {
    if (const auto* finish = std::get_if<FinishOp>(&asked->second)) {
      if (done->codes.size() != finish->items.size()) fail("a finish without a code per item");
      for (std::size_t i = 0; i < done->codes.size(); ++i) {
        const auto& token = finish->items[i].token;
        if (token && done->codes[i] == ErrorCode::kOk) note_consumed(reply.to, token->tuple);
      }
    }
  }
  if (was_put) note_removed(reply.to, asked->second);
  const auto* refused = std::get_if<Refused>(&reply.answer);
  if (refused != nullptr && refused->code == ErrorCode::kStaleLease) {
    if (const auto* inside = std::get_if<PutOp>(&asked->second)) {
      client.transactions.erase(inside->transaction);
    }
  }
  if (const auto* end = std::get_if<EndOp>(&asked->second)) {
    if (was_put) {
      for (const auto& [by, id] : client.transactions[end->transaction]) note_consumed(by, id);
    }
    client.transactions.erase(end->transaction);
  }
  const auto told = client.subscriptions.find(reply.to.request);
  if (told != client.subscriptions.end()) {
    if (std::holds_alternative<Counted>(reply.answer)) {
      told->second.answered = true;
    } else {
      client.subscriptions.erase(told);
    }
  }
  client.unanswered.erase(asked);
}

void Simulation::note_removed(const core::Origin& by, const Operation& operation) {
  const auto* commit = std::get_if<CommitOp>(&operation);
  if (commit == nullptr) return;
  for (const Token& token : commit->finishes) note_consumed(by, token.tuple);
  for (const TupleId id : commit->takes) note_consumed(by, id);
}

// P30: as this client sees it, over all connections, no put is told twice while the space knows the
// subscription, and numbers go on without gaps other than stated ones.
void Simulation::take_in(SimClient::Subscription& subscription, const Event& event) {
  if (const auto* gap = std::get_if<Gap>(&event)) {
    if (gap->first != subscription.received + 1) fail("a gap that stands elsewhere");
    subscription.received += std::max<std::uint64_t>(1, gap->count);
    if (gap->count == 0) subscription.told.clear();
    return;
  }
  for (const Handout& handout : std::get<Delivered>(event).tuples) {
    highest_seen_ = std::max(highest_seen_, handout.id);
    ++subscription.received;
    if (!subscription.told.insert(handout.id).second) {
      fail("tuple " + std::to_string(handout.id.value) + " was told of twice");
    }
  }
}

void Simulation::take_in(SimClient& client, const core::Notice& notice) {
  const auto told = client.subscriptions.find(notice.stream.request);
  if (told != client.subscriptions.end()) return take_in(told->second, notice.event);
  if (std::holds_alternative<Gap>(notice.event)) return;  // cancelled meanwhile
  const auto stream = client.streams.find(notice.stream.request);
  if (const auto* recalled = std::get_if<Recalled>(&notice.event)) {
    if (stream == client.streams.end()) return;
    if (chance(60)) {
      ask(client, ReleaseOp{{{recalled->token, false}}});
    } else {
      ask(client, FinishOp{{}, {recalled->token}});
    }
    return;
  }
  for (const Handout& handout : std::get<Delivered>(notice.event).tuples) {
    highest_seen_ = std::max(highest_seen_, handout.id);
    if (stream == client.streams.end()) continue;  // cancelled meanwhile
    SimClient::Stream& mine = stream->second;
    note_handout(notice.stream, mine.form.mode, handout);
    ++mine.delivered;
    mine.last = std::max(mine.last, handout.id);
    if (mine.form.mode == TakeMode::kReserve) {
      client.tokens.push_back({handout.id, handout.attempt});
      mine.held[handout.id] = client.tokens.back();
    } else if (mine.form.mode == TakeMode::kTake) {
      mine.unacknowledged.push_back(handout.id);
    }
  }
}

// Each hand-out has a token of its own; what is taken is taken once.
void Simulation::note_handout(const core::Origin& to, TakeMode mode, const Handout& handout) {
  highest_seen_ = std::max(highest_seen_, handout.id);
  if (mode == TakeMode::kRead) return;
  if (mode == TakeMode::kTake) return note_consumed(to, handout.id);
  const Token token{handout.id, handout.attempt};
  const auto [known, fresh] = handed_.emplace(token, to);
  if (!fresh && known->second != to) {
    fail("token " + std::to_string(handout.id.value) + "." + std::to_string(handout.attempt) +
         " was given out twice");
  }
}

void Simulation::note_consumed(const core::Origin& by, TupleId id) {
  const auto [known, fresh] = consumed_.emplace(id, by);
  if (!fresh && known->second != by) {
    fail("tuple " + std::to_string(id.value) + " was taken or finished by " +
         describe(known->second) + " and by " + describe(by));
  }
}

void Simulation::connect(SimClient& client) {
  client.connected = true;
  client.attached = false;
  // A killed server loses all sessions at one moment.  Each has a hold time of its own, so that no
  // two end at one moment, in an order that the reference does not know.
  const Duration hold = kHold + Duration(static_cast<std::int64_t>(client.id.low));
  client.sent.push_back(
      core::SessionAttached{client.id, "simulated", hold, kMemory + hold, client.acknowledged()});
  // Streams and unanswered requests are said again, in the order in which they were said first.
  std::map<RequestId, Operation> again = client.unanswered;
  for (auto& [request, stream] : client.streams) {
    StreamOp op = stream.form;
    if (op.mode == TakeMode::kRead) op.after = std::max(op.after, stream.last);
    for (const auto& [id, token] : stream.held) op.held.push_back(id);
    for (const TupleId id : stream.unacknowledged) op.held.push_back(id);
    stream.delivered = stream.unacknowledged.size();
    again[request] = op;
    client.unanswered[request] = op;
  }
  for (auto& [request, subscription] : client.subscriptions) {
    SubscribeOp op = subscription.form;
    op.resume = subscription.answered;
    op.received = subscription.received;
    again[request] = op;
    client.unanswered[request] = op;
  }
  for (auto& [request, operation] : again) {
    client.sent.push_back(core::Perform{{client.id, request}, operation});
  }
}

void Simulation::lose_connection(SimClient& client, bool noticed) {
  note("connection of s" + std::to_string(client.id.low) + " breaks");
  client.connected = false;
  client.sent.clear();
  client.received.clear();
  if (noticed && state_.knows_session(client.id)) apply(core::SessionLost{client.id});
}

// As SpaceHost does: what was to be told over a connection that is gone does not reach the next
// one.
void Simulation::forget_messages(SessionId session) {
  std::erase_if(effects_.messages, [&](const core::Message& message) {
    return origin_of(message).session == session;
  });
}

void Simulation::say_goodbye(SimClient& client) {
  note("s" + std::to_string(client.id.low) + " leaves");
  receive(client);
  if (state_.knows_session(client.id)) apply(core::SessionClosed{client.id});
  client = SimClient{};
  client.id = {1, ++session_count_};
}

// ---- Server -------------------------------------------------------------------------------------

void Simulation::serve(SimClient& client) {
  if (client.sent.empty()) return;
  core::Command command = std::move(client.sent.front());
  client.sent.pop_front();
  // A session that was away for too long is told so by the server, and the client starts anew.
  const bool first = std::holds_alternative<core::SessionAttached>(command);
  if (first) {
    // What is due now was to be told over the old connection, too.
    if (state_.knows_session(client.id)) apply(core::SessionLost{client.id});
    forget_messages(client.id);
    client.attached = true;
  }
  if (!first && !state_.knows_session(client.id)) {
    client = SimClient{};
    client.id = {1, ++session_count_};
    return;
  }
  apply(std::move(command));
}

// Looking ahead must change nothing, whatever comes.
void Simulation::look_ahead() {
  if (!chance(10)) return;
  const std::vector<Template> forms = some_forms();
  std::vector<const Template*> foreseen;
  for (const Template& form : forms) foreseen.push_back(&form);
  state_.foresee(foreseen);
}

void Simulation::apply(core::Command&& command) {
  look_ahead();
  note("at " + std::to_string(now_.time_since_epoch().count()) + " " + describe(command));
  waiters_before_ = reference_.waiters;
  items_before_ = reference_.items;
  next_id_before_ = reference_.next_id;
  const std::size_t before = effects_.messages.size();
  apply_to_both(std::move(command));
  Said said;
  Said expected;
  for (std::size_t i = before; i < effects_.messages.size(); ++i) {
    add_lines(effects_.messages[i], said);
    if (const auto* notice = std::get_if<core::Notice>(&effects_.messages[i])) {
      if (std::holds_alternative<Recalled>(notice->event)) check_recall(*notice);
    }
  }
  for (const core::Message& message : reference_.said) add_lines(message, expected);
  if (keep_history_) note(describe(said));
  if (said != expected) {
    fail("the space said\n" + describe(said) + "  the reference\n" + describe(expected));
  }
  check_counters(state_, reference_);
  check_counters(other_.state, other_.reference);
  const std::string lost = reference_.lost_wake_up();
  if (!lost.empty()) fail(lost);
}

// To the space and to the reference.
void Simulation::apply_to_both(core::Command&& command) {
  auto* perform = std::get_if<core::Perform>(&command);
  if (perform == nullptr || !std::holds_alternative<CollectOp>(perform->operation)) {
    reference_.apply(command, now_);
    return state_.apply(std::move(command), now_, effects_);
  }
  reference_.collect(other_.reference, *perform, now_);
  core::SpaceState::collect(state_, other_.state, std::move(*perform), now_, effects_,
                            other_.effects);
}

// A recall names a hand-out that has not begun, of the stream that is asked, and somebody else
// waits who could have it (F4).
void Simulation::check_recall(const core::Notice& notice) {
  const Token token = std::get<Recalled>(notice.event).token;
  const auto is_held = [&](const std::map<TupleId, ReferenceSpace::Item>& items) {
    const auto item = items.find(token.tuple);
    return item != items.end() && item->second.state == ReferenceSpace::State::kReserved &&
           !item->second.started && item->second.attempt == token.attempt &&
           item->second.holder == notice.stream;
  };
  // It may have come back later in the same step, when a timer is late; one that was put in this
  // step may even have come and gone.
  const bool held = is_held(reference_.items);
  if (!held && token.tuple >= next_id_before_ && token.tuple < reference_.next_id) return;
  if ((!held && !is_held(items_before_)) || reference_.find_waiter(notice.stream) == nullptr) {
    fail("tuple " + std::to_string(token.tuple.value) + " was recalled from somebody else");
  }
  const Tuple& tuple = (held ? reference_.items : items_before_).at(token.tuple).put.tuple;
  // Whoever was idle when it was recalled may have been served later in the same step.
  for (const auto* waiters : {&reference_.waiters, &waiters_before_}) {
    for (const ReferenceSpace::Waiter& waiter : *waiters) {
      if (waiter.mode != TakeMode::kReserve || waiter.origin == notice.stream) continue;
      for (const Template& form : waiter.forms) {
        if (form.matches(tuple)) return;
      }
    }
  }
  fail("tuple " + std::to_string(token.tuple.value) + " was recalled for nobody");
}

void Simulation::check_counters(const core::SpaceState& state, const ReferenceSpace& reference) {
  core::SpaceCounters expected;
  for (const auto& [id, item] : reference.items) {
    if (item.state == ReferenceSpace::State::kTaken) continue;
    ++expected.tuples;
    expected.bytes += item.put.tuple.byte_size();
    const bool ready = item.state == ReferenceSpace::State::kReady;
    expected.ready += ready && !reference.is_paused(item);
    expected.paused += ready && reference.is_paused(item);
    expected.reserved += item.state == ReferenceSpace::State::kReserved ||
                         item.state == ReferenceSpace::State::kHeld;
    expected.dead += item.state == ReferenceSpace::State::kDead;
    expected.delayed += item.state == ReferenceSpace::State::kDelayed;
    expected.behind += item.state == ReferenceSpace::State::kBehind;
    expected.guarded += item.state == ReferenceSpace::State::kGuarded;
  }
  const core::SpaceCounters found = state.counters();
  if (found.tuples != expected.tuples || found.ready != expected.ready ||
      found.paused != expected.paused || found.pauses != reference.pauses.size() ||
      found.reserved != expected.reserved || found.dead != expected.dead ||
      found.delayed != expected.delayed || found.behind != expected.behind ||
      found.guarded != expected.guarded || found.keys != reference.keys.size() ||
      found.bytes != expected.bytes || found.waiters != reference.waiters.size() ||
      found.subscriptions != reference.subscriptions.size()) {
    fail("the counters are wrong");
  }
}

void Simulation::commit() {
  note("commit");
  disk_.commit(effects_.mutations);
  committed_ = reference_;
  other_.disk.commit(other_.effects.mutations);
  other_.committed = other_.reference;
  other_.effects.clear();
  send(std::exchange(effects_.messages, {}));
  effects_.clear();
  if (chance(20)) disk_.rotate();
  if (disk_.segments() > 3) disk_.retire(state_);
  if (chance(20)) other_.disk.rotate();
  if (other_.disk.segments() > 3) other_.disk.retire(other_.state);
}

void Simulation::send(std::vector<core::Message>&& messages) {
  for (core::Message& message : messages) {
    const core::Origin to = origin_of(message);
    for (SimClient& client : clients_) {
      if (client.id == to.session && client.connected && client.attached) {
        client.received.push_back(std::move(message));
        break;
      }
    }
  }
}

// What was not committed is gone, and with it all connections; what anybody has seen is not.
void Simulation::kill() {
  note("server killed");
  if (chance(50)) {
    // What was sent before may have arrived; so it must have been committed.
    for (SimClient& client : clients_) receive(client);
  }
  effects_.clear();
  for (SimClient& client : clients_) {
    client.connected = false;
    client.sent.clear();
    client.received.clear();
  }
  reference_ = committed_;
  restart(state_, disk_, reference_);
  other_.reference = other_.committed;
  other_.effects.clear();
  restart(other_.state, other_.disk, other_.reference);
  std::vector<core::Mutation> rest;
  state_.describe_rest(rest);
  const TupleId next = std::get<core::NextTupleId>(rest.front()).next;
  if (next <= highest_seen_) fail("an id that a client has seen will be given out again");
  for (const auto& [id, by] : consumed_) {
    std::vector<core::Mutation> described;
    // Its key may be remembered for longer.
    if (state_.describe(id, described) &&
        !std::holds_alternative<core::KeyRemembered>(described.back()) &&
        !std::holds_alternative<core::TupleTaken>(described.back())) {
      fail("tuple " + std::to_string(id.value) + ", taken or finished before, is back");
    }
  }
}

void Simulation::restart(core::SpaceState& state, const SimDisk& disk, ReferenceSpace& reference) {
  state = core::SpaceState(small_limits(reference.bytes_max));
  disk.load(state);
  state.restored(now_);
  reference.restart(now_);
  check_counters(state, reference);
}

void Simulation::pass_time(Duration duration, bool late) {
  const Time until = now_ + duration;
  while (!late && state_.next_deadline() <= until) {
    now_ = std::max(now_, state_.next_deadline());
    apply(core::TimePassed{});
  }
  now_ = until;
  if (late && chance(50)) apply(core::TimePassed{});
}

void Simulation::run(int steps) {
  for (int step = 0; step < steps; ++step) {
    SimClient& client = clients_[below(clients_.size())];
    const std::uint64_t what = below(100);
    if (what < 30) {
      act(client);
    } else if (what < 70) {
      serve(client);
    } else if (what < 80) {
      commit();
    } else if (what < 90) {
      receive(client);
    } else if (what < 99) {
      if (chance(5)) apply(core::DiskSpace{chance(40)});
      pass_time(chance(80) ? Duration(below(100'000)) : some_time(), chance(20));
    } else {
      kill();
    }
  }
}

void Simulation::note(std::string line) {
  if (keep_history_) history_.push_back(std::move(line));
}

void Simulation::fail(const std::string& what) {
  throw Broken(what);
}

}  // namespace linden::simulation

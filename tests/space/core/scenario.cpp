#include "tests/space/core/scenario.h"

namespace linden::core {

Scenario::Scenario(const Limits& limits) : limits_(limits), state_(limits) {
  for (const SessionId& who : {kAlice, kBob, kCarol}) attach(who);
}

Scenario& Scenario::at(Duration since_start) {
  const Time until = Time{} + since_start;
  while (state_.next_deadline() <= until) {
    now_ = std::max(now_, state_.next_deadline());
    apply(TimePassed{});
  }
  now_ = std::max(now_, until);
  return *this;
}

void Scenario::apply(Command&& command) {
  state_.apply(std::move(command), now_, effects_);
  note_said();
}

void Scenario::note_said() {
  for (Message& message : effects_.messages) {
    const Origin to = std::holds_alternative<Reply>(message) ? std::get<Reply>(message).to
                                                             : std::get<Notice>(message).stream;
    said_[to].push_back(std::move(message));
  }
  effects_.messages.clear();
}

RequestId Scenario::ask(SessionId who, Operation operation, std::optional<RequestId> as) {
  RequestId& next = next_[who];
  const RequestId request = as ? *as : RequestId{++next.value};
  apply(Perform{{who, request}, std::move(operation)});
  return request;
}

RequestId Scenario::collect(SessionId who, Scenario& other, CollectOp op,
                            std::optional<RequestId> as) {
  const RequestId request = as ? *as : RequestId{++next_[who].value};
  SpaceState::collect(state_, other.state_, Perform{{who, request}, std::move(op)}, now_, effects_,
                      other.effects_);
  note_said();
  other.note_said();
  return request;
}

RequestId Scenario::put(SessionId who, Tuple tuple, Attributes attributes) {
  return put_all(who, {NewTuple{std::move(tuple), std::move(attributes)}});
}

RequestId Scenario::put_all(SessionId who, std::vector<NewTuple> tuples) {
  return ask(who, PutOp{std::move(tuples)});
}

RequestId Scenario::take(SessionId who, Template form, Duration timeout) {
  return ask(who, TakeOp{TakeMode::kTake, {std::move(form)}, 1, timeout});
}

RequestId Scenario::read(SessionId who, Template form, Duration timeout) {
  return ask(who, TakeOp{TakeMode::kRead, {std::move(form)}, 1, timeout});
}

RequestId Scenario::reserve(SessionId who, Template form, Duration timeout, Duration lease) {
  return ask(who, TakeOp{TakeMode::kReserve, {std::move(form)}, 1, timeout, lease});
}

RequestId Scenario::stream(SessionId who, TakeMode mode, Template form, std::uint32_t credit,
                           Duration lease) {
  return ask(who, StreamOp{mode, {std::move(form)}, credit, lease, {}, {}});
}

ErrorCode Scenario::finish(SessionId who, Token token, Tuples puts) {
  FinishItem item;
  item.token = token;
  for (Tuple& tuple : puts) item.puts.push_back({std::move(tuple), {}});
  const RequestId request = ask(who, FinishOp{{std::move(item)}, {}});
  return std::get<FinishDone>(answer(who, request)).codes.at(0);
}

ErrorCode Scenario::release(SessionId who, Token token, bool started) {
  const RequestId request = ask(who, ReleaseOp{{{token, started}}});
  return std::get<FinishDone>(answer(who, request)).codes.at(0);
}

void Scenario::started(SessionId who, Token token) {
  ask(who, FinishOp{{}, {token}});
}

void Scenario::attach(SessionId who, Duration hold, Duration memory) {
  apply(SessionAttached{who, "test", hold, memory, {}});
}
void Scenario::hear(SessionId who, RequestId acknowledged) {
  apply(SessionHeard{who, acknowledged});
}
void Scenario::lose(SessionId who) {
  apply(SessionLost{who});
}
void Scenario::close(SessionId who) {
  apply(SessionClosed{who});
}

bool Scenario::waiting(SessionId who, RequestId request) const {
  return !said_.contains({who, request});
}

const Answer& Scenario::answer(SessionId who, RequestId request) const {
  for (const Message& message : said_.at({who, request})) {
    if (const auto* reply = std::get_if<Reply>(&message)) return reply->answer;
  }
  throw std::out_of_range("no reply");
}

ErrorCode Scenario::code(SessionId who, RequestId request) const {
  const auto* refused = std::get_if<Refused>(&answer(who, request));
  return refused == nullptr ? ErrorCode::kOk : refused->code;
}

std::vector<Handout> Scenario::handouts(SessionId who, RequestId request) const {
  std::vector<Handout> all;
  const auto said = said_.find({who, request});
  if (said == said_.end()) return all;
  for (const Message& message : said->second) {
    const std::vector<Handout>* some = nullptr;
    if (const auto* reply = std::get_if<Reply>(&message)) {
      if (const auto* found = std::get_if<Found>(&reply->answer)) some = &found->tuples;
    } else if (const auto* delivered = std::get_if<Delivered>(&std::get<Notice>(message).event)) {
      some = &delivered->tuples;
    }
    if (some != nullptr) all.insert(all.end(), some->begin(), some->end());
  }
  return all;
}

Tuples Scenario::got(SessionId who, RequestId request) const {
  Tuples tuples;
  for (const Handout& handout : handouts(who, request)) tuples.push_back(handout.tuple);
  return tuples;
}

std::vector<Gap> Scenario::gaps(SessionId who, RequestId subscription) const {
  std::vector<Gap> gaps;
  const auto said = said_.find({who, subscription});
  if (said == said_.end()) return gaps;
  for (const Message& message : said->second) {
    const auto* notice = std::get_if<Notice>(&message);
    const auto* gap = notice == nullptr ? nullptr : std::get_if<Gap>(&notice->event);
    if (gap != nullptr) gaps.push_back(*gap);
  }
  return gaps;
}

Token Scenario::token(SessionId who, RequestId request) const {
  const Handout handout = handouts(who, request).back();
  return {handout.id, handout.attempt};
}

Tokens Scenario::recalled(SessionId who, RequestId stream) const {
  Tokens tokens;
  const auto said = said_.find({who, stream});
  if (said == said_.end()) return tokens;
  for (const Message& message : said->second) {
    const auto* notice = std::get_if<Notice>(&message);
    if (notice == nullptr) continue;
    if (const auto* recalled = std::get_if<Recalled>(&notice->event)) {
      tokens.push_back(recalled->token);
    }
  }
  return tokens;
}

std::uint64_t Scenario::count(Template form) {
  return std::get<Counted>(answer(kCarol, ask(kCarol, CountOp{std::move(form)}))).count;
}

std::vector<ListedTuple> Scenario::list(bool all_states) {
  ListOp op;
  op.limit = 1000;
  op.all_states = all_states;
  return std::get<Listed>(answer(kCarol, ask(kCarol, std::move(op)))).tuples;
}

void Scenario::restart() {
  state_ = SpaceState(limits_);
  for (const Mutation& mutation : effects_.mutations) state_.restore(Mutation(mutation));
  state_.restored(now_);
  said_.clear();
}

}  // namespace linden::core

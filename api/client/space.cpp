// api/client/space.cpp: the calls that wait, made of requests that do not.
#include <linden/space.h>

#include "api/client/core.h"

namespace linden {

namespace {

// The server answers a take in time; this is how much later we stop believing so.
constexpr Duration kAnswerMargin = std::chrono::seconds(5);
constexpr Duration kAnswerMax = std::chrono::seconds(60);

Duration patience(Duration timeout) {
  return timeout > kForever - kAnswerMargin ? kForever : timeout + kAnswerMargin;
}

template <class Wanted>
Wanted expect(Answer&& answer, const std::string& what) {
  if (const auto* refused = std::get_if<Refused>(&answer))
    throw Error(refused->code, refused->message);
  if (auto* wanted = std::get_if<Wanted>(&answer)) return std::move(*wanted);
  throw Error(ErrorCode::kMalformed, what + ": the server gave an answer of another kind");
}

std::vector<TupleId> put_ids(Answer&& answer, const std::string& what) {
  if (auto* keyed = std::get_if<KeyedPutDone>(&answer)) return std::move(keyed->ids);
  const auto done = expect<PutDone>(std::move(answer), what);
  std::vector<TupleId> ids(done.count);
  for (std::uint32_t i = 0; i < done.count; ++i) ids[i] = {done.first.value + i};
  return ids;
}

TakeOp take_op(TakeMode mode, const Template& form, std::uint32_t count_max, Duration timeout,
               Duration lease = std::chrono::seconds(30)) {
  TakeOp take;
  take.mode = mode;
  take.templates = {form};
  take.count_max = count_max;
  take.timeout = timeout;
  take.lease = lease;
  return take;
}

}  // namespace

Answer Space::ask(Operation operation, Duration timeout, const Interrupt& interrupt) {
  const auto request = client_.send(number_, std::move(operation));
  if (auto answer = client_.wait(request, timeout, interrupt)) return std::move(*answer);
  // Interrupted, or the server is silent.  A take that was handed something meanwhile is still
  // answered with it (P11).
  client_.cancel(number_, request);
  if (auto answer = client_.wait(request, kAnswerMargin)) return std::move(*answer);
  client_.forget(request);
  throw Error(ErrorCode::kOutcomeUnknown,
              "space '" + name_ + "': the server did not answer in time; it may be busy or away");
}

TupleId Space::put(Tuple tuple, Attributes attributes) {
  PutOp put;
  put.tuples.push_back({std::move(tuple), std::move(attributes)});
  return put_ids(ask(std::move(put), kAnswerMax, {}), "put").at(0);
}

std::vector<TupleId> Space::put_many(std::vector<NewTuple> tuples) {
  return put_ids(ask(PutOp{std::move(tuples)}, kAnswerMax, {}), "put_many");
}

Match Space::take(const Template& form, Duration timeout, const Interrupt& interrupt) {
  auto found = expect<Found>(
      ask(take_op(TakeMode::kTake, form, 1, timeout), patience(timeout), interrupt), "take");
  return {found.tuples.at(0).id, std::move(found.tuples[0].tuple)};
}

Match Space::read(const Template& form, Duration timeout, const Interrupt& interrupt) {
  auto found = expect<Found>(
      ask(take_op(TakeMode::kRead, form, 1, timeout), patience(timeout), interrupt), "read");
  return {found.tuples.at(0).id, std::move(found.tuples[0].tuple)};
}

std::optional<Match> Space::try_take(const Template& form) {
  auto answer = ask(take_op(TakeMode::kTake, form, 1, Duration::zero()), kAnswerMax, {});
  if (const auto* refused = std::get_if<Refused>(&answer);
      refused != nullptr && refused->code == ErrorCode::kNoMatch) {
    return std::nullopt;
  }
  auto found = expect<Found>(std::move(answer), "try_take");
  return Match{found.tuples.at(0).id, std::move(found.tuples[0].tuple)};
}

std::optional<Match> Space::try_read(const Template& form) {
  auto answer = ask(take_op(TakeMode::kRead, form, 1, Duration::zero()), kAnswerMax, {});
  if (const auto* refused = std::get_if<Refused>(&answer);
      refused != nullptr && refused->code == ErrorCode::kNoMatch) {
    return std::nullopt;
  }
  auto found = expect<Found>(std::move(answer), "try_read");
  return Match{found.tuples.at(0).id, std::move(found.tuples[0].tuple)};
}

std::vector<Match> Space::take_many(const Template& form, std::uint32_t count_max, Duration timeout,
                                    const Interrupt& interrupt) {
  auto found = expect<Found>(
      ask(take_op(TakeMode::kTake, form, count_max, timeout), patience(timeout), interrupt),
      "take_many");
  std::vector<Match> matches;
  matches.reserve(found.tuples.size());
  for (auto& one : found.tuples) matches.push_back({one.id, std::move(one.tuple)});
  return matches;
}

Reservation Space::reserve(const Template& form, Duration lease, Duration timeout,
                           const Interrupt& interrupt) {
  auto found = expect<Found>(
      ask(take_op(TakeMode::kReserve, form, 1, timeout, lease), patience(timeout), interrupt),
      "reserve");
  return {*this, std::move(found.tuples.at(0))};
}

void Space::finish(Token token, std::vector<NewTuple> puts) {
  FinishOp finish;
  finish.items.push_back({token, std::move(puts)});
  const auto done = expect<FinishDone>(ask(std::move(finish), kAnswerMax, {}), "finish");
  if (done.codes.at(0) == ErrorCode::kKeyConflict) {
    throw Error(done.codes[0], "finish on '" + name_ +
                                   "': a key was used for another tuple or other attributes; "
                                   "nothing was done, use a new key for something new");
  }
  if (done.codes.at(0) != ErrorCode::kOk) {
    throw Error(done.codes[0],
                "finish on '" + name_ + "': tuple " + std::to_string(token.tuple.value) +
                    " attempt " + std::to_string(token.attempt) +
                    " is no longer yours; its lease has ended, and nothing was done");
  }
}

void Space::release(Token token, bool started, Duration delay) {
  const auto done =
      expect<FinishDone>(ask(ReleaseOp{{{token, started, delay}}}, kAnswerMax, {}), "release");
  if (done.codes.at(0) != ErrorCode::kOk) {
    throw Error(done.codes[0], "release on '" + name_ + "': tuple " +
                                   std::to_string(token.tuple.value) + " is no longer yours");
  }
}

void Space::renew(TupleId tuple, std::optional<Duration> ttl) {
  const auto done = expect<FinishDone>(ask(RenewOp{{{tuple, ttl}}}, kAnswerMax, {}), "renew");
  if (done.codes.at(0) != ErrorCode::kOk) {
    throw Error(done.codes[0], "renew on '" + name_ + "': there is no tuple " +
                                   std::to_string(tuple.value) + "; it was taken or has expired");
  }
}

std::uint64_t Space::count(const Template& form) {
  return expect<Counted>(ask(CountOp{form}, kAnswerMax, {}), "count").count;
}

Listed Space::list(std::optional<Template> form, TupleId after, std::uint32_t limit,
                   bool all_states) {
  return expect<Listed>(ask(ListOp{std::move(form), after, limit, all_states}, kAnswerMax, {}),
                        "list");
}

Summary Space::summarize(std::uint32_t first_fields, std::uint32_t groups_max) {
  return expect<Summary>(ask(SummarizeOp{first_fields, groups_max}, kAnswerMax, {}), "summarize");
}

SessionsListed Space::sessions() {
  return expect<SessionsListed>(ask(ListSessionsOp{}, kAnswerMax, {}), "sessions");
}

Stream Space::open_stream(StreamOp stream) {
  return {client_, client_.core_->open_stream(number_, std::move(stream))};
}

Reservation::~Reservation() {
  if (!held_) return;
  try {
    space_.release(token(), true);
  } catch (const Error&) {
    // The session is gone or the lease has ended: the space gives the tuple back by itself.
  }
}

void Reservation::finish(std::vector<NewTuple> puts) {
  held_ = false;
  space_.finish(token(), std::move(puts));
}

void Reservation::release(bool started, Duration delay) {
  held_ = false;
  space_.release(token(), started, delay);
}

}  // namespace linden

// api/client/space.cpp: the calls that wait, made of requests that do not.
#include <linden/space.h>

#include <algorithm>

#include "api/client/answers.h"
#include "api/client/core.h"

namespace linden {

using client::expect;
using client::ids_of;
using client::kAnswerMargin;
using client::kAnswerMax;
using client::matches_of;
using client::patience;
using client::take_op;

namespace {

constexpr std::uint32_t kPage = 1000;  // tuples of an iteration that are asked for at once
constexpr std::uint32_t kSnapshotCredit = 10'000;  // tuples of a snapshot that are on their way

}  // namespace

Answer Space::ask(Operation operation, Duration timeout, const Interrupt& interrupt) {
  return answer_of(client_.send(number_, std::move(operation)), timeout, interrupt);
}

Answer Space::answer_of(RequestId request, Duration timeout, const Interrupt& interrupt) {
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
  return ids_of(ask(std::move(put), kAnswerMax, {}), "put").at(0);
}

std::vector<TupleId> Space::put_many(std::vector<NewTuple> tuples) {
  return ids_of(ask(PutOp{std::move(tuples), {}}, kAnswerMax, {}), "put_many");
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
  return client::match_or_none(
      ask(take_op(TakeMode::kTake, form, 1, Duration::zero()), kAnswerMax, {}), "try_take");
}

std::optional<Match> Space::try_read(const Template& form) {
  return client::match_or_none(
      ask(take_op(TakeMode::kRead, form, 1, Duration::zero()), kAnswerMax, {}), "try_read");
}

std::vector<Match> Space::take_many(const Template& form, std::uint32_t count_max, Duration timeout,
                                    const Interrupt& interrupt) {
  return matches_of(
      ask(take_op(TakeMode::kTake, form, count_max, timeout), patience(timeout), interrupt),
      "take_many");
}

std::vector<Match> Space::read_many(const Template& form, std::uint32_t count_max, Duration timeout,
                                    const Interrupt& interrupt) {
  return matches_of(
      ask(take_op(TakeMode::kRead, form, count_max, timeout), patience(timeout), interrupt),
      "read_many");
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
  client::expect_finished(expect<FinishDone>(ask(std::move(finish), kAnswerMax, {}), "finish"),
                          token, name_);
}

void Space::release(Token token, bool started, Duration delay) {
  const auto done =
      expect<FinishDone>(ask(ReleaseOp{{{token, started, delay}}}, kAnswerMax, {}), "release");
  if (done.codes.at(0) != ErrorCode::kOk) {
    throw Error(done.codes[0], "release on '" + name_ + "': tuple " +
                                   std::to_string(token.tuple.value) + " is no longer yours");
  }
}

std::vector<TupleId> Space::commit(std::vector<NewTuple> puts, std::vector<Token> finishes,
                                   std::vector<TupleId> takes) {
  return ids_of(
      ask(CommitOp{std::move(puts), std::move(finishes), std::move(takes)}, kAnswerMax, {}),
      "commit");
}

void Space::renew(TupleId tuple, std::optional<Duration> ttl) {
  const auto done = expect<FinishDone>(ask(RenewOp{{{tuple, ttl}}}, kAnswerMax, {}), "renew");
  if (done.codes.at(0) != ErrorCode::kOk) {
    throw Error(done.codes[0], "renew on '" + name_ + "': there is no tuple " +
                                   std::to_string(tuple.value) + "; it was taken or has expired");
  }
}

std::uint64_t Space::collect(const Space& to, const Template& form) {
  return collect(to, form, false);
}

std::uint64_t Space::copy_collect(const Space& to, const Template& form) {
  return collect(to, form, true);
}

std::uint64_t Space::collect(const Space& to, const Template& form, bool copy) {
  return expect<PutDone>(ask(CollectOp{form, to.number_, copy}, kAnswerMax, {}), "collect").count;
}

// How many of the things that were asked for were done.
std::size_t Space::ask_for_codes(Operation operation, const std::string& what) {
  const auto done = expect<FinishDone>(ask(std::move(operation), kAnswerMax, {}), what);
  return static_cast<std::size_t>(std::count(done.codes.begin(), done.codes.end(), ErrorCode::kOk));
}

std::size_t Space::revive(const std::vector<TupleId>& ids) {
  return ask_for_codes(ReviveOp{ids}, "revive");
}

std::size_t Space::revive_all(const std::optional<Template>& form) {
  ReviveOp revive;
  revive.all = true;
  revive.form = form;
  return ask_for_codes(std::move(revive), "revive_all");
}

Listed Space::dead(const std::optional<Template>& form, TupleId after, std::uint32_t limit) {
  return expect<Listed>(ask(ListOp{form, after, limit, true, TupleState::kDead}, kAnswerMax, {}),
                        "dead");
}

bool Space::pause(const std::optional<Template>& form) {
  return ask_for_codes(PauseOp{PauseKind::kPause, form}, "pause") > 0;
}

bool Space::drain(const std::optional<Template>& form) {
  return ask_for_codes(PauseOp{PauseKind::kDrain, form}, "drain") > 0;
}

std::size_t Space::resume(const std::optional<Template>& form) {
  return ask_for_codes(ResumeOp{form}, "resume");
}

std::size_t Space::resume_all() {
  return ask_for_codes(ResumeOp{{}, true}, "resume_all");
}

std::vector<PauseInfo> Space::pauses() {
  return expect<PausesListed>(ask(ListPausesOp{}, kAnswerMax, {}), "pauses").pauses;
}

std::uint64_t Space::count(const Template& form) {
  return expect<Counted>(ask(CountOp{form, {}}, kAnswerMax, {}), "count").count;
}

Explained Space::explain(const Template& form) {
  return expect<Explained>(ask(ExplainOp{form}, kAnswerMax, {}), "explain");
}

Listed Space::list(std::optional<Template> form, TupleId after, std::uint32_t limit,
                   bool all_states) {
  return expect<Listed>(ask(ListOp{std::move(form), after, limit, all_states, {}}, kAnswerMax, {}),
                        "list");
}

Iteration Space::iterate(const Template& form) {
  return {*this, form};
}

std::optional<Match> Iteration::next() {
  if (at_ == page_.tuples.size()) {
    if (!more_) return std::nullopt;
    page_ = space_.list(form_, after_, kPage, false);
    more_ = page_.more;
    at_ = 0;
    if (page_.tuples.empty()) return std::nullopt;
    after_ = page_.tuples.back().id;
  }
  ListedTuple& one = page_.tuples[at_++];
  return Match{one.id, std::move(one.tuple)};
}

std::vector<Match> Space::snapshot(const Template& form, const Interrupt& interrupt) {
  SubscribeOp what;
  what.templates = {form};
  what.credit = kSnapshotCredit;
  what.initial = true;
  what.follow = false;
  std::vector<Match> matches;
  Subscription there = subscribe(std::move(what), interrupt);
  while (matches.size() < there.initial_count()) {
    auto items = there.next_batch(kForever, kSnapshotCredit, interrupt);
    if (items.empty()) {
      there.close();
      throw Error(ErrorCode::kCancelled, "snapshot of '" + name_ + "': interrupted");
    }
    for (auto& item : items) {
      if (auto* one = std::get_if<Notification>(&item)) {
        matches.push_back({one->id, std::move(one->tuple)});
      } else {
        matches.clear();  // the server was started again: what follows is of another instant
      }
    }
  }
  there.close();
  return matches;
}

Summary Space::summarize(std::uint32_t first_fields, std::uint32_t groups_max) {
  return expect<Summary>(ask(SummarizeOp{first_fields, groups_max, {}}, kAnswerMax, {}),
                         "summarize");
}

SessionsListed Space::sessions() {
  return expect<SessionsListed>(ask(ListSessionsOp{}, kAnswerMax, {}), "sessions");
}

Stream Space::open_stream(StreamOp stream) {
  return {client_, client_.core_->open_stream(number_, std::move(stream))};
}

Subscription Space::subscribe(const Template& form, bool initial, std::uint32_t credit) {
  SubscribeOp subscription;
  subscription.templates = {form};
  subscription.credit = credit;
  subscription.initial = initial;
  return subscribe(std::move(subscription));
}

Subscription Space::subscribe(SubscribeOp subscription, const Interrupt& interrupt) {
  return {client_,
          client_.core_->subscribe(number_, std::move(subscription), kAnswerMax, interrupt)};
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

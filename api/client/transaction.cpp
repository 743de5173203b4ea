// api/client/transaction.cpp: operations that name a transaction, and its end.
#include <linden/transaction.h>

#include "api/client/answers.h"

namespace linden {

using client::expect;
using client::kAnswerMax;

namespace {

TakeOp inside(RequestId transaction, TakeMode mode, const Template& form, std::uint32_t count_max,
              Duration timeout) {
  TakeOp take = client::take_op(mode, form, count_max, timeout);
  take.transaction = transaction;
  return take;
}

}  // namespace

Transaction Space::begin(Duration lease) {
  const RequestId request = client_.send(number_, BeginOp{lease});
  expect<Done>(answer_of(request, kAnswerMax, {}), "begin");
  return {*this, request};
}

Transaction::~Transaction() {
  if (!open_) return;
  try {
    abort();
  } catch (const Error&) {
    // The session is gone, and with it the transaction.
  }
}

void Transaction::put(Tuple tuple, Attributes attributes) {
  std::vector<NewTuple> tuples;
  tuples.push_back({std::move(tuple), std::move(attributes)});
  put_many(std::move(tuples));
}

void Transaction::put_many(std::vector<NewTuple> tuples) {
  expect<PutDone>(space_.ask(PutOp{std::move(tuples), id_}, kAnswerMax, {}), "put");
}

Match Transaction::take(const Template& form, Duration timeout, const Interrupt& interrupt) {
  auto matches = client::matches_of(space_.ask(inside(id_, TakeMode::kTake, form, 1, timeout),
                                               client::patience(timeout), interrupt),
                                    "take");
  return std::move(matches.at(0));
}

Match Transaction::read(const Template& form, Duration timeout, const Interrupt& interrupt) {
  auto matches = client::matches_of(space_.ask(inside(id_, TakeMode::kRead, form, 1, timeout),
                                               client::patience(timeout), interrupt),
                                    "read");
  return std::move(matches.at(0));
}

std::optional<Match> Transaction::try_take(const Template& form) {
  return client::match_or_none(
      space_.ask(inside(id_, TakeMode::kTake, form, 1, Duration::zero()), kAnswerMax, {}),
      "try_take");
}

std::optional<Match> Transaction::try_read(const Template& form) {
  return client::match_or_none(
      space_.ask(inside(id_, TakeMode::kRead, form, 1, Duration::zero()), kAnswerMax, {}),
      "try_read");
}

std::vector<Match> Transaction::take_many(const Template& form, std::uint32_t count_max,
                                          Duration timeout, const Interrupt& interrupt) {
  return client::matches_of(space_.ask(inside(id_, TakeMode::kTake, form, count_max, timeout),
                                       client::patience(timeout), interrupt),
                            "take_many");
}

std::uint64_t Transaction::count(const Template& form) {
  return expect<Counted>(space_.ask(CountOp{form, id_}, kAnswerMax, {}), "count").count;
}

// Whatever the answer, the transaction is over; only a silent server leaves that open, and then the
// lease or the session ends it.
std::vector<TupleId> Transaction::commit() {
  open_ = false;
  return client::ids_of(space_.ask(EndOp{id_, true}, kAnswerMax, {}), "commit");
}

void Transaction::abort() {
  open_ = false;
  expect<Done>(space_.ask(EndOp{id_, false}, kAnswerMax, {}), "abort");
}

}  // namespace linden

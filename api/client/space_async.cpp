// api/client/space_async.cpp: the calls that do not wait.
#include <memory>

#include <linden/space.h>

#include "api/client/answers.h"
#include "api/client/core.h"

namespace linden {

using client::expect;
using client::expect_finished;
using client::ids_of;
using client::match_or_none;
using client::matches_of;
using client::take_op;
using detail::GiveBack;
using detail::Keep;

void Space::begin(Operation operation, const std::shared_ptr<detail::FutureState>& state,
                  GiveBack give_back) const {
  client_.core_->send(number_, std::move(operation), state, give_back);
}

Keep Space::session() const {
  return client_.core_;
}

TakeOp Space::take_of(TakeMode mode, const Template& form, Duration timeout, Duration lease) {
  return take_op(mode, form, 1, timeout, lease);
}

Handout Space::handout_of(Answer&& answer, const char* what) {
  auto found = expect<Found>(std::move(answer), what);
  return std::move(found.tuples.at(0));
}

Future<TupleId> Space::put_async(Tuple tuple, Attributes attributes) {
  PutOp put;
  put.tuples.push_back({std::move(tuple), std::move(attributes)});
  return begin_any<TupleId>(std::move(put), [](Answer&& answer, const Keep&) {
    return ids_of(std::move(answer), "put_async").at(0);
  });
}

Future<std::vector<TupleId>> Space::put_many_async(std::vector<NewTuple> tuples) {
  return begin_any<std::vector<TupleId>>(
      PutOp{std::move(tuples), {}},
      [](Answer&& answer, const Keep&) { return ids_of(std::move(answer), "put_many_async"); });
}

Future<Match> Space::take_async(const Template& form, Duration timeout) {
  return begin_any<Match>(
      take_of(TakeMode::kTake, form, timeout),
      [](Answer&& answer, const Keep&) {
        auto one = handout_of(std::move(answer), "take_async");
        return Match{one.id, std::move(one.tuple)};
      },
      GiveBack::kPut);
}

Future<Match> Space::read_async(const Template& form, Duration timeout) {
  return begin_any<Match>(take_of(TakeMode::kRead, form, timeout),
                          [](Answer&& answer, const Keep&) {
                            auto one = handout_of(std::move(answer), "read_async");
                            return Match{one.id, std::move(one.tuple)};
                          });
}

Future<std::optional<Match>> Space::try_take_async(const Template& form) {
  return begin_any<std::optional<Match>>(
      take_of(TakeMode::kTake, form, Duration::zero()),
      [](Answer&& answer, const Keep&) {
        return match_or_none(std::move(answer), "try_take_async");
      },
      GiveBack::kPut);
}

Future<std::optional<Match>> Space::try_read_async(const Template& form) {
  return begin_any<std::optional<Match>>(
      take_of(TakeMode::kRead, form, Duration::zero()), [](Answer&& answer, const Keep&) {
        return match_or_none(std::move(answer), "try_read_async");
      });
}

Future<std::vector<Match>> Space::take_many_async(const Template& form, std::uint32_t count_max,
                                                  Duration timeout) {
  return begin_any<std::vector<Match>>(
      take_op(TakeMode::kTake, form, count_max, timeout),
      [](Answer&& answer, const Keep&) { return matches_of(std::move(answer), "take_many_async"); },
      GiveBack::kPut);
}

Future<std::vector<Match>> Space::read_many_async(const Template& form, std::uint32_t count_max,
                                                  Duration timeout) {
  return begin_any<std::vector<Match>>(take_op(TakeMode::kRead, form, count_max, timeout),
                                       [](Answer&& answer, const Keep&) {
                                         return matches_of(std::move(answer), "read_many_async");
                                       });
}

Future<Reservation> Space::reserve_async(const Template& form, Duration lease, Duration timeout) {
  return begin_any<Reservation>(
      take_of(TakeMode::kReserve, form, timeout, lease),
      [](Answer&& answer, const Keep& keep) {
        return Reservation(of(keep), handout_of(std::move(answer), "reserve_async"));
      },
      GiveBack::kRelease, std::make_shared<const Space>(*this));
}

Future<void> Space::finish_async(Token token, std::vector<NewTuple> puts) {
  FinishOp finish;
  finish.items.push_back({token, std::move(puts)});
  return begin_any<void>(
      std::move(finish),
      [token](Answer&& answer, const Keep& keep) {
        expect_finished(expect<FinishDone>(std::move(answer), "finish_async"), token,
                        of(keep).name());
      },
      GiveBack::kNothing, std::make_shared<const Space>(*this));
}

Future<std::uint64_t> Space::count_async(const Template& form) {
  return begin_any<std::uint64_t>(CountOp{form, {}}, [](Answer&& answer, const Keep&) {
    return expect<Counted>(std::move(answer), "count_async").count;
  });
}

}  // namespace linden

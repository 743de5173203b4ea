#include "tests/chaos/recorder.h"

#include <utility>

namespace linden::chaos {
namespace {

// An answer is waited for as long as a killed server may be away.
constexpr Duration kPatience = std::chrono::seconds(90);

void take_in(Call& call, const Answer& answer) {
  call.outcome = Outcome::kDone;
  if (const auto* found = std::get_if<Found>(&answer)) {
    add_given(call, found->tuples);
  } else if (const auto* put = std::get_if<PutDone>(&answer)) {
    std::uint64_t id = put->first.value;
    for (Item& item : call.items) {
      if (item.part == Item::Part::kPut && id != 0) item.id = id++;
    }
  } else if (const auto* keyed = std::get_if<KeyedPutDone>(&answer)) {
    auto id = keyed->ids.begin();
    for (Item& item : call.items) {
      if (item.part == Item::Part::kPut) item.id = (id++)->value;
    }
  } else if (const auto* finished = std::get_if<FinishDone>(&answer)) {
    if (finished->codes.at(0) == ErrorCode::kOk) return;
    call.outcome = Outcome::kRefused;
    call.refusal = name_of(finished->codes[0]);
  } else if (const auto* refused = std::get_if<Refused>(&answer)) {
    call.outcome = refused->code == ErrorCode::kNoMatch ? Outcome::kNone : Outcome::kRefused;
    if (call.outcome == Outcome::kRefused) call.refusal = name_of(refused->code);
  }
}

}  // namespace

Tuple tuple_of(Word word, Serial serial, std::string_view payload) {
  return Tuple{Value(std::string(1, word)), Value(serial), Value(Bytes::copy_of(payload))};
}

Template form_of(Word word) {
  return Template{Value(std::string(1, word)), kInt, kBytes};
}

void add_given(Call& call, const std::vector<Handout>& handouts) {
  for (const Handout& handout : handouts) {
    Item item;
    item.part = Item::Part::kGiven;
    item.serial = handout.tuple[1].as_int();
    item.id = handout.id.value;
    item.attempt = handout.attempt;
    call.items.push_back(item);
  }
}

std::uint64_t Recorder::write_question(Call& call) {
  const std::uint64_t number = ++numbers_;
  call.asked = moment_now();
  file_.append(line_of_question(number, call));
  return number;
}

void Recorder::write_answer(std::uint64_t number, Call& call, Outcome outcome) {
  call.outcome = outcome;
  call.answered = moment_now();
  file_.append(line_of_answer(number, call));
}

Recorder::Asked Recorder::ask(Call& call, Operation operation) {
  const std::uint64_t number = write_question(call);
  return {number, space_.client().send(space_.number(), std::move(operation))};
}

void Recorder::answer(Call& call, Asked asked) {
  const auto answer = space_.client().wait(asked.request, kPatience);
  if (!answer) return;  // it stays unknown
  take_in(call, *answer);
  write_answer(asked.number, call, call.outcome);
}

}  // namespace linden::chaos

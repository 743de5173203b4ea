// api/client/answers.h: what the calls that wait make of an answer.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <linden/space.h>

namespace linden::client {

// The server answers a take in time; this is how much later we stop believing so.
inline constexpr Duration kAnswerMargin = std::chrono::seconds(5);
inline constexpr Duration kAnswerMax = std::chrono::seconds(60);

inline Duration patience(Duration timeout) {
  return timeout > kForever - kAnswerMargin ? kForever : timeout + kAnswerMargin;
}

template <class Wanted>
Wanted expect(Answer&& answer, const std::string& what) {
  if (const auto* refused = std::get_if<Refused>(&answer))
    throw Error(refused->code, refused->message);
  if (auto* wanted = std::get_if<Wanted>(&answer)) return std::move(*wanted);
  throw Error(ErrorCode::kMalformed, what + ": the server gave an answer of another kind");
}

// The one match, or none if that is what the answer says.
inline std::optional<Match> match_or_none(Answer&& answer, const std::string& what) {
  const auto* refused = std::get_if<Refused>(&answer);
  if (refused != nullptr && refused->code == ErrorCode::kNoMatch) return std::nullopt;
  auto found = expect<Found>(std::move(answer), what);
  return Match{found.tuples.at(0).id, std::move(found.tuples[0].tuple)};
}

inline std::vector<Match> matches_of(Answer&& answer, const std::string& what) {
  auto found = expect<Found>(std::move(answer), what);
  std::vector<Match> matches;
  matches.reserve(found.tuples.size());
  for (auto& one : found.tuples) matches.push_back({one.id, std::move(one.tuple)});
  return matches;
}

// Of what was put.
inline std::vector<TupleId> ids_of(Answer&& answer, const std::string& what) {
  if (auto* keyed = std::get_if<KeyedPutDone>(&answer)) return std::move(keyed->ids);
  const auto done = expect<PutDone>(std::move(answer), what);
  std::vector<TupleId> ids(done.count);
  for (std::uint32_t i = 0; i < done.count; ++i) ids[i] = {done.first.value + i};
  return ids;
}

// Throws Error if the one finish in it was refused.
inline void expect_finished(const FinishDone& done, Token token, const std::string& space) {
  if (done.codes.at(0) == ErrorCode::kKeyConflict) {
    throw Error(done.codes[0], "finish on '" + space +
                                   "': a key was used for another tuple or other attributes; "
                                   "nothing was done, use a new key for something new");
  }
  if (done.codes.at(0) != ErrorCode::kOk) {
    throw Error(done.codes[0],
                "finish on '" + space + "': tuple " + std::to_string(token.tuple.value) +
                    " attempt " + std::to_string(token.attempt) +
                    " is no longer yours; its lease has ended, and nothing was done");
  }
}

inline TakeOp take_op(TakeMode mode, const Template& form, std::uint32_t count_max,
                      Duration timeout, Duration lease = std::chrono::seconds(30)) {
  TakeOp take;
  take.mode = mode;
  take.templates = {form};
  take.count_max = count_max;
  take.timeout = timeout;
  take.lease = lease;
  return take;
}

}  // namespace linden::client

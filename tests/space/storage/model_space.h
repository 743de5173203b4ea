// tests/space/storage/model_space.h: the durable state of a space as maps, and random histories of
// it.
#pragma once

#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "space/storage/storage.h"

namespace linden::storage {

// What mutations mean, in the plainest form.  As in the core, one that names an unknown tuple or
// session is ignored: recovery meets such ones.
class ModelSpace final : public LiveState {
 public:
  void apply(const core::Mutation& mutation);

  bool describe(TupleId id, std::vector<core::Mutation>& out) const override;
  void describe_rest(std::vector<core::Mutation>& out) const override;

  // All of it as bytes: equal states have equal bytes.
  [[nodiscard]] std::string dump() const;

  [[nodiscard]] std::vector<TupleId> ids() const;
  [[nodiscard]] TupleId next() const { return next_; }
  [[nodiscard]] const std::map<SessionId, core::SessionOpened>& sessions() const {
    return sessions_;
  }

 private:
  enum class State { kReady, kReserved, kTaken, kDead, kDelayed };
  struct Entry {
    core::TupleAdded added;
    State state = State::kReady;
    std::uint32_t started_before = 0;
    std::optional<core::TupleReserved> reserved;  // the latest hand-out
    std::optional<core::TupleTaken> taken;
    std::optional<core::TupleDelayed> delayed;
    std::map<std::uint32_t, core::GuardMet> met;
  };

  void apply_to(const core::TupleAdded& added);
  void apply_to(const core::TupleReserved& reserved);
  void apply_to(const core::TupleStarted& started);
  void apply_to(const core::TupleReleased& released);
  void apply_to(const core::TupleTaken& taken);
  void apply_to(const core::TupleRemoved& removed);
  void apply_to(const core::TupleDied& died);
  void apply_to(const core::SessionOpened& opened);
  void apply_to(const core::SessionEnded& ended);
  void apply_to(const core::RequestAnswered& answered);
  void apply_to(const core::NextTupleId& next);
  void apply_to(const core::TupleDelayed& delayed);
  void apply_to(const core::TupleRenewed& renewed);
  void apply_to(const core::KeyRemembered& remembered);
  void apply_to(const core::KeyForgotten& forgotten);
  void apply_to(const core::GuardMet& met);
  void apply_to(const core::PauseSet& pause);
  void apply_to(const core::PauseEnded& ended);
  Entry* find(TupleId id);

  std::map<TupleId, Entry> tuples_;
  std::map<TupleId, core::KeyRemembered> keys_;
  std::map<SessionId, core::SessionOpened> sessions_;
  std::map<core::Origin, core::RequestAnswered> answers_;
  std::map<PauseKind, core::PauseSet> pauses_;  // here of whole spaces only
  TupleId next_{1};
};

// Mutations that a space could make; the same seed gives the same ones.  Answers are remembered
// only of sessions that are open, as in the core: replay counts on it.
class RandomHistory {
 public:
  explicit RandomHistory(std::uint64_t seed) : random_(seed) {}

  // The mutations of one commit, which `model` has when this returns, as it has all earlier ones.
  [[nodiscard]] std::vector<core::Mutation> next(ModelSpace& model);
  [[nodiscard]] std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

 private:
  core::Mutation mutation(ModelSpace& model);
  core::Mutation change_of(TupleId id);
  core::Mutation change_of_session(ModelSpace& model);
  core::Origin origin();

  std::mt19937_64 random_;
};

}  // namespace linden::storage

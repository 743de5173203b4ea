// space/core/space_pause.cpp: what matches a pause is handed out to nobody; what matches a drain is
// not put.
//
// A paused tuple stays among the ready ones, where reads, counts and guards find it, but in levels
// of its own, which takes pass by (template_index.h).  So takes never walk over what is paused.
#include <algorithm>

#include "space/core/space_machine.h"

namespace linden::core {
namespace {

// In a message: longer templates than people read are cut.
constexpr std::size_t kShownBytesMax = 200;

bool is_same(const std::optional<Template>& a, const std::optional<Template>& b) {
  if (!a || !b) return !a && !b;
  return a->head() == b->head() && std::ranges::equal(a->attachments(), b->attachments());
}

std::string text_of(const Template& form) {
  std::string text = to_string(form);
  if (text.size() > kShownBytesMax) text = text.substr(0, kShownBytesMax) + "...";
  return text;
}

}  // namespace

// ---- Operations ---------------------------------------------------------------------------------

void SpaceState::Machine::operate(Session& session, RequestId request, PauseOp&& op) {
  const bool stands = find_pause(op.kind, op.form) != pauses_.end();
  if (!stands && pauses_.size() >= limits_.pauses_max) {
    return refuse(session, request, ErrorCode::kOverloaded,
                  std::string(name_of(op.kind)) + ": " + std::to_string(pauses_.size()) +
                      " pauses and drains are set in this space already; resume some or raise "
                      "limits.pauses_max");
  }
  if (!may_remember(session, request)) return;
  if (!stands) {
    PauseSet pause{op.kind, std::move(op.form), session.name, now_};
    emit(pause);
    const std::optional<Template> form = pause.form;
    add_pause(std::move(pause));
    if (op.kind == PauseKind::kPause) hold_back_matches(form);
  }
  FinishDone done{{stands ? ErrorCode::kNoMatch : ErrorCode::kOk}};
  remember(session, request, done);
  reply(session, request, std::move(done));
}

void SpaceState::Machine::operate(Session& session, RequestId request, ResumeOp&& op) {
  if (!may_remember(session, request)) return;
  FinishDone done;
  bool frees = false;
  for (auto pause = pauses_.begin(); pause != pauses_.end();) {
    if (!op.all && !is_same(pause->form, op.form)) {
      ++pause;
      continue;
    }
    frees = frees || pause->kind == PauseKind::kPause;
    emit(PauseEnded{pause->kind, pause->form});
    pause = end_pause(pause);
    done.codes.push_back(ErrorCode::kOk);
  }
  remember(session, request, done);
  reply(session, request, std::move(done));
  if (frees) free_matches(op.all ? std::nullopt : op.form);
}

void SpaceState::Machine::operate(Session& session, RequestId request, ListPausesOp&&) {
  PausesListed listed;
  for (const PauseSet& pause : pauses_) {
    PauseInfo info{pause.kind, pause.form, pause.set_by, now_ - pause.since, ready_.ready()};
    if (pause.form) info.tuples = ready_matches(pause.form).size();
    listed.pauses.push_back(std::move(info));
  }
  reply(session, request, std::move(listed));
}

// ---- What is set --------------------------------------------------------------------------------

SpaceState::Machine::Pauses::iterator SpaceState::Machine::find_pause(
    PauseKind kind, const std::optional<Template>& form) {
  return std::ranges::find_if(pauses_, [&](const PauseSet& pause) {
    return pause.kind == kind && is_same(pause.form, form);
  });
}

void SpaceState::Machine::add_pause(PauseSet&& pause) {
  ++(pause.kind == PauseKind::kPause ? pausing_ : draining_);
  pauses_.push_back(std::move(pause));
}

SpaceState::Machine::Pauses::iterator SpaceState::Machine::end_pause(Pauses::iterator pause) {
  --(pause->kind == PauseKind::kPause ? pausing_ : draining_);
  return pauses_.erase(pause);
}

bool SpaceState::Machine::is_paused(const encoding::FieldTable& tuple) const {
  return std::ranges::any_of(pauses_, [&](const PauseSet& pause) {
    return pause.kind == PauseKind::kPause &&
           (!pause.form || encoding::matches(*pause.form, tuple));
  });
}

std::optional<Refused> SpaceState::Machine::check_drained(std::span<const NewTuple> puts) const {
  if (draining_ == 0) return std::nullopt;
  for (const NewTuple& put : puts) {
    if (auto drained = check_drained(put.tuple)) return drained;
  }
  return std::nullopt;
}

std::optional<Refused> SpaceState::Machine::check_drained(const Tuple& put) const {
  for (const PauseSet& pause : pauses_) {
    if (pause.kind != PauseKind::kDrain || (pause.form && !pause.form->matches(put))) continue;
    return Refused{
        ErrorCode::kOverloaded,
        "put: " +
            (pause.form ? "what matches " + text_of(*pause.form) : std::string("this space")) +
            " is being drained, set by '" + pause.set_by +
            "'; put it elsewhere or later, or end the drain with resume"};
  }
  return std::nullopt;
}

// ---- Ready tuples -------------------------------------------------------------------------------

void SpaceState::Machine::set_paused(Entry& entry, bool paused) {
  counts_.paused -= entry.paused;
  counts_.paused += paused;
  entry.paused = paused;
}

std::vector<Slot> SpaceState::Machine::ready_matches(const std::optional<Template>& form) {
  std::vector<Slot> found;
  if (form) {
    ready_.visit_by_id(*form, TupleId{}, [&](Slot slot) {
      found.push_back(slot);
      return true;
    });
    return found;
  }
  for (Slot slot = tuples_.next_after(TupleId{}); slot != kNoSlot;
       slot = tuples_.next_after(tuples_[slot].id)) {
    if (tuples_[slot].state == EntryState::kReady) found.push_back(slot);
  }
  return found;
}

void SpaceState::Machine::regroup(const std::optional<Template>& form) {
  if (form) return ready_.regroup(form->size());
  for (std::size_t arity = 0; arity <= kFieldsMax; ++arity) ready_.regroup(arity);
}

void SpaceState::Machine::hold_back_matches(const std::optional<Template>& form) {
  for (const Slot slot : ready_matches(form)) set_paused(tuples_[slot], true);
  regroup(form);
}

// What no other pause holds back goes to those who wait for it, as if it had come now (P7).
void SpaceState::Machine::free_matches(const std::optional<Template>& form) {
  std::vector<Slot> freed;
  for (const Slot slot : ready_matches(form)) {
    Entry& entry = tuples_[slot];
    if (!entry.paused) continue;
    encoding::split(entry.tuple, fields_);
    if (is_paused(fields_)) continue;
    set_paused(entry, false);
    freed.push_back(slot);
  }
  regroup(form);
  std::sort(freed.begin(), freed.end(), [this](Slot a, Slot b) { return before(a, b); });
  for (const Slot slot : freed) offer(slot);
}

// ---- Recovery -----------------------------------------------------------------------------------

// Each may be said twice.
void SpaceState::Machine::set(PauseSet&& pause) {
  const auto known = find_pause(pause.kind, pause.form);
  if (known == pauses_.end()) return add_pause(std::move(pause));
  *known = std::move(pause);
}

void SpaceState::Machine::set(PauseEnded&& ended) {
  const auto pause = find_pause(ended.kind, ended.form);
  if (pause != pauses_.end()) end_pause(pause);
}

}  // namespace linden::core

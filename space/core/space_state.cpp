#include "space/core/space_state.h"

#include <utility>

#include "space/core/space_machine.h"

namespace linden::core {

SpaceState::SpaceState(const Limits& limits) : machine_(std::make_unique<Machine>(limits)) {}
SpaceState::~SpaceState() = default;
SpaceState::SpaceState(SpaceState&&) noexcept = default;
SpaceState& SpaceState::operator=(SpaceState&&) noexcept = default;

void SpaceState::apply(Command&& command, Time now, Effects& effects) {
  machine_->apply(std::move(command), now, effects);
}
void SpaceState::collect(SpaceState& source, SpaceState& target, Perform&& collect, Time now,
                         Effects& of_source, Effects& of_target) {
  source.machine_->collect(*target.machine_, std::move(collect), now, of_source, of_target);
}
void SpaceState::foresee(std::span<const Template* const> forms) const {
  machine_->foresee(forms);
}
Time SpaceState::next_deadline() const {
  return machine_->next_deadline();
}
void SpaceState::restore(Mutation&& mutation) {
  machine_->restore(std::move(mutation));
}
void SpaceState::restored(Time now) {
  machine_->restored(now);
}
bool SpaceState::describe(TupleId id, std::vector<Mutation>& out) const {
  return machine_->describe(id, out);
}
void SpaceState::describe_rest(std::vector<Mutation>& out) const {
  machine_->describe_rest(out);
}
void SpaceState::visit_ids(const std::function<void(TupleId)>& visit) const {
  machine_->visit_ids(visit);
}
bool SpaceState::knows_session(SessionId id) const {
  return machine_->knows_session(id);
}
SpaceCounters SpaceState::counters() const {
  return machine_->counters();
}

}  // namespace linden::core

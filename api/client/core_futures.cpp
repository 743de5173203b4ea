// api/client/core_futures.cpp: requests whose answers make futures ready.
#include <linden/future.h>

#include "api/client/core.h"

namespace linden::client {

namespace {

// The futures of one session's requests; it must not keep the session, which has them.
class RequestSource final : public detail::FutureSource {
 public:
  RequestSource(std::weak_ptr<Core> core, std::shared_ptr<Callbacks> callbacks)
      : core_(std::move(core)), callbacks_(std::move(callbacks)) {}

  bool wait(detail::FutureState& state, Duration timeout, const Interrupt& interrupt) override {
    const auto core = core_.lock();
    return core ? core->wait(state, timeout, interrupt) : state.ready();
  }
  void cancel(detail::FutureState& state) override {
    if (const auto core = core_.lock()) core->cancel(state.origin().space, {state.origin().number});
  }
  void abandon(detail::FutureState& state) override {
    if (const auto core = core_.lock()) core->abandon(state);
  }
  void run(std::function<void()> continuation) override {
    callbacks_->run(std::move(continuation));
  }

 private:
  std::weak_ptr<Core> core_;
  std::shared_ptr<Callbacks> callbacks_;
};

// What puts an answer back that nobody asked for.
std::vector<Operation> undo(detail::GiveBack how, Answer&& answer) {
  auto* found = std::get_if<Found>(&answer);
  if (found == nullptr || how == detail::GiveBack::kNothing) return {};
  if (how == detail::GiveBack::kRelease) {
    ReleaseOp release;
    for (const auto& one : found->tuples) release.items.push_back({{one.id, one.attempt}, false});
    return {std::move(release)};
  }
  // Each by itself: a tuple has fitted into a request before, and all that were found may not.
  std::vector<Operation> puts;
  for (auto& one : found->tuples) puts.emplace_back(PutOp{{{std::move(one.tuple), {}}}, {}});
  return puts;
}

}  // namespace

void Core::make_source(const std::shared_ptr<Core>& core) {
  core->source_ = std::make_shared<RequestSource>(core, core->callbacks_);
}

void Core::send(SpaceNumber space, Operation operation,
                const std::shared_ptr<detail::FutureState>& future, detail::GiveBack give_back,
                AnswerTo patience) {
  Lock lock(mutex_);
  wait_for_room(lock);
  std::variant<Operation, wire::ServerOperation> any(std::move(operation));
  const bool quick = is_quick(any);
  const auto id = enqueue(space, std::move(any), patience, quick);
  future->begins_at({source_, space, id.value, give_back});
  pending_.find(id)->future = future;
  write_soon();
}

bool Core::wait(const detail::FutureState& future, Duration timeout, const Interrupt& interrupt) {
  Lock lock(mutex_);
  return wait_until(lock, deadline_after(timeout), interrupt, [&] { return future.ready(); });
}

// Within dispatch.
void Core::answer_future(PendingRequest& request, AnyAnswer&& answer) {
  const auto future = std::move(request.future);
  auto* of_space = std::get_if<Answer>(&answer);
  Answer plain =
      of_space != nullptr
          ? std::move(*of_space)
          : Answer(Refused{ErrorCode::kMalformed, "the server gave an answer of another kind"});
  if (!future->abandoned) return future->set_answer(std::move(plain));
  for (auto& back : undo(future->origin().give_back, std::move(plain)))
    say_later(request.space, std::move(back));
}

void Core::abandon(detail::FutureState& future) {
  const auto& origin = future.origin();
  const Lock lock(mutex_);
  if (state_ == State::kFailed || state_ == State::kClosed) return;
  if (future.ready()) {
    if (!future.answer()) return;
    auto puts_back = undo(origin.give_back, std::move(*future.answer()));
    for (auto& back : puts_back) enqueue(origin.space, std::move(back), AnswerTo::kNobody, true);
    if (!puts_back.empty()) write_out();
    return;
  }
  future.abandoned = true;
  const auto* request = pending_.find({origin.number});
  if (request == nullptr) return;
  const auto* operation = std::get_if<Operation>(&request->operation);
  if (operation == nullptr || !std::holds_alternative<TakeOp>(*operation)) return;
  enqueue(origin.space, Operation(CancelOp{{origin.number}}), AnswerTo::kNobody, true);
  write_out();
}

// The session has ended: nothing is answered any more.
void Core::end_futures() {
  std::vector<RequestId> waiting;
  pending_.for_each([&](RequestId id, const PendingRequest& request) {
    if (request.future) waiting.push_back(id);
  });
  for (const RequestId id : waiting) {
    const auto future = std::move(pending_.find(id)->future);
    if (!future->abandoned) future->set_answer(Refused{failure_.code, failure_.message});
  }
  for (auto& [id, stream] : streams_) {
    if (stream->sink) stream->sink->end({failure_.code, failure_.message});
  }
  changed_.notify_all();
  leader_wake_.signal();
}

}  // namespace linden::client

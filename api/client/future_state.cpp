// api/client/future_state.cpp: what a future and its maker share.
#include <linden/future.h>

#include <algorithm>
#include <chrono>

namespace linden::detail {

namespace {

using Steady = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kInterruptCheck{100};

Steady::time_point deadline_after(Duration timeout) {
  const auto now = Steady::now();
  if (timeout == kForever || timeout > Steady::time_point::max() - now)
    return Steady::time_point::max();
  return now + timeout;
}

}  // namespace

void throw_not_ready() {
  throw Error(ErrorCode::kOutcomeUnknown,
              "wanted the value of a future, and it was not ready in time; wait longer, or cancel");
}

void throw_consumed() {
  throw Error(ErrorCode::kInvalidArgument,
              "this future has no value to come: it was moved from, or get(), then() or co_await "
              "has had its value; make a new one");
}

void FutureState::comes_after(const std::shared_ptr<FutureState>& earlier) {
  std::shared_ptr<FutureSource> runs_at;
  {
    const std::lock_guard lock(earlier->mutex_);
    runs_at = earlier->own_ ? earlier->origin_.source : earlier->runs_at_;
  }
  bool cancelled = false;
  {
    const std::lock_guard lock(mutex_);
    earlier_ = earlier;
    if (runs_at) runs_at_ = std::move(runs_at);
    cancelled = cancelled_;
    changed_.notify_all();
  }
  if (cancelled) earlier->cancel();
}

// Waits for what it is made of as long as that is not ready, since that wait reads the socket.
bool FutureState::wait(Duration timeout, const Interrupt& interrupt) {
  if (ready()) return true;
  if (own_) return origin_.source->wait(*this, timeout, interrupt);
  const auto deadline = deadline_after(timeout);
  std::unique_lock lock(mutex_);
  while (!ready()) {
    const auto now = Steady::now();
    if (now >= deadline) return false;
    if (const auto earlier = earlier_.lock(); earlier && !earlier->ready()) {
      lock.unlock();
      const Duration left = deadline == Steady::time_point::max()
                                ? kForever
                                : std::chrono::ceil<Duration>(deadline - now);
      if (!earlier->wait(left, interrupt)) return false;
      lock.lock();
    } else if (interrupt) {
      changed_.wait_until(lock, std::min<Steady::time_point>(deadline, now + kInterruptCheck));
      if (ready()) return true;
      lock.unlock();
      if (interrupt()) return false;
      lock.lock();
    } else if (deadline == Steady::time_point::max()) {
      changed_.wait(lock);
    } else {
      changed_.wait_until(lock, deadline);
    }
  }
  return true;
}

void FutureState::cancel() {
  if (ready()) return;
  if (own_) return origin_.source->cancel(*this);
  std::shared_ptr<FutureState> earlier;
  {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
    earlier = earlier_.lock();
  }
  if (earlier) earlier->cancel();
}

void FutureState::abandon() {
  if (own_) origin_.source->abandon(*this);
}

void FutureState::when_ready(std::function<void()> continuation) {
  std::shared_ptr<FutureSource> runs_at;
  {
    const std::lock_guard lock(mutex_);
    if (!ready()) {
      continuation_ = std::move(continuation);
      return;
    }
    runs_at = own_ ? origin_.source : runs_at_;
  }
  if (runs_at) return runs_at->run(std::move(continuation));
  continuation();
}

void FutureState::set_answer(Answer answer) {
  answer_ = std::move(answer);
  set_ready();
}

void FutureState::set_error(std::exception_ptr error) {
  error_ = std::move(error);
  set_ready();
}

void FutureState::set_ready() {
  std::function<void()> continuation;
  std::shared_ptr<FutureSource> runs_at;
  {
    const std::lock_guard lock(mutex_);
    ready_.store(true, std::memory_order_release);
    continuation = std::move(continuation_);
    continuation_ = nullptr;
    runs_at = own_ ? origin_.source : runs_at_;
    changed_.notify_all();
  }
  if (!continuation) return;
  if (runs_at) return runs_at->run(std::move(continuation));
  continuation();
}

}  // namespace linden::detail

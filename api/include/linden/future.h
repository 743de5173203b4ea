// linden/future.h: what an operation that was begun is going to give.
//
//   Future<Match> word = space.take_async({"word", kText});
//   word.wait(2s);                                    // true: it is there
//   word.get();                                       // the match, or an Error is thrown
//   space.take_async({"a", kInt}).then([](Match found) { ... });  // when it comes
//   Match found = co_await space.take_async({"b", kInt});         // in a coroutine
#pragma once

#include <atomic>
#include <condition_variable>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include <linden/client.h>
#include <linden/error.h>
#include <linden/ids.h>
#include <linden/operation.h>

namespace linden {

template <class T>
class Future;

namespace detail {

class FutureState;

// What happens to an answer that nobody is going to ask for.
enum class GiveBack : std::uint8_t {
  kNothing,
  kPut,      // it was taken: put again
  kRelease,  // it is reserved: released, as if it had never been handed out
};

// Who makes futures ready, as the client library knows them.
class FutureSource {
 public:
  virtual ~FutureSource() = default;
  virtual bool wait(FutureState& state, Duration timeout, const Interrupt& interrupt) = 0;
  virtual void cancel(FutureState& state) = 0;
  virtual void abandon(FutureState& state) = 0;
  // On the session's own thread for continuations.
  virtual void run(std::function<void()> continuation) = 0;
};

// What a future and its maker share.  Made ready once, by whichever thread.
class FutureState {
 public:
  // Made ready by `source`, which knows it by these numbers.
  struct Origin {
    std::shared_ptr<FutureSource> source;
    SpaceNumber space;
    std::uint64_t number = 0;
    GiveBack give_back = GiveBack::kNothing;
  };

  FutureState() = default;
  FutureState(const FutureState&) = delete;
  FutureState& operator=(const FutureState&) = delete;
  virtual ~FutureState() = default;

  // Before anybody else has it.
  void begins_at(Origin origin) { origin_ = std::move(origin); }
  // It is made of what `earlier` gives: continuations run where that one's do, and cancelling it
  // cancels that one.
  void comes_after(const std::shared_ptr<FutureState>& earlier);

  [[nodiscard]] const Origin& origin() const noexcept { return origin_; }
  [[nodiscard]] bool ready() const noexcept { return ready_.load(std::memory_order_acquire); }
  [[nodiscard]] bool wait(Duration timeout, const Interrupt& interrupt);
  void cancel();
  void abandon();
  // Runs it once ready; only one.
  void when_ready(std::function<void()> continuation);

  virtual void set_answer(Answer answer);
  void set_error(std::exception_ptr error);
  void set_ready();

  // For the source: the answer of a state that is ready, or none.
  [[nodiscard]] std::optional<Answer>& answer() noexcept { return answer_; }
  // For the source alone, guarded by whatever guards it.
  bool abandoned = false;

 protected:
  std::optional<Answer> answer_;
  std::exception_ptr error_;

 private:
  Origin origin_;
  bool own_ = true;  // made ready by origin_.source, not by an earlier one or a coroutine
  std::atomic<bool> ready_{false};
  std::mutex mutex_;  // what follows
  std::condition_variable changed_;
  std::function<void()> continuation_;
  std::weak_ptr<FutureState> earlier_;
  std::shared_ptr<FutureSource> runs_at_;
  bool cancelled_ = false;
  friend struct CoroutineOrigin;
};

// The states that no source makes ready.
struct CoroutineOrigin {
  static void of(FutureState& state) { state.own_ = false; }
};

// Keeps what a value is made with: the session.
using Keep = std::shared_ptr<const void>;

template <class T>
struct Stored {
  using type = T;
};
template <>
struct Stored<void> {
  using type = std::monostate;
};

template <class T>
class FutureStateOf final : public FutureState {
 public:
  using Decode = std::function<T(Answer&&, const Keep&)>;
  FutureStateOf() { CoroutineOrigin::of(*this); }
  explicit FutureStateOf(Decode decode) : decode_(std::move(decode)) {}

  template <class... Value>
  void store(Value&&... value) {
    value_.emplace(std::forward<Value>(value)...);
  }
  void store_error(std::exception_ptr error) { error_ = std::move(error); }  // NOLINT

  // The value, once ready and once.
  T take(const Keep& keep) {
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
    if (answer_) return decode_(std::move(*answer_), keep);
    if constexpr (!std::is_void_v<T>) return std::move(*value_);
  }

 private:
  Decode decode_;
  std::optional<typename Stored<T>::type> value_;
};

template <class T>
struct IsFuture : std::false_type {};
template <class T>
struct IsFuture<Future<T>> : std::true_type {
  using value_type = T;
};

template <class Function, class T>
struct ResultOf {
  using type = std::invoke_result_t<Function, T>;
};
template <class Function>
struct ResultOf<Function, void> {
  using type = std::invoke_result_t<Function>;
};

template <class T>
class CoroutinePromise;

[[noreturn]] void throw_not_ready();
[[noreturn]] void throw_consumed();

}  // namespace detail

// The value of an operation that was begun: it comes, or an error does.  A future is moved, not
// copied, and its value is given out once, to get(), to then() or to co_await.
//
// Threads.  No thread belongs to a future: a thread that waits reads the session's socket itself,
// as every call that waits does.  Continuations of then() and coroutines run on one thread of the
// session, which is started by the first of them, one after the other in the order in which their
// values came; never in the thread that calls then().  They may call whatever they like, also what
// waits for the server; one that waits for another continuation of the session waits for ever.
//
// Lifetime.  A future, and a continuation that has not run, keep the session.  When the session is
// closed or lost, all of its futures end with that error (kClosed, kConnectionLost,
// kSessionExpired).  Destroying a future whose value nobody has asked for cancels what it waits
// for, and loses nothing: what it reserved is released un-started, what it took is put again (with
// a new id and without attributes; use reserve_async where these matter).  After close() that is
// too late.  Futures of tasks leave their tasks alone.
//
// One thread at a time may use a future; different futures may be used by different threads.
template <class T>
class Future {
 public:
  // What a coroutine that returns a Future<T> runs with.
  using promise_type = detail::CoroutinePromise<T>;

  // Without a value to come; valid() is false.
  Future() = default;
  // For those who make futures.
  Future(std::shared_ptr<detail::FutureStateOf<T>> state, detail::Keep keep)
      : state_(std::move(state)), keep_(std::move(keep)) {}
  // Leaves `other` without a value to come.
  Future(Future&& other) noexcept = default;
  // As destroying it, then moving.
  Future& operator=(Future&& other) noexcept {
    if (this != &other) {
      drop();
      state_ = std::move(other.state_);
      keep_ = std::move(other.keep_);
    }
    return *this;
  }
  ~Future() { drop(); }

  // Whether a value is still to be had from it.
  [[nodiscard]] bool valid() const noexcept { return state_ != nullptr; }
  // Whether get() would give or throw at once.
  [[nodiscard]] bool ready() const {
    require();
    return state_->ready();
  }
  // Until it is ready: true; false after `timeout`, or if interrupted.
  bool wait(Duration timeout = kForever, const Interrupt& interrupt = {}) const {
    require();
    return state_->wait(timeout, interrupt);
  }
  // The value, or throws what went wrong: Error as the call that waits does, and whatever a
  // continuation has thrown.  Error kOutcomeUnknown after `timeout` or if interrupted: then it may
  // be asked again.
  T get(Duration timeout = kForever, const Interrupt& interrupt = {}) {
    require();
    if (!state_->wait(timeout, interrupt)) detail::throw_not_ready();
    const auto state = std::exchange(state_, nullptr);
    const auto keep = std::exchange(keep_, nullptr);
    return state->take(keep);
  }
  // A wish: ends what it waits for if that has not ended yet.  It becomes ready anyway, with the
  // value if that had come before, else with Error kCancelled (for a task: TaskCancelled).
  void cancel() {
    require();
    state_->cancel();
  }

  // Calls `function` with the value once it is there.  Gives a future of what the function returns
  // or throws; if it returns a future, of that one's value.  If there is an error instead of a
  // value, the function is not called and the error is that of the new future, too.  The new future
  // may be dropped: the function is called nevertheless.
  template <class Function>
  auto then(Function function) {
    using Result = std::decay_t<typename detail::ResultOf<Function, T>::type>;
    require();
    if constexpr (detail::IsFuture<Result>::value) {
      using Inner = typename detail::IsFuture<Result>::value_type;
      return chain<Inner>([function = std::move(function)](auto& next,
                                                           detail::FutureStateOf<T>& state,
                                                           const detail::Keep& keep) mutable {
        forward(call(function, state, keep), next);
        return false;
      });
    } else {
      return chain<Result>([function = std::move(function)](auto& next,
                                                            detail::FutureStateOf<T>& state,
                                                            const detail::Keep& keep) mutable {
        if constexpr (std::is_void_v<Result>) {
          call(function, state, keep);
          next->store();
        } else {
          next->store(call(function, state, keep));
        }
        return true;
      });
    }
  }

  // For co_await, which takes the future over.
  struct Awaiter {
    // Whether the coroutine goes on at once.
    [[nodiscard]] bool await_ready() const { return future.ready(); }
    // It goes on on the session's thread for continuations.
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> handle) {
      const auto state = future.state_;  // the coroutine may be gone before when_ready returns
      if constexpr (requires { handle.promise().waits_for(state); }) {
        handle.promise().waits_for(state);
      }
      state->when_ready([handle, keep = future.keep_] { handle.resume(); });
    }
    // As get().
    T await_resume() { return future.get(); }

    Future future;  // what is awaited
  };
  // `co_await space.take_async(...)`, `co_await std::move(future)`.
  Awaiter operator co_await() && {
    require();
    return Awaiter{std::move(*this)};
  }

 private:
  template <class U>
  friend class Future;

  void require() const {
    if (!state_) detail::throw_consumed();
  }

  void drop() noexcept {
    if (state_) state_->abandon();
    state_ = nullptr;
    keep_ = nullptr;
  }

  template <class Function>
  static decltype(auto) call(Function& function, detail::FutureStateOf<T>& state,
                             const detail::Keep& keep) {
    if constexpr (std::is_void_v<T>) {
      state.take(keep);
      return function();
    } else {
      return function(state.take(keep));
    }
  }

  // A future that is made of this one by `step`, which says whether it has stored a value in it.
  template <class Next, class Step>
  Future<Next> chain(Step step) {
    auto next = std::make_shared<detail::FutureStateOf<Next>>();
    next->comes_after(state_);
    const auto state = std::exchange(state_, nullptr);
    const auto keep = std::exchange(keep_, nullptr);
    // The function is destroyed before the next one is ready, so that whoever waits for that one
    // finds what the function held let go.
    auto shared = std::make_shared<Step>(std::move(step));
    state->when_ready([state, keep, next, shared = std::move(shared)]() mutable {
      bool stored = true;
      try {
        Step once = std::move(*shared);
        stored = once(next, *state, keep);
      } catch (...) {  // The border to functions that are not ours.
        next->store_error(std::current_exception());
      }
      if (stored) next->set_ready();
    });
    return Future<Next>(std::move(next), keep);
  }

  // Makes `next` ready with what `inner` gives.
  template <class Inner>
  static void forward(Future<Inner> inner,
                      const std::shared_ptr<detail::FutureStateOf<Inner>>& next) {
    inner.require();
    next->comes_after(inner.state_);
    const auto state = std::exchange(inner.state_, nullptr);
    const auto keep = std::exchange(inner.keep_, nullptr);
    state->when_ready([state, keep, next] {
      try {
        if constexpr (std::is_void_v<Inner>) {
          state->take(keep);
          next->store();
        } else {
          next->store(state->take(keep));
        }
      } catch (...) {  // What the inner one ended with is what this one ends with.
        next->store_error(std::current_exception());
      }
      next->set_ready();
    });
  }

  std::shared_ptr<detail::FutureStateOf<T>> state_;
  detail::Keep keep_;
};

namespace detail {

// A coroutine that returns a Future<T>: it begins at once in the caller's thread, goes on wherever
// what it awaits comes, and lets go of its frame when it ends.
class CoroutineBase {
 public:
  static std::suspend_never initial_suspend() noexcept { return {}; }
};

template <class T>
class CoroutinePromise : public CoroutineBase {
 public:
  Future<T> get_return_object() { return Future<T>(state_, nullptr); }
  // After its variables are gone.
  std::suspend_never final_suspend() noexcept {
    state_->set_ready();
    return {};
  }
  void unhandled_exception() { state_->store_error(std::current_exception()); }
  template <class Value = T>
  void return_value(Value&& value) {
    state_->store(std::forward<Value>(value));
  }
  void waits_for(const std::shared_ptr<FutureState>& state) { state_->comes_after(state); }

 private:
  std::shared_ptr<FutureStateOf<T>> state_ = std::make_shared<FutureStateOf<T>>();
};

template <>
class CoroutinePromise<void> : public CoroutineBase {
 public:
  Future<void> get_return_object() { return Future<void>(state_, nullptr); }
  std::suspend_never final_suspend() noexcept {
    state_->set_ready();
    return {};
  }
  void unhandled_exception() { state_->store_error(std::current_exception()); }
  void return_void() { state_->store(); }
  void waits_for(const std::shared_ptr<FutureState>& state) { state_->comes_after(state); }

 private:
  std::shared_ptr<FutureStateOf<void>> state_ = std::make_shared<FutureStateOf<void>>();
};

}  // namespace detail

}  // namespace linden

// api/client/core.h: the shell of the client: one session over one connection after another.
//
//   caller --send--> out_ --socket--> server          whoever leads reads: poll, recv, decode
//   (unlocked), then dispatch (locked) caller <--wait-- answers_, streams <--dispatch-- socket
//
// Leader and followers (docs/decisions/0006-who-reads-the-socket.md): at most one thread reads the
// socket at a time.  A caller that waits becomes the leader if nobody leads, or asks the native
// thread to step back; a few milliseconds after the last caller has left, the native thread leads
// again.  So a call needs no hand-over between threads, and leases are renewed and answers read
// while nobody calls.  The native thread also reconnects, sends heartbeats, and sends what streams
// have gathered.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include <linden/client.h>
#include <linden/future.h>
#include <linden/stream.h>

#include "api/client/address.h"
#include "api/client/callbacks.h"
#include "api/client/pending_requests.h"
#include "api/client/socket.h"
#include "api/client/stream_state.h"
#include "api/client/subscription_state.h"
#include "api/wire/codec.h"

namespace linden::client {

using AnyAnswer = std::variant<Answer, wire::ServerAnswer>;

// A condition that is asked while its owner waits; refers to it, so it must not outlive the call.
class Condition {
 public:
  template <class Function>
  Condition(Function&& function)  // NOLINT(google-explicit-constructor)
      : data_(const_cast<void*>(static_cast<const void*>(&function))),
        call_([](void* data) -> bool {
          return (*static_cast<std::remove_reference_t<Function>*>(data))();
        }) {}
  bool operator()() const { return call_(data_); }

 private:
  void* data_;
  bool (*call_)(void*);
};

// When `timeout` from now is over; kForever does not overflow.
[[nodiscard]] SteadyTime deadline_after(Duration timeout);

class Core {
 public:
  // The first connection; retries until options.timeout.  Throws Error.
  static std::shared_ptr<Core> connect(const ConnectOptions& options, const Interrupt& interrupt);
  ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  RequestId send(SpaceNumber space, std::variant<Operation, wire::ServerOperation> operation,
                 AnswerTo answer_to);
  std::optional<AnyAnswer> wait(RequestId id, Duration timeout, const Interrupt& interrupt);
  void forget(RequestId id);
  void cancel(SpaceNumber space, RequestId id);
  std::vector<Completion> completions(Duration timeout, const Interrupt& interrupt);

  // The answer makes `future` ready, and it is that of nobody else.
  void send(SpaceNumber space, Operation operation,
            const std::shared_ptr<detail::FutureState>& future, detail::GiveBack give_back,
            AnswerTo patience = AnswerTo::kQueue);
  // Until any future that this session makes ready is.
  bool wait(const detail::FutureState& future, Duration timeout, const Interrupt& interrupt);
  void abandon(detail::FutureState& future);
  [[nodiscard]] const std::shared_ptr<Callbacks>& callbacks() const { return callbacks_; }
  // The first of `count` numbers for tasks of this session.
  std::int64_t task_numbers(std::int64_t count) { return task_numbers_.fetch_add(count); }

  // With a sink, which takes what comes; the stream must be one that reads.
  std::shared_ptr<StreamState> open_stream(SpaceNumber space, StreamOp form,
                                           std::shared_ptr<DeliverySink> sink = nullptr);
  std::vector<Handout> next(StreamState& stream, Duration timeout, std::size_t count_max,
                            const Interrupt& interrupt);
  void finish(StreamState& stream, std::optional<Token> token, std::vector<NewTuple> puts,
              bool flush);
  void release(StreamState& stream, Token token, bool started);
  void flush(StreamState& stream);
  void set_credit(StreamState& stream, std::uint32_t credit);
  std::size_t queued(const StreamState& stream);
  void on_news(StreamState& stream, std::function<void()> news);
  void close_stream(StreamState& stream);

  // Returns once the space tells of puts.
  std::shared_ptr<SubscriptionState> subscribe(SpaceNumber space, SubscribeOp form,
                                               Duration timeout, const Interrupt& interrupt);
  std::vector<Subscription::Item> next(SubscriptionState& state, Duration timeout,
                                       std::size_t count_max, const Interrupt& interrupt);
  std::uint64_t initial_count(const SubscriptionState& state);
  void announce(SubscriptionState& state);
  void close_subscription(SubscriptionState& state);

  void close(bool goodbye);

  [[nodiscard]] SessionId session() const { return session_; }
  [[nodiscard]] const std::string& address() const { return options_.address; }
  [[nodiscard]] bool connected();
  [[nodiscard]] std::uint64_t reconnects();
  [[nodiscard]] std::optional<Failure> failure();
  [[nodiscard]] std::uint32_t server_pid() const { return server_pid_.load(); }

 private:
  enum class State : std::uint8_t { kConnected, kBroken, kFailed, kClosed };
  enum class Leader : std::uint8_t { kNobody, kCaller, kNative };
  enum class Pumped : std::uint8_t { kRead, kNothing, kSignal, kBroken };
  using Lock = std::unique_lock<std::mutex>;

  Core(ConnectOptions options, Address address);

  // ---- connecting (core_connect.cpp) -----
  // A socket that has been welcomed, or why not.  Touches reader_ and decoder_: nobody may lead.
  Result<Descriptor> connect_once(bool resume, Duration absent, std::chrono::milliseconds timeout);
  Result<wire::Welcome> shake_hands(int fd, bool resume, Duration absent, SteadyTime deadline);
  void reconnect(Lock& lock);
  void say_everything_again(SteadyTime now);
  [[nodiscard]] bool is_closing(RequestId stream) const;
  void break_connection(SteadyTime now);
  void fail(Failure why);

  // ---- reading and waiting (core.cpp) -----
  // Waits until `ready()` (checked under the lock), the deadline or an interrupt; reads the socket
  // itself when it can. Throws Error when the session has ended and `ready()` is still false.
  bool wait_until(Lock& lock, SteadyTime deadline, const Interrupt& interrupt, Condition ready);
  Pumped pump(SteadyTime until, bool want_write);
  Pumped lead(Lock& lock, Leader who, SteadyTime until);
  void dispatch(wire::ServerMessage&& message);
  void take_answer(RequestId id, AnyAnswer&& answer);
  void take_event(RequestId id, Event&& event);
  void end_stream(RequestId id);
  void tell_streams() const;
  void end_taking_streams(Lock& lock, SteadyTime deadline);
  void take_late_event(RequestId id, Event&& event);
  void take_answer(SubscriptionState& state, const AnyAnswer& answer);
  void take_event(SubscriptionState& state, Event&& event);
  void announce_news(SubscriptionState& state);
  void note_taken(RequestId id, const PendingRequest& request, const AnyAnswer& answer);
  void deliver_to_sink(StreamState& stream);

  // ---- futures (core_futures.cpp) -----
  static void make_source(const std::shared_ptr<Core>& core);
  void answer_future(PendingRequest& request, AnyAnswer&& answer);
  void end_futures();

  void say_later(SpaceNumber space, Operation operation);
  void run_native();
  SteadyTime do_duties(SteadyTime now);

  // ---- writing -----
  static bool is_quick(const std::variant<Operation, wire::ServerOperation>& operation);
  // Before something is said; throws Error if the session has ended.
  void wait_for_room(Lock& lock);
  RequestId enqueue(SpaceNumber space, std::variant<Operation, wire::ServerOperation>&& operation,
                    AnswerTo answer_to, bool quick);
  void encode_request(RequestId id, const PendingRequest& request);
  // The request with `operation` in place of its own.
  void encode_operation(RequestId id, const PendingRequest& request, const Operation& operation);
  void write_out();
  void write_soon();
  void flush_stream(StreamState& stream);
  void end_subscription(const SubscriptionState& state);
  void wake_leader();
  void check_alive() const;
  // From now on we are heard often enough for such a lease.
  void keep_pace_with(Duration lease);

  const ConnectOptions options_;
  const Address address_;
  const SessionId session_;
  std::atomic<std::uint32_t> server_pid_{0};
  std::atomic<std::int64_t> task_numbers_{1};
  std::atomic<std::uint32_t> frame_bytes_max_{
      wire::kFrameBytesMaxDefault};  // what the server takes

  mutable std::mutex mutex_;  // everything below but what the leader alone uses
  State state_ = State::kBroken;
  Failure failure_;
  Descriptor socket_;
  wire::Encoder encoder_;
  wire::WriteBuffer out_;
  PendingRequests pending_;
  const std::shared_ptr<Callbacks> callbacks_ = std::make_shared<Callbacks>();
  std::shared_ptr<detail::FutureSource> source_;      // of futures
  std::unordered_map<RequestId, AnyAnswer> answers_;  // for a waiter, not yet asked for
  std::vector<Completion> completions_;               // kQueue
  std::unordered_map<RequestId, std::shared_ptr<StreamState>> streams_;
  std::map<RequestId, std::shared_ptr<StreamState>> closing_;  // by the CancelOp that ends it
  std::map<RequestId, std::shared_ptr<SubscriptionState>> subscriptions_;
  std::vector<Operation> from_events_;  // what dispatch wants to say, with the space of each
  std::vector<SpaceNumber> from_events_space_;
  std::map<SpaceNumber, std::vector<RequestId>> taken_;  // answered takes, not yet acknowledged
  std::size_t taken_count_ = 0;
  std::size_t taken_bytes_ = 0;
  SteadyTime taken_told_{};
  Leader leader_ = Leader::kNobody;
  std::size_t callers_ = 0;  // waiting now, leading or not
  std::condition_variable changed_;
  SteadyTime caller_left_{};
  SteadyTime last_sent_{};
  SteadyTime last_heard_{};
  SteadyTime broken_since_{};
  std::uint64_t reconnects_ = 0;
  Duration heartbeat_{std::chrono::seconds(1)};  // the native thread's alone
  Duration lease_pace_ = kForever;               // how often the shortest lease wants us heard

  // The leader's alone.
  wire::FrameReader reader_{wire::kFrameBytesMaxDefault};
  wire::Decoder decoder_;
  std::vector<wire::ServerMessage> inbox_;

  WakeUp leader_wake_;  // polled by a caller that leads
  WakeUp native_wake_;  // polled by the native thread
  Timer timer_;         // the native thread's: to lead again, to send what was gathered
  std::thread native_;
  std::mutex join_mutex_;  // who ends native_
};

}  // namespace linden::client

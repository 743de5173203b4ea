// linden/client.h: one session with a space server.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <linden/error.h>
#include <linden/operation.h>

namespace linden {

namespace client {
class Core;        // api/client/core.h
class FarmClient;  // api/farm/farm_client.h
}  // namespace client
class Space;
class Stream;

struct ConnectOptions {                        // how to reach a server
  std::string address;                         // "unix:/path/to.sock" or "tcp:host:port"
  std::string name;                            // what the client calls itself, for people
  Duration timeout{std::chrono::seconds(10)};  // for the first connection, retried until then
  Duration hold{std::chrono::seconds(5)};  // P18: how long its leases outlive a broken connection
  Duration memory{std::chrono::seconds(60)};     // P36: how long the server remembers it
  Duration reconnect{std::chrono::seconds(60)};  // how long calls outlive a server that is away
  // A call that waits asks its Interrupt after a signal, and so often at least.  Where nothing but
  // signals interrupts, a second spares wake-ups.
  Duration interrupt_check{std::chrono::milliseconds(100)};
};

struct SpaceOptions {                     // how to open a space
  bool create = false;                    // make the space if it does not exist
  std::optional<std::string> durability;  // "memory", "process", "sync"; none: the server's default
  std::vector<NewTuple> initial;          // put if and only if this call creates the space
};

struct SpaceStatus {           // what there is in a space now
  SpaceNumber number;          // under which requests name it
  std::string name;            // as it was opened
  std::string durability;      // "memory", "process", "sync"
  std::uint64_t tuples = 0;    // in whatever state
  std::uint64_t ready = 0;     // free
  std::uint64_t reserved = 0;  // under a lease
  std::uint64_t dead = 0;      // attempts used up (P19)
  std::uint64_t waiters = 0;   // requests that wait for a match
  std::uint64_t bytes = 0;     // of all tuples
  std::uint64_t scans = 0;     // look-ups that compared many tuples in vain: see Space::explain
  std::uint64_t paused = 0;    // free, but handed out to nobody
  std::uint64_t pauses = 0;    // pauses and drains that are set: see Space::pauses
  std::uint64_t delayed = 0;   // not visible yet (P22)
  std::uint64_t behind = 0;    // an earlier one of their group (P22)
  std::uint64_t guarded = 0;   // wait for their guards (P24)
  std::uint64_t subscriptions = 0;  // that are told of its puts
  // Since the server was started.
  std::uint64_t puts = 0;
  std::uint64_t takes = 0;  // under a lease or not
  std::uint64_t finishes = 0;
  std::uint64_t expired = 0;
};

struct ServerInfo {               // what a server says of itself
  std::string version;            // of the program
  std::uint32_t pid = 0;          // of its process
  Duration up{0};                 // since it was started
  std::string directory;          // where its data lies
  std::string durability;         // "memory", "process", "sync"
  std::uint64_t connections = 0;  // open now
  std::uint64_t sessions = 0;     // that it remembers
  std::uint64_t requests = 0;     // since it was started, like the next
  std::uint64_t commits = 0;      // to the disk
};

// Asked by a call that waits, in the waiting thread with nothing locked: after a signal, and at
// least every 0.1 s (ConnectOptions::interrupt_check).  True ends the wait.
using Interrupt = std::function<bool()>;

// What becomes of a request's answer.
enum class AnswerTo : std::uint8_t {
  kWaiter,  // kept until wait() asks for it
  kQueue,   // given to completions()
  // Of these two the server may hold the answer back for some milliseconds, so that it costs no
  // wake-up of its own.  A refusal comes at once.
  kPatientWaiter,  // kept until wait() asks for it, which will not be soon
  kNobody,         // dropped
};

struct Completion {   // an answer, and what it answers
  RequestId request;  // as send() gave it
  Answer answer;      // a refusal is one, too
};

// One session with a server.  Copies share it.  Every method may be called from any thread.
//
// Connection loss is hidden for `reconnect`: the session goes on over a new connection and what was
// not answered is said again, with the same request ids, so that it happens once (P36).  After
// that, or when the server has forgotten the session, every call throws Error with kConnectionLost
// or kSessionExpired.
//
// A thread that waits reads the socket itself; a thread of the client's own reads, renews leases
// and reconnects while nobody waits (docs/decisions/0006-who-reads-the-socket.md).
class Client {
 public:
  // Throws Error: kInvalidArgument (address), kUnreachable, kProtocolMismatch, kCancelled
  // (interrupted).
  [[nodiscard]] static Client connect(const ConnectOptions& options,
                                      const Interrupt& interrupt = {});

  // Throws Error: kNoSuchSpace, kInvalidArgument (name), kOutcomeUnknown (no answer within
  // `timeout`, or interrupted).
  [[nodiscard]] Space open_space(std::string_view name, const SpaceOptions& options = {},
                                 Duration timeout = std::chrono::seconds(10),
                                 const Interrupt& interrupt = {});
  void drop_space(std::string_view name, Duration timeout = std::chrono::seconds(10),
                  const Interrupt& interrupt = {});
  [[nodiscard]] std::vector<SpaceStatus> spaces(Duration timeout = std::chrono::seconds(10),
                                                const Interrupt& interrupt = {});
  [[nodiscard]] ServerInfo server(Duration timeout = std::chrono::seconds(10),
                                  const Interrupt& interrupt = {});
  // Copies what the server keeps into `directory`, an absolute path on the server's host where
  // nothing is yet; space-server can be started on the copy.  It serves meanwhile, and everything
  // that was answered before the call is in the copy.  Throws Error as above, and kStorageFailed.
  void backup(std::string_view directory, Duration timeout = kForever,
              const Interrupt& interrupt = {});

  // Sends one operation and returns at once, unless more than 64 MiB wait to be sent.
  RequestId send(SpaceNumber space, Operation operation, AnswerTo answer_to = AnswerTo::kWaiter);

  // The answer of a request that was sent with kWaiter; nullopt after `timeout` or if interrupted,
  // and then it can be waited for again. Refusals come as values (Refused).  Throws Error if the
  // session has ended, and kInvalidArgument for a request whose answer was given out before.
  [[nodiscard]] std::optional<Answer> wait(RequestId request, Duration timeout,
                                           const Interrupt& interrupt = {});
  // The answer will not be asked for.
  void forget(RequestId request);
  // Ends a waiting take of this session; its answer still comes (kCancelled, or what had been found
  // already).
  void cancel(SpaceNumber space, RequestId request);

  // Answers of requests that were sent with kQueue, at least one; empty after `timeout`, if
  // interrupted, or once closed.
  [[nodiscard]] std::vector<Completion> completions(Duration timeout,
                                                    const Interrupt& interrupt = {});

  [[nodiscard]] SessionId session() const;           // made by the client at random
  [[nodiscard]] const std::string& address() const;  // as it was given
  [[nodiscard]] bool connected() const;              // right now
  [[nodiscard]] std::uint64_t reconnects()
      const;  // how often it has lost the server and found it again
  [[nodiscard]] std::optional<Failure> failure() const;  // why the session has ended for good
  [[nodiscard]] std::uint32_t server_pid() const;        // the process it talks to

  // Says goodbye (leases end at once) or just drops the connection (they are held, P18); wakes
  // every waiting call with kClosed.
  void close(bool goodbye = true);

 private:
  friend class Space;
  friend class Stream;
  friend class Subscription;
  friend class client::FarmClient;
  explicit Client(std::shared_ptr<client::Core> core) : core_(std::move(core)) {}
  std::shared_ptr<client::Core> core_;
};

}  // namespace linden

// linden/operation.h: what can be asked of a space and what it answers, as plain values.
//
// The wire carries these (api/wire), the core applies them (space/core), the client makes and reads
// them (api/client): one vocabulary, so that no layer translates.  How each is spelt in bytes:
// api/wire/proto/linden/wire/v1/operation.proto.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <linden/attributes.h>
#include <linden/error.h>
#include <linden/ids.h>
#include <linden/template.h>
#include <linden/tuple.h>

namespace linden {

// ---- Operations
// -----------------------------------------------------------------------------------------------------------

// Puts all tuples or none.  Answer: PutDone; KeyedPutDone if a tuple has a key; Refused with
// kKeyConflict if a key was used for something else (P23).
struct PutOp {
  std::vector<NewTuple> tuples;
  RequestId transaction;  // 0: none; else of the BeginOp: the ids are given when it commits
};

enum class TakeMode : std::uint8_t {  // what becomes of a tuple that is found
  kRead = 0,                          // rd: the tuple stays
  kTake = 1,                          // in: the tuple leaves
  kReserve =
      2,  // the tuple is hidden under a lease until finish, release, or the lease's end (P16)
};

// One bulk answer of at least one and at most `count_max` matches, now or when the first one comes
// (P12, P14, P15). Answer: Found, or Refused with kNoMatch once `timeout` is over, kCancelled,
// kSpaceGone.
struct TakeOp {
  TakeMode mode = TakeMode::kTake;
  std::vector<Template>
      templates;  // at least one; the oldest and most urgent match of any is returned
  std::uint32_t count_max = 1;
  Duration timeout{0};  // 0: do not wait; kForever
  Duration lease =
      std::chrono::seconds(30);  // kReserve: ends after so long a silence of the session
  RequestId transaction;         // 0: none; else of the BeginOp; not with kReserve
};

// A standing take, read or reservation: tuples come as Delivered events as they match, at most
// `credit` un-acknowledged. kReserve: a hand-out is acknowledged by finish or release.  kTake,
// kRead: by AckOp.  Answer: Done once it stands; ends with CancelOp, answered by Done to both.
// After a reconnect the client repeats it with what it still holds; what the session was handed by
// this stream beyond that is delivered again.  kRead starts with what is there (id above `after`),
// in order of put.
struct StreamOp {
  TakeMode mode = TakeMode::kReserve;
  std::vector<Template> templates;
  std::uint32_t credit = 1;  // most hand-outs un-acknowledged at a time; kRead: most deliveries
  Duration lease = std::chrono::seconds(30);
  TupleId after;  // kRead: only tuples put after this one
  std::vector<TupleId>
      held;  // repeated stream: hand-outs that the client has and has not acknowledged
};

// Asks to be told of every matching put, once, in the order in which the space applied them, also
// of a tuple that is taken in the step that puts it (P30), but not of what a transaction puts and
// takes itself: nobody else ever sees that.  Unlike a kRead stream, which walks what
// is there, the space keeps what it has still to tell, in a bounded backlog: a slow client slows no
// put and is told by a Gap what it missed.
//
// Answer: Counted, how many tuples are shown first because they were there already; ends with
// CancelOp.  Then Delivered events, at most `credit` tuples un-acknowledged (AckOp, CreditOp). What
// is told is numbered from 1 without gaps, Gap events included, by counting.  The subscription
// outlives the connection: after a reconnect the client repeats it with `resume` and the number
// that it `received` last.
struct SubscribeOp {
  std::vector<Template> templates;
  std::uint32_t credit = 1;
  bool initial = false;  // first what is there, in order of put
  bool follow = true;    // false: only what is there, a snapshot of this instant
  bool resume = false;   // was answered Counted before
  std::uint64_t received = 0;
};

// Says that the client has what it was given, so that the space need not be able to give it again.
//
// `stream`, if a subscription: it is done with what was told up to number `delivered`.  Else:
// deliveries of a kTake or kRead stream up to `delivered` in that stream's count (1 for the first
// since the stream was last (re)opened, those named in `held` included) no longer weigh on its
// credit, and are not delivered again.  `takes`: the answers of these TakeOps of mode kTake have
// arrived; such answers are remembered until they are named here or the session ends, because a
// take may wait long after the requests around it were answered.  Either may be left out. Answer:
// Done.
struct AckOp {
  RequestId stream;
  std::uint64_t delivered = 0;
  std::vector<RequestId> takes;
};

// Changes the credit of a stream; less takes effect as hand-outs are acknowledged.  Answer: Done.
struct CreditOp {
  RequestId stream;
  std::uint32_t credit = 0;
};

// Ends a waiting TakeOp or a stream of the same session.  The target is answered kCancelled if it
// was still waiting; what a stream had handed out under a lease stays reserved; what a taking
// stream was given and `kept` does not name is in the space again, as it was.  Answer: Done,
// whether or not the target still waited (P11).
struct CancelOp {
  RequestId target;
  std::vector<TupleId> kept;  // given out to the caller, and not acknowledged yet
};

// Each item is one atomic step of its own (P17): removes the reserved tuple and puts `puts`, if and
// only if the token is the latest hand-out; without a token it is a plain put (results that travel
// along, such as output).  `started` says which further hand-outs the holder has begun to work on,
// after the items.  Answer: FinishDone, one code per item (kOk, kStaleLease or kKeyConflict).
struct FinishItem {
  std::optional<Token> token;
  std::vector<NewTuple> puts;
};
struct FinishOp {
  std::vector<FinishItem> items;
  std::vector<Token> started;
};

// Gives reserved tuples back, at once or visible again after `delay` (at least 10 ms; P18); each
// keeps its age.  `started` counts against max_attempts.  Answer: FinishDone, one code per item.
struct ReleaseItem {
  Token token;
  bool started = true;
  Duration delay{0};
};
struct ReleaseOp {
  std::vector<ReleaseItem> items;
};

// Puts `puts`, removes what `finishes` reserved and the free tuples `takes`: all in one step, or
// nothing at all (P26).  A take and a put together change a tuple.  Answer: PutDone; or Refused
// with kStaleLease if a token is not the latest hand-out, kTransactionConflict if a tuple of
// `takes` is not free; the message says which.
struct CommitOp {
  std::vector<NewTuple> puts;
  std::vector<Token> finishes;
  std::vector<TupleId> takes;
};

// Begins a transaction (P27), which is named by this request's id from then on.  Puts, takes, reads
// and counts that name it see what it put; what it took is hidden from others, what it read is not
// taken by others, until it ends.  It is aborted after a silence of the session for `lease`, when
// the session's hold is over, and when the server ends.  Answer: Done.  Operations that name a
// transaction that has ended are refused with kStaleLease.
struct BeginOp {
  Duration lease = std::chrono::seconds(30);
};

// Ends a transaction: all of it happens in one step, or nothing does, and what it took is back with
// its age.  Its waiting takes are answered kCancelled.  Answer to a commit: PutDone with the ids of
// what it put and did not take again, or Refused with kTransactionConflict if what it relied on has
// changed: a tuple that it read is gone, or one has come where it found none; then it is aborted.
// Answer to an abort: Done, whether or not it was open.
struct EndOp {
  RequestId transaction;
  bool commit = true;
};

// Gives tuples a new time to live from now on, whoever holds them (P21).  Answer: FinishDone, one
// code per item: kOk, or kNoMatch if there is no such tuple any more.
struct RenewItem {
  TupleId tuple;
  std::optional<Duration> ttl;  // at least 10 ms; none: lives for ever
};
struct RenewOp {
  std::vector<RenewItem> items;
};

// Moves, or copies, all free matches into another space of the server: one step for everybody in
// either space, and on disk (P28).  They are put there in order of their ids, with new ones, with
// their priority, max_attempts, will, group and what is left of their ttl; they count as never
// handed out.  What lives with a session stays, as what a transaction has read does if it is to be
// moved.  Answer: PutDone with the ids in the other space; or Refused, and nothing was done.
struct CollectOp {
  Template form;
  SpaceNumber to;
  bool copy = false;
};

// Makes dead tuples free again, with their age and as if they had never been handed out; only their
// attempts go on rising, so that no token is given twice (P19).  One of a group stands in its line
// by its id again.  Answer: FinishDone, one code per id, kOk or kNoMatch if no dead tuple has it;
// with `all`, kOk for each that was revived.
struct ReviveOp {
  std::vector<TupleId> ids;
  bool all = false;              // instead of `ids`: the oldest `limit` that match
  std::optional<Template> form;  // with `all`; none: any
  std::uint32_t limit = 100'000;
};

enum class PauseKind : std::uint8_t {  // what is held up
  kPause = 0,  // what matches is handed out to no take and no reservation; reads and counts see it
  kDrain = 1,  // puts of what matches are refused with kOverloaded; takes go on
};
// "pause", "drain".
[[nodiscard]] std::string_view name_of(PauseKind kind) noexcept;

// Pauses or drains the space, or what matches `form`, until a ResumeOp; a restart of the server
// changes nothing about it.  What is reserved already may be finished, and what ends or takes
// something may put something, also while that is drained.  Answer: FinishDone, one code: kOk, or
// kNoMatch if it stood already, and still says who set it first.
struct PauseOp {
  PauseKind kind = PauseKind::kPause;  // which of the two
  std::optional<Template> form;        // none: the whole space
};

// Ends what was set for exactly this template, or for the whole space.  What was paused goes to
// those who wait for it, in order (P7).  Answer: FinishDone, kOk for each that ended.
struct ResumeOp {
  std::optional<Template> form;
  bool all = false;  // instead: all there are
};

// What is paused and drained.  Answer: PausesListed.
struct ListPausesOp {};

// How many free tuples match.  Answer: Counted.
struct CountOp {
  Template form;
  RequestId transaction;  // 0: none; else of the BeginOp
};

// How a template is looked up, and what that costs.  Changes nothing: no index is learned.  Answer:
// Explained.
struct ExplainOp {
  Template form;
};

enum class TupleState : std::uint8_t {  // whether it can be found, or what it waits for
  kReady = 0,
  kReserved = 1,  // handed out under a lease, not begun
  kStarted = 2,   // handed out under a lease and begun
  kDead = 3,      // attempts used up, no will
  kDelayed = 4,   // not visible before its time (P22)
  kBehind = 5,    // behind an earlier tuple of its group (P22)
  kGuarded = 6,   // waits for its guards (P24)
  kPaused = 7,    // free and seen, but handed out to nobody
};
// "ready", "reserved", "started", "dead", "delayed", "behind", "guarded", "paused".
[[nodiscard]] std::string_view name_of(TupleState state) noexcept;

// Up to `limit` tuples that match with their states, in order of put, ids above `after`.  Answer:
// Listed.
struct ListOp {
  std::optional<Template> form;  // none: every tuple
  TupleId after;
  std::uint32_t limit = 100;
  bool all_states = true;           // false: only free tuples
  std::optional<TupleState> state;  // with `all_states`: only those
};

// Counts by state and by the values of the first `first_fields` fields (objects and large values as
// their type).  Answer: Summary.
struct SummarizeOp {
  std::uint32_t first_fields = 2;
  std::uint32_t groups_max = 1000;
  std::optional<Template> form;  // only what matches; none: every tuple
};

// What the space knows of sessions.  Answer: SessionsListed.
struct ListSessionsOp {};
// What can be asked of a space.
using Operation =
    std::variant<PutOp, TakeOp, StreamOp, SubscribeOp, AckOp, CreditOp, CancelOp, FinishOp,
                 ReleaseOp, CountOp, ExplainOp, ListOp, SummarizeOp, ListSessionsOp, CommitOp,
                 BeginOp, EndOp, RenewOp, CollectOp, ReviveOp, PauseOp, ResumeOp, ListPausesOp>;

// ---- Answers and events
// -----------------------------------------------------------------------------------------------------

// Done, nothing more to say.
struct Done {
  friend bool operator==(const Done&, const Done&) = default;
};

// No effect (P38).  `message` says wanted, found, remedy.
struct Refused {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
  friend bool operator==(const Refused&, const Refused&) = default;
};

// The ids are `first`, `first + 1`, ...; 0 within a transaction, whose commit gives them.
struct PutDone {
  TupleId first;
  std::uint32_t count = 0;
  friend bool operator==(const PutDone&, const PutDone&) = default;
};

// The ids one by one, since some may be those of earlier puts with the same key (P23).
struct KeyedPutDone {
  std::vector<TupleId> ids;
  friend bool operator==(const KeyedPutDone&, const KeyedPutDone&) = default;
};

// One tuple that is handed to a client.
struct Handout {
  TupleId id;                        // 0: put by the transaction itself
  std::uint32_t attempt = 0;         // kReserve: of the token
  std::uint32_t template_index = 0;  // which of the request's templates matched
  bool started = false;              // kReserve: the space counts it as begun already
  Tuple tuple;                       // its fields
  friend bool operator==(const Handout&, const Handout&) = default;
};

struct Found {                  // what a take has found
  std::vector<Handout> tuples;  // at least one
  friend bool operator==(const Found&, const Found&) = default;
};

struct FinishDone {              // how each item has ended
  std::vector<ErrorCode> codes;  // kOk, or why nothing was done
  friend bool operator==(const FinishDone&, const FinishDone&) = default;
};

struct Counted {            // how many there are
  std::uint64_t count = 0;  // of tuples
  friend bool operator==(const Counted&, const Counted&) = default;
};

struct Explained {          // how a template is looked up
  std::uint32_t arity = 0;  // number of fields
  std::uint64_t index =
      0;                 // bit i: field i leads to the candidates; 0: all tuples of that arity are
  bool learned = false;  // the index is there; false: the next look-up makes it
  std::uint64_t tuples = 0;      // free ones of that arity
  std::uint64_t candidates = 0;  // of these, how many the index leads to; a count looks at them all
  std::uint64_t matches = 0;     // of these, how many match
  std::uint64_t scans = 0;  // look-ups of this space until now that compared many tuples in vain
  friend bool operator==(const Explained&, const Explained&) = default;
};

struct ListedTuple {                      // a tuple with all that is known of it
  TupleId id;                             // in order of put
  TupleState state = TupleState::kReady;  // what it waits for
  std::uint32_t attempt = 0;              // how often it was handed out
  std::int32_t priority = 0;              // as it was put
  SessionId holder;                       // kReserved, kStarted
  std::optional<Duration> expires_in;     // none: never
  Tuple tuple;                            // its fields
  // kReserved, kStarted: when it comes back if nothing is heard of its holder.
  std::optional<Duration> lease_left;
  // kReserved, kStarted: since it was handed out; none: in a transaction, or before the server was
  // started.
  std::optional<Duration> held_for;
  std::optional<Duration> visible_in;  // kDelayed
  std::uint32_t open_guards = 0;       // kGuarded: not met yet
  std::uint32_t max_attempts = 0;      // as it was put, like the rest; 0: no bound
  bool has_will = false;               // something is put when it ends unfinished
  SessionId lives_with;
  std::string key;
  std::string group;
};
struct Listed {
  std::vector<ListedTuple> tuples;
  bool more = false;  // there are more groups than were asked for
};

struct SummaryGroup {               // tuples whose first fields are equal
  std::uint32_t arity = 0;          // number of fields
  std::vector<Value> first_fields;  // large ones as their type
  std::uint64_t ready = 0;          // free
  std::uint64_t reserved = 0;       // handed out, not begun
  std::uint64_t started = 0;        // handed out and begun
  std::uint64_t dead = 0;           // attempts used up
  std::uint64_t bytes = 0;          // of all of them
  std::uint64_t delayed = 0;        // not visible yet
  std::uint64_t behind = 0;         // an earlier one of their group
  std::uint64_t guarded = 0;        // wait for their guards
  std::uint64_t paused = 0;         // free, but handed out to nobody
};
struct Summary {                     // what is in a space, by groups
  std::vector<SummaryGroup> groups;  // sorted by arity and fields
  std::uint64_t tuples = 0;          // in all groups
  std::uint64_t waiters = 0;         // requests that wait for a match
  std::uint64_t streams = 0;         // that stand
  bool more = false;                 // there are more groups than were asked for
  std::uint64_t pauses = 0;          // pauses and drains that are set
};

struct SessionInfo {          // a client, as a space knows it
  SessionId id;               // made by the client
  std::string name;           // what the client calls itself
  bool connected = false;     // right now
  Duration silent_for{0};     // since it was heard
  std::uint64_t held = 0;     // tuples under its leases
  std::uint64_t waiting = 0;  // blocked requests and streams
  // Until the first of its leases ends if nothing is heard of it; none: it holds nothing.
  std::optional<Duration> lease_left;
};
struct SessionsListed {
  std::vector<SessionInfo> sessions;
};

struct PauseInfo {                     // a pause or drain that is set
  PauseKind kind = PauseKind::kPause;  // which of the two
  std::optional<Template> form;        // none: the whole space
  std::string set_by;                  // what the client called itself
  Duration set_for{0};                 // so long ago
  std::uint64_t tuples = 0;            // free ones that match
};
struct PausesListed {             // all that is set
  std::vector<PauseInfo> pauses;  // in the order in which they were set
};
// What a space answers.
using Answer = std::variant<Done, Refused, PutDone, Found, FinishDone, Counted, Explained, Listed,
                            Summary, SessionsListed, KeyedPutDone, PausesListed>;

// Events of a stream.
struct Delivered {
  std::vector<Handout> tuples;  // at least one
};
// Of a subscription: what has the numbers `first`, `first + 1`, ... was put and is not told,
// because the client was too slow and the backlog full (P30).  A `count` of 0: the space does not
// know the subscription any more, since the server was started again; what was put meanwhile was
// not counted. Such a gap has the one number `first`, and behind it the subscription begins anew,
// shows what is there if it was `initial`, and goes on with the next number.
struct Gap {
  std::uint64_t first = 0;
  std::uint64_t count = 0;  // of tuples
  friend bool operator==(const Gap&, const Gap&) = default;
};
// Asks the holder to give this hand-out back if it has not begun it: somebody idle waits for it
// (F4).  Answered by ReleaseOp with started = false, or, if it has begun, by FinishOp::started.
struct Recalled {
  Token token;
};
// The stream ended without being asked to: kSpaceGone, kSessionExpired, kShuttingDown.
struct StreamEnded {
  Refused why;
};
using Event = std::variant<Delivered, Gap, Recalled, StreamEnded>;

}  // namespace linden

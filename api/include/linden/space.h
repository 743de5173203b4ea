// linden/space.h: the operations on one space.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <linden/client.h>
#include <linden/operation.h>
#include <linden/stream.h>
#include <linden/subscription.h>

namespace linden {

struct Match {
  TupleId id;
  Tuple tuple;
};

class Reservation;
class Iteration;
class Transaction;

// A space of a server.  A small value: copy it freely.  Calls wait; for requests that do not, see
// Client::send.
//
// Errors of every call: Error with kNoSuchSpace, kSpaceGone, kLimitExceeded, kOverloaded,
// kInvalidArgument (no effect, P38); kConnectionLost, kSessionExpired, kClosed (the session has
// ended); kOutcomeUnknown (the answer did not come; P37).
class Space {
 public:
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] SpaceNumber number() const { return number_; }
  [[nodiscard]] const std::string& durability() const { return durability_; }
  [[nodiscard]] bool created() const { return created_; }  // by the call that opened it
  [[nodiscard]] Client client() const { return client_; }

  // Linda's out.  Returns once the tuple is as durable as the space promises (P31).  With a key
  // that was put before: the id of then; Error kKeyConflict if it was put with something else
  // (P23).
  TupleId put(Tuple tuple, Attributes attributes = {});
  // All or none; ids in order.
  std::vector<TupleId> put_many(std::vector<NewTuple> tuples);

  // Linda's in and rd: wait up to `timeout` (0 does not wait, P12), then throw Error kNoMatch.
  Match take(const Template& form, Duration timeout = kForever, const Interrupt& interrupt = {});
  Match read(const Template& form, Duration timeout = kForever, const Interrupt& interrupt = {});
  // Linda's inp and rdp.
  std::optional<Match> try_take(const Template& form);
  std::optional<Match> try_read(const Template& form);
  // At least one and at most `count_max` once one is there (P15).
  std::vector<Match> take_many(const Template& form, std::uint32_t count_max,
                               Duration timeout = kForever, const Interrupt& interrupt = {});

  // At least one and at most `count_max` once one is there; they stay (P15).
  std::vector<Match> read_many(const Template& form, std::uint32_t count_max,
                               Duration timeout = kForever, const Interrupt& interrupt = {});

  // A take under a lease (P16): the tuple comes back if the holder dies.  Renewed by itself while
  // this process lives.
  Reservation reserve(const Template& form, Duration lease = std::chrono::seconds(30),
                      Duration timeout = kForever, const Interrupt& interrupt = {});
  // P17.  Throws Error kStaleLease if the token is no longer the latest; then nothing has happened.
  void finish(Token token, std::vector<NewTuple> puts = {});
  // Visible again after `delay` (P18); 0: at once.
  void release(Token token, bool started = true, Duration delay = {});
  // Gives a tuple a new time to live from now on; none: for ever (P21).  Error kNoMatch if it does
  // not live any more.
  void renew(TupleId tuple, std::optional<Duration> ttl);

  // Makes those of `ids` that are dead free again, as if they had never been handed out (P19).
  // Returns how many were.
  std::size_t revive(const std::vector<TupleId>& ids);
  // The oldest 100,000 dead ones that match, or of all.
  std::size_t revive_all(const std::optional<Template>& form = {});
  // The dead ones that match, or all, in order of put.
  Listed dead(const std::optional<Template>& form = {}, TupleId after = {},
              std::uint32_t limit = 100);

  // From now on what matches `form`, or everything, is handed out to no take and no reservation;
  // reads and counts see it, and puts go on.  Durable.  False: it was paused already.
  bool pause(const std::optional<Template>& form = {});
  // From now on puts of what matches are refused with kOverloaded; takes go on, and what ends or
  // takes something may put something.  Durable.  False: it was drained already.
  bool drain(const std::optional<Template>& form = {});
  // Ends what was set for exactly this template, or for the whole space; who waits is served.
  // Returns how many of pause and drain have ended.
  std::size_t resume(const std::optional<Template>& form = {});
  std::size_t resume_all();  // whatever is set
  std::vector<PauseInfo> pauses();

  // P26: puts, ends reservations and removes free tuples by their ids, all in one step or not at
  // all; taking a tuple and putting another changes it.  Returns the ids of `puts`.  Throws Error
  // kStaleLease (a token is not the latest) or kTransactionConflict (a tuple is not free), which
  // names the first that stood in the way; then nothing has happened.
  std::vector<TupleId> commit(std::vector<NewTuple> puts, std::vector<Token> finishes = {},
                              std::vector<TupleId> takes = {});
  // P27: linden/transaction.h.
  [[nodiscard]] Transaction begin(Duration lease = std::chrono::seconds(30));

  // Moves all free matches into another space of the server, or copies them there: one step for
  // everybody in either space, and on disk (P28, docs/reference/collect.md).  Returns how many.
  // Throws Error kOverloaded or kLimitExceeded (the other space is full, or too much matches),
  // kNoSuchSpace (it was dropped, or is this one): nothing has happened.
  std::uint64_t collect(const Space& to, const Template& form);
  std::uint64_t copy_collect(const Space& to, const Template& form);

  std::uint64_t count(const Template& form);
  // How the space looks the template up, and what that costs (docs/design/matching.md).
  Explained explain(const Template& form);
  Listed list(std::optional<Template> form, TupleId after = {}, std::uint32_t limit = 100,
              bool all_states = true);
  // All matches, page by page, in order of put: see Iteration.
  [[nodiscard]] Iteration iterate(const Template& form);
  // All matches as of one instant, in order of put: as many as count() would have said then (P29).
  // Throws Error kLimitExceeded beyond a million: iterate() over so many.
  std::vector<Match> snapshot(const Template& form, const Interrupt& interrupt = {});
  Summary summarize(std::uint32_t first_fields = 2, std::uint32_t groups_max = 1000);
  SessionsListed sessions();

  // A standing take, read or reservation.
  [[nodiscard]] Stream open_stream(StreamOp stream);

  // Tells of every matching put from now on; `initial`: after all that is there (P30).  At most
  // `credit` are on their way at a time.
  [[nodiscard]] Subscription subscribe(const Template& form, bool initial = false,
                                       std::uint32_t credit = 1000);
  [[nodiscard]] Subscription subscribe(SubscribeOp subscription, const Interrupt& interrupt = {});

 private:
  friend class Client;
  friend class Transaction;
  Space(Client client, std::string name, SpaceNumber number, std::string durability, bool created)
      : client_(std::move(client)),
        name_(std::move(name)),
        number_(number),
        durability_(std::move(durability)),
        created_(created) {}

  std::uint64_t collect(const Space& to, const Template& form, bool copy);
  Answer ask(Operation operation, Duration timeout, const Interrupt& interrupt);
  Answer answer_of(RequestId request, Duration timeout, const Interrupt& interrupt);
  std::size_t ask_for_codes(Operation operation, const std::string& what);

  Client client_;
  std::string name_;
  SpaceNumber number_;
  std::string durability_;
  bool created_;
};

// A walk over the matches of a template in order of put.  What was free throughout the walk is
// shown exactly once and nothing twice, whatever comes and goes meanwhile (P29); a tuple that was
// put, or was away, in between may be shown or not.  Asks for a page at a time by the id of the
// last tuple seen, so the space keeps nothing for it, and it may take as long as it likes.
class Iteration {
 public:
  Iteration(Space space, Template form) : space_(std::move(space)), form_(std::move(form)) {}
  // The next match; nullopt: there are no more.
  [[nodiscard]] std::optional<Match> next();

 private:
  Space space_;
  Template form_;
  Listed page_;
  std::size_t at_ = 0;
  TupleId after_;
  bool more_ = true;
};

// A tuple held under a lease.  Given back when destroyed unfinished.
class Reservation {
 public:
  Reservation(Space space, Handout handout)
      : space_(std::move(space)), handout_(std::move(handout)), held_(true) {}
  Reservation(Reservation&& other) noexcept
      : space_(std::move(other.space_)),
        handout_(std::move(other.handout_)),
        held_(std::exchange(other.held_, false)) {}
  Reservation& operator=(Reservation&&) = delete;
  ~Reservation();

  [[nodiscard]] const Tuple& tuple() const { return handout_.tuple; }
  [[nodiscard]] Token token() const { return {handout_.id, handout_.attempt}; }
  void finish(std::vector<NewTuple> puts = {});
  void release(bool started = true, Duration delay = {});

 private:
  Space space_;
  Handout handout_;
  bool held_;
};

}  // namespace linden

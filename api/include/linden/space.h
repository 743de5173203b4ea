// linden/space.h: the operations on one space.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <linden/client.h>
#include <linden/future.h>
#include <linden/operation.h>
#include <linden/stream.h>
#include <linden/subscription.h>
#include <linden/typed.h>

namespace linden {

struct Match {  // a tuple that was found
  TupleId id;   // of its put
  Tuple tuple;  // its fields
};

class Reservation;
class Iteration;
class Transaction;
template <class... Fields>
class TypedReservation;
template <class... Fields>
class TypedStream;

// A space of a server.  A small value: copy it freely.  Calls wait; those that end in _async do
// not, and give a Future (linden/future.h).
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

  std::uint64_t count(const Template& form);  // of free matches
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

  // ---- Without waiting: as the calls of these names, whose errors the future has.  Requests are
  // ---- said in the order in which they are made.  Throw Error only if the session has ended.
  Future<TupleId> put_async(Tuple tuple, Attributes attributes = {});
  Future<std::vector<TupleId>> put_many_async(std::vector<NewTuple> tuples);
  [[nodiscard]] Future<Match> take_async(const Template& form, Duration timeout = kForever);
  [[nodiscard]] Future<Match> read_async(const Template& form, Duration timeout = kForever);
  [[nodiscard]] Future<std::optional<Match>> try_take_async(const Template& form);
  [[nodiscard]] Future<std::optional<Match>> try_read_async(const Template& form);
  [[nodiscard]] Future<std::vector<Match>> take_many_async(const Template& form,
                                                           std::uint32_t count_max,
                                                           Duration timeout = kForever);
  [[nodiscard]] Future<std::vector<Match>> read_many_async(const Template& form,
                                                           std::uint32_t count_max,
                                                           Duration timeout = kForever);
  [[nodiscard]] Future<Reservation> reserve_async(const Template& form,
                                                  Duration lease = std::chrono::seconds(30),
                                                  Duration timeout = kForever);
  Future<void> finish_async(Token token, std::vector<NewTuple> puts = {});
  Future<std::uint64_t> count_async(const Template& form);

  // ---- Typed: linden/typed.h says what the types and arguments mean.
  template <class... Fields>
  std::tuple<Fields...> take(const Form<Fields...>& form, Duration timeout = kForever,
                             const Interrupt& interrupt = {}) {
    return Form<Fields...>::fields_of(take(form.untyped(), timeout, interrupt).tuple);
  }
  template <class... Fields>
  std::tuple<Fields...> read(const Form<Fields...>& form, Duration timeout = kForever,
                             const Interrupt& interrupt = {}) {
    return Form<Fields...>::fields_of(read(form.untyped(), timeout, interrupt).tuple);
  }
  template <class... Fields>
  std::optional<std::tuple<Fields...>> try_take(const Form<Fields...>& form) {
    return typed<Fields...>(try_take(form.untyped()));
  }
  template <class... Fields>
  std::optional<std::tuple<Fields...>> try_read(const Form<Fields...>& form) {
    return typed<Fields...>(try_read(form.untyped()));
  }
  template <class... Fields>
  std::vector<std::tuple<Fields...>> take_many(const Form<Fields...>& form, std::uint32_t count_max,
                                               Duration timeout = kForever,
                                               const Interrupt& interrupt = {}) {
    return typed<Fields...>(take_many(form.untyped(), count_max, timeout, interrupt));
  }
  template <class... Fields>
  std::vector<std::tuple<Fields...>> read_many(const Form<Fields...>& form, std::uint32_t count_max,
                                               Duration timeout = kForever,
                                               const Interrupt& interrupt = {}) {
    return typed<Fields...>(read_many(form.untyped(), count_max, timeout, interrupt));
  }
  template <class... Fields>
  [[nodiscard]] TypedReservation<Fields...> reserve(const Form<Fields...>& form,
                                                    Duration lease = std::chrono::seconds(30),
                                                    Duration timeout = kForever,
                                                    const Interrupt& interrupt = {});
  template <class... Fields>
  [[nodiscard]] Future<std::tuple<Fields...>> take_async(const Form<Fields...>& form,
                                                         Duration timeout = kForever) {
    return begin_take<Fields...>(TakeMode::kTake, form, timeout);
  }
  template <class... Fields>
  [[nodiscard]] Future<std::tuple<Fields...>> read_async(const Form<Fields...>& form,
                                                         Duration timeout = kForever) {
    return begin_take<Fields...>(TakeMode::kRead, form, timeout);
  }
  template <class... Fields>
  [[nodiscard]] Future<TypedReservation<Fields...>> reserve_async(
      const Form<Fields...>& form, Duration lease = std::chrono::seconds(30),
      Duration timeout = kForever);
  template <class... Fields>
  std::uint64_t count(const Form<Fields...>& form) {
    return count(form.untyped());
  }
  // `mode`, `credit` and `lease` are those of `stream`, the template is `form`.
  template <class... Fields>
  [[nodiscard]] TypedStream<Fields...> open_stream(const Form<Fields...>& form,
                                                   StreamOp stream = {});

  // The same with the arguments of form<Fields...>() in place of it.  Those that wait do so for
  // ever.
  template <class... Fields, class... Arguments>
  requires(sizeof...(Fields) > 0) std::tuple<Fields...> take(const Arguments&... arguments) {
    return take(linden::form<Fields...>(arguments...));
  }
  template <class... Fields, class... Arguments>
  requires(sizeof...(Fields) > 0) std::tuple<Fields...> read(const Arguments&... arguments) {
    return read(linden::form<Fields...>(arguments...));
  }
  template <class... Fields, class... Arguments>
  requires(sizeof...(Fields) >
           0) std::optional<std::tuple<Fields...>> try_take(const Arguments&... arguments) {
    return try_take(linden::form<Fields...>(arguments...));
  }
  template <class... Fields, class... Arguments>
  requires(sizeof...(Fields) >
           0) std::optional<std::tuple<Fields...>> try_read(const Arguments&... arguments) {
    return try_read(linden::form<Fields...>(arguments...));
  }
  template <class... Fields, class... Arguments>
  requires(sizeof...(Fields) >
           0) TypedReservation<Fields...> reserve(const Arguments&... arguments);
  template <class... Fields, class... Arguments>
  requires(sizeof...(Fields) >
           0) Future<std::tuple<Fields...>> take_async(const Arguments&... arguments) {
    return take_async(linden::form<Fields...>(arguments...));
  }
  template <class... Fields, class... Arguments>
  requires(sizeof...(Fields) >
           0) Future<std::tuple<Fields...>> read_async(const Arguments&... arguments) {
    return read_async(linden::form<Fields...>(arguments...));
  }
  template <class... Fields, class... Arguments>
  requires(sizeof...(Fields) >
           0) Future<TypedReservation<Fields...>> reserve_async(const Arguments&... arguments);

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

  // Sends what `state` is the answer of.
  void begin(Operation operation, const std::shared_ptr<detail::FutureState>& state,
             detail::GiveBack give_back) const;
  [[nodiscard]] detail::Keep session() const;
  static const Space& of(const detail::Keep& keep) {
    return *static_cast<const Space*>(keep.get());
  }
  template <class T>
  Future<T> begin_any(Operation operation, typename detail::FutureStateOf<T>::Decode decode,
                      detail::GiveBack give_back = detail::GiveBack::kNothing,
                      detail::Keep keep = {}) const {
    auto state = std::make_shared<detail::FutureStateOf<T>>(std::move(decode));
    begin(std::move(operation), state, give_back);
    return Future<T>(std::move(state), keep ? std::move(keep) : session());
  }
  static TakeOp take_of(TakeMode mode, const Template& form, Duration timeout,
                        Duration lease = std::chrono::seconds(30));
  static Handout handout_of(Answer&& answer, const char* what);
  template <class... Fields>
  Future<std::tuple<Fields...>> begin_take(TakeMode mode, const Form<Fields...>& form,
                                           Duration timeout) const {
    const bool takes = mode == TakeMode::kTake;
    return begin_any<std::tuple<Fields...>>(
        take_of(mode, form.untyped(), timeout),
        [takes](Answer&& answer, const detail::Keep&) {
          return Form<Fields...>::fields_of(
              handout_of(std::move(answer), takes ? "take_async" : "read_async").tuple);
        },
        takes ? detail::GiveBack::kPut : detail::GiveBack::kNothing);
  }
  template <class... Fields>
  static std::optional<std::tuple<Fields...>> typed(const std::optional<Match>& match) {
    if (!match) return std::nullopt;
    return Form<Fields...>::fields_of(match->tuple);
  }
  template <class... Fields>
  static std::vector<std::tuple<Fields...>> typed(const std::vector<Match>& matches) {
    std::vector<std::tuple<Fields...>> rows;
    rows.reserve(matches.size());
    for (const auto& match : matches) rows.push_back(Form<Fields...>::fields_of(match.tuple));
    return rows;
  }

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

  // What is held.
  [[nodiscard]] const Tuple& tuple() const { return handout_.tuple; }
  [[nodiscard]] Token token() const { return {handout_.id, handout_.attempt}; }
  // As Space::finish and Space::release.
  void finish(std::vector<NewTuple> puts = {});
  void release(bool started = true, Duration delay = {});

 private:
  Space space_;
  Handout handout_;
  bool held_;
};

// A reservation whose fields have types.  Given back when destroyed unfinished.
template <class... Fields>
class TypedReservation {
 public:
  explicit TypedReservation(Reservation reservation)
      : reservation_(std::move(reservation)),
        fields_(Form<Fields...>::fields_of(reservation_.tuple())) {}

  // What is held.
  [[nodiscard]] const std::tuple<Fields...>& fields() const noexcept { return fields_; }
  [[nodiscard]] Token token() const { return reservation_.token(); }
  // As Reservation::finish and release.
  void finish(std::vector<NewTuple> puts = {}) { reservation_.finish(std::move(puts)); }
  void release(bool started = true, Duration delay = {}) { reservation_.release(started, delay); }

 private:
  Reservation reservation_;
  std::tuple<Fields...> fields_;
};

// A hand-out of a typed stream.
template <class... Fields>
struct TypedHandout {
  Token token;
  std::tuple<Fields...> fields;
};

// A stream whose tuples have types.  Copies share it.
template <class... Fields>
class TypedStream {
 public:
  explicit TypedStream(Stream stream) : stream_(std::move(stream)) {}

  // As those of Stream.
  [[nodiscard]] std::optional<TypedHandout<Fields...>> next(Duration timeout = kForever,
                                                            const Interrupt& interrupt = {}) {
    const auto one = stream_.next(timeout, interrupt);
    if (!one) return std::nullopt;
    return TypedHandout<Fields...>{{one->id, one->attempt}, Form<Fields...>::fields_of(one->tuple)};
  }
  void finish(Token token, std::vector<NewTuple> puts = {}, bool flush = false) {
    stream_.finish(token, std::move(puts), flush);
  }
  void release(Token token, bool started) { stream_.release(token, started); }
  void flush() { stream_.flush(); }
  void close() { stream_.close(); }
  [[nodiscard]] Stream& untyped() noexcept { return stream_; }

 private:
  Stream stream_;
};

template <class... Fields>
TypedReservation<Fields...> Space::reserve(const Form<Fields...>& form, Duration lease,
                                           Duration timeout, const Interrupt& interrupt) {
  return TypedReservation<Fields...>(reserve(form.untyped(), lease, timeout, interrupt));
}

template <class... Fields>
Future<TypedReservation<Fields...>> Space::reserve_async(const Form<Fields...>& form,
                                                         Duration lease, Duration timeout) {
  return begin_any<TypedReservation<Fields...>>(
      take_of(TakeMode::kReserve, form.untyped(), timeout, lease),
      [](Answer&& answer, const detail::Keep& keep) {
        return TypedReservation<Fields...>(
            Reservation(of(keep), handout_of(std::move(answer), "reserve_async")));
      },
      detail::GiveBack::kRelease, std::make_shared<const Space>(*this));
}

template <class... Fields>
TypedStream<Fields...> Space::open_stream(const Form<Fields...>& form, StreamOp stream) {
  stream.templates = {form.untyped()};
  return TypedStream<Fields...>(open_stream(std::move(stream)));
}

template <class... Fields, class... Arguments>
requires(sizeof...(Fields) >
         0) TypedReservation<Fields...> Space::reserve(const Arguments&... arguments) {
  return reserve(linden::form<Fields...>(arguments...));
}

template <class... Fields, class... Arguments>
requires(sizeof...(Fields) > 0) Future<TypedReservation<Fields...>> Space::reserve_async(
    const Arguments&... arguments) {
  return reserve_async(linden::form<Fields...>(arguments...));
}

}  // namespace linden

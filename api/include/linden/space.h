// linden/space.h: the operations on one space.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <linden/client.h>
#include <linden/operation.h>
#include <linden/stream.h>

namespace linden {

struct Match {
  TupleId id;
  Tuple tuple;
};

class Reservation;

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

  std::uint64_t count(const Template& form);
  Listed list(std::optional<Template> form, TupleId after = {}, std::uint32_t limit = 100,
              bool all_states = true);
  Summary summarize(std::uint32_t first_fields = 2, std::uint32_t groups_max = 1000);
  SessionsListed sessions();

  // A standing take, read or reservation.
  [[nodiscard]] Stream open_stream(StreamOp stream);

 private:
  friend class Client;
  Space(Client client, std::string name, SpaceNumber number, std::string durability, bool created)
      : client_(std::move(client)),
        name_(std::move(name)),
        number_(number),
        durability_(std::move(durability)),
        created_(created) {}

  Answer ask(Operation operation, Duration timeout, const Interrupt& interrupt);

  Client client_;
  std::string name_;
  SpaceNumber number_;
  std::string durability_;
  bool created_;
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

// linden/transaction.h: many operations on one space that happen together or not at all.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include <linden/space.h>

namespace linden {

// An open transaction (P27), begun by Space::begin.  It may be moved, not copied; any thread may
// use it, one at a time.
//
// What it puts is seen inside at once and outside when it commits.  What it takes is hidden from
// others until it ends.  What it reads others may read and may not take.  A "none" that it was
// given is looked at again by the commit.  It is aborted when it is destroyed open, after a silence
// of this process for the lease (renewed by itself while the process lives), when the connection is
// lost for longer than the session's hold, and when the server ends: then all is back as it was.
//
// Errors of every call beside those of Space: Error with kStaleLease (the transaction has ended),
// kLimitExceeded (it has put, taken, read and not found 10,000 things).
class Transaction {
 public:
  Transaction(Transaction&& other) noexcept
      : space_(std::move(other.space_)), id_(other.id_), open_(std::exchange(other.open_, false)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();

  [[nodiscard]] RequestId id() const { return id_; }  // for operations sent by Client::send
  [[nodiscard]] bool open() const { return open_; }   // neither committed nor aborted by us

  // The ids are given by the commit.
  void put(Tuple tuple, Attributes attributes = {});
  void put_many(std::vector<NewTuple> tuples);

  // As those of Space; the id of a Match is 0 if the transaction itself put the tuple.
  Match take(const Template& form, Duration timeout = kForever, const Interrupt& interrupt = {});
  Match read(const Template& form, Duration timeout = kForever, const Interrupt& interrupt = {});
  std::optional<Match> try_take(const Template& form);
  std::optional<Match> try_read(const Template& form);
  std::vector<Match> take_many(const Template& form, std::uint32_t count_max,
                               Duration timeout = kForever, const Interrupt& interrupt = {});
  std::uint64_t count(const Template& form);

  // One step for everybody and on disk.  Returns the ids of what was put and not taken again, in
  // order.  Throws Error kTransactionConflict if what it relied on has changed; then it was
  // aborted.
  std::vector<TupleId> commit();
  void abort();

 private:
  friend class Space;
  Transaction(Space space, RequestId id) : space_(std::move(space)), id_(id), open_(true) {}

  Space space_;
  RequestId id_;
  bool open_;
};

}  // namespace linden

// space/core/transaction.h: what an open transaction has done so far (P27).
//
// Nothing of it is durable before its commit, so a restart of the server finds what it took where
// it was and has never heard of what it put.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "api/model/operation.h"
#include "space/core/slab.h"

namespace linden::core {

struct Session;

struct Transaction {
  // Nobody but the transaction sees it until the commit; then it is put, unless it was taken.
  struct Put {
    NewTuple tuple;
    bool taken = false;
  };
  // A tuple of the space, which is hidden from others meanwhile, or one of `puts`.
  struct Taken {
    RequestId request;
    TupleId id;           // 0: one of `puts`
    std::size_t put = 0;  // which
    std::uint32_t template_index = 0;
    bool acknowledged = false;  // the client has the answer (P36)
  };
  // Nothing matched: looked at again by the commit.
  struct None {
    TakeMode mode = TakeMode::kTake;
    std::vector<Template> templates;
  };

  std::uint64_t number = 0;  // 0: the slot is free
  RequestId id;              // of its BeginOp
  Session* session = nullptr;
  Duration lease{0};
  std::vector<Put> puts;
  std::map<RequestId, std::uint32_t> put_requests;  // answered, with how many tuples
  std::vector<Taken> taken;
  std::set<TupleId> read;
  std::vector<None> nones;
  std::size_t waiting = 0;  // blocked takes and reads
  bool conflict = false;    // a tuple that it read or took has left the space meanwhile

  [[nodiscard]] std::size_t size() const {
    return puts.size() + put_requests.size() + taken.size() + read.size() + nones.size();
  }
};

}  // namespace linden::core

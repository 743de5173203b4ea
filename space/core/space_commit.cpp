// space/core/space_commit.cpp: several operations as one (P26).
#include <algorithm>

#include "space/core/space_machine.h"

namespace linden::core {
namespace {

constexpr const char* kNothingDone = "; nothing was done";

// Why a tuple that is to be taken by its id is not free; null if it is.
const char* why_not_free(const Entry& entry) {
  switch (entry.state) {
    case EntryState::kReady:
      if (entry.paused) return "is paused; resume it first";
      return entry.read_locked ? "was read by a transaction that is open" : nullptr;
    case EntryState::kReserved:
      return "is reserved; its holder finishes it by token";
    case EntryState::kHeld:
      return "was taken by a transaction that is open";
    case EntryState::kDead:
      return "is dead";
    case EntryState::kDelayed:
    case EntryState::kBehind:
    case EntryState::kGuarded:
      return "is not visible yet";
    case EntryState::kTaken:
      break;
  }
  return "is gone";
}

template <class Item>
bool has_doubles(std::vector<Item> items) {
  std::sort(items.begin(), items.end());
  return std::adjacent_find(items.begin(), items.end()) != items.end();
}

Refused not_done(ErrorCode code, const std::string& what) {
  return Refused{code, "commit: " + what + kNothingDone};
}

}  // namespace

std::optional<Refused> SpaceState::Machine::check(const Session& session, const CommitOp& op) {
  const std::size_t removed = op.finishes.size() + op.takes.size();
  if (op.puts.size() > limits_.put_tuples_max || removed > limits_.commit_tuples_max) {
    return Refused{ErrorCode::kLimitExceeded,
                   "commit: " + std::to_string(op.puts.size()) + " tuples to put and " +
                       std::to_string(removed) + " to remove, the limits are " +
                       std::to_string(limits_.put_tuples_max) + " and " +
                       std::to_string(limits_.commit_tuples_max) +
                       "; commit less at once or raise limits.put_tuples_max and "
                       "limits.commit_tuples_max"};
  }
  if (auto refused = check(op.puts)) return refused;
  if (has_doubles(op.finishes) || has_doubles(op.takes)) {
    return Refused{ErrorCode::kInvalidArgument,
                   "commit: a tuple is to be removed twice; name each once"};
  }
  for (const Token& token : op.finishes) {
    if (current_holding(session, token) != kNoSlot) continue;
    ++counts_.stale;
    return not_done(ErrorCode::kStaleLease,
                    "tuple " + std::to_string(token.tuple.value) + ", attempt " +
                        std::to_string(token.attempt) +
                        ": the reservation has ended or is not this session's");
  }
  for (const TupleId id : op.takes) {
    const Slot slot = tuples_.find(id);
    const char* why = slot == kNoSlot ? "is gone" : why_not_free(tuples_[slot]);
    if (why == nullptr) continue;
    return not_done(ErrorCode::kTransactionConflict,
                    "tuple " + std::to_string(id.value) + " " + why);
  }
  return std::nullopt;
}

// All of it is looked at before any of it is done, and one step is one commit.
void SpaceState::Machine::operate(Session& session, RequestId request, CommitOp&& op) {
  if (auto refused = check(session, op)) return reply(session, request, std::move(*refused));
  if (op.finishes.empty() && op.takes.empty() && !op.puts.empty()) {  // it is a put (P33)
    if (auto refused = check_room(op.puts)) {
      return reply(session, request, std::move(*refused));
    }
  }
  if (auto refused = check_keys_and_guards(op.puts)) {
    return reply(session, request, not_done(refused->code, refused->message));
  }
  if (!may_remember(session, request)) return;
  for (const Token& token : op.finishes) {
    let_go(current_holding(session, token));
    emit(TupleRemoved{token.tuple});
    remove_tuple(tuples_.find(token.tuple));
    ++counts_.finishes;
  }
  for (const TupleId id : op.takes) {
    emit(TupleRemoved{id});
    remove_tuple(tuples_.find(id));
    ++counts_.takes;
  }
  put_and_answer(session, request, std::move(op.puts));
}

}  // namespace linden::core

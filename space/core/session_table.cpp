#include "space/core/session_table.h"

#include <algorithm>

namespace linden::core {

Session& SessionTable::open(SessionId id) {
  const Slot slot = sessions_.take();
  Session& session = sessions_[slot];
  session.id = id;
  session.number = ++session_number_;
  session.slot = slot;
  by_id_.emplace(id, slot);
  return session;
}

void SessionTable::end(Session& session) {
  by_id_.erase(session.id);
  sessions_.give_back(session.slot);
}

Session* SessionTable::find(SessionId id) {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &sessions_[found->second];
}

const Session* SessionTable::find(SessionId id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &sessions_[found->second];
}

std::vector<const Session*> SessionTable::sorted() const {
  std::vector<const Session*> all;
  for (const auto& [id, slot] : by_id_) all.push_back(&sessions_[slot]);
  std::sort(all.begin(), all.end(), [](auto* a, auto* b) { return a->id < b->id; });
  return all;
}

std::vector<Session*> SessionTable::sorted() {
  std::vector<Session*> all;
  for (const auto& [id, slot] : by_id_) all.push_back(&sessions_[slot]);
  std::sort(all.begin(), all.end(), [](auto* a, auto* b) { return a->id < b->id; });
  return all;
}

Slot SessionTable::hold(Session& session) {
  const Slot slot = holdings_.take();
  Holding& holding = holdings_[slot];
  holding.session = session.slot;
  holding.number = ++holding_number_;
  holding.previous = session.last_holding;
  if (session.last_holding == kNoSlot) {
    session.first_holding = slot;
  } else {
    holdings_[session.last_holding].next = slot;
  }
  session.last_holding = slot;
  return slot;
}

void SessionTable::let_go(Slot slot) {
  const Holding& holding = holdings_[slot];
  Session& session = sessions_[holding.session];
  (holding.previous == kNoSlot ? session.first_holding : holdings_[holding.previous].next) =
      holding.next;
  (holding.next == kNoSlot ? session.last_holding : holdings_[holding.next].previous) =
      holding.previous;
  holdings_.give_back(slot);
}

std::vector<Slot> SessionTable::holdings_of(const Session& session, RequestId request) const {
  std::vector<Slot> result;
  for (Slot slot = session.first_holding; slot != kNoSlot; slot = holdings_[slot].next) {
    if (holdings_[slot].request == request) result.push_back(slot);
  }
  return result;
}

}  // namespace linden::core

#include "tests/chaos/checker.h"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>

namespace linden::chaos {
namespace {

using Part = Item::Part;
using Sort = Violation::Sort;

constexpr std::size_t kViolationsMax = 100;
constexpr std::size_t kStepsMax = 100'000;

bool takes(Kind kind) {
  return kind == Kind::kTake;
}
bool hides(Kind kind) {
  return takes(kind) || kind == Kind::kReserve || kind == Kind::kHold;
}
bool looks_for(Kind kind) {
  return hides(kind) || kind == Kind::kRead || kind == Kind::kLook;
}
bool ends_if_done(Kind kind) {
  return kind != Kind::kRelease;
}

using Spans = std::vector<std::pair<Moment, Moment>>;

// In order, and without overlap.
Spans merged(Spans spans) {
  std::sort(spans.begin(), spans.end());
  Spans out;
  for (const auto& span : spans) {
    if (!out.empty() && span.first <= out.back().second) {
      out.back().second = std::max(out.back().second, span.second);
    } else {
      out.push_back(span);
    }
  }
  return out;
}

// Whether one of these, which are merged, has something in common with that time.
bool meets(const Spans& spans, Moment from, Moment to) {
  const auto first = std::partition_point(spans.begin(), spans.end(),
                                          [&](const auto& span) { return span.second < from; });
  return first != spans.end() && first->first <= to;
}

// What became of one tuple.
struct Fate {
  const Call* put = nullptr;
  const Item* as = nullptr;
  std::uint64_t id = 0;
  bool seen = false;
  Moment first_shown = kNotYet;    // answer of the first call that was given it
  Moment last_seen = 0;            // question of the last call that was given it
  Moment hidden_from = kNotYet;    // from then on somebody else may have had it
  const Call* ended_by = nullptr;  // certainly
  std::vector<const Call*> maybe_ended_by;
  struct Handout {
    std::uint32_t attempt;
    const Call* call;
  };
  std::vector<Handout> handouts;  // under a lease
  std::vector<std::pair<const Item*, const Call*>> releases;
};

// Which unanswered take has had which missing tuple: a matching, found by augmenting paths.
class Explanations {
 public:
  using MayHaveTaken = std::function<bool(const Call&, const Fate&)>;
  Explanations(const History& history, MayHaveTaken may_have_taken)
      : may_have_taken_(std::move(may_have_taken)) {
    for (const Call& call : history.calls) {
      if (takes(call.kind) && call.outcome == Outcome::kUnknown) takes_.push_back({&call, {}});
    }
  }

  // Whether takes can have had all of these too, beside those before; only then they have.
  bool explain(const std::vector<const Fate*>& fates) {
    const auto before = takes_;
    for (const Fate* fate : fates) {
      ++round_;
      if (assign(*fate)) continue;
      takes_ = before;
      return false;
    }
    return true;
  }

 private:
  struct Take {
    const Call* call;
    std::vector<const Fate*> had;
    std::size_t visited = 0;
  };

  bool assign(const Fate& fate) {
    for (Take& take : takes_) {
      if (take.visited == round_ || !may_have_taken_(*take.call, fate)) continue;
      take.visited = round_;
      if (take.had.size() < take.call->count) {
        take.had.push_back(&fate);
        return true;
      }
      for (const Fate*& other : take.had) {
        if (!assign(*other)) continue;
        other = &fate;
        return true;
      }
    }
    return false;
  }

  MayHaveTaken may_have_taken_;
  std::vector<Take> takes_;
  std::size_t round_ = 0;
};

class Checker {
 public:
  explicit Checker(const History& history)
      : history_(history), disturbed_(merged(history.disturbed)) {}

  Verdict run() {
    note_puts();
    note_given();
    note_ends();
    settle_unknown_calls();
    count_tuples();
    check_nothing_after_the_end();
    settle_missing();
    check_lost();
    check_groups();
    check_tokens();
    check_searches();
    return std::move(verdict_);
  }

 private:
  // ---- Who did what with which tuple
  void note_puts();
  void note_given();
  void note_given(const Call& call, const Item& item);
  void check_not_early(const Fate& fate, const Call& call);
  void note_ends();
  [[nodiscard]] bool may_have_come_back(const Fate& fate) const;
  // ---- Unknown calls
  [[nodiscard]] bool happened(const Call& call) const {
    return call.outcome == Outcome::kDone || happened_.contains(&call);
  }
  void settle_unknown_calls();
  void happen(const Call& call);
  void end(Fate& fate, const Call& by);
  void settle_missing();
  [[nodiscard]] bool may_have_happened(const Call& call) const;
  [[nodiscard]] std::vector<const Fate*> left_by(const Call& call) const;
  // ---- Rules
  void count_tuples();
  void check_nothing_after_the_end();
  void check_after(const Fate& fate, const Call& call, const Item& item);
  // Calls of which nothing tells whether they happened, and what they would have removed, with how
  // many of them would have removed it that are not decided yet.
  struct Doubts {
    std::vector<const Call*> calls;
    std::map<const Fate*, int> candidates;
    std::set<const Fate*> ended;  // by those that are taken to have happened
    std::size_t steps = 0;
  };
  void check_lost();
  [[nodiscard]] bool decide(Doubts& doubts, std::size_t index, Explanations& explanations);
  void report_lost(const Fate& fate);
  [[nodiscard]] bool may_have_vanished(const Fate& fate) const;
  [[nodiscard]] bool is_missing(const Fate& fate) const;
  [[nodiscard]] bool may_have_taken(const Call& call, const Fate& fate) const;
  void check_groups();
  void check_tokens();
  void check_tokens(Serial serial, Fate& fate);
  void check_searches();
  // ----
  [[nodiscard]] Moment gone(ProcessNumber process) const {
    const auto found = history_.gone.find(process);
    return found == history_.gone.end() ? kNotYet : found->second;
  }
  [[nodiscard]] bool is_disturbed(Moment from, Moment to) const;
  void report(Sort sort, Serial serial, std::string what) {
    if (verdict_.violations.size() < kViolationsMax) {
      verdict_.violations.push_back({sort, std::move(what), serial});
    }
  }

  const History& history_;
  Spans disturbed_;
  std::unordered_map<Serial, Fate> fates_;
  std::set<const Call*> happened_;  // although no answer came
  std::unordered_map<ProcessNumber, const Call*> goodbyes_;
  Verdict verdict_;

  friend class Searches;
};

// ---- Who did what with which tuple --------------------------------------------------------------

void Checker::note_puts() {
  fates_.reserve(history_.calls.size());
  for (const Call& call : history_.calls) {
    verdict_.unknown +=
        call.outcome == Outcome::kUnknown && call.kind != Kind::kWill && !call.streamed;
    verdict_.nones += call.outcome == Outcome::kNone;
    if (call.kind == Kind::kGoodbye) goodbyes_[call.process] = &call;
    for (const Item& item : call.items) {
      if (item.part != Part::kPut) continue;
      Fate& fate = fates_[item.serial];
      if (fate.put != nullptr) {  // under its key again: it must be the same (P23)
        if (item.id != 0 && item.id != fate.id) {
          report(Sort::kDoubled, item.serial, "was put under one key, but is there under two ids");
        }
        continue;
      }
      fate.put = &call;
      fate.as = &item;
      fate.id = item.id;
    }
  }
}

void Checker::note_given() {
  for (const Call& call : history_.calls) {
    for (const Item& item : call.items) {
      if (item.part == Part::kGiven) note_given(call, item);
    }
  }
}

void Checker::note_given(const Call& call, const Item& item) {
  const auto found = fates_.find(item.serial);
  if (found == fates_.end()) {
    return report(Sort::kHalf, item.serial, "was seen, but nobody has put it");
  }
  Fate& fate = found->second;
  fate.seen = true;
  fate.last_seen = std::max(fate.last_seen, call.asked);
  if (fate.put->asked > call.answered) {
    report(Sort::kHalf, item.serial, "was seen before it was put");
  }
  if (call.kind != Kind::kLeft) {
    fate.first_shown = std::min(fate.first_shown, call.answered);
    check_not_early(fate, call);
  }
  if (fate.id == 0) fate.id = item.id;
  if (fate.id != item.id && item.id != 0) {
    report(Sort::kDoubled, item.serial, "was put once, but is there under two ids");
  }
  if (call.kind == Kind::kReserve) fate.handouts.push_back({item.attempt, &call});
  // A stream may have been handed it long before it was asked for it.
  if (call.streamed) fate.hidden_from = 0;
  if (hides(call.kind) || call.kind == Kind::kLook) {
    fate.hidden_from = std::min(fate.hidden_from, call.asked);
  }
}

// The controller's last look also sees what is hidden.
void Checker::check_not_early(const Fate& fate, const Call& call) {
  const Item& as = *fate.as;
  if (as.delay != 0 && call.answered < fate.put->asked + as.delay) {
    report(Sort::kEarly, as.serial, "was seen before its delay was over");
  }
  if (as.waits_for == 0) return;
  const auto guard = fates_.find(as.waits_for);
  if (guard == fates_.end() || guard->second.put->asked > call.answered) {
    report(Sort::kEarly, as.serial, "was seen before what it waits for was put");
  }
}

void Checker::note_ends() {
  for (const Call& call : history_.calls) {
    for (const Item& item : call.items) {
      const auto found = fates_.find(item.serial);
      if (item.part == Part::kPut || found == fates_.end()) continue;
      Fate& fate = found->second;
      if (item.part == Part::kGiven) {
        if (takes(call.kind) || call.kind == Kind::kLeft) fate.maybe_ended_by.push_back(&call);
      } else if (call.kind == Kind::kRelease) {
        fate.releases.emplace_back(&item, &call);
      } else if (call.outcome != Outcome::kRefused) {
        fate.maybe_ended_by.push_back(&call);
        if (call.kind != Kind::kWill) fate.hidden_from = std::min(fate.hidden_from, call.asked);
      }
    }
  }
}

// ---- Unknown calls ------------------------------------------------------------------------------

void Checker::settle_unknown_calls() {
  for (const Call& call : history_.calls) {
    if (call.outcome == Outcome::kDone) {
      happen(call);
      continue;
    }
    for (const Item& item : call.items) {
      if (item.part != Part::kPut || !fates_.at(item.serial).seen) continue;
      if (call.outcome == Outcome::kUnknown) {
        happen(call);
      } else {
        report(Sort::kHalf, item.serial, "was seen, although its put was refused");
      }
      break;
    }
  }
}

// Removes what the call removes.
void Checker::happen(const Call& call) {
  if (call.outcome == Outcome::kUnknown && !happened_.insert(&call).second) return;
  for (const Item& item : call.items) {
    const bool ends =
        item.part == Part::kEnded
            ? ends_if_done(call.kind)
            : item.part == Part::kGiven && (takes(call.kind) || call.kind == Kind::kLeft);
    const auto found = ends ? fates_.find(item.serial) : fates_.end();
    if (found != fates_.end()) end(found->second, call);
  }
}

void Checker::end(Fate& fate, const Call& by) {
  if (fate.ended_by == nullptr) {
    fate.ended_by = &by;
    return;
  }
  if (by.kind == Kind::kLeft) {
    report(Sort::kDoubled, fate.as->serial, "was taken or finished, but is there at the end");
  } else {
    report(Sort::kDoubled, fate.as->serial, "was taken or finished twice");
  }
}

// A tuple that is gone was removed by an unknown call that would have removed it, if that one has
// put nothing in exchange that would have to be there now.
void Checker::settle_missing() {
  for (auto& [serial, fate] : fates_) {
    if (!is_missing(fate)) continue;
    for (const Call* call : fate.maybe_ended_by) {
      if (may_have_happened(*call) && left_by(*call).empty()) {
        happen(*call);
        break;
      }
    }
  }
}

// Without an answer, without a trace, and all that it would have removed is missing.
bool Checker::may_have_happened(const Call& call) const {
  if (call.outcome != Outcome::kUnknown || happened_.contains(&call)) return false;
  return std::all_of(call.items.begin(), call.items.end(), [&](const Item& item) {
    return item.part != Part::kEnded || !fates_.contains(item.serial) ||
           fates_.at(item.serial).ended_by == nullptr;
  });
}

// What it puts and what does not vanish by itself.
std::vector<const Fate*> Checker::left_by(const Call& call) const {
  std::vector<const Fate*> left;
  for (const Item& item : call.items) {
    if (item.part != Part::kPut) continue;
    const Fate& fate = fates_.at(item.serial);
    if (!may_have_vanished(fate)) left.push_back(&fate);
  }
  return left;
}

// ---- Rules --------------------------------------------------------------------------------------

void Checker::count_tuples() {
  for (const auto& [serial, fate] : fates_) {
    if (!happened(*fate.put)) continue;
    ++verdict_.tuples;
    verdict_.ended += fate.ended_by != nullptr && fate.ended_by->kind != Kind::kLeft;
  }
}

void Checker::check_nothing_after_the_end() {
  for (const Call& call : history_.calls) {
    for (const Item& item : call.items) {
      if (item.part != Part::kGiven) continue;
      const auto found = fates_.find(item.serial);
      if (found != fates_.end()) check_after(found->second, call, item);
    }
  }
}

void Checker::check_after(const Fate& fate, const Call& call, const Item& item) {
  if (call.streamed) return;  // it may have waited in the client for long
  const Call* end = fate.ended_by;
  if (end != nullptr && end != &call && end->answered < call.asked && !takes(call.kind)) {
    report(Sort::kDoubled, item.serial, "was seen after it was taken or finished");
  }
  const Call& put = *fate.put;
  if (put.outcome != Outcome::kDone) return;
  const Moment until = put.answered + fate.as->ttl;
  if (fate.as->ttl != 0 && until < call.asked && !is_disturbed(put.asked, call.answered)) {
    report(Sort::kExpired, item.serial, "was seen after its time to live");
  }
  if (!fate.as->lives_with) return;
  const auto goodbye = goodbyes_.find(put.process);
  if (goodbye != goodbyes_.end() && goodbye->second->answered < call.asked &&
      !is_disturbed(goodbye->second->asked, goodbye->second->answered)) {
    report(Sort::kExpired, item.serial, "was seen after the goodbye of its session");
  }
}

bool Checker::may_have_vanished(const Fate& fate) const {
  return fate.as->ttl != 0 || fate.as->lives_with;
}

bool Checker::is_missing(const Fate& fate) const {
  return happened(*fate.put) && fate.ended_by == nullptr && !may_have_vanished(fate);
}

// An unanswered take of a process that was killed.
bool Checker::may_have_taken(const Call& call, const Fate& fate) const {
  return call.words.find(fate.as->word) != std::string::npos &&
         gone(call.process) >= std::max(fate.last_seen, fate.put->asked);
}

// Each tuple that is still missing needs an unanswered take of its own that may have had it.  Or an
// unanswered call has removed it and put others, which then need one each.
void Checker::check_lost() {
  Explanations explanations(
      history_, [this](const Call& take, const Fate& fate) { return may_have_taken(take, fate); });
  Doubts doubts;
  std::vector<const Fate*> missing;
  for (const auto& [serial, fate] : fates_) {
    if (is_missing(fate)) missing.push_back(&fate);
  }
  std::sort(missing.begin(), missing.end(),
            [](const Fate* a, const Fate* b) { return a->as->serial < b->as->serial; });
  for (const Fate* fate : missing) {
    bool doubtful = false;
    for (const Call* call : fate->maybe_ended_by) {
      if (!may_have_happened(*call)) continue;
      doubtful = true;
      if (std::find(doubts.calls.begin(), doubts.calls.end(), call) == doubts.calls.end()) {
        doubts.calls.push_back(call);
      }
      ++doubts.candidates[fate];
    }
    if (!doubtful && !explanations.explain({fate})) report_lost(*fate);
  }
  if (decide(doubts, 0, explanations)) return;
  for (const auto& [fate, candidates] : doubts.candidates) {
    if (!explanations.explain({fate})) return report_lost(*fate);
  }
  report_lost(*doubts.candidates.begin()->first);
}

// Whether the calls from `index` on can have happened or not in a way that explains everything.
bool Checker::decide(Doubts& doubts, std::size_t index, Explanations& explanations) {
  if (index == doubts.calls.size()) return true;
  if (++doubts.steps > kStepsMax) return false;
  const Call& call = *doubts.calls[index];
  std::vector<const Fate*> ends;
  for (const auto& [fate, candidates] : doubts.candidates) {
    const auto& maybe = fate->maybe_ended_by;
    if (std::find(maybe.begin(), maybe.end(), &call) != maybe.end()) ends.push_back(fate);
  }
  const Explanations before = explanations;
  const bool free = std::none_of(ends.begin(), ends.end(),
                                 [&](const Fate* fate) { return doubts.ended.contains(fate); });
  if (free && explanations.explain(left_by(call))) {
    doubts.ended.insert(ends.begin(), ends.end());
    if (decide(doubts, index + 1, explanations)) return true;
    for (const Fate* fate : ends) doubts.ended.erase(fate);
    explanations = before;
  }
  std::vector<const Fate*> unexplained;
  for (const Fate* fate : ends) {
    if (--doubts.candidates[fate] == 0 && !doubts.ended.contains(fate)) unexplained.push_back(fate);
  }
  if (explanations.explain(unexplained) && decide(doubts, index + 1, explanations)) return true;
  for (const Fate* fate : ends) ++doubts.candidates[fate];
  explanations = before;
  return false;
}

void Checker::report_lost(const Fate& fate) {
  if (fate.put->outcome == Outcome::kDone) {
    report(Sort::kLost, fate.as->serial, "was put, but is gone, and nobody has taken it");
  } else {
    report(Sort::kHalf, fate.as->serial, "is not there, but another part of its step is");
  }
}

// A stream that was killed had taken it, and those behind it were shown; then it was given back.
bool Checker::may_have_come_back(const Fate& fate) const {
  return std::any_of(history_.calls.begin(), history_.calls.end(), [&](const Call& call) {
    return call.streamed && call.outcome == Outcome::kUnknown && takes(call.kind) &&
           call.words.find(fate.as->word) != std::string::npos &&
           gone(call.process) >= fate.put->asked && call.asked <= fate.ended_by->answered;
  });
}

// One of a group is shown when all before it have been finished, taken or gone.
void Checker::check_groups() {
  std::map<std::uint32_t, std::map<std::uint64_t, const Fate*>> groups;
  for (const auto& [serial, fate] : fates_) {
    const bool known = fate.as->group != 0 && fate.id != 0 && happened(*fate.put);
    if (known) groups[fate.as->group][fate.id] = &fate;
  }
  for (const auto& [group, members] : groups) {
    Moment earlier_asked = 0;  // when the last of those before was to be ended, at the earliest
    for (const auto& [id, fate] : members) {
      if (fate->first_shown < earlier_asked) {
        report(Sort::kEarly, fate->as->serial, "was seen before its turn in its group");
      }
      const Call* end = fate->ended_by;
      // A stream took it before it was asked for it.
      if (end != nullptr && !(end->streamed && takes(end->kind)) && !may_have_come_back(*fate)) {
        earlier_asked = std::max(earlier_asked, end->asked);
      }
    }
  }
}

void Checker::check_tokens() {
  for (auto& [serial, fate] : fates_) {
    if (!fate.handouts.empty()) check_tokens(serial, fate);
  }
}

// Attempts rise, each is given out once, and only the latest one is worth anything.
void Checker::check_tokens(Serial serial, Fate& fate) {
  auto& handouts = fate.handouts;
  std::sort(handouts.begin(), handouts.end(), [](const auto& a, const auto& b) {
    return std::tuple(a.attempt, a.call->asked) < std::tuple(b.attempt, b.call->asked);
  });
  for (std::size_t i = 1; i < handouts.size(); ++i) {
    if (handouts[i - 1].attempt == handouts[i].attempt) {
      report(Sort::kFencing, serial, "was handed out twice with one token");
    } else if (!handouts[i - 1].call->streamed &&
               handouts[i].call->answered < handouts[i - 1].call->asked) {
      report(Sort::kFencing, serial, "was handed out with an attempt that is not the next");
    }
  }
  std::size_t unstarted = 0;
  for (const auto& [item, release] : fate.releases) {
    unstarted += !item->started;
    if (release->outcome != Outcome::kDone || fate.ended_by == nullptr) continue;
    for (const Item& ended : fate.ended_by->items) {
      const bool same = ended.part == Part::kEnded && ended.serial == serial &&
                        ended.attempt == item->attempt && ended.attempt != 0;
      if (same && release->answered < fate.ended_by->asked) {
        report(Sort::kFencing, serial, "was finished with a token that had been given back");
      }
    }
  }
  const bool streamed = handouts.front().call->streamed;
  if (fate.as->max_attempts != 0 && !streamed &&
      handouts.size() > fate.as->max_attempts + unstarted) {
    report(Sort::kFencing, serial, "was handed out more often than it allows");
  }
  if (fate.ended_by == nullptr) return;
  for (const Item& ended : fate.ended_by->items) {
    if (ended.part != Part::kEnded || ended.serial != serial || ended.attempt == 0) continue;
    const auto& latest = handouts.back();
    if (latest.attempt > ended.attempt && latest.call->answered < fate.ended_by->asked) {
      report(Sort::kFencing, serial, "was finished with a token that was not the latest");
    }
  }
}

// ---- What a search should have found ------------------------------------------------------------

// Goes through the history in order of time and knows, for each word, which tuples are certainly
// free: from the answer to their put until anybody may have had them.  A search that was asked
// while such a tuple was there, and was answered before it could have gone, must have given it or
// one that goes before it.
class Searches {
 public:
  explicit Searches(Checker& checker) : checker_(checker) {}

  void run() {
    for (auto& [serial, fate] : checker_.fates_) {
      const Item& as = *fate.as;
      const bool hidden = as.lives_with || as.delay != 0 || as.group != 0 || as.waits_for != 0;
      const bool certain = fate.put->outcome == Outcome::kDone && !hidden &&
                           fate.put->kind != Kind::kWill && fate.id != 0;
      if (certain) steps_.push_back({fate.put->answered, kComes, &fate, nullptr});
    }
    for (const Call& call : checker_.history_.calls) {
      if (!looks_for(call.kind)) continue;
      if (call.outcome == Outcome::kUnknown) {
        if (call.kind != Kind::kRead) note_cloud(call, checker_.gone(call.process));
      } else if (call.outcome == Outcome::kRefused) {
        // Its transaction may have found and kept from others what it asked for, before its lease
        // was over and the answer came through.
        if (call.kind == Kind::kLook || call.kind == Kind::kHold) note_cloud(call, call.answered);
      } else if (!call.streamed) {
        // What it reserved first may have gone back, its lease over, before the answer came through
        // and it was asked again.
        const bool again =
            call.kind == Kind::kReserve && checker_.is_disturbed(call.asked, call.answered);
        if (again) note_cloud(call, call.answered);
        steps_.push_back({call.asked, kSearch, nullptr, &call});
      }
    }
    for (auto& [word, clouds] : clouds_) clouds = merged(std::move(clouds));
    std::sort(steps_.begin(), steps_.end(), [](const Step& a, const Step& b) {
      return std::tuple(a.at, a.what) < std::tuple(b.at, b.what);
    });
    for (const Step& step : steps_) {
      if (step.what == kComes) {
        comes(*step.fate);
      } else {
        check(*step.call);
      }
    }
  }

 private:
  enum What : std::uint8_t { kComes, kSearch };
  struct Step {
    Moment at;
    What what;
    Fate* fate;
    const Call* call;
  };
  struct Free {
    std::int32_t priority;
    std::uint64_t id;
    Moment since;
    Moment until;
    Serial serial;
    // In the order of P5.
    friend bool operator<(const Free& a, const Free& b) {
      return std::tuple(-a.priority, a.id) < std::tuple(-b.priority, b.id);
    }
  };

  // While a take without an answer may have been at work, nothing of its words is certain.
  void note_cloud(const Call& call, Moment until) {
    for (const Word word : call.words) {
      clouds_[word].emplace_back(call.streamed ? 0 : call.asked, until);
    }
  }

  [[nodiscard]] bool is_clouded(Word word, Moment from, Moment to) const {
    const auto found = clouds_.find(word);
    return found != clouds_.end() && meets(found->second, from, to);
  }

  void comes(const Fate& fate) {
    if (is_clouded(fate.as->word, fate.put->asked, fate.put->answered)) return;
    Moment until = fate.hidden_from;
    if (fate.as->ttl != 0) until = std::min(until, fate.put->asked + fate.as->ttl);
    if (until > fate.put->answered) {
      free_[fate.as->word].insert(
          {fate.as->priority, fate.id, fate.put->answered, until, fate.as->serial});
    }
  }

  void check(const Call& call) {
    for (const Word word : call.words) {
      auto& free = free_[word];
      for (auto one = free.begin(); one != free.end();) {
        if (one->until < call.asked || is_clouded(word, one->since, call.asked)) {
          one = free.erase(one);
          continue;
        }
        if (!goes_before(*one, call)) break;
        if (one->until > call.answered && !is_given(one->serial, call) &&
            !is_clouded(word, one->since, call.answered)) {
          return report(*one, call);
        }
        ++one;
      }
    }
  }

  // Whether the call, with what it was given, should have been given this one first.
  [[nodiscard]] bool goes_before(const Free& one, const Call& call) const {
    std::uint32_t given = 0;
    for (const Item& item : call.items) {
      if (item.part != Part::kGiven) continue;
      ++given;
      const auto found = checker_.fates_.find(item.serial);
      if (found == checker_.fates_.end()) continue;
      if (one < Free{found->second.as->priority, item.id, 0, 0, 0}) return true;
    }
    return given < call.count;
  }

  static bool is_given(Serial serial, const Call& call) {
    return std::any_of(call.items.begin(), call.items.end(), [&](const Item& item) {
      return item.part == Part::kGiven && item.serial == serial;
    });
  }

  void report(const Free& one, const Call& call) {
    if (call.outcome == Outcome::kNone) {
      checker_.report(Sort::kNone, one.serial,
                      "was there all the while, but nothing was found: " + to_string(call));
    } else {
      checker_.report(
          Sort::kOrder, one.serial,
          "was there all the while and goes first, but was passed over: " + to_string(call));
    }
  }

  Checker& checker_;
  std::vector<Step> steps_;
  std::unordered_map<Word, std::set<Free>> free_;
  std::unordered_map<Word, Spans> clouds_;
};

void Checker::check_searches() {
  Searches(*this).run();
}

bool Checker::is_disturbed(Moment from, Moment to) const {
  return meets(disturbed_, from, to);
}

}  // namespace

std::string_view name_of(Violation::Sort sort) {
  static constexpr std::array<std::string_view, 8> kNames = {
      "lost", "doubled", "half", "none", "order", "fencing", "expired", "early"};
  return kNames.at(static_cast<std::size_t>(sort));
}

std::uint64_t Verdict::count(Violation::Sort sort) const {
  return static_cast<std::uint64_t>(
      std::count_if(violations.begin(), violations.end(),
                    [&](const Violation& violation) { return violation.sort == sort; }));
}

Verdict check(const History& history) {
  return Checker(history).run();
}

std::vector<std::string> excerpt(const History& history, Serial serial) {
  std::vector<const Call*> calls;
  for (const Call& call : history.calls) {
    const bool about = std::any_of(call.items.begin(), call.items.end(),
                                   [&](const Item& item) { return item.serial == serial; });
    if (about) calls.push_back(&call);
  }
  std::sort(calls.begin(), calls.end(),
            [](const Call* a, const Call* b) { return a->asked < b->asked; });
  std::vector<std::string> lines;
  lines.reserve(calls.size());
  for (const Call* call : calls) lines.push_back(to_string(*call, serial));
  return lines;
}

}  // namespace linden::chaos

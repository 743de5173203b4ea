#include "tests/simulation/describe.h"

#include <algorithm>
#include <utility>

namespace linden::simulation {
namespace {

std::string text(const core::Origin& origin) {
  return "s" + std::to_string(origin.session.low) + "/" + std::to_string(origin.request.value);
}

std::string text(const Handout& handout) {
  return std::to_string(handout.id.value) + "." + std::to_string(handout.attempt) + "[" +
         std::to_string(handout.template_index) + (handout.started ? "*" : "") + "]" +
         to_string(handout.tuple);
}

std::string text(const std::vector<Template>& forms) {
  std::string line;
  for (const Template& form : forms) line += to_string(form);
  return line;
}

std::string text(const RareAttributes& rare) {
  std::string line;
  if (!rare.key.empty()) line += " " + rare.key + " for " + std::to_string(rare.key_window.count());
  if (rare.delay.count() != 0) line += " delay" + std::to_string(rare.delay.count());
  if (!rare.group.empty()) line += " " + rare.group;
  for (const Guard& guard : rare.when) {
    line += " when " + to_string(guard.form);
    for (const Guard::Fill& fill : guard.fills) {
      line += " " + std::to_string(fill.from) + ">" + std::to_string(fill.to);
    }
  }
  return line;
}

std::string text(const std::vector<NewTuple>& puts) {
  std::string line;
  for (const NewTuple& put : puts) {
    const Attributes& attributes = put.attributes;
    line += " " + to_string(put.tuple);
    if (attributes.priority != 0) line += " p" + std::to_string(attributes.priority);
    if (attributes.ttl) line += " ttl" + std::to_string(attributes.ttl->count());
    if (attributes.max_attempts != 0) line += " max" + std::to_string(attributes.max_attempts);
    if (attributes.will) line += " will" + to_string(*attributes.will);
    if (attributes.lives_with) line += " lives" + std::to_string(attributes.lives_with->low);
    if (attributes.rare) line += text(*attributes.rare);
  }
  return line;
}

const char* text(TakeMode mode) {
  return mode == TakeMode::kRead ? "read" : mode == TakeMode::kTake ? "take" : "reserve";
}

std::string text(const Token& token) {
  return " " + std::to_string(token.tuple.value) + "." + std::to_string(token.attempt);
}

std::string inside(RequestId transaction) {
  return transaction.value == 0 ? "" : " in " + std::to_string(transaction.value);
}

std::string of(const std::optional<Template>& form) {
  return form ? " " + to_string(*form) : " space";
}

struct OperationText {
  std::string operator()(const PutOp& op) const {
    return "put" + text(op.tuples) + inside(op.transaction);
  }
  std::string operator()(const TakeOp& op) const {
    return std::string(text(op.mode)) + " " + text(op.templates) + " n" +
           std::to_string(op.count_max) + " timeout " + std::to_string(op.timeout.count()) +
           " lease " + std::to_string(op.lease.count()) + inside(op.transaction);
  }
  std::string operator()(const StreamOp& op) const {
    std::string line = std::string("stream ") + text(op.mode) + " " + text(op.templates) +
                       " credit " + std::to_string(op.credit) + " lease " +
                       std::to_string(op.lease.count()) + " after " +
                       std::to_string(op.after.value) + " held";
    for (const TupleId id : op.held) line += " " + std::to_string(id.value);
    return line;
  }
  std::string operator()(const SubscribeOp& op) const {
    return "subscribe " + text(op.templates) + " credit " + std::to_string(op.credit) +
           (op.initial ? " initial" : "") + (op.follow ? "" : " only") +
           (op.resume ? " received " + std::to_string(op.received) : "");
  }
  std::string operator()(const AckOp& op) const {
    std::string line =
        "ack " + std::to_string(op.stream.value) + " " + std::to_string(op.delivered) + " takes";
    for (const RequestId take : op.takes) line += " " + std::to_string(take.value);
    return line;
  }
  std::string operator()(const CreditOp& op) const {
    return "credit " + std::to_string(op.stream.value) + " " + std::to_string(op.credit);
  }
  std::string operator()(const CancelOp& op) const {
    std::string line = "cancel " + std::to_string(op.target.value) + " kept";
    for (const TupleId id : op.kept) line += " " + std::to_string(id.value);
    return line;
  }
  std::string operator()(const FinishOp& op) const {
    std::string line = "finish";
    for (const FinishItem& item : op.items) {
      line += (item.token ? text(*item.token) : std::string(" -")) + "{" + text(item.puts) + "}";
    }
    line += " started";
    for (const Token& token : op.started) line += text(token);
    return line;
  }
  std::string operator()(const ReleaseOp& op) const {
    std::string line = "release";
    for (const ReleaseItem& item : op.items) {
      line += text(item.token) + (item.started ? "*" : "");
      if (item.delay.count() != 0) line += " delay" + std::to_string(item.delay.count());
    }
    return line;
  }
  std::string operator()(const RenewOp& op) const {
    std::string line = "renew";
    for (const RenewItem& item : op.items) {
      line += " " + std::to_string(item.tuple.value) +
              (item.ttl ? " ttl" + std::to_string(item.ttl->count()) : " for ever");
    }
    return line;
  }
  std::string operator()(const CollectOp& op) const {
    return (op.copy ? "copy to the other space " : "move to the other space ") + to_string(op.form);
  }
  std::string operator()(const CountOp& op) const {
    return "count " + to_string(op.form) + inside(op.transaction);
  }
  std::string operator()(const ExplainOp& op) const { return "explain " + to_string(op.form); }
  std::string operator()(const CommitOp& op) const {
    std::string line = "commit" + text(op.puts) + " finishes";
    for (const Token& token : op.finishes) line += text(token);
    line += " takes";
    for (const TupleId id : op.takes) line += " " + std::to_string(id.value);
    return line;
  }
  std::string operator()(const BeginOp& op) const {
    return "begin lease " + std::to_string(op.lease.count());
  }
  std::string operator()(const EndOp& op) const {
    return (op.commit ? "commit" : "abort") + inside(op.transaction);
  }
  std::string operator()(const ReviveOp& op) const {
    std::string line = "revive";
    for (const TupleId id : op.ids) line += " " + std::to_string(id.value);
    return line + (op.all ? " all" + of(op.form) + " n" + std::to_string(op.limit) : "");
  }
  std::string operator()(const PauseOp& op) const {
    return std::string(name_of(op.kind)) + of(op.form);
  }
  std::string operator()(const ResumeOp& op) const {
    return "resume" + (op.all ? " all" : of(op.form));
  }
  std::string operator()(const ListPausesOp&) const { return "pauses"; }
  std::string operator()(const ListOp&) const { return "list"; }
  std::string operator()(const SummarizeOp&) const { return "summarize"; }
  std::string operator()(const ListSessionsOp&) const { return "sessions"; }
};

struct AnswerText {
  std::string operator()(const Done&) const { return "done"; }
  std::string operator()(const Refused& refused) const {
    return "refused " + std::string(name_of(refused.code));
  }
  std::string operator()(const PutDone& done) const {
    return "put " + std::to_string(done.first.value) + " +" + std::to_string(done.count);
  }
  std::string operator()(const KeyedPutDone& done) const {
    std::string line = "put";
    for (const TupleId id : done.ids) line += " " + std::to_string(id.value);
    return line;
  }
  std::string operator()(const Found& found) const {
    std::string line = "found";
    for (const Handout& handout : found.tuples) line += " " + text(handout);
    return line;
  }
  std::string operator()(const FinishDone& done) const {
    std::string line = "finished";
    for (const ErrorCode code : done.codes) line += " " + std::string(name_of(code));
    return line;
  }
  std::string operator()(const Counted& counted) const {
    return "counted " + std::to_string(counted.count);
  }
  std::string operator()(const Explained& explained) const {
    return "explained " + std::to_string(explained.tuples) + " tuples, " +
           std::to_string(explained.matches) + " match";
  }
  std::string operator()(const Listed& listed) const {
    std::string line = "listed";
    for (const ListedTuple& item : listed.tuples) {
      line += " " + std::to_string(item.id.value) + "." + std::to_string(item.attempt) + " " +
              std::string(name_of(item.state)) + " p" + std::to_string(item.priority) + " s" +
              std::to_string(item.holder.low) +
              (item.expires_in ? " in " + std::to_string(item.expires_in->count()) : "") +
              to_string(item.tuple);
    }
    return line + (listed.more ? " more" : "");
  }
  std::string operator()(const Summary& summary) const {
    return "summary " + std::to_string(summary.tuples);
  }
  std::string operator()(const PausesListed& listed) const {
    // After a restart nobody knows which of two was first that were set in one microsecond.
    std::vector<std::pair<Duration, std::string>> lines;
    for (const PauseInfo& info : listed.pauses) {
      lines.emplace_back(-info.set_for, std::string(name_of(info.kind)) + of(info.form) + " by " +
                                            info.set_by + ", " + std::to_string(info.tuples));
    }
    for (std::size_t i = 1; i < lines.size(); ++i) {
      if (lines[i].first < lines[i - 1].first) return "paused, not in order";
    }
    std::sort(lines.begin(), lines.end());
    std::string line = "paused";
    for (const auto& [since, text] : lines) {
      line += " " + text + " " + std::to_string(-since.count()) + " ago";
    }
    return line;
  }
  std::string operator()(const SessionsListed& listed) const {
    return "sessions " + std::to_string(listed.sessions.size());
  }
};

}  // namespace

std::string describe(const core::Origin& origin) {
  return text(origin);
}

std::string describe(const core::Command& command) {
  const auto session = [](const SessionId& id) { return "s" + std::to_string(id.low); };
  if (const auto* perform = std::get_if<core::Perform>(&command)) {
    return text(perform->from) + " " + std::visit(OperationText{}, perform->operation);
  }
  if (const auto* attached = std::get_if<core::SessionAttached>(&command)) {
    return session(attached->session) + " attached, acknowledged " +
           std::to_string(attached->acknowledged.value);
  }
  if (const auto* heard = std::get_if<core::SessionHeard>(&command)) {
    return session(heard->session) + " heard, acknowledged " +
           std::to_string(heard->acknowledged.value);
  }
  if (const auto* lost = std::get_if<core::SessionLost>(&command)) {
    return session(lost->session) + " lost";
  }
  if (const auto* closed = std::get_if<core::SessionClosed>(&command)) {
    return session(closed->session) + " closed";
  }
  if (const auto* disk = std::get_if<core::DiskSpace>(&command)) {
    return disk->is_low ? "the disk is low" : "the disk has room";
  }
  return "time passes";
}

void add_lines(const core::Message& message, Said& out) {
  if (const auto* reply = std::get_if<core::Reply>(&message)) {
    out[reply->to].push_back(std::visit(AnswerText{}, reply->answer));
    return;
  }
  const auto& notice = std::get<core::Notice>(message);
  if (const auto* delivered = std::get_if<Delivered>(&notice.event)) {
    for (const Handout& handout : delivered->tuples) {
      out[notice.stream].push_back("delivered " + text(handout));
    }
  } else if (const auto* gap = std::get_if<Gap>(&notice.event)) {
    out[notice.stream].push_back("gap " + std::to_string(gap->first) + " +" +
                                 std::to_string(gap->count));
  }
}

std::string describe(const Said& said) {
  std::string result;
  for (const auto& [origin, lines] : said) {
    for (const std::string& line : lines) result += "    " + text(origin) + " " + line + "\n";
  }
  return result;
}

}  // namespace linden::simulation

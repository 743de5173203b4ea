// api/wire/decoder.cpp: frames to messages.  Whatever comes from outside is checked here; what is
// wrong is remembered and reading goes on with empty values, so that each reader stays a straight
// line and decode() asks once at its end.
#include <google/protobuf/arena.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include <linden/wire/v1/message.pb.h>

#include "api/model/utf8.h"
#include "api/wire/codec.h"
#include "api/wire/shortcut.h"

namespace linden::wire {

namespace pb = linden::wire::v1;

namespace {

constexpr std::size_t kArenaBlockBytes = 16 * 1024;

// Hands out the attachments of a frame in order and remembers the first thing that was wrong.
class Source {
 public:
  Source(const Frame& frame, const FrameReader& reader) : frame_(frame), reader_(reader) {}

  void fail(std::string what) {
    if (failure_.empty()) failure_ = std::move(what);
  }
  [[nodiscard]] bool failed() const { return !failure_.empty(); }
  [[nodiscard]] const std::string& failure() const { return failure_; }
  [[nodiscard]] std::size_t attachments_left() const { return frame_.attachments.size() - used_; }

  // `count` attachments as a Tuple or Template.
  template <class Row>
  Row take(std::size_t count, const char* what) {
    if (failed()) return {};
    if (count == 0 || count > attachments_left()) {
      fail(std::string(what) + " of " + std::to_string(count) + " attachments, but the frame has " +
           std::to_string(attachments_left()) + " left");
      return {};
    }
    const auto head = frame_.attachments[used_];
    std::vector<Bytes> rest;
    for (std::size_t i = 1; i < count; ++i)
      rest.push_back(reader_.keep(frame_.attachments[used_ + i]));
    used_ += count;
    auto row = Row::decode(head, std::move(rest));
    if (!row) {
      fail(std::string(what) + ": " + row.error().message);
      return {};
    }
    return std::move(*row);
  }

 private:
  const Frame& frame_;
  const FrameReader& reader_;
  std::size_t used_ = 0;
  std::string failure_;
};

// A column as operation.proto explains it.
template <class Entry>
class Column {
 public:
  template <class Field>
  Column(const Field& field, std::size_t count, Entry usual, Source& source, const char* name)
      : data_(field.data()), size_(static_cast<std::size_t>(field.size())), usual_(usual) {
    if (size_ > 1 && size_ != count) {
      source.fail(std::string("column ") + name + " has " + std::to_string(size_) +
                  " entries for " + std::to_string(count) + " rows");
      size_ = 0;
    }
  }
  [[nodiscard]] Entry operator[](std::size_t i) const {
    return size_ == 0 ? usual_ : data_[size_ == 1 ? 0 : i];
  }

 private:
  const Entry* data_;
  std::size_t size_;
  Entry usual_;
};

// The same for texts.
class TextColumn {
 public:
  TextColumn(const google::protobuf::RepeatedPtrField<std::string>& field, std::size_t count,
             Source& source, const char* name)
      : field_(field) {
    const auto size = static_cast<std::size_t>(field.size());
    if (size > 1 && size != count) {
      source.fail(std::string("column ") + name + " has " + std::to_string(size) + " entries for " +
                  std::to_string(count) + " rows");
    }
    for (const std::string& text : field) {
      if (!is_utf8(text)) source.fail(std::string("column ") + name + " is not UTF-8");
    }
  }
  [[nodiscard]] const std::string& operator[](std::size_t i) const {
    static const std::string kNone;
    if (field_.empty()) return kNone;
    return field_[field_.size() == 1 ? 0 : static_cast<int>(i)];
  }

 private:
  const google::protobuf::RepeatedPtrField<std::string>& field_;
};

// Longer than the longest is for ever.
Duration duration_of(std::uint64_t microseconds) {
  constexpr auto kLongest = static_cast<std::uint64_t>(kForever.count());
  return Duration(static_cast<std::int64_t>(std::min(microseconds, kLongest)));
}

// No more rows than attachments can hold, so that a count alone takes no memory.
std::size_t checked_count(std::size_t count, std::size_t most, Source& source, const char* what) {
  if (count <= most) return count;
  source.fail(std::to_string(count) + " " + what + " announced, but the frame can hold at most " +
              std::to_string(most));
  return 0;
}

template <class Number>
Number checked_enum(int number, Number highest, Source& source, const char* what) {
  if (number >= 0 && number <= static_cast<int>(highest)) return static_cast<Number>(number);
  source.fail(std::string("unknown ") + what + " " + std::to_string(number));
  return highest;
}

// The guards of all tuples, one after another.
class GuardReader {
 public:
  GuardReader(const pb::NewTuples& from, Source& source)
      : from_(from),
        source_(source),
        fill_count_(from.guard_fills(), static_cast<std::size_t>(from.guard_attachments_size()), 0,
                    source, "guard_fills") {
    if (from.fills_size() % 2 != 0) source.fail("fills is no row of pairs");
  }

  std::vector<Guard> next(std::uint32_t count) {
    std::vector<Guard> guards;
    for (; count > 0 && !source_.failed(); --count) guards.push_back(next());
    return guards;
  }

  void finish() {
    if (source_.failed()) return;
    if (guard_ != from_.guard_attachments_size() || fill_ != from_.fills_size())
      source_.fail("guards or fills that belong to no tuple");
  }

 private:
  Guard next() {
    Guard guard;
    if (guard_ == from_.guard_attachments_size()) {
      source_.fail("fewer guards than tuples need");
      return guard;
    }
    std::uint64_t fills = fill_count_[static_cast<std::size_t>(guard_)];
    guard.form = source_.take<Template>(from_.guard_attachments(guard_++), "guard");
    for (; fills > 0 && !source_.failed(); --fills) {
      if (fill_ == from_.fills_size()) {
        source_.fail("fewer fills than guards need");
        break;
      }
      guard.fills.push_back({from_.fills(fill_), from_.fills(fill_ + 1)});
      fill_ += 2;
    }
    return guard;
  }

  const pb::NewTuples& from_;
  Source& source_;
  Column<std::uint32_t> fill_count_;
  int guard_ = 0;
  int fill_ = 0;
};

// The attributes that few puts have, one tuple after another.
class RareReader {
 public:
  RareReader(const pb::NewTuples& from, std::size_t count, Source& source)
      : key_(from.key(), count, source, "key"),
        window_(from.key_window_us(), count, 0, source, "key_window_us"),
        delay_(from.delay_us(), count, 0, source, "delay_us"),
        group_(from.group(), count, source, "group"),
        guard_count_(from.guards(), count, 0, source, "guards"),
        guards_(from, source) {}

  // Whether there is anything to read.
  [[nodiscard]] static bool any(const pb::NewTuples& from) {
    return from.key_size() != 0 || from.delay_us_size() != 0 || from.group_size() != 0 ||
           from.guards_size() != 0 || from.guard_attachments_size() != 0;
  }

  Rare read(std::size_t i) {
    if (key_[i].empty() && delay_[i] == 0 && group_[i].empty() && guard_count_[i] == 0) return {};
    RareAttributes rare;
    rare.key = key_[i];
    // Without a key it means nothing.
    if (window_[i] != 0 && !rare.key.empty()) rare.key_window = duration_of(window_[i]);
    rare.delay = duration_of(delay_[i]);
    rare.group = group_[i];
    rare.when = guards_.next(guard_count_[i]);
    return rare;
  }

  void finish() { guards_.finish(); }

 private:
  TextColumn key_;
  Column<std::uint64_t> window_;
  Column<std::uint64_t> delay_;
  TextColumn group_;
  Column<std::uint32_t> guard_count_;
  GuardReader guards_;
};

std::vector<NewTuple> read_new_tuples(const pb::NewTuples& from, Source& source) {
  const auto count = checked_count(from.count(), source.attachments_left(), source, "tuples");
  const Column<std::uint32_t> attachments(from.attachments(), count, 1, source, "attachments");
  const Column<std::int32_t> priority(from.priority(), count, 0, source, "priority");
  const Column<std::uint64_t> ttl(from.ttl_us(), count, 0, source, "ttl_us");
  const Column<std::uint32_t> max_attempts(from.max_attempts(), count, 0, source, "max_attempts");
  const Column<std::uint32_t> will(from.will_attachments(), count, 0, source, "will_attachments");
  const auto sessions = static_cast<std::size_t>(from.lives_with_size());
  if (sessions != 0 && sessions != 2 && sessions != 2 * count)
    source.fail("column lives_with is no row of pairs");
  std::optional<RareReader> rare;
  if (RareReader::any(from)) rare.emplace(from, count, source);
  std::vector<NewTuple> tuples;
  tuples.reserve(count);
  for (std::size_t i = 0; i < count && !source.failed(); ++i) {
    NewTuple& one = tuples.emplace_back();
    one.tuple = source.take<Tuple>(attachments[i], "tuple");
    one.attributes.priority = priority[i];
    if (ttl[i] != 0) one.attributes.ttl = duration_of(ttl[i]);
    one.attributes.max_attempts = max_attempts[i];
    if (will[i] != 0) one.attributes.will = source.take<Tuple>(will[i], "will");
    if (rare) one.attributes.rare = rare->read(i);
    if (sessions == 0) continue;
    const int at = sessions == 2 ? 0 : static_cast<int>(2 * i);
    const SessionId session{from.lives_with(at), from.lives_with(at + 1)};
    if (!session.is_none()) one.attributes.lives_with = session;
  }
  if (rare) rare->finish();
  return tuples;
}

std::vector<Template> read_templates(const pb::Templates& from, Source& source) {
  const auto count = checked_count(from.count(), source.attachments_left(), source, "templates");
  const Column<std::uint32_t> attachments(from.attachments(), count, 1, source, "attachments");
  std::vector<Template> templates;
  templates.reserve(count);
  for (std::size_t i = 0; i < count && !source.failed(); ++i) {
    templates.push_back(source.take<Template>(attachments[i], "template"));
  }
  return templates;
}

template <class Deltas>
std::vector<TupleId> read_ids(const Deltas& deltas) {
  std::vector<TupleId> ids;
  ids.reserve(static_cast<std::size_t>(deltas.size()));
  std::uint64_t id = 0;
  for (const auto delta : deltas) {
    id += static_cast<std::uint64_t>(delta);
    ids.push_back({id});
  }
  return ids;
}

std::vector<Token> read_tokens(const pb::Tokens& from, Source& source) {
  const auto ids = read_ids(from.tuple_delta());
  const Column<std::uint32_t> attempt(from.attempt(), ids.size(), 0, source, "attempt");
  std::vector<Token> tokens;
  tokens.reserve(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) tokens.push_back({ids[i], attempt[i]});
  return tokens;
}

std::vector<Handout> read_handouts(const pb::Handouts& from, Source& source) {
  const auto ids = read_ids(from.tuple_delta());
  const Column<std::uint32_t> attempt(from.attempt(), ids.size(), 0, source, "attempt");
  const Column<std::uint32_t> index(from.template_index(), ids.size(), 0, source, "template_index");
  const Column<bool> started(from.started(), ids.size(), false, source, "started");
  const Column<std::uint32_t> attachments(from.attachments(), ids.size(), 1, source, "attachments");
  std::vector<Handout> tuples;
  if (ids.size() > source.attachments_left()) source.fail("more tuples than attachments");
  tuples.reserve(source.failed() ? 0 : ids.size());
  for (std::size_t i = 0; i < ids.size() && !source.failed(); ++i) {
    tuples.push_back(
        {ids[i], attempt[i], index[i], started[i], source.take<Tuple>(attachments[i], "tuple")});
  }
  return tuples;
}

// A newer peer may know more codes than we do.
ErrorCode read_code(std::uint32_t number) {
  constexpr auto kLast = static_cast<std::uint32_t>(ErrorCode::kInternal);
  return number <= kLast ? static_cast<ErrorCode>(number) : ErrorCode::kInternal;
}

// Text is declared as bytes, because protobuf would print what is no UTF-8 to standard error.
std::string read_text(const std::string& text, Source& source) {
  if (!is_utf8(text)) source.fail("a text is not UTF-8");
  return text;
}

Refused read_refused(const pb::Refused& from, Source& source) {
  return {read_code(static_cast<std::uint32_t>(from.code())), read_text(from.message(), source)};
}

// ---- Operations ----

TakeOp read_take(const pb::TakeOp& from, Source& source) {
  TakeOp take;
  take.mode = checked_enum(from.mode(), TakeMode::kReserve, source, "take mode");
  take.templates = read_templates(from.templates(), source);
  take.count_max = from.count_max();
  take.timeout = Duration(from.timeout_us());
  if (take.mode == TakeMode::kReserve) take.lease = Duration(from.lease_us());
  take.transaction = {from.transaction()};
  return take;
}

StreamOp read_stream(const pb::StreamOp& from, Source& source) {
  StreamOp stream;
  stream.mode = checked_enum(from.mode(), TakeMode::kReserve, source, "take mode");
  stream.templates = read_templates(from.templates(), source);
  stream.credit = from.credit();
  if (stream.mode == TakeMode::kReserve) stream.lease = Duration(from.lease_us());
  stream.after = {from.after()};
  stream.held = read_ids(from.held_delta());
  return stream;
}

SubscribeOp read_subscribe(const pb::SubscribeOp& from, Source& source) {
  SubscribeOp subscribe;
  subscribe.templates = read_templates(from.templates(), source);
  subscribe.credit = from.credit();
  subscribe.initial = from.initial();
  subscribe.follow = !from.no_puts();
  subscribe.resume = from.resume();
  subscribe.received = from.received();
  return subscribe;
}

FinishOp read_finish(const pb::FinishOp& from, Source& source) {
  FinishOp finish;
  auto tokens = read_tokens(from.tokens(), source);
  finish.started = read_tokens(from.started(), source);
  auto puts = read_new_tuples(from.puts(), source);
  // Each item has a token or puts.
  const auto count = checked_count(from.count(), tokens.size() + puts.size(), source, "items");
  const Column<bool> without_token(from.without_token(), count, false, source, "without_token");
  const Column<std::uint32_t> put_count(from.put_count(), count, 0, source, "put_count");
  finish.items.reserve(count);
  std::size_t token = 0;
  std::size_t put = 0;
  for (std::size_t i = 0; i < count && !source.failed(); ++i) {
    FinishItem& item = finish.items.emplace_back();
    if (!without_token[i]) {
      if (token == tokens.size()) {
        source.fail("fewer tokens than items need");
        break;
      }
      item.token = tokens[token++];
    }
    if (put_count[i] > puts.size() - put) {
      source.fail("fewer puts than items need");
      break;
    }
    for (std::uint32_t n = 0; n < put_count[i]; ++n) item.puts.push_back(std::move(puts[put++]));
    if (!item.token && item.puts.empty()) source.fail("an item with neither token nor puts");
  }
  if (!source.failed() && (token != tokens.size() || put != puts.size()))
    source.fail("tokens or puts that belong to no item");
  return finish;
}

ReleaseOp read_release(const pb::ReleaseOp& from, Source& source) {
  const auto tokens = read_tokens(from.tokens(), source);
  const Column<bool> not_started(from.not_started(), tokens.size(), false, source, "not_started");
  const Column<std::uint64_t> delay(from.delay_us(), tokens.size(), 0, source, "delay_us");
  ReleaseOp release;
  release.items.reserve(tokens.size());
  for (std::size_t i = 0; i < tokens.size(); ++i)
    release.items.push_back({tokens[i], !not_started[i], duration_of(delay[i])});
  return release;
}

CommitOp read_commit(const pb::CommitOp& from, Source& source) {
  CommitOp commit;
  commit.puts = read_new_tuples(from.puts(), source);
  commit.finishes = read_tokens(from.finishes(), source);
  commit.takes = read_ids(from.take_delta());
  return commit;
}

RenewOp read_renew(const pb::RenewOp& from, Source& source) {
  const auto ids = read_ids(from.tuple_delta());
  const Column<std::uint64_t> ttl(from.ttl_us(), ids.size(), 0, source, "ttl_us");
  RenewOp renew;
  renew.items.resize(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    renew.items[i].tuple = ids[i];
    if (ttl[i] != 0) renew.items[i].ttl = duration_of(ttl[i]);
  }
  return renew;
}

// Where 0 attachments say "none".
std::optional<Template> read_form(std::uint32_t attachments, Source& source) {
  if (attachments == 0) return std::nullopt;
  return source.take<Template>(attachments, "template");
}

ReviveOp read_revive(const pb::ReviveOp& from, Source& source) {
  return {read_ids(from.tuple_delta()), from.all(), read_form(from.attachments(), source),
          from.limit()};
}

PauseKind read_pause_kind(pb::PauseKind kind, Source& source) {
  return checked_enum(kind, PauseKind::kDrain, source, "pause kind");
}

PauseOp read_pause(const pb::PauseOp& from, Source& source) {
  return {read_pause_kind(from.kind(), source), read_form(from.attachments(), source)};
}

std::optional<TupleState> read_state(std::uint32_t plus_one, Source& source) {
  if (plus_one == 0) return std::nullopt;
  return checked_enum(static_cast<int>(plus_one - 1), TupleState::kPaused, source, "tuple state");
}

ListOp read_list(const pb::ListOp& from, Source& source) {
  ListOp list;
  list.form = read_form(from.attachments(), source);
  list.after = {from.after()};
  list.limit = from.limit();
  list.all_states = from.all_states();
  list.state = read_state(from.state_plus_one(), source);
  return list;
}

AckOp read_ack(const pb::AckOp& from) {
  AckOp ack{{from.stream()}, from.delivered(), {}};
  ack.takes.reserve(static_cast<std::size_t>(from.takes_size()));
  for (const auto take : from.takes()) ack.takes.push_back({take});
  return ack;
}

Operation read_operation(const pb::Request& from, Source& source) {
  switch (from.operation_case()) {
    case pb::Request::kPut:
      return PutOp{read_new_tuples(from.put().tuples(), source), {from.put().transaction()}};
    case pb::Request::kTake:
      return read_take(from.take(), source);
    case pb::Request::kStream:
      return read_stream(from.stream(), source);
    case pb::Request::kSubscribe:
      return read_subscribe(from.subscribe(), source);
    case pb::Request::kAck:
      return read_ack(from.ack());
    case pb::Request::kCredit:
      return CreditOp{{from.credit().stream()}, from.credit().credit()};
    case pb::Request::kCancel:
      return CancelOp{{from.cancel().target()}, read_ids(from.cancel().kept_delta())};
    case pb::Request::kFinish:
      return read_finish(from.finish(), source);
    case pb::Request::kRelease:
      return read_release(from.release(), source);
    case pb::Request::kCount:
      return CountOp{source.take<Template>(from.count().attachments(), "template"),
                     {from.count().transaction()}};
    case pb::Request::kExplain:
      return ExplainOp{source.take<Template>(from.explain().attachments(), "template")};
    case pb::Request::kList:
      return read_list(from.list(), source);
    case pb::Request::kSummarize:
      return SummarizeOp{from.summarize().first_fields(), from.summarize().groups_max(),
                         read_form(from.summarize().attachments(), source)};
    case pb::Request::kListSessions:
      return ListSessionsOp{};
    case pb::Request::kCommit:
      return read_commit(from.commit(), source);
    case pb::Request::kBegin:
      return BeginOp{Duration(from.begin().lease_us())};
    case pb::Request::kEnd:
      return EndOp{{from.end().transaction()}, from.end().commit()};
    case pb::Request::kCollect:
      return CollectOp{source.take<Template>(from.collect().attachments(), "template"),
                       {from.collect().to()},
                       from.collect().copy()};
    case pb::Request::kRenew:
      return read_renew(from.renew(), source);
    case pb::Request::kRevive:
      return read_revive(from.revive(), source);
    case pb::Request::kPause:
      return read_pause(from.pause(), source);
    case pb::Request::kResume:
      return ResumeOp{read_form(from.resume().attachments(), source), from.resume().all()};
    case pb::Request::kListPauses:
      return ListPausesOp{};
    case pb::Request::OPERATION_NOT_SET:
      break;
  }
  source.fail("a request without an operation, or with one of a newer protocol");
  return ListSessionsOp{};
}

std::optional<std::uint8_t> read_durability(std::uint32_t plus_one, Source& source) {
  if (plus_one == 0) return std::nullopt;
  if (plus_one > 255) {
    source.fail("unknown durability " + std::to_string(plus_one - 1));
    return std::nullopt;
  }
  return static_cast<std::uint8_t>(plus_one - 1);
}

ServerOperation read_server_operation(const pb::ServerRequest& from, Source& source) {
  switch (from.operation_case()) {
    case pb::ServerRequest::kOpenSpace:
      return OpenSpaceOp{read_text(from.open_space().name(), source), from.open_space().create(),
                         read_durability(from.open_space().durability_plus_one(), source),
                         read_new_tuples(from.open_space().initial(), source)};
    case pb::ServerRequest::kDropSpace:
      return DropSpaceOp{read_text(from.drop_space().name(), source)};
    case pb::ServerRequest::kListSpaces:
      return ListSpacesOp{};
    case pb::ServerRequest::kServerStatus:
      return ServerStatusOp{};
    case pb::ServerRequest::kBackup:
      return BackupOp{read_text(from.backup().directory(), source)};
    case pb::ServerRequest::OPERATION_NOT_SET:
      break;
  }
  source.fail("a server request without an operation, or with one of a newer protocol");
  return ListSpacesOp{};
}

Hello read_hello(const pb::Hello& from, Source& source) {
  Hello hello;
  hello.protocol = from.protocol();
  hello.session = {from.session_high(), from.session_low()};
  hello.resume = from.resume();
  hello.absent = Duration(from.absent_us());
  hello.name = read_text(from.name(), source);
  hello.hold = Duration(from.hold_us());
  hello.memory = Duration(from.memory_us());
  hello.acknowledged = {from.acknowledged()};
  return hello;
}

// ---- Answers ----

FinishDone read_finish_done(const pb::FinishDone& from, Source& source) {
  // The count may stand alone, so it is bounded here.
  const auto count = checked_count(from.count(), kFrameAttachmentsMax, source, "codes");
  const Column<std::uint32_t> code(from.code(), count, 0, source, "code");
  FinishDone done;
  done.codes.reserve(count);
  for (std::size_t i = 0; i < count; ++i) done.codes.push_back(read_code(code[i]));
  return done;
}

Explained read_explained(const pb::Explained& from) {
  return {from.arity(),      from.index(),   from.learned(), from.tuples(),
          from.candidates(), from.matches(), from.scans()};
}

ListedTuple read_listed_tuple(const pb::ListedTuple& from, Source& source) {
  ListedTuple one;
  one.id = {from.id()};
  one.state = checked_enum(from.state(), TupleState::kPaused, source, "tuple state");
  one.attempt = from.attempt();
  one.priority = from.priority();
  one.holder = {from.holder_high(), from.holder_low()};
  if (from.has_expires_in_us()) one.expires_in = Duration(from.expires_in_us());
  one.tuple = source.take<Tuple>(from.attachments(), "tuple");
  if (from.has_lease_left_us()) one.lease_left = Duration(from.lease_left_us());
  if (from.has_held_for_us()) one.held_for = Duration(from.held_for_us());
  if (from.has_visible_in_us()) one.visible_in = Duration(from.visible_in_us());
  one.open_guards = from.open_guards();
  one.max_attempts = from.max_attempts();
  one.has_will = from.has_will();
  one.lives_with = {from.lives_with_high(), from.lives_with_low()};
  one.key = read_text(from.key(), source);
  one.group = read_text(from.group(), source);
  return one;
}

Listed read_listed(const pb::Listed& from, Source& source) {
  Listed listed;
  for (const auto& row : from.tuples()) listed.tuples.push_back(read_listed_tuple(row, source));
  listed.more = from.more();
  return listed;
}

Summary read_summary(const pb::Summary& from, Source& source) {
  Summary summary;
  for (const auto& row : from.groups()) {
    SummaryGroup& group = summary.groups.emplace_back();
    group.arity = row.arity();
    group.first_fields = source.take<Tuple>(row.attachments(), "group").values();
    group.ready = row.ready();
    group.reserved = row.reserved();
    group.started = row.started();
    group.dead = row.dead();
    group.bytes = row.bytes();
    group.delayed = row.delayed();
    group.behind = row.behind();
    group.guarded = row.guarded();
    group.paused = row.paused();
  }
  summary.tuples = from.tuples();
  summary.waiters = from.waiters();
  summary.streams = from.streams();
  summary.more = from.more();
  summary.pauses = from.pauses();
  return summary;
}

SessionsListed read_sessions(const pb::SessionsListed& from, Source& source) {
  SessionsListed listed;
  for (const auto& row : from.sessions()) {
    listed.sessions.push_back({{row.id_high(), row.id_low()},
                               read_text(row.name(), source),
                               row.connected(),
                               Duration(row.silent_for_us()),
                               row.held(),
                               row.waiting(),
                               std::nullopt});
    if (row.has_lease_left_us()) listed.sessions.back().lease_left = Duration(row.lease_left_us());
  }
  return listed;
}

PausesListed read_pauses(const pb::PausesListed& from, Source& source) {
  PausesListed listed;
  for (const auto& row : from.pauses()) {
    listed.pauses.push_back({read_pause_kind(row.kind(), source),
                             read_form(row.attachments(), source), read_text(row.set_by(), source),
                             Duration(row.set_for_us()), row.tuples()});
  }
  return listed;
}

SpacesListed read_spaces(const pb::SpacesListed& from, Source& source) {
  SpacesListed listed;
  for (const auto& row : from.spaces()) {
    listed.spaces.push_back({{row.number()},
                             read_text(row.name(), source),
                             static_cast<std::uint8_t>(row.durability()),
                             row.tuples(),
                             row.ready(),
                             row.reserved(),
                             row.dead(),
                             row.waiters(),
                             row.bytes(),
                             row.scans(),
                             row.paused(),
                             row.pauses(),
                             row.delayed(),
                             row.behind(),
                             row.guarded(),
                             row.subscriptions(),
                             row.puts(),
                             row.takes(),
                             row.finishes(),
                             row.expired()});
  }
  return listed;
}

ServerStatus read_status(const pb::ServerStatus& from, Source& source) {
  return {read_text(from.version(), source),
          from.pid(),
          Duration(from.up_us()),
          read_text(from.directory(), source),
          read_text(from.durability(), source),
          from.connections(),
          from.sessions(),
          from.requests(),
          from.commits()};
}

std::variant<Answer, ServerAnswer> read_answer(const pb::Reply& from, Source& source) {
  switch (from.answer_case()) {
    case pb::Reply::kDone:
      return Answer(Done{});
    case pb::Reply::kRefused:
      return Answer(read_refused(from.refused(), source));
    case pb::Reply::kPutDone:
      return Answer(PutDone{{from.put_done().first()}, from.put_done().count()});
    case pb::Reply::kKeyedPutDone:
      return Answer(KeyedPutDone{read_ids(from.keyed_put_done().tuple_delta())});
    case pb::Reply::kFound:
      return Answer(Found{read_handouts(from.found().tuples(), source)});
    case pb::Reply::kFinishDone:
      return Answer(read_finish_done(from.finish_done(), source));
    case pb::Reply::kCounted:
      return Answer(Counted{from.counted().count()});
    case pb::Reply::kExplained:
      return Answer(read_explained(from.explained()));
    case pb::Reply::kListed:
      return Answer(read_listed(from.listed(), source));
    case pb::Reply::kSummary:
      return Answer(read_summary(from.summary(), source));
    case pb::Reply::kSessionsListed:
      return Answer(read_sessions(from.sessions_listed(), source));
    case pb::Reply::kPausesListed:
      return Answer(read_pauses(from.pauses_listed(), source));
    case pb::Reply::kSpaceOpened:
      return ServerAnswer(SpaceOpened{{from.space_opened().number()},
                                      static_cast<std::uint8_t>(from.space_opened().durability()),
                                      from.space_opened().created()});
    case pb::Reply::kSpacesListed:
      return ServerAnswer(read_spaces(from.spaces_listed(), source));
    case pb::Reply::kServerStatus:
      return ServerAnswer(read_status(from.server_status(), source));
    case pb::Reply::ANSWER_NOT_SET:
      break;
  }
  source.fail("a reply without an answer, or with one of a newer protocol");
  return Answer(Done{});
}

Event read_event(const pb::StreamEvent& from, Source& source) {
  switch (from.event_case()) {
    case pb::StreamEvent::kDelivered:
      return Delivered{read_handouts(from.delivered().tuples(), source)};
    case pb::StreamEvent::kGap:
      return Gap{from.gap().first(), from.gap().count()};
    case pb::StreamEvent::kRecalled:
      return Recalled{{{from.recalled().tuple()}, from.recalled().attempt()}};
    case pb::StreamEvent::kEnded:
      return StreamEnded{read_refused(from.ended().why(), source)};
    case pb::StreamEvent::EVENT_NOT_SET:
      break;
  }
  source.fail("a stream event without an event, or with one of a newer protocol");
  return Recalled{};
}

Welcome read_welcome(const pb::Welcome& from, Source& source) {
  Welcome welcome;
  welcome.protocol = from.protocol();
  welcome.version = read_text(from.version(), source);
  welcome.server = {from.server_high(), from.server_low()};
  welcome.resumed = from.resumed();
  welcome.heartbeat = Duration(from.heartbeat_us());
  welcome.frame_bytes_max = from.frame_bytes_max();
  welcome.server_pid = from.server_pid();
  return welcome;
}

template <class Message>
Result<Message> finished(Message&& message, const Source& source) {
  if (source.failed())
    return Failure{ErrorCode::kMalformed, "malformed message: " + source.failure()};
  if (source.attachments_left() != 0) {
    return Failure{ErrorCode::kMalformed,
                   "malformed message: " + std::to_string(source.attachments_left()) +
                       " attachments belong to nothing"};
  }
  return std::forward<Message>(message);
}

// The id of a Request or ServerRequest; 0: another kind of message.
RequestId request_id_of(const pb::ClientMessage& from) {
  if (from.has_request()) return {from.request().id()};
  if (from.has_server_request()) return {from.server_request().id()};
  return {};
}

ClientMessage read_client(const pb::ClientMessage& from, Source& source) {
  switch (from.kind_case()) {
    case pb::ClientMessage::kHello:
      return read_hello(from.hello(), source);
    case pb::ClientMessage::kRequest:
      return Request{{from.request().id()},
                     {from.request().acknowledged()},
                     {from.request().space()},
                     read_operation(from.request(), source),
                     from.request().patient()};
    case pb::ClientMessage::kServerRequest:
      return ServerRequest{{from.server_request().id()},
                           {from.server_request().acknowledged()},
                           read_server_operation(from.server_request(), source)};
    case pb::ClientMessage::kHeartbeat:
      return Heartbeat{{from.heartbeat().acknowledged()}};
    case pb::ClientMessage::kGoodbye:
      return Goodbye{};
    case pb::ClientMessage::KIND_NOT_SET:
      break;
  }
  source.fail("a message of no known kind");
  return Goodbye{};
}

ServerMessage read_server(const pb::ServerMessage& from, Source& source) {
  switch (from.kind_case()) {
    case pb::ServerMessage::kWelcome:
      return read_welcome(from.welcome(), source);
    case pb::ServerMessage::kRejected:
      return Rejected{read_refused(from.rejected().why(), source)};
    case pb::ServerMessage::kReply:
      return Reply{{from.reply().to()}, read_answer(from.reply(), source)};
    case pb::ServerMessage::kStreamEvent:
      return StreamEvent{{from.stream_event().stream()}, read_event(from.stream_event(), source)};
    case pb::ServerMessage::kHeartbeatBack:
      return HeartbeatBack{};
    case pb::ServerMessage::KIND_NOT_SET:
      break;
  }
  source.fail("a message of no known kind");
  return HeartbeatBack{};
}

google::protobuf::ArenaOptions arena_in(std::span<char> block) {
  google::protobuf::ArenaOptions options;
  options.initial_block = block.data();
  options.initial_block_size = block.size();
  return options;
}

}  // namespace

// The arena's first block stays from message to message, so that small messages allocate nothing;
// what one large message took is given back at once.
struct Decoder::Memory {
  alignas(8) std::array<char, kArenaBlockBytes> block;
  google::protobuf::Arena arena{arena_in(block)};
  TemplateMemory templates;

  template <class Ours, class Message, class Read>
  Result<Ours> decode(const Frame& frame, const FrameReader& reader, const Read& read) {
    Source source(frame, reader);
    auto* message = google::protobuf::Arena::CreateMessage<Message>(&arena);
    const std::size_t bytes = frame.message.size();
    const bool parsed = bytes <= std::numeric_limits<int>::max() &&
                        message->ParseFromArray(frame.message.data(), static_cast<int>(bytes));
    if (!parsed) source.fail("its bytes are no message");
    Ours out = parsed ? read(*message, source) : Ours();
    arena.Reset();
    return finished(std::move(out), source);
  }
};

Decoder::Decoder() : memory_(std::make_unique<Memory>()) {}
Decoder::~Decoder() = default;

Result<ClientMessage> Decoder::decode_client(const Frame& frame, const FrameReader& reader) {
  ClientMessage common = Request();
  if (decode_common_request(frame, std::get<Request>(common))) return common;
  last_request_id_ = {};
  return memory_->decode<ClientMessage, pb::ClientMessage>(
      frame, reader, [&](const pb::ClientMessage& message, Source& source) {
        last_request_id_ = request_id_of(message);
        return read_client(message, source);
      });
}

bool Decoder::decode_common_request(const Frame& frame, Request& out) {
  if (!read_common_request(frame, memory_->templates, out)) return false;
  last_request_id_ = out.id;
  return true;
}

Result<ServerMessage> Decoder::decode_server(const Frame& frame, const FrameReader& reader) {
  return memory_->decode<ServerMessage, pb::ServerMessage>(frame, reader, read_server);
}

}  // namespace linden::wire

#include "space/storage/record_codec.h"

#include <cstring>
#include <limits>

#include "api/model/varint.h"

namespace linden::storage {
namespace {

// ---- Numbers and strings
// -------------------------------------------------------------------------

// The end of a record that is being written.  A mutation is a dozen small numbers; they are
// gathered here and appended at once, because a string would check and end itself after each.
class Out {
 public:
  explicit Out(std::string& record) : record_(record) {}
  ~Out() { record_.append(bytes_, size_); }
  Out(const Out&) = delete;
  Out& operator=(const Out&) = delete;

  void byte(std::uint8_t byte) {
    make_room(1);
    bytes_[size_++] = static_cast<char>(byte);
  }
  void varint(std::uint64_t number) {
    make_room(encoding::kVarintBytesMax);
    while (number >= 0x80) {
      bytes_[size_++] = static_cast<char>(number | 0x80);
      number >>= 7;
    }
    bytes_[size_++] = static_cast<char>(number);
  }
  void word(std::uint64_t word) {
    make_room(sizeof(word));
    std::memcpy(bytes_ + size_, &word, sizeof(word));
    size_ += sizeof(word);
  }
  void string(std::string_view bytes) {
    if (bytes.empty()) return;
    if (bytes.size() > sizeof(bytes_)) {
      make_room(sizeof(bytes_));
      record_.append(bytes);
      return;
    }
    make_room(bytes.size());
    std::memcpy(bytes_ + size_, bytes.data(), bytes.size());
    size_ += bytes.size();
  }

 private:
  void make_room(std::size_t count) {
    if (count <= sizeof(bytes_) - size_) return;
    record_.append(bytes_, size_);
    size_ = 0;
  }

  std::string& record_;
  std::size_t size_ = 0;
  char bytes_[256];
};

void put_byte(Out& out, std::uint8_t byte) {
  out.byte(byte);
}

// Small numbers of either sign become short varints: 0, -1, 1, -2 are 0, 1, 2, 3.
void put_signed(Out& out, std::int64_t number) {
  const auto bits = static_cast<std::uint64_t>(number);
  out.varint(bits << 1 ^ (number < 0 ? ~std::uint64_t{0} : 0));
}

void put_string(Out& out, std::string_view bytes) {
  out.varint(bytes.size());
  out.string(bytes);
}

// Reads from the front of a record.  The first thing that does not fit empties it and makes it not
// ok(); what is read after that is zero, so only the end of a mutation needs to be checked.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  [[nodiscard]] bool at_end() const noexcept { return rest_.empty(); }
  [[nodiscard]] bool ok() const noexcept { return problem_.empty(); }
  [[nodiscard]] const std::string& problem() const noexcept { return problem_; }

  void fail(std::string problem) {
    if (problem_.empty()) problem_ = std::move(problem);
    rest_ = {};
  }

  std::string_view take(std::size_t count) {
    if (count > rest_.size()) {
      fail("it ends in the middle of a mutation");
      return {};
    }
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }

  std::uint8_t byte() {
    const std::string_view taken = take(1);
    return taken.empty() ? 0 : static_cast<std::uint8_t>(taken[0]);
  }

  std::uint64_t varint() {
    const char* at = rest_.data();
    std::uint64_t number = 0;
    if (!encoding::read_varint(at, rest_.data() + rest_.size(), number)) {
      fail("a number in it is cut off or malformed");
      return 0;
    }
    rest_.remove_prefix(static_cast<std::size_t>(at - rest_.data()));
    return number;
  }

  std::uint32_t varint32() {
    const std::uint64_t number = varint();
    if (number > std::numeric_limits<std::uint32_t>::max()) fail("a number in it is too large");
    return static_cast<std::uint32_t>(number);
  }

  std::int64_t signed_number() {
    const std::uint64_t bits = varint();
    return static_cast<std::int64_t>(bits >> 1 ^ (~(bits & 1) + 1));
  }

  std::uint64_t fixed64() {
    const std::string_view taken = take(sizeof(std::uint64_t));
    return taken.empty() ? 0 : encoding::word_at<std::uint64_t>(taken.data());
  }

  std::string_view string() { return take(varint()); }

 private:
  std::string_view rest_;
  std::string problem_;
};

// ---- Parts of mutations
// --------------------------------------------------------------------------

void put(Out& out, TupleId id) {
  out.varint(id.value);
}
void put(Out& out, Duration duration) {
  put_signed(out, duration.count());
}
void put(Out& out, Time time) {
  put(out, time.time_since_epoch());
}

void put(Out& out, const SessionId& session) {
  out.word(session.high);
  out.word(session.low);
}

void put(Out& out, const core::Origin& origin) {
  put(out, origin.session);
  out.varint(origin.request.value);
}

// A tuple or a template.
template <class Row>
void put_row(Out& out, const Row& row) {
  put_string(out, row.head());
  out.varint(row.attachments().size());
  for (const Bytes& attachment : row.attachments()) put_string(out, attachment.view());
}
void put(Out& out, const Tuple& tuple) {
  put_row(out, tuple);
}

void put(Out& out, const std::vector<Guard>& guards) {
  out.varint(guards.size());
  for (const Guard& guard : guards) {
    put_row(out, guard.form);
    out.varint(guard.fills.size());
    for (const Guard::Fill& fill : guard.fills) {
      out.varint(fill.from);
      out.varint(fill.to);
    }
  }
}

TupleId read_tuple_id(Reader& in) {
  return TupleId{in.varint()};
}
Duration read_duration(Reader& in) {
  return Duration(in.signed_number());
}
Time read_time(Reader& in) {
  return Time(read_duration(in));
}

SessionId read_session(Reader& in) {
  SessionId session;
  session.high = in.fixed64();
  session.low = in.fixed64();
  return session;
}

core::Origin read_origin(Reader& in) {
  core::Origin origin;
  origin.session = read_session(in);
  origin.request = RequestId{in.varint()};
  return origin;
}

template <class Row>
Row read_row(Reader& in, const char* what) {
  const std::string_view head = in.string();
  std::vector<Bytes> attachments;
  for (std::uint64_t left = in.varint(); left > 0 && in.ok(); --left) {
    attachments.push_back(Bytes::copy_of(in.string()));
  }
  if (!in.ok()) return {};
  Result<Row> row = Row::decode(head, std::move(attachments));
  if (!row) {
    in.fail(std::string("a ") + what + " in it is malformed: " + row.error().message);
    return {};
  }
  return std::move(*row);
}
Tuple read_tuple(Reader& in) {
  return read_row<Tuple>(in, "tuple");
}

// What a pause is of: the space, or what matches a template.
void put(Out& out, PauseKind kind, const std::optional<Template>& form) {
  put_byte(out, static_cast<std::uint8_t>(kind));
  put_byte(out, form ? 1 : 0);
  if (form) put_row(out, *form);
}

std::vector<Guard> read_guards(Reader& in) {
  std::vector<Guard> guards;
  for (std::uint64_t left = in.varint(); left > 0 && in.ok(); --left) {
    Guard& guard = guards.emplace_back();
    guard.form = read_row<Template>(in, "guard");
    for (std::uint64_t fills = in.varint(); fills > 0 && in.ok(); --fills) {
      const std::uint32_t from = in.varint32();
      guard.fills.push_back({from, in.varint32()});
    }
  }
  return guards;
}

// Which attributes follow, in the order of the bits.
enum AttributeBit : std::uint8_t {
  kHasPriority = 1,
  kHasTtl = 2,
  kHasMaxAttempts = 4,
  kHasWill = 8,
  kLivesWith = 16,
  kExpires = 32,
  kHasGroup = 64,
  kHasGuards = 128,
};

bool has_group(const Attributes& attributes) {
  return attributes.rare && !attributes.rare->group.empty();
}
bool has_guards(const Attributes& attributes) {
  return attributes.rare && !attributes.rare->when.empty();
}

std::uint8_t attribute_bits(const core::TupleAdded& added) {
  const Attributes& attributes = added.attributes;
  return static_cast<std::uint8_t>(
      (attributes.priority != 0 ? kHasPriority : 0) | (attributes.ttl ? kHasTtl : 0) |
      (attributes.max_attempts != 0 ? kHasMaxAttempts : 0) | (attributes.will ? kHasWill : 0) |
      (attributes.lives_with ? kLivesWith : 0) | (added.expires_at != kNever ? kExpires : 0) |
      (has_group(attributes) ? kHasGroup : 0) | (has_guards(attributes) ? kHasGuards : 0));
}

// ---- One mutation
// --------------------------------------------------------------------------------

// Writes the tag and what belongs to it; one overload per kind, so that a kind without one does not
// compile.
struct Writer {
  Out& out;

  void tag(MutationTag tag) const { put_byte(out, static_cast<std::uint8_t>(tag)); }

  void operator()(const core::TupleAdded& added) const {
    const Attributes& attributes = added.attributes;
    tag(MutationTag::kTupleAdded);
    put(out, added.id);
    put(out, added.tuple);
    put_byte(out, attribute_bits(added));
    if (attributes.priority != 0) put_signed(out, attributes.priority);
    if (attributes.ttl) put(out, *attributes.ttl);
    if (attributes.max_attempts != 0) out.varint(attributes.max_attempts);
    if (attributes.will) put(out, *attributes.will);
    if (attributes.lives_with) put(out, *attributes.lives_with);
    if (added.expires_at != kNever) put(out, added.expires_at);
    if (has_group(attributes)) put_string(out, attributes.rare->group);
    if (has_guards(attributes)) put(out, attributes.rare->when);
  }
  void operator()(const core::TupleReserved& reserved) const {
    tag(MutationTag::kTupleReserved);
    put(out, reserved.id);
    out.varint(reserved.attempt);
    put(out, reserved.holder);
    put(out, reserved.lease);
    put_byte(out, reserved.started ? 1 : 0);
    out.varint(reserved.template_index);
  }
  void operator()(const core::TupleStarted& started) const {
    tag(MutationTag::kTupleStarted);
    put(out, started.id);
  }
  void operator()(const core::TupleReleased& released) const {
    tag(MutationTag::kTupleReleased);
    put(out, released.id);
    out.varint(released.started_before);
  }
  void operator()(const core::TupleTaken& taken) const {
    tag(MutationTag::kTupleTaken);
    put(out, taken.id);
    put(out, taken.taker);
    out.varint(taken.template_index);
    put_byte(out, taken.streamed ? 1 : 0);
  }
  void operator()(const core::TupleRemoved& removed) const {
    tag(MutationTag::kTupleRemoved);
    put(out, removed.id);
  }
  void operator()(const core::TupleDied& died) const {
    tag(MutationTag::kTupleDied);
    put(out, died.id);
    out.varint(died.started_before);
  }
  void operator()(const core::SessionOpened& opened) const {
    tag(MutationTag::kSessionOpened);
    put(out, opened.id);
    put_string(out, opened.name);
    put(out, opened.hold);
    put(out, opened.memory);
  }
  void operator()(const core::SessionEnded& ended) const {
    tag(MutationTag::kSessionEnded);
    put(out, ended.id);
  }
  void operator()(const core::RequestAnswered& answered) const {
    tag(MutationTag::kRequestAnswered);
    put(out, answered.request);
    std::visit(*this, answered.answer);
  }
  void operator()(const PutDone& done) const {
    put_byte(out, 1);
    put(out, done.first);
    out.varint(done.count);
  }
  void operator()(const FinishDone& done) const {
    put_byte(out, 2);
    out.varint(done.codes.size());
    for (const ErrorCode code : done.codes) put_byte(out, static_cast<std::uint8_t>(code));
  }
  void operator()(const KeyedPutDone& done) const {
    put_byte(out, 3);
    out.varint(done.ids.size());
    for (const TupleId id : done.ids) put(out, id);
  }
  void operator()(const core::NextTupleId& next) const {
    tag(MutationTag::kNextTupleId);
    put(out, next.next);
  }
  void operator()(const core::TupleDelayed& delayed) const {
    tag(MutationTag::kTupleDelayed);
    put(out, delayed.id);
    out.varint(delayed.started_before);
    put(out, delayed.until);
  }
  void operator()(const core::TupleRenewed& renewed) const {
    tag(MutationTag::kTupleRenewed);
    put(out, renewed.id);
    put(out, renewed.expires_at);
  }
  void operator()(const core::KeyRemembered& remembered) const {
    tag(MutationTag::kKeyRemembered);
    put(out, remembered.id);
    put_string(out, remembered.key);
    out.word(remembered.content);
    put(out, remembered.until);
  }
  void operator()(const core::KeyForgotten& forgotten) const {
    tag(MutationTag::kKeyForgotten);
    put(out, forgotten.id);
  }
  void operator()(const core::GuardMet& met) const {
    tag(MutationTag::kGuardMet);
    put(out, met.id);
    out.varint(met.guard);
    put(out, met.bound);
  }
  void operator()(const core::PauseSet& pause) const {
    tag(MutationTag::kPauseSet);
    put(out, pause.kind, pause.form);
    put_string(out, pause.set_by);
    put(out, pause.since);
  }
  void operator()(const core::PauseEnded& ended) const {
    tag(MutationTag::kPauseEnded);
    put(out, ended.kind, ended.form);
  }
};

core::TupleAdded read_added(Reader& in) {
  core::TupleAdded added;
  added.id = read_tuple_id(in);
  added.tuple = read_tuple(in);
  const std::uint8_t bits = in.byte();
  Attributes& attributes = added.attributes;
  if (bits & kHasPriority) attributes.priority = static_cast<std::int32_t>(in.signed_number());
  if (bits & kHasTtl) attributes.ttl = read_duration(in);
  if (bits & kHasMaxAttempts) attributes.max_attempts = in.varint32();
  if (bits & kHasWill) attributes.will = read_tuple(in);
  if (bits & kLivesWith) attributes.lives_with = read_session(in);
  if (bits & kExpires) added.expires_at = read_time(in);
  if (bits & (kHasGroup | kHasGuards)) {
    RareAttributes rare;
    if (bits & kHasGroup) rare.group = std::string(in.string());
    if (bits & kHasGuards) rare.when = read_guards(in);
    attributes.rare = std::move(rare);
  }
  return added;
}

core::TupleReserved read_reserved(Reader& in) {
  core::TupleReserved reserved;
  reserved.id = read_tuple_id(in);
  reserved.attempt = in.varint32();
  reserved.holder = read_origin(in);
  reserved.lease = read_duration(in);
  reserved.started = in.byte() != 0;
  reserved.template_index = in.varint32();
  return reserved;
}

core::TupleTaken read_taken(Reader& in) {
  core::TupleTaken taken;
  taken.id = read_tuple_id(in);
  taken.taker = read_origin(in);
  taken.template_index = in.varint32();
  taken.streamed = in.byte() != 0;
  return taken;
}

core::SessionOpened read_opened(Reader& in) {
  core::SessionOpened opened;
  opened.id = read_session(in);
  opened.name = std::string(in.string());
  opened.hold = read_duration(in);
  opened.memory = read_duration(in);
  return opened;
}

core::RequestAnswered read_answered(Reader& in) {
  core::RequestAnswered answered;
  answered.request = read_origin(in);
  const std::uint8_t kind = in.byte();
  if (kind == 1) {
    PutDone done;
    done.first = read_tuple_id(in);
    done.count = in.varint32();
    answered.answer = done;
  } else if (kind == 2) {
    FinishDone done;
    for (const char code : in.string()) done.codes.push_back(static_cast<ErrorCode>(code));
    answered.answer = std::move(done);
  } else if (kind == 3) {
    KeyedPutDone done;
    for (std::uint64_t left = in.varint(); left > 0 && in.ok(); --left) {
      done.ids.push_back(read_tuple_id(in));
    }
    answered.answer = std::move(done);
  } else {
    in.fail("a remembered answer in it is of the unknown kind " + std::to_string(kind));
  }
  return answered;
}

core::KeyRemembered read_key(Reader& in) {
  core::KeyRemembered remembered;
  remembered.id = read_tuple_id(in);
  remembered.key = std::string(in.string());
  remembered.content = in.fixed64();
  remembered.until = read_time(in);
  return remembered;
}

core::PauseEnded read_pause(Reader& in) {
  core::PauseEnded pause;
  const std::uint8_t kind = in.byte();
  if (kind > static_cast<std::uint8_t>(PauseKind::kDrain)) {
    in.fail("a pause in it is of the unknown kind " + std::to_string(kind));
  }
  pause.kind = static_cast<PauseKind>(kind);
  if (in.byte() != 0) pause.form = read_row<Template>(in, "template");
  return pause;
}

core::Mutation read_mutation(Reader& in) {
  const std::uint8_t tag = in.byte();
  switch (static_cast<MutationTag>(tag)) {
    case MutationTag::kTupleAdded:
      return read_added(in);
    case MutationTag::kTupleReserved:
      return read_reserved(in);
    case MutationTag::kTupleStarted:
      return core::TupleStarted{read_tuple_id(in)};
    case MutationTag::kTupleReleased: {
      const TupleId id = read_tuple_id(in);
      return core::TupleReleased{id, in.varint32()};
    }
    case MutationTag::kTupleTaken:
      return read_taken(in);
    case MutationTag::kTupleRemoved:
      return core::TupleRemoved{read_tuple_id(in)};
    case MutationTag::kTupleDied: {
      const TupleId id = read_tuple_id(in);
      return core::TupleDied{id, in.varint32()};
    }
    case MutationTag::kSessionOpened:
      return read_opened(in);
    case MutationTag::kSessionEnded:
      return core::SessionEnded{read_session(in)};
    case MutationTag::kRequestAnswered:
      return read_answered(in);
    case MutationTag::kNextTupleId:
      return core::NextTupleId{read_tuple_id(in)};
    case MutationTag::kTupleDelayed: {
      const TupleId id = read_tuple_id(in);
      const std::uint32_t started_before = in.varint32();
      return core::TupleDelayed{id, started_before, read_time(in)};
    }
    case MutationTag::kTupleRenewed: {
      const TupleId id = read_tuple_id(in);
      return core::TupleRenewed{id, read_time(in)};
    }
    case MutationTag::kKeyRemembered:
      return read_key(in);
    case MutationTag::kKeyForgotten:
      return core::KeyForgotten{read_tuple_id(in)};
    case MutationTag::kGuardMet: {
      const TupleId id = read_tuple_id(in);
      const std::uint32_t guard = in.varint32();
      return core::GuardMet{id, guard, read_tuple(in)};
    }
    case MutationTag::kPauseSet: {
      core::PauseEnded of = read_pause(in);
      std::string set_by(in.string());
      return core::PauseSet{of.kind, std::move(of.form), std::move(set_by), read_time(in)};
    }
    case MutationTag::kPauseEnded:
      return read_pause(in);
  }
  in.fail("it has a mutation of the unknown kind " + std::to_string(tag));
  return core::NextTupleId{};
}

Failure bad_record(const std::string& problem) {
  return Failure{ErrorCode::kStorageFailed, "a record cannot be read: " + problem};
}

}  // namespace

void begin_record(std::string& out, Time now) {
  out.clear();
  Out end(out);
  put_byte(end, kRecordVersion);
  put(end, now);
}

void append_mutation(std::string& out, const core::Mutation& mutation) {
  Out end(out);
  std::visit(Writer{end}, mutation);
}

TupleId tuple_of(const core::Mutation& mutation) noexcept {
  return std::visit(
      [](const auto& change) {
        if constexpr (requires { TupleId{change.id}; }) return change.id;
        return TupleId{};
      },
      mutation);
}

Result<Time> read_record(std::string_view record, const MutationVisitor& visit) {
  Reader in(record);
  const std::uint8_t version = in.byte();
  if (!in.ok()) return bad_record("it is empty");
  if (version != kRecordVersion) {
    return bad_record("it is of version " + std::to_string(version) +
                      ", this program reads version " + std::to_string(kRecordVersion) +
                      "; use a newer space-server");
  }
  const Time time = read_time(in);
  while (in.ok() && !in.at_end()) {
    core::Mutation mutation = read_mutation(in);
    if (in.ok()) visit(std::move(mutation));
  }
  if (!in.ok()) return bad_record(in.problem());
  return time;
}

}  // namespace linden::storage

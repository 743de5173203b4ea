#include "api/wire/shortcut.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#include <linden/wire/v1/message.pb.h>

#include "api/model/varint.h"

namespace linden::wire {

namespace pb = linden::wire::v1;

namespace {

using encoding::kVarintBytesMax;

// Most numbers are tags, lengths and counts of one byte.
bool read_varint(const char*& at, const char* end, std::uint64_t& number) {
  if (at != end && static_cast<unsigned char>(*at) < 0x80) {
    number = static_cast<unsigned char>(*at++);
    return true;
  }
  return encoding::read_varint(at, end, number);
}

constexpr std::uint32_t number_tag(int field) {
  return static_cast<std::uint32_t>(field) << 3;
}
constexpr std::uint32_t bytes_tag(int field) {
  return static_cast<std::uint32_t>(field) << 3 | 2;
}

// ---- Reading ------------------------------------------------------------------------------------

// The fields of a message one after another, each at most once: then it does not matter how
// protobuf joins what is said twice.
class Fields {
 public:
  explicit Fields(std::string_view message)
      : at_(message.data()), end_(message.data() + message.size()) {}

  // False: at the end, or ok() is false.
  bool next() {
    if (at_ == end_) return false;
    std::uint64_t tag = 0;
    if (!read_varint(at_, end_, tag) || tag >= number_tag(64)) return stop();
    tag_ = static_cast<std::uint32_t>(tag);
    const std::uint64_t bit = std::uint64_t{1} << (tag >> 3);
    if ((seen_ & bit) != 0) return stop();
    seen_ |= bit;
    if ((tag & 7) == 0) return read_varint(at_, end_, number_) || stop();
    if ((tag & 7) != 2) return stop();
    if (!read_varint(at_, end_, number_)) return stop();
    if (number_ > static_cast<std::uint64_t>(end_ - at_)) return stop();
    bytes_ = {at_, static_cast<std::size_t>(number_)};
    at_ += number_;
    return true;
  }

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] std::uint32_t tag() const { return tag_; }
  [[nodiscard]] std::uint64_t number() const { return number_; }
  [[nodiscard]] std::string_view bytes() const { return bytes_; }
  // The number of a field of 32 bits.
  bool number32(std::uint32_t& out) {
    out = static_cast<std::uint32_t>(number_);
    return number_ <= std::numeric_limits<std::uint32_t>::max() || stop();
  }

 private:
  bool stop() {
    ok_ = false;
    at_ = end_;
    return false;
  }

  const char* at_;
  const char* end_;
  std::uint32_t tag_ = 0;
  std::uint64_t number_ = 0;
  std::string_view bytes_;
  std::uint64_t seen_ = 0;
  bool ok_ = true;
};

// How many numbers a packed field has, if it is well formed.
std::size_t entries_in(std::string_view packed) {
  return static_cast<std::size_t>(
      std::count_if(packed.begin(), packed.end(), [](char byte) { return (byte & 0x80) == 0; }));
}

// The numbers of a packed field.
class Packed {
 public:
  explicit Packed(std::string_view bytes = {})
      : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}
  [[nodiscard]] bool at_end() const { return at_ == end_; }
  bool next(std::uint64_t& number) { return read_varint(at_, end_, number); }

 private:
  const char* at_;
  const char* end_;
};

// A column (operation.proto): no entry, or one for all, or one for each row.
class Column {
 public:
  [[nodiscard]] bool open(std::string_view bytes, std::size_t rows) {
    if (!bytes.empty() && (bytes.back() & 0x80) != 0) return false;  // the last is cut off
    const std::size_t entries = entries_in(bytes);
    entries_ = Packed(bytes);
    each_ = entries > 1;
    return entries <= 1 ? bytes.empty() || read(current_) : entries == rows;
  }
  // Of the next row.
  [[nodiscard]] bool next(std::uint32_t& entry) {
    if (each_ && !read(current_)) return false;
    entry = current_;
    return true;
  }

 private:
  [[nodiscard]] bool read(std::uint32_t& entry) {
    std::uint64_t number = 0;
    if (!entries_.next(number) || number > std::numeric_limits<std::uint32_t>::max()) return false;
    entry = static_cast<std::uint32_t>(number);
    return true;
  }

  Packed entries_;
  std::uint32_t current_ = 0;
  bool each_ = false;
};

std::int64_t signed_of(std::uint64_t zigzag) {
  return static_cast<std::int64_t>((zigzag >> 1) ^ (~(zigzag & 1) + 1));
}

class CommonRequest {
 public:
  CommonRequest(const Frame& frame, TemplateMemory& templates, Request& out)
      : heads_(frame.attachments), templates_(templates), out_(out) {}

  bool read(std::string_view message) {
    Fields kinds(message);
    if (!kinds.next() || kinds.tag() != bytes_tag(pb::ClientMessage::kRequestFieldNumber)) {
      return false;
    }
    const std::string_view request = kinds.bytes();
    if (kinds.next() || !kinds.ok() || !read_request(request)) return false;
    return has_operation_ && heads_.empty();
  }

 private:
  bool read_request(std::string_view request) {
    Fields fields(request);
    while (fields.next()) {
      switch (fields.tag()) {
        case number_tag(pb::Request::kIdFieldNumber):
          out_.id = {fields.number()};
          break;
        case number_tag(pb::Request::kAcknowledgedFieldNumber):
          out_.acknowledged = {fields.number()};
          break;
        case number_tag(pb::Request::kSpaceFieldNumber):
          if (!fields.number32(out_.space.value)) return false;
          break;
        case number_tag(pb::Request::kPatientFieldNumber):
          out_.patient = fields.number() != 0;
          break;
        default:
          if (std::exchange(has_operation_, true)) return false;
          if (!read_operation(fields.tag(), fields.bytes())) return false;
      }
    }
    return fields.ok();
  }

  bool read_operation(std::uint32_t tag, std::string_view bytes) {
    switch (tag) {
      case bytes_tag(pb::Request::kPutFieldNumber):
        return read_put(bytes, out_.operation.emplace<PutOp>());
      case bytes_tag(pb::Request::kTakeFieldNumber):
        return read_take(bytes, out_.operation.emplace<TakeOp>());
      case bytes_tag(pb::Request::kFinishFieldNumber):
        return read_finish(bytes, out_.operation.emplace<FinishOp>());
      default:
        return false;
    }
  }

  bool read_put(std::string_view bytes, PutOp& put) {
    std::string_view tuples;
    Fields fields(bytes);
    while (fields.next()) {
      if (fields.tag() != bytes_tag(pb::PutOp::kTuplesFieldNumber)) return false;
      tuples = fields.bytes();
    }
    return fields.ok() && read_tuples(tuples, put.tuples);
  }

  // Tuples without attachments of their own and with no attributes but what tasks have.  They are
  // decoded last, when it is known that this is the way that they go.
  bool read_tuples(std::string_view bytes, std::vector<NewTuple>& tuples) {
    std::uint32_t count = 0;
    std::string_view priorities;
    std::string_view bounds;
    std::string_view wills;
    Fields fields(bytes);
    while (fields.next()) {
      switch (fields.tag()) {
        case number_tag(pb::NewTuples::kCountFieldNumber):
          if (!fields.number32(count)) return false;
          break;
        case bytes_tag(pb::NewTuples::kPriorityFieldNumber):
          priorities = fields.bytes();
          break;
        case bytes_tag(pb::NewTuples::kMaxAttemptsFieldNumber):
          bounds = fields.bytes();
          break;
        case bytes_tag(pb::NewTuples::kWillAttachmentsFieldNumber):
          wills = fields.bytes();
          break;
        default:
          return false;
      }
    }
    Column priority;
    Column bound;
    Column will;
    if (!fields.ok() || count > heads_.size() || !priority.open(priorities, count) ||
        !bound.open(bounds, count) || !will.open(wills, count)) {
      return false;
    }
    tuples.resize(count);
    for (NewTuple& item : tuples) {
      std::uint32_t zigzag = 0;
      std::uint32_t will_attachments = 0;
      if (!take_head(item.tuple) || !priority.next(zigzag) ||
          !bound.next(item.attributes.max_attempts) || !will.next(will_attachments)) {
        return false;
      }
      item.attributes.priority = static_cast<std::int32_t>(signed_of(zigzag));
      if (will_attachments == 0) continue;
      if (will_attachments > 1 || !take_head(item.attributes.will.emplace())) return false;
    }
    return true;
  }

  bool take_head(Tuple& out) {
    if (heads_.empty()) return false;
    Result<Tuple> tuple = Tuple::decode(heads_.front(), {});
    if (!tuple) return false;
    out = std::move(tuple).value();
    heads_ = heads_.subspan(1);
    return true;
  }

  bool read_take(std::string_view bytes, TakeOp& take) {
    take.mode = TakeMode::kRead;
    take.count_max = 0;
    std::optional<std::int64_t> lease_us;
    Fields fields(bytes);
    while (fields.next()) {
      switch (fields.tag()) {
        case number_tag(pb::TakeOp::kModeFieldNumber):
          if (fields.number() > static_cast<std::uint64_t>(TakeMode::kReserve)) return false;
          take.mode = static_cast<TakeMode>(fields.number());
          break;
        case bytes_tag(pb::TakeOp::kTemplatesFieldNumber):
          if (!read_templates(fields.bytes(), take.templates)) return false;
          break;
        case number_tag(pb::TakeOp::kCountMaxFieldNumber):
          if (!fields.number32(take.count_max)) return false;
          break;
        case number_tag(pb::TakeOp::kTimeoutUsFieldNumber):
          take.timeout = Duration(static_cast<std::int64_t>(fields.number()));
          break;
        case number_tag(pb::TakeOp::kLeaseUsFieldNumber):
          lease_us = static_cast<std::int64_t>(fields.number());
          break;
        default:
          return false;
      }
    }
    if (take.mode == TakeMode::kReserve) take.lease = Duration(lease_us.value_or(0));
    return fields.ok();
  }

  bool read_templates(std::string_view bytes, std::vector<Template>& templates) {
    Fields fields(bytes);
    std::uint32_t count = 0;
    while (fields.next()) {
      if (fields.tag() != number_tag(pb::Templates::kCountFieldNumber)) return false;
      if (!fields.number32(count)) return false;
    }
    if (!fields.ok() || count > heads_.size()) return false;
    templates.resize(count);
    for (Template& form : templates) {
      if (!templates_.read(heads_.front(), form)) return false;
      heads_ = heads_.subspan(1);
    }
    return true;
  }

  // Items that all have a token; puts may come with them, and news of what has begun.
  bool read_finish(std::string_view bytes, FinishOp& finish) {
    std::uint32_t count = 0;
    std::string_view tokens;
    std::string_view started;
    std::string_view put_counts;
    std::string_view tuples;
    Fields fields(bytes);
    while (fields.next()) {
      switch (fields.tag()) {
        case number_tag(pb::FinishOp::kCountFieldNumber):
          if (!fields.number32(count)) return false;
          break;
        case bytes_tag(pb::FinishOp::kTokensFieldNumber):
          tokens = fields.bytes();
          break;
        case bytes_tag(pb::FinishOp::kPutCountFieldNumber):
          put_counts = fields.bytes();
          break;
        case bytes_tag(pb::FinishOp::kPutsFieldNumber):
          tuples = fields.bytes();
          break;
        case bytes_tag(pb::FinishOp::kStartedFieldNumber):
          started = fields.bytes();
          break;
        default:
          return false;
      }
    }
    std::vector<Token> of_items;
    if (!fields.ok() || !read_tokens(tokens, of_items) || !read_tokens(started, finish.started) ||
        of_items.size() != count) {
      return false;
    }
    finish.items.resize(count);
    for (std::size_t i = 0; i < count; ++i) finish.items[i].token = of_items[i];
    std::vector<NewTuple> puts;
    return read_tuples(tuples, puts) && share_out(put_counts, puts, finish.items);
  }

  static bool read_tokens(std::string_view bytes, std::vector<Token>& tokens) {
    std::string_view deltas;
    std::string_view attempts;
    Fields fields(bytes);
    while (fields.next()) {
      if (fields.tag() == bytes_tag(pb::Tokens::kTupleDeltaFieldNumber)) {
        deltas = fields.bytes();
      } else if (fields.tag() == bytes_tag(pb::Tokens::kAttemptFieldNumber)) {
        attempts = fields.bytes();
      } else {
        return false;
      }
    }
    if (!fields.ok()) return false;
    tokens.resize(entries_in(deltas));
    Packed ids(deltas);
    Column attempt;
    if (!attempt.open(attempts, tokens.size())) return false;
    std::uint64_t id = 0;
    for (Token& token : tokens) {
      std::uint64_t delta = 0;
      if (!ids.next(delta) || !attempt.next(token.attempt)) return false;
      id += static_cast<std::uint64_t>(signed_of(delta));
      token.tuple = {id};
    }
    return ids.at_end();
  }

  static bool share_out(std::string_view counts, std::vector<NewTuple>& puts,
                        std::vector<FinishItem>& items) {
    if (counts.empty() && puts.empty()) return true;
    Column count;
    if (!count.open(counts, items.size())) return false;
    auto next = puts.begin();
    for (FinishItem& item : items) {
      std::uint32_t own = 0;
      if (!count.next(own) || own > static_cast<std::size_t>(puts.end() - next)) return false;
      item.puts.assign(std::make_move_iterator(next), std::make_move_iterator(next + own));
      next += own;
    }
    return next == puts.end();
  }

  std::span<const std::string_view> heads_;  // not yet used
  TemplateMemory& templates_;
  Request& out_;
  bool has_operation_ = false;
};

// ---- Writing ------------------------------------------------------------------------------------

// A message of less than 128 bytes, so that the length of each part takes one byte and can be
// written when the part is there.
class SmallMessage {
 public:
  void number(int field, std::uint64_t number) {
    if (number == 0) return;  // as protobuf leaves out what is 0
    *at_++ = static_cast<char>(number_tag(field));
    varint(number);
  }
  // A packed field with one entry; none if it is 0.
  void column(int field, std::uint64_t entry) {
    if (entry == 0) return;
    char* const part = open(field);
    varint(entry);
    close(part);
  }
  char* open(int field) {
    *at_++ = static_cast<char>(bytes_tag(field));
    return at_++;
  }
  void close(char* part) { *part = static_cast<char>(at_ - part - 1); }
  void varint(std::uint64_t number) {
    while (number >= 0x80) {
      *at_++ = static_cast<char>(number | 0x80);
      number >>= 7;
    }
    *at_++ = static_cast<char>(number);
  }
  [[nodiscard]] std::string_view view() const {
    return {bytes_, static_cast<std::size_t>(at_ - bytes_)};
  }

 private:
  // Two lengths and tags, the request's id, and at most four numbers of a hand-out.
  char bytes_[4 + 6 * (kVarintBytesMax + 2)];
  char* at_ = bytes_;
};

// Writes the answer into a reply; false: not one of the common ones.
class AnswerWriter {
 public:
  explicit AnswerWriter(SmallMessage& out) : out_(out) {}

  bool operator()(const PutDone& from) const {
    char* const done = out_.open(pb::Reply::kPutDoneFieldNumber);
    out_.number(pb::PutDone::kFirstFieldNumber, from.first.value);
    out_.number(pb::PutDone::kCountFieldNumber, from.count);
    out_.close(done);
    return true;
  }
  bool operator()(const FinishDone& from) const {
    if (std::any_of(from.codes.begin(), from.codes.end(),
                    [](ErrorCode code) { return code != ErrorCode::kOk; })) {
      return false;
    }
    char* const done = out_.open(pb::Reply::kFinishDoneFieldNumber);
    out_.number(pb::FinishDone::kCountFieldNumber, from.codes.size());
    out_.close(done);
    return true;
  }
  bool operator()(const Found& from) const {
    if (from.tuples.size() != 1 || !from.tuples[0].tuple.attachments().empty()) return false;
    const Handout& handout = from.tuples[0];
    char* const found = out_.open(pb::Reply::kFoundFieldNumber);
    char* const handouts = out_.open(pb::Found::kTuplesFieldNumber);
    char* const deltas = out_.open(pb::Handouts::kTupleDeltaFieldNumber);
    const auto id = static_cast<std::int64_t>(handout.id.value);
    out_.varint(static_cast<std::uint64_t>(id) << 1 ^ static_cast<std::uint64_t>(id >> 63));
    out_.close(deltas);
    out_.column(pb::Handouts::kAttemptFieldNumber, handout.attempt);
    out_.column(pb::Handouts::kTemplateIndexFieldNumber, handout.template_index);
    out_.column(pb::Handouts::kStartedFieldNumber, handout.started ? 1 : 0);
    out_.close(handouts);
    out_.close(found);
    return true;
  }
  template <class Other>
  bool operator()(const Other& /*rare*/) const {
    return false;
  }

 private:
  SmallMessage& out_;
};

char* put_u32(char* at, std::size_t number) {
  const auto word = static_cast<std::uint32_t>(number);
  std::memcpy(at, &word, sizeof(word));
  return at + sizeof(word);
}

}  // namespace

bool TemplateMemory::read(std::string_view head, Template& out) {
  const std::size_t middle = head.empty() ? 0 : static_cast<unsigned char>(head[head.size() / 2]);
  Template& kept = kept_[(head.size() * 7 + middle) % kKept];
  if (kept.head() != head) {
    Result<Template> read = Template::decode(head, {});
    if (!read) return false;
    if (head.size() > kHeadBytesMax) {
      out = std::move(read).value();
      return true;
    }
    kept = std::move(read).value();
  }
  out = kept;
  return true;
}

bool read_common_request(const Frame& frame, TemplateMemory& templates, Request& out) {
  return CommonRequest(frame, templates, out).read(frame.message);
}

bool append_common_reply(RequestId to, const Answer& answer, std::uint32_t frame_bytes_max,
                         WriteBuffer& out) {
  SmallMessage message;
  char* const reply = message.open(pb::ServerMessage::kReplyFieldNumber);
  message.number(pb::Reply::kToFieldNumber, to.value);
  if (!std::visit(AnswerWriter(message), answer)) return false;
  message.close(reply);

  const auto* found = std::get_if<Found>(&answer);
  const std::string_view head = found == nullptr ? "" : found->tuples[0].tuple.head();
  const std::size_t attachments = found == nullptr ? 0 : 1;
  const std::size_t bytes =
      kFrameHeaderBytes + 4 * attachments + message.view().size() + head.size();
  if (bytes - kFrameLengthBytes > frame_bytes_max) return false;
  char* at = out.extend(bytes);
  at = put_u32(at, bytes - kFrameLengthBytes);
  at = put_u32(at, message.view().size());
  at = put_u32(at, attachments);
  if (attachments > 0) at = put_u32(at, head.size());
  std::memcpy(at, message.view().data(), message.view().size());
  std::memcpy(at + message.view().size(), head.data(), head.size());
  return true;
}

}  // namespace linden::wire

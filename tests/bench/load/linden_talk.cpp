// tests/bench/load/linden_talk.cpp: Linden's protocol (docs/design/wire-protocol.md).
//
// Ids begin at 2^28, so that all of them take five bytes and a request that was encoded once can
// be copied and given the next id.  Answers are read field by field, as far as they matter.
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "api/wire/codec.h"
#include "tests/bench/load/talk.h"

namespace linden::load {
namespace {

constexpr std::uint64_t kFirstId = std::uint64_t{1} << 28;
constexpr std::size_t kIdBytes = 5;

// Of Reply in message.proto and Handouts in operation.proto.
enum : std::uint32_t { kRefused = 3, kPutDone = 4, kFound = 5, kFinishDone = 6, kOpened = 11 };
constexpr std::uint32_t kReply = 3;

// The fields of a protobuf message, one after another.
class Fields {
 public:
  explicit Fields(std::string_view message) : left_(message) {}

  bool next() {
    if (left_.empty()) return false;
    const std::uint64_t tag = varint();
    number = static_cast<std::uint32_t>(tag >> 3);
    if ((tag & 7) == 0) {
      value = varint();
    } else if ((tag & 7) == 2) {
      const std::uint64_t size = varint();
      bytes = left_.substr(0, size);
      left_.remove_prefix(std::min<std::size_t>(size, left_.size()));
    } else {
      left_.remove_prefix(std::min<std::size_t>(8, left_.size()));
    }
    return true;
  }
  // The next number of a packed field.
  [[nodiscard]] bool at_end() const { return left_.empty(); }
  std::uint64_t varint() {
    std::uint64_t result = 0;
    for (int shift = 0; !left_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(left_.front());
      left_.remove_prefix(1);
      result |= std::uint64_t{byte & 0x7fU} << shift;
      if (byte < 0x80) break;
    }
    return result;
  }

  std::uint32_t number = 0;
  std::uint64_t value = 0;
  std::string_view bytes;

 private:
  std::string_view left_;
};

std::uint32_t u32_at(const char* at) {
  std::uint32_t number;
  std::memcpy(&number, at, sizeof(number));
  return number;
}

// A request that is encoded once and said often.
class Prepared {
 public:
  Prepared() = default;
  Prepared(wire::Encoder& encoder, SpaceNumber space, const Operation& operation) {
    bytes_ = encoded(encoder, kFirstId, space, operation);
    const std::string other = encoded(encoder, kFirstId + 1, space, operation);
    id_at_ = static_cast<std::size_t>(
        std::mismatch(bytes_.begin(), bytes_.end(), other.begin()).first - bytes_.begin());
  }

  void say(std::uint64_t id, std::string& out) const {
    const std::size_t at = out.size() + id_at_;
    out += bytes_;
    for (std::size_t i = 0; i < kIdBytes; ++i) {
      const auto bits = static_cast<unsigned char>(id >> (7 * i) & 0x7f);
      out[at + i] = static_cast<char>(i + 1 < kIdBytes ? bits | 0x80 : bits);
    }
  }

 private:
  static std::string encoded(wire::Encoder& encoder, std::uint64_t id, SpaceNumber space,
                             const Operation& operation) {
    wire::WriteBuffer out;
    encoder.encode_request(RequestId{id}, RequestId{}, space, operation, false, out);
    std::string bytes;
    iovec pieces[8];
    const std::size_t count = out.gather(pieces, std::size(pieces));
    for (std::size_t i = 0; i < count; ++i) {
      bytes.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
    }
    return bytes;
  }

  std::string bytes_;
  std::size_t id_at_ = 0;
};

PutOp put_of(std::size_t count) {
  const Value body(Bytes::copy_of(std::string(kBodyBytes, 'x')));
  return PutOp{std::vector<NewTuple>(count, NewTuple{Tuple{"job", 1, body}, {}}), {}};
}

TakeOp take_of(std::size_t count) {
  TakeOp take;
  take.mode = TakeMode::kReserve;
  take.templates = {Template{"job", kInt, kBytes}};
  take.count_max = static_cast<std::uint32_t>(count);
  take.timeout = kForever;
  return take;
}

class LindenTalk final : public Talk {
 public:
  explicit LindenTalk(std::uint64_t number) : number_(number) {}

  void greet(std::string& out) override {
    wire::Hello hello;
    hello.session = SessionId{static_cast<std::uint64_t>(::getpid()), number_};
    encode(wire::ClientMessage(hello), out);
    wire::OpenSpaceOp open;
    open.name = "bench";
    open.create = true;
    encode(wire::ClientMessage(wire::ServerRequest{RequestId{next_id_++}, {}, open}), out);
    awaited_ += 2;
  }

  void put(std::size_t count, std::string& out) override {
    prepare(count);
    put_.say(next_id_++, out);
    ++awaited_;
  }

  void take(std::size_t count, std::string& out) override {
    prepare(count);
    take_.say(next_id_++, out);
    ++awaited_;
  }

  void end(bool bulk, std::string& out) override {
    const RequestId all_answered{next_id_};
    for (std::size_t i = 0; i < taken_.size();) {
      const std::size_t count = bulk ? std::min(taken_.size() - i, prepared_for_) : 1;
      finish_.items.resize(count);
      for (FinishItem& item : finish_.items) item.token = taken_[i++];
      encoder_.encode_request(RequestId{next_id_++}, all_answered, space_, finish_, false, frame_);
      ++awaited_;
    }
    move_frame(out);
    taken_.clear();
  }

  void ping(std::string& out) override {
    encode(wire::ClientMessage(wire::Heartbeat{RequestId{next_id_}}), out);
    ++awaited_;
  }

  std::size_t hear(std::string_view in) override {
    std::size_t used = 0;
    while (in.size() - used >= wire::kFrameHeaderBytes) {
      const char* const at = in.data() + used;
      const std::size_t size = wire::kFrameLengthBytes + u32_at(at);
      if (in.size() - used < size) break;
      const std::size_t lengths = std::size_t{4} * u32_at(at + 8);
      hear_message({at + wire::kFrameHeaderBytes + lengths, u32_at(at + 4)}, u32_at(at + 8));
      used += size;
    }
    return used;
  }

 private:
  void encode(const wire::ClientMessage& message, std::string& out) {
    encoder_.encode(message, frame_);
    move_frame(out);
  }
  void move_frame(std::string& out) {
    iovec piece;
    while (frame_.gather(&piece, 1) > 0) {
      out.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
      frame_.consume(piece.iov_len);
    }
  }

  void prepare(std::size_t count) {
    if (prepared_for_ == count) return;
    prepared_for_ = count;
    put_ = Prepared(encoder_, space_, put_of(count));
    take_ = Prepared(encoder_, space_, take_of(count));
  }

  void hear_message(std::string_view message, std::size_t attachments) {
    --awaited_;
    Fields fields(message);
    if (!fields.next() || fields.number != kReply) return;  // a welcome, or of a heartbeat
    for (Fields reply(fields.bytes); reply.next();) {
      switch (reply.number) {
        case kPutDone:
          tally_.put += prepared_for_;
          break;
        case kFound:
          hear_found(reply.bytes, attachments);
          break;
        case kFinishDone:
          hear_finished(reply.bytes);
          break;
        case kOpened:
          hear_opened(reply.bytes);
          break;
        case kRefused:
          throw WrongAnswer("refused: " + std::string(reply.bytes));
        default:
          break;
      }
    }
  }

  void hear_opened(std::string_view opened) {
    Fields fields(opened);
    if (fields.next()) space_ = SpaceNumber{static_cast<std::uint32_t>(fields.value)};
  }

  // Handouts: ids as differences, attempts as a column with one entry or an entry for each.
  void hear_found(std::string_view found, std::size_t attachments) {
    Fields fields(found);
    if (!fields.next()) throw WrongAnswer("an empty answer to a take");
    const std::size_t first = taken_.size();
    std::uint64_t id = 0;
    for (Fields handouts(fields.bytes); handouts.next();) {
      if (handouts.number == 1) {
        for (Fields packed(handouts.bytes); !packed.at_end();) {
          const std::uint64_t delta = packed.varint();
          id += (delta >> 1) ^ (~(delta & 1) + 1);
          taken_.push_back(Token{TupleId{id}, 0});
        }
      } else if (handouts.number == 2) {
        Fields packed(handouts.bytes);
        std::uint64_t attempt = 0;
        for (std::size_t i = first; i < taken_.size(); ++i) {
          if (!packed.at_end()) attempt = packed.varint();
          taken_[i].attempt = static_cast<std::uint32_t>(attempt);
        }
      }
    }
    if (taken_.size() - first != attachments) throw WrongAnswer("tuples and ids do not agree");
    tally_.taken += attachments;
  }

  // FinishDone: how many, and a column of codes that is empty if all went well.
  void hear_finished(std::string_view done) {
    for (Fields fields(done); fields.next();) {
      if (fields.number == 1) tally_.ended += fields.value;
      if (fields.number == 2) throw WrongAnswer("a finish was refused");
    }
  }

  const std::uint64_t number_;
  wire::Encoder encoder_;
  wire::WriteBuffer frame_;
  SpaceNumber space_;
  std::uint64_t next_id_ = kFirstId;
  std::size_t prepared_for_ = 0;
  Prepared put_;
  Prepared take_;
  FinishOp finish_;
  std::vector<Token> taken_;
};

}  // namespace

std::unique_ptr<Talk> make_linden_talk(std::uint64_t number) {
  return std::make_unique<LindenTalk>(number);
}

}  // namespace linden::load

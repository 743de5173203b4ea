// tests/api/wire/test_codec.cpp
#include "api/wire/codec.h"

#include <gtest/gtest.h>

#include <linden/error.h>

#include "describe.h"
#include "pump.h"
#include "random_messages.h"

namespace linden::wire {
namespace {

template <class Message>
std::string frame_of(const Message& message) {
  Encoder encoder;
  WriteBuffer out;
  encoder.encode(message, out);
  return drain(out);
}

// Reads one frame by `decode(decoder, frame, reader)`.
template <class Decode>
auto read_frame(std::string_view bytes, const Decode& decode)
    -> decltype(decode(std::declval<Decoder&>(), std::declval<Frame>(),
                       std::declval<FrameReader&>())) {
  FrameReader reader(kFrameBytesMaxDefault);
  Decoder decoder;
  feed(reader, bytes);
  auto frame = reader.next();
  if (!frame) return frame.error();
  if (!*frame) return Failure{ErrorCode::kMalformed, "cut off"};
  return decode(decoder, **frame, reader);
}

Result<ClientMessage> read_client(std::string_view bytes) {
  return read_frame(bytes, [](Decoder& decoder, const Frame& frame, const FrameReader& reader) {
    return decoder.decode_client(frame, reader);
  });
}

Result<ServerMessage> read_server(std::string_view bytes) {
  return read_frame(bytes, [](Decoder& decoder, const Frame& frame, const FrameReader& reader) {
    return decoder.decode_server(frame, reader);
  });
}

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char byte : bytes) {
    const auto number = static_cast<unsigned char>(byte);
    out += "0123456789abcdef"[number >> 4];
    out += "0123456789abcdef"[number & 15];
  }
  return out;
}

TEST(Codec, EveryClientMessageArrivesAsItWas) {
  RandomMessages random(1);
  for (int i = 0; i < 21 * 100; ++i) {
    const ClientMessage message = random.client();
    const auto read = read_client(frame_of(message));
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(described(*read), described(message));
  }
}

TEST(Codec, EveryServerMessageArrivesAsItWas) {
  RandomMessages random(2);
  for (int i = 0; i < 20 * 100; ++i) {
    const ServerMessage message = random.server();
    const auto read = read_server(frame_of(message));
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(described(*read), described(message));
  }
}

TEST(Codec, TheShortcutsWriteTheSameFrames) {
  RandomMessages random(3);
  Encoder encoder;
  WriteBuffer out;
  for (int i = 0; i < 21 * 10; ++i) {
    const ClientMessage client = random.client();
    if (const auto* request = std::get_if<Request>(&client)) {
      encoder.encode_request(request->id, request->acknowledged, request->space, request->operation,
                             request->patient, out);
      EXPECT_EQ(drain(out), frame_of(client));
    }
    const ServerMessage server = random.server();
    if (const auto* reply = std::get_if<Reply>(&server); reply && reply->answer.index() == 0) {
      encoder.encode_reply(reply->to, std::get<Answer>(reply->answer), out);
      EXPECT_EQ(drain(out), frame_of(server));
    }
    const auto* event = std::get_if<StreamEvent>(&server);
    if (const auto* delivered = event ? std::get_if<Delivered>(&event->event) : nullptr) {
      encoder.encode_delivery(event->stream, delivered->tuples, out);
      EXPECT_EQ(drain(out), frame_of(server));
    }
  }
}

// Golden bytes: a change here is a change of the protocol; see docs/design/wire-protocol.md,
// "Versions", before changing them.
TEST(Codec, WritesTheBytesThatOldPeersRead) {
  EXPECT_EQ(hex(frame_of(ClientMessage(Goodbye{}))), "0a00000002000000000000002a00");
  EXPECT_EQ(hex(frame_of(ClientMessage(Heartbeat{{300}}))),
            "0d00000005000000000000002203"
            "08ac02");
  EXPECT_EQ(hex(frame_of(ServerMessage(Reply{{7}, Answer(PutDone{{1000}, 2})}))),
            "13000000"
            "0b000000"
            "00000000"
            "1a0908072205"
            "08e8071002");
  std::vector<Handout> handouts;
  for (int i = 0; i < 3; ++i) {
    Handout handout;
    handout.id = {static_cast<std::uint64_t>(100 + i)};
    handout.attempt = 1;
    handout.tuple = Tuple{i};
    handouts.push_back(handout);
  }
  EXPECT_EQ(hex(frame_of(ServerMessage(StreamEvent{{5}, Delivered{handouts}}))),
            "43000000"
            "11000000"
            "03000000"
            "0a0000000a0000000a000000"
            "220f0805120b0a090a04c8010202120101"
            "01030000000000000000"
            "01030100000000000000"
            "01030200000000000000");
}

// P38: one decoder reads on after a request that was malformed, and knows whom to tell.
TEST(Decoder, NamesTheRequestThatItRefuses) {
  std::string bytes = frame_of(ClientMessage(Request{{77}, {}, {1}, PutOp{{{Tuple{"abc"}, {}}}}}));
  bytes.back() = '\xff';  // the text is no UTF-8 any more
  FrameReader reader(kFrameBytesMaxDefault);
  Decoder decoder;
  feed(reader, bytes);
  auto frame = reader.next();
  ASSERT_TRUE(frame && *frame);
  const auto refused = decoder.decode_client(**frame, reader);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kMalformed);
  EXPECT_EQ(decoder.last_request_id(), RequestId{77});
  feed(reader, frame_of(ClientMessage(Heartbeat{{5}})));
  frame = reader.next();
  ASSERT_TRUE(frame && *frame);
  EXPECT_TRUE(decoder.decode_client(**frame, reader));
  EXPECT_EQ(decoder.last_request_id(), RequestId{});
}

TEST(Decoder, RefusesWhatIsNoMessage) {
  using namespace std::string_view_literals;
  const auto framed = [](std::string_view message) {
    std::string bytes(12, '\0');
    bytes[0] = static_cast<char>(8 + message.size());
    bytes[4] = static_cast<char>(message.size());
    return bytes += message;
  };
  // Nothing; garbage; a request without operation; a put of 2^32-1 tuples that are not there; a
  // finish of as many items; a take mode that does not exist.
  for (const std::string_view message :
       {""sv, "\xff\xff"sv, "\x12\x02\x08\x01"sv,
        "\x12\x0a\x22\x08\x0a\x06\x08\xff\xff\xff\xff\x0f"sv,
        "\x12\x08\x52\x06\x08\xff\xff\xff\xff\x0f"sv, "\x12\x04\x2a\x02\x08\x07"sv}) {
    const auto read = read_client(framed(message));
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, ErrorCode::kMalformed);
  }
  // Codes without entries: bounded although no bytes stand for them.
  EXPECT_FALSE(read_server(framed("\x1a\x08\x32\x06\x08\xff\xff\xff\xff\x0f"sv)));
  // A newer server's error code is still an error.
  const auto refused = read_server(framed("\x1a\x04\x1a\x02\x08\x63"sv));
  ASSERT_TRUE(refused) << refused.error().message;
  EXPECT_EQ(std::get<Refused>(std::get<Answer>(std::get<Reply>(*refused).answer)).code,
            ErrorCode::kInternal);
}

// P38: no truncation and no changed byte does more than make a message malformed or another one.
TEST(Decoder, SurvivesEveryTruncationAndEveryChangedByte) {
  RandomMessages random(4);
  for (int i = 0; i < 2 * 21; ++i) {
    const std::string client = frame_of(random.client());
    const std::string server = frame_of(random.server());
    for (const std::string& bytes : {client, server}) {
      const std::size_t most = std::min<std::size_t>(bytes.size(), 600);
      for (std::size_t at = 0; at < most; ++at) {
        EXPECT_FALSE(read_client(std::string_view(bytes).substr(0, at)));
        std::string changed = bytes;
        changed[at] = static_cast<char>(changed[at] ^ (1 << random.below(8)));
        for (const ErrorCode code :
             {read_client(changed) ? ErrorCode::kOk : read_client(changed).error().code,
              read_server(changed) ? ErrorCode::kOk : read_server(changed).error().code})
          EXPECT_TRUE(code == ErrorCode::kOk || code == ErrorCode::kMalformed ||
                      code == ErrorCode::kLimitExceeded);
      }
    }
  }
}

TEST(Encoder, RefusesWhatThePeerWouldHangUpOn) {
  Encoder encoder;
  encoder.set_frame_bytes_max(1000);
  WriteBuffer out;
  const PutOp large{{{Tuple{Bytes::adopt(std::string(2000, 'x'))}, {}}}};
  try {
    encoder.encode_request({1}, {}, {1}, large, false, out);
    FAIL() << "a frame beyond the peer's limit was sent";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kLimitExceeded);
  }
  EXPECT_TRUE(out.empty());
  encoder.encode(ClientMessage(Goodbye{}), out);
  EXPECT_FALSE(out.empty());
}

TEST(Encoder, SendsTextThatIsNoUtf8Escaped) {
  const auto read = read_server(frame_of(ServerMessage(Rejected{{ErrorCode::kInternal, "a\xff"}})));
  ASSERT_TRUE(read);
  EXPECT_EQ(std::get<Rejected>(*read).why.message, "a\\xff");
}

TEST(Encoder, SharesLargeAttachments) {
  const Bytes large = Bytes::adopt(std::string(100'000, 'x'));
  Encoder encoder;
  WriteBuffer out;
  encoder.encode_request({1}, {}, {1}, PutOp{{{Tuple{large}, {}}}}, false, out);
  iovec pieces[4];
  ASSERT_EQ(out.gather(pieces, 4), 2U);
  EXPECT_EQ(pieces[1].iov_base, large.data());
}

}  // namespace
}  // namespace linden::wire

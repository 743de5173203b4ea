// What a server does with bytes that make no sense: it says so, ends that connection at most, and
// serves everybody else (P38).
#include <gtest/gtest.h>

#include "tests/space/server/conversation.h"

namespace linden::server {
namespace {

class BadInput : public ::testing::Test {
 protected:
  BadInput() {
    witness_.hello(session(1));
    witness_.open("jobs");
  }
  // Somebody else goes on undisturbed.
  void expect_others_served() { as<PutDone>(witness_.ask(put(1))); }

  static ServerOptions limited() {
    ServerOptions options;
    options.limits.frame_bytes_max = 1 << 20;
    return options;
  }
  RunningServer server_{limited()};
  Peer witness_{server_.unix_path()};
};

std::string frame_header(std::uint32_t frame_bytes, std::uint32_t message_bytes,
                         std::uint32_t attachments) {
  std::string header(12, '\0');
  std::memcpy(header.data(), &frame_bytes, 4);
  std::memcpy(header.data() + 4, &message_bytes, 4);
  std::memcpy(header.data() + 8, &attachments, 4);
  return header;
}

TEST_F(BadInput, AnotherProtocolVersionIsToldBothVersions) {
  Peer peer(server_.unix_path());
  wire::Hello hello;
  hello.protocol = wire::kProtocolVersion + 1;
  hello.session = session(2);
  peer.send(hello);
  const Refused why = peer.expect<wire::Rejected>().why;
  EXPECT_EQ(why.code, ErrorCode::kProtocolMismatch);
  EXPECT_NE(why.message.find("protocol " + std::to_string(wire::kProtocolVersion)),
            std::string::npos);
  EXPECT_TRUE(peer.ends());
  expect_others_served();
}

// P38: what is no message ends its own connection.
TEST_F(BadInput, GarbageIsRejectedAsMalformed) {
  Peer peer(server_.unix_path());
  peer.send_bytes("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const ErrorCode code = peer.expect<wire::Rejected>().why.code;
  EXPECT_TRUE(code == ErrorCode::kMalformed || code == ErrorCode::kLimitExceeded);
  EXPECT_TRUE(peer.ends());
  expect_others_served();
}

// The limit is checked on the header, so that no memory is taken.
TEST_F(BadInput, AHeaderOfThreeGibibytesIsRefusedBeforeHello) {
  Peer peer(server_.unix_path());
  peer.send_bytes(frame_header(0xC000'0000u, 16, 0));
  EXPECT_EQ(peer.expect<wire::Rejected>().why.code, ErrorCode::kLimitExceeded);
  EXPECT_TRUE(peer.ends());
  expect_others_served();
}

TEST_F(BadInput, AHeaderOfThreeGibibytesIsRefusedAfterHello) {
  Peer peer(server_.unix_path());
  peer.hello(session(2));
  peer.send_bytes(frame_header(0xC000'0000u, 16, 0));
  EXPECT_EQ(peer.expect<wire::Rejected>().why.code, ErrorCode::kLimitExceeded);
  EXPECT_TRUE(peer.ends());
  expect_others_served();
}

// P38: before hello even a frame that would be welcome later is too large.
TEST_F(BadInput, OnlyASmallFrameIsTakenBeforeHello) {
  Peer peer(server_.unix_path());
  peer.send_bytes(frame_header(wire::kFrameBytesMaxBeforeHello + 1, 16, 0));
  EXPECT_EQ(peer.expect<wire::Rejected>().why.code, ErrorCode::kLimitExceeded);
  EXPECT_TRUE(peer.ends());
}

// P38.
TEST_F(BadInput, AnOversizedPutIsRefused) {
  Peer peer(server_.unix_path());
  peer.hello(session(2));
  peer.send_bytes(frame_header((1 << 20) + 1, 16, 0));
  EXPECT_EQ(peer.expect<wire::Rejected>().why.code, ErrorCode::kLimitExceeded);
  expect_others_served();
}

// P38: a request before the handshake is not even looked at.
TEST_F(BadInput, NothingButHelloIsParsedFirst) {
  Peer peer(server_.unix_path());
  peer.request(put(1));
  EXPECT_EQ(peer.expect<wire::Rejected>().why.code, ErrorCode::kMalformed);
  EXPECT_TRUE(peer.ends());
  expect_others_served();
}

TEST_F(BadInput, ASecondHelloEndsTheConnection) {
  Peer peer(server_.unix_path());
  peer.hello(session(2));
  wire::Hello again;
  again.session = session(3);
  peer.send(again);
  EXPECT_EQ(peer.expect<wire::Rejected>().why.code, ErrorCode::kMalformed);
  EXPECT_TRUE(peer.ends());
}

// A peer that connects and says nothing, or half a frame, and goes.
TEST_F(BadInput, WhoGoesInTheMiddleOfAFrameIsForgotten) {
  { Peer silent(server_.unix_path()); }
  {
    Peer peer(server_.unix_path());
    peer.hello(session(2));
    peer.send_bytes(frame_header(1000, 16, 0) + "half");
  }
  expect_others_served();
}

// P38: the next pipelined request still works after one that is refused.
TEST_F(BadInput, ARefusedRequestLeavesTheConnectionAlone) {
  Peer peer(server_.unix_path());
  peer.hello(session(2));
  peer.open("jobs");
  TakeOp negative = take();
  negative.timeout = Duration{-5};
  const RequestId bad = peer.request(negative);
  const RequestId good = peer.request(put(1));
  as<Refused>(peer.reply_to(bad).answer);
  as<PutDone>(peer.reply_to(good).answer);
}

// P38: a few hundred mangled copies of a valid conversation; what matters is that nobody else
// notices.
TEST_F(BadInput, MangledFramesDisturbNobody) {
  wire::Encoder encoder;
  wire::WriteBuffer buffer;
  wire::Hello hello;
  hello.session = session(2);
  encoder.encode(wire::ClientMessage(hello), buffer);
  encoder.encode_request(RequestId{1}, RequestId{0}, SpaceNumber{1}, put(1), false, buffer);
  encoder.encode_request(RequestId{2}, RequestId{0}, SpaceNumber{1}, take(), false, buffer);
  std::string bytes;
  while (!buffer.empty()) {
    iovec piece{};
    buffer.gather(&piece, 1);
    bytes.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
    buffer.consume(piece.iov_len);
  }
  std::uint32_t random = 12345;
  for (int i = 0; i < 300; ++i) {
    std::string mangled = bytes;
    for (int flips = 0; flips < 3; ++flips) {
      random = random * 1664525u + 1013904223u;
      mangled[(random >> 8) % mangled.size()] ^= static_cast<char>(1u << (random & 7u));
    }
    Peer peer(server_.unix_path());
    peer.try_send_bytes(mangled);
  }
  expect_others_served();
}

}  // namespace
}  // namespace linden::server

// api/wire/codec.h: messages to frames and back.  Pure; only encoder.cpp and decoder.cpp know the
// protobuf classes, and shortcut.h the numbers of the fields that are said most often.
//
// Tuples and templates are not taken apart: their heads and attachments are attachments of the
// frame, and the protobuf message says how many belong to each (docs/decisions/ tells why).
#pragma once

#include <memory>

#include <linden/result.h>

#include "api/wire/frame.h"
#include "api/wire/messages.h"
#include "api/wire/write_buffer.h"

namespace linden::wire {

// Appends one frame.  Throws Error kLimitExceeded, and appends nothing, if the frame would have
// more than frame_bytes_max bytes or kFrameAttachmentsMax attachments: the peer would hang up on
// it. Reuses its memory from call to call, so keep one per connection.
class Encoder {
 public:
  Encoder();
  ~Encoder();
  // What the peer takes (Welcome::frame_bytes_max); without it, what a frame can say of itself.
  void set_frame_bytes_max(std::uint32_t bytes);
  void encode(const ClientMessage& message, WriteBuffer& out);
  void encode(const ServerMessage& message, WriteBuffer& out);
  // The same without making a ServerMessage first; these are the hot ones.
  void encode_reply(RequestId to, const Answer& answer, WriteBuffer& out);
  void encode_delivery(RequestId stream, std::span<const Handout> tuples, WriteBuffer& out);
  void encode_request(RequestId id, RequestId acknowledged, SpaceNumber space,
                      const Operation& operation, bool patient, WriteBuffer& out);

 private:
  struct Memory;
  std::unique_ptr<Memory> memory_;
};

// Reads the frame that `reader` gave last.  kMalformed says what is wrong: not a message, an
// unknown operation, a tuple that is none, counts that do not add up.
class Decoder {
 public:
  Decoder();
  ~Decoder();
  [[nodiscard]] Result<ClientMessage> decode_client(const Frame& frame, const FrameReader& reader);
  // Fills `out` if the frame has one of the commonest requests (shortcut.h); else decode_client
  // reads it, which takes these as well.  Spares the moves that a message of any kind costs.
  [[nodiscard]] bool decode_common_request(const Frame& frame, Request& out);
  [[nodiscard]] Result<ServerMessage> decode_server(const Frame& frame, const FrameReader& reader);

  // Of a request that could not be decoded: its id if that much could be read, so that it can be
  // refused by name and the connection go on.  0: unknown.
  [[nodiscard]] RequestId last_request_id() const noexcept { return last_request_id_; }

 private:
  struct Memory;
  std::unique_ptr<Memory> memory_;
  RequestId last_request_id_;
};

}  // namespace linden::wire

// tests/fuzz/fuzz_frame.cpp: any bytes from the network are frames and messages, or refused (P38).
#include "fuzz_main.h"

#include "api/wire/codec.h"
#include "tests/api/wire/describe.h"
#include "tests/api/wire/pump.h"
#include "tests/api/wire/random_messages.h"

namespace linden::wire {
namespace {

// What was accepted means something: written and read again it is the same.
template <class Message, class Decode>
void check_again(const Message& message, const Decode& decode) {
  Encoder encoder;
  Decoder decoder;
  WriteBuffer out;
  encoder.encode(message, out);
  FrameReader reader(kFrameBytesMaxDefault);
  feed(reader, drain(out));
  const auto frame = reader.next();
  FUZZ_CHECK(frame && *frame);
  const auto again = decode(decoder, **frame, reader);
  FUZZ_CHECK(again);
  FUZZ_CHECK(described(*again) == described(message));
}

constexpr auto kDecodeClient = [](Decoder& decoder, const Frame& frame, const FrameReader& reader) {
  return decoder.decode_client(frame, reader);
};
constexpr auto kDecodeServer = [](Decoder& decoder, const Frame& frame, const FrameReader& reader) {
  return decoder.decode_server(frame, reader);
};

void read_as_both(FrameReader& reader, Decoder& decoder) {
  for (auto frame = reader.next(); frame && *frame; frame = reader.next()) {
    if (const auto client = decoder.decode_client(**frame, reader))
      check_again(*client, kDecodeClient);
    if (const auto server = decoder.decode_server(**frame, reader))
      check_again(*server, kDecodeServer);
  }
}

}  // namespace
}  // namespace linden::wire

std::vector<std::string> fuzz_samples(std::uint64_t seed) {
  using namespace linden::wire;
  RandomMessages random(seed);
  Encoder encoder;
  WriteBuffer out;
  std::vector<std::string> samples;
  for (int i = 0; i < 200; ++i) {
    encoder.encode(random.client(), out);
    samples.push_back(drain(out));
    encoder.encode(random.server(), out);
    samples.push_back(drain(out));
  }
  return samples;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace linden::wire;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  FrameReader reader(1 << 20);
  Decoder decoder;
  // In two pieces, so that frames are cut everywhere.
  feed(reader, bytes.substr(0, size / 2));
  read_as_both(reader, decoder);
  feed(reader, bytes.substr(size / 2));
  read_as_both(reader, decoder);
  return 0;
}

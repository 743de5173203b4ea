// tests/api/wire/test_frame.cpp
#include "api/wire/frame.h"

#include <gtest/gtest.h>

#include <random>

#include "pump.h"

namespace linden::wire {
namespace {

std::string u32(std::size_t number) {
  const auto word = static_cast<std::uint32_t>(number);
  std::string bytes(4, '\0');
  std::memcpy(bytes.data(), &word, 4);
  return bytes;
}

std::string frame_of(const std::string& message, const std::vector<std::string>& attachments = {}) {
  std::string rest = u32(message.size()) + u32(attachments.size());
  for (const std::string& attachment : attachments) rest += u32(attachment.size());
  rest += message;
  for (const std::string& attachment : attachments) rest += attachment;
  return u32(rest.size()) + rest;
}

ErrorCode code_after(std::string_view bytes, std::uint32_t frame_bytes_max = 1000) {
  FrameReader reader(frame_bytes_max);
  feed(reader, bytes);
  const auto frame = reader.next();
  return frame ? ErrorCode::kOk : frame.error().code;
}

TEST(FrameReader, GivesFramesHoweverTheirBytesArrive) {
  const std::string bytes = frame_of("hello", {"a", "", "bc"}) + frame_of("") + frame_of("x");
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    FrameReader reader(1000);
    std::vector<std::string> messages;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
      feed(reader, std::string_view(bytes).substr(at, step));
      for (auto frame = reader.next(); frame && *frame; frame = reader.next()) {
        messages.emplace_back((*frame)->message);
        if (messages.size() > 1) continue;
        ASSERT_EQ((*frame)->attachments.size(), 3U);
        EXPECT_EQ((*frame)->attachments[2], "bc");
      }
    }
    EXPECT_EQ(messages, (std::vector<std::string>{"hello", "", "x"}));
  }
}

// P38: refused on its first bytes, before memory is taken.
TEST(FrameReader, RefusesAHeaderOfThreeGibibytes) {
  FrameReader reader(kFrameBytesMaxDefault);
  feed(reader, u32(std::size_t{3} << 30));
  const auto frame = reader.next();
  ASSERT_FALSE(frame);
  EXPECT_EQ(frame.error().code, ErrorCode::kLimitExceeded);
  EXPECT_NE(frame.error().message.find("3221225472"), std::string::npos);
}

TEST(FrameReader, TakesNoMemoryForAHeaderAlone) {
  FrameReader reader(kFrameBytesMaxDefault);
  feed(reader, u32(std::size_t{1} << 30) + u32(8) + u32(0));
  const auto frame = reader.next();
  ASSERT_TRUE(frame);
  EXPECT_FALSE(*frame);
  EXPECT_LE(reader.prepare().size(), FrameReader::kBufferBytesMax);
}

TEST(FrameReader, RefusesWhatDoesNotAddUp) {
  EXPECT_EQ(code_after(u32(1001)), ErrorCode::kLimitExceeded);
  EXPECT_EQ(code_after(u32(7)), ErrorCode::kMalformed);
  EXPECT_EQ(code_after(u32(8) + u32(1) + u32(0)), ErrorCode::kMalformed);
  EXPECT_EQ(code_after(u32(8) + u32(0) + u32(1)), ErrorCode::kMalformed);
  EXPECT_EQ(code_after(u32(8) + u32(0xffffffff) + u32(0)), ErrorCode::kMalformed);
  EXPECT_EQ(code_after(u32(8) + u32(0) + u32(kFrameAttachmentsMax + 1)), ErrorCode::kLimitExceeded);
  EXPECT_EQ(code_after(u32(12) + u32(0) + u32(1) + u32(1)), ErrorCode::kMalformed);
  EXPECT_EQ(code_after(u32(13) + u32(0) + u32(1) + u32(0) + "x"), ErrorCode::kMalformed);
  EXPECT_EQ(code_after(u32(13) + u32(0) + u32(1) + u32(1) + "x"), ErrorCode::kOk);
}

TEST(FrameReader, KeepsPartsBeyondLaterFrames) {
  FrameReader reader(kFrameBytesMaxDefault);
  std::mt19937 random(3);
  std::vector<std::pair<Bytes, char>> kept;
  for (int round = 0; round < 300; ++round) {
    const char fill = static_cast<char>('a' + round % 26);
    const std::size_t size = round % 7 == 0 ? random() % 900'000 : random() % 40'000;
    const std::string bytes = frame_of("m", {std::string(size, fill), "tail"});
    for (std::size_t at = 0; at < bytes.size();) {
      const auto room = reader.prepare();
      const std::size_t count = std::min({room.size(), bytes.size() - at, 1 + random() % 100'000});
      std::memcpy(room.data(), bytes.data() + at, count);
      reader.commit(count);
      at += count;
      const auto frame = reader.next();
      ASSERT_TRUE(frame);
      ASSERT_EQ(frame->has_value(), at == bytes.size());
      if (!*frame) continue;
      kept.emplace_back(reader.keep((*frame)->attachments[0]), fill);
      EXPECT_EQ((*frame)->attachments[1], "tail");
    }
    if (kept.size() > 20) kept.erase(kept.begin() + static_cast<std::ptrdiff_t>(random() % 20));
  }
  for (const auto& [bytes, fill] : kept)
    EXPECT_EQ(bytes.view().find_first_not_of(fill), std::string_view::npos);
}

TEST(FrameReader, SharesLargePartsAndCopiesSmallOnes) {
  FrameReader reader(kFrameBytesMaxDefault);
  feed(reader, frame_of("m", {std::string(100, 's')}));
  auto frame = reader.next();
  ASSERT_TRUE(frame && *frame);
  const std::string_view small = (*frame)->attachments[0];
  EXPECT_NE(reader.keep(small).data(), small.data());

  const std::string bytes = frame_of("m", {std::string(1'000'000, 'l')});
  for (std::size_t at = 0; at < bytes.size(); at += 50'000) {
    feed(reader, std::string_view(bytes).substr(at, 50'000));
    frame = reader.next();
    ASSERT_TRUE(frame);
  }
  ASSERT_TRUE(*frame);
  const std::string_view large = (*frame)->attachments[0];
  EXPECT_EQ(reader.keep(large).data(), large.data());
}

TEST(FrameReader, TakesManyFramesThatWereNotReadInBetween) {
  FrameReader reader(kFrameBytesMaxDefault);
  std::string bytes;
  for (int i = 0; i < 10'000; ++i) bytes += frame_of(std::string(100, 'x'));
  feed(reader, bytes);
  int count = 0;
  for (auto frame = reader.next(); frame && *frame; frame = reader.next()) ++count;
  EXPECT_EQ(count, 10'000);
}

}  // namespace
}  // namespace linden::wire

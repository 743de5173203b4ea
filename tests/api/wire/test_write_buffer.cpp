// tests/api/wire/test_write_buffer.cpp
#include "api/wire/write_buffer.h"

#include <gtest/gtest.h>

#include <random>

#include "pump.h"

namespace linden::wire {
namespace {

TEST(WriteBuffer, KeepsTheOrderOfSmallAndLargePieces) {
  WriteBuffer out;
  out.append("head");
  out.append(Bytes::adopt(std::string(5000, 'x')));
  out.append(Bytes::copy_of("small"));
  std::memcpy(out.extend(3), "end", 3);
  EXPECT_EQ(out.size(), 4U + 5000 + 5 + 3);
  EXPECT_EQ(drain(out), "head" + std::string(5000, 'x') + "smallend");
  EXPECT_TRUE(out.empty());
}

TEST(WriteBuffer, SharesLargeBytes) {
  const Bytes large = Bytes::adopt(std::string(5000, 'x'));
  WriteBuffer out;
  out.append("head");
  out.append(large);
  iovec pieces[4];
  ASSERT_EQ(out.gather(pieces, 4), 2U);
  EXPECT_EQ(pieces[1].iov_base, large.data());
}

TEST(WriteBuffer, TakesAnyMixOfWritesAndPartialConsumption) {
  std::mt19937 random(7);
  WriteBuffer out;
  std::string wanted;
  std::string found;
  for (int round = 0; round < 3000; ++round) {
    const std::string piece(random() % 9000, static_cast<char>('a' + round % 26));
    wanted += piece;
    if (round % 3 == 0) {
      out.append(Bytes::copy_of(piece));
    } else if (round % 3 == 1) {
      out.append(std::string_view(piece));
    } else {
      char* at = out.extend(piece.size());
      std::memcpy(at, piece.data(), piece.size());
    }
    iovec pieces[2];
    const std::size_t count = out.gather(pieces, 2);
    if (count == 0) continue;
    const std::size_t written = random() % (pieces[0].iov_len + 1);
    found.append(static_cast<const char*>(pieces[0].iov_base), written);
    out.consume(written);
  }
  EXPECT_EQ(out.size(), wanted.size() - found.size());
  found += drain(out);
  EXPECT_TRUE(found == wanted);
}

TEST(WriteBuffer, ClearForgetsEverything) {
  WriteBuffer out;
  out.append("abc");
  out.append(Bytes::adopt(std::string(5000, 'x')));
  out.clear();
  EXPECT_TRUE(out.empty());
  out.append("d");
  EXPECT_EQ(drain(out), "d");
}

}  // namespace
}  // namespace linden::wire

// tests/api/model/test_array.cpp
#include <linden/array.h>

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>

#include <linden/error.h>
#include <linden/tuple.h>

namespace linden {
namespace {

Value array_field(std::string head, std::string bytes) {
  return Object{std::string(kArrayCodec),
                {Bytes::adopt(std::move(head)), Bytes::adopt(std::move(bytes))}};
}

TEST(Array, HasElementsOfOneTypeAndAShape) {
  const auto array = Array::adopt(std::vector<double>{1, 2, 3, 4, 5, 6}, {2, 3});
  EXPECT_EQ(array.dtype(), "<f8");
  EXPECT_EQ(array.size(), 6U);
  EXPECT_EQ(array.as<double>()[5], 6.0);
  EXPECT_EQ(array.shape(), (std::vector<std::size_t>{2, 3}));
  EXPECT_EQ(Array::adopt(std::vector<double>{1}, {}).shape().size(), 0U);
  EXPECT_EQ(Array::adopt(std::vector<double>{1}).shape(), (std::vector<std::size_t>{1}));
}

TEST(Array, ComesBackFromATupleAsItWas) {
  std::vector<std::int32_t> many(10'000);
  for (std::size_t i = 0; i < many.size(); ++i) many[i] = static_cast<std::int32_t>(i);
  const auto array = Array::copy_of(std::span<const std::int32_t>(many), {100, 100});
  const Tuple tuple{"array", array};
  const auto decoded =
      Tuple::decode(tuple.head(), {tuple.attachments().begin(), tuple.attachments().end()});
  ASSERT_TRUE(decoded);
  const Array back((*decoded)[1]);
  EXPECT_EQ(back, array);
  EXPECT_EQ(back.as<std::int32_t>()[9'999], 9'999);
  EXPECT_EQ(back.as<std::int32_t>().data(), array.as<std::int32_t>().data()) << "shared";
}

TEST(Array, ConvertsNothing) {
  const auto array = Array::adopt(std::vector<float>{1, 2});
  EXPECT_THROW((void)array.as<double>(), Error);
  EXPECT_THROW(Array(Value("text")), Error);
  EXPECT_THROW(Array(Value(Object{"pickle", {}})), Error);
}

TEST(Array, StandsOnAGoodAddressWhereverItLay) {
  std::string bytes(1 + 2 * sizeof(double), '\0');
  const double numbers[2] = {0.5, -2.0};
  std::memcpy(bytes.data() + 1, numbers, sizeof(numbers));
  const Bytes odd = Bytes::adopt(std::move(bytes)).slice(1, sizeof(numbers));
  const Array array("<f8", {2}, odd);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(array.as<double>().data()) % alignof(double), 0U);
  EXPECT_EQ(array.as<double>()[1], -2.0);
}

TEST(Array, WithoutDimensionsHasOneElementAndWithoutExtentNone) {
  EXPECT_EQ(Array(array_field("<f8", std::string(8, '\0'))).size(), 1U);
  EXPECT_EQ(Array(array_field("<f8 0 3", "")).size(), 0U);
  EXPECT_TRUE(Array().as<double>().empty());
}

TEST(Array, RefusesWhatIsMalformed) {
  for (const auto& [head, bytes] :
       std::vector<std::pair<std::string, std::size_t>>{{"<f8 2", 8},
                                                        {"<f8 x", 8},
                                                        {"<f8 -1", 8},
                                                        {"", 0},
                                                        {"f8 1", 8},
                                                        {">f8 1", 8},
                                                        {"|O 1", 8},
                                                        {"<f8 4294967296 4294967296", 0},
                                                        {"<f8 2305843009213693952", 0}}) {
    EXPECT_THROW(Array(array_field(head, std::string(bytes, '\0'))), Error) << head;
  }
  EXPECT_THROW(Array(Value(Object{std::string(kArrayCodec), {}})), Error);
}

TEST(Array, KnowsTextsAndTimesOfNumpyBySize) {
  EXPECT_EQ(Array(array_field("<U3 2", std::string(24, '\0'))).size(), 2U);
  EXPECT_EQ(Array(array_field("<M8[ns] 2", std::string(16, '\0'))).size(), 2U);
}

}  // namespace
}  // namespace linden

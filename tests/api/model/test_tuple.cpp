// tests/api/model/test_tuple.cpp
#include <linden/tuple.h>

#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include <linden/error.h>
#include <linden/field_view.h>

namespace linden {
namespace {

std::vector<Bytes> attachments_of(const Tuple& tuple) {
  return {tuple.attachments().begin(), tuple.attachments().end()};
}

Bytes bytes_of_size(std::size_t size, char fill = 'x') {
  return Bytes::adopt(std::string(size, fill));
}

Tuple sample() {
  return {"task",
          -17,
          2.5,
          false,
          nullptr,
          Bytes::copy_of("small"),
          bytes_of_size(5000),
          List{1, List{bytes_of_size(4096, 'y'), "deep"}, List{}},
          Object{"pickle", {Bytes::copy_of("p"), bytes_of_size(10'000, 'z')}}};
}

Failure failure_of(std::string_view head, std::vector<Bytes> attachments = {}) {
  auto decoded = Tuple::decode(head, std::move(attachments));
  if (decoded) return {ErrorCode::kOk, to_string(*decoded)};
  return decoded.error();
}

TEST(Tuple, GivesBackTheValuesItWasMadeOf) {
  const List values{1, "two", 3.0, List{true, nullptr}, bytes_of_size(4095), bytes_of_size(4096)};
  const Tuple tuple{std::span<const Value>(values)};
  EXPECT_EQ(tuple.size(), 6U);
  EXPECT_EQ(tuple.values(), values);
  for (std::size_t i = 0; i < values.size(); ++i) EXPECT_EQ(tuple[i], values[i]);
  EXPECT_EQ(tuple.attachments().size(), 1U);
}

TEST(Tuple, SharesLargeBytesInsteadOfCopyingThem) {
  const Bytes large = bytes_of_size(1 << 20);
  const Tuple tuple{"data", large};
  EXPECT_EQ(tuple[1].as_bytes().data(), large.data());
  EXPECT_LT(tuple.head().size(), 20U);
  EXPECT_EQ(tuple.byte_size(), tuple.head().size() + (1 << 20));
}

TEST(Tuple, WithoutFieldsIsAsGoodAsAnyOther) {
  const Tuple none;
  EXPECT_EQ(none.size(), 0U);
  EXPECT_EQ(none.head(), std::string_view("\0", 1));
  EXPECT_EQ(none, Tuple(std::span<const Value>()));
  EXPECT_EQ(Tuple::decode(none.head(), {}).value(), none);
  EXPECT_FALSE(none == Tuple{nullptr});
}

TEST(Tuple, TravelsAsItsHeadAndAttachments) {
  const Tuple tuple = sample();
  const auto decoded = Tuple::decode(tuple.head(), attachments_of(tuple));
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(*decoded, tuple);
  EXPECT_EQ(decoded->values(), tuple.values());
}

// The golden bytes of every tag; other languages and old disks depend on them.
TEST(Tuple, HasTheBytesThatTheProtocolDocuments) {
  const Tuple tuple{nullptr, false, true, 258, 1.0, "hi", Bytes::copy_of("\x01"), List{1}};
  const std::string_view golden(
      "\x08"
      "\x00"
      "\x01"
      "\x02"
      "\x03\x02\x01\x00\x00\x00\x00\x00\x00"
      "\x04\x00\x00\x00\x00\x00\x00\xf0\x3f"
      "\x05\x02hi"
      "\x06\x01\x01"
      "\x08\x0a\x01\x03\x01\x00\x00\x00\x00\x00\x00\x00",
      1 + 3 + 9 + 9 + 4 + 3 + 12);
  EXPECT_EQ(tuple.head(), golden);
  const Tuple large{bytes_of_size(4096), Object{"p", {Bytes::copy_of("a")}}};
  EXPECT_EQ(large.head(), std::string_view("\x02\x07\x80\x20\x09\x01p\x01\x06\x01"
                                           "a",
                                           11));
}

TEST(Tuple, EqualsByTypeAndValue) {
  EXPECT_EQ(sample(), sample());
  EXPECT_FALSE((Tuple{1} == Tuple{1.0}));
  EXPECT_FALSE((Tuple{1} == Tuple{1, 1}));
  EXPECT_TRUE((Tuple{0.0, List{-0.0}} == Tuple{-0.0, List{0.0}}));
  EXPECT_FALSE((Tuple{bytes_of_size(4096, 'a')} == Tuple{bytes_of_size(4096, 'b')}));
  const Tuple nan{List{std::nan("")}};
  EXPECT_FALSE(nan == nan);
}

TEST(Tuple, RefusesWhatIsBeyondItsLimits) {
  const auto code_of = [](const auto& make) {
    try {
      make();
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::kOk;
  };
  const auto nested = [](std::size_t depth) {
    Value value = List{};
    for (std::size_t i = 1; i < depth; ++i) value = List{value};
    return Tuple{value};
  };
  EXPECT_EQ(code_of([] { Tuple(std::span<const Value>(List(64, 1))); }), ErrorCode::kOk);
  EXPECT_EQ(code_of([] { Tuple(std::span<const Value>(List(65, 1))); }), ErrorCode::kLimitExceeded);
  EXPECT_EQ(code_of([&] { nested(kListDepthMax); }), ErrorCode::kOk);
  EXPECT_EQ(code_of([&] { nested(kListDepthMax + 1); }), ErrorCode::kLimitExceeded);
  EXPECT_EQ(code_of([] { Tuple{"\xff"}; }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of([] { Tuple{Object{"\xed\xa0\x80", {}}}; }), ErrorCode::kInvalidArgument);
  const Tuple deepest = nested(kListDepthMax);
  EXPECT_TRUE(Tuple::decode(deepest.head(), {}));
}

TEST(Tuple, BuilderMakesTheSameBytes) {
  TupleBuilder builder;
  builder.add_text("task");
  builder.begin_list();
  builder.add_int(1);
  builder.begin_list();
  builder.add_bool(true);
  builder.add_nil();
  builder.end_list();
  builder.add_float(0.5);
  builder.end_list();
  builder.add_bytes(bytes_of_size(5000));
  builder.add_bytes("ab");
  const std::vector<Bytes> parts{Bytes::copy_of("p")};
  builder.add_object("pickle", parts);
  const Tuple wanted{"task", List{1, List{true, nullptr}, 0.5}, bytes_of_size(5000),
                     Bytes::copy_of("ab"), Object{"pickle", parts}};
  EXPECT_EQ(builder.build(), wanted);
  EXPECT_EQ(builder.build(), Tuple());  // empty afterwards
}

TEST(Tuple, TakesFieldsOverFromAnotherAsTheyLieThere) {
  const Tuple from = sample();
  TupleBuilder plain;
  TupleBuilder within;
  within.begin_list();
  encoding::FieldWalk walk(from);
  for (encoding::FieldView field; walk.next(field);) {
    plain.add(field);
    within.add(field);
  }
  within.end_list();
  const Tuple copy = plain.build();
  EXPECT_EQ(copy, from);
  EXPECT_EQ(copy[6].as_bytes().data(), from[6].as_bytes().data());  // shared
  const Tuple list = within.build();
  EXPECT_EQ(list, Tuple{Value(from.values())});
  EXPECT_TRUE(Tuple::decode(list.head(), attachments_of(list)));
}

TEST(Tuple, TakesOverNoFieldThatWouldLieTooDeeply) {
  Value nested = 1;
  for (std::size_t i = 1; i < kListDepthMax; ++i) nested = List{"beside", nested};
  const Tuple from{nested};
  encoding::FieldView field;
  ASSERT_TRUE(encoding::FieldWalk(from).next(field));
  const auto within = [&](std::size_t lists) {
    TupleBuilder builder;
    for (std::size_t i = 0; i < lists; ++i) builder.begin_list();
    builder.add(field);
    for (std::size_t i = 0; i < lists; ++i) builder.end_list();
    return builder.build();
  };
  EXPECT_EQ(within(0), from);
  EXPECT_EQ(within(1), (Tuple{List{nested}}));
  try {
    (void)within(2);
    ADD_FAILURE() << "65 lists within one another";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kLimitExceeded);
  }
}

// A list says before its elements how long it is, in one byte or in more.
TEST(Tuple, ListsOfEveryLengthAreWhatTheyWere) {
  for (const std::size_t count : {0, 1, 13, 14, 15, 126, 127, 128, 129, 2'000}) {
    for (const Value& element : {Value(nullptr), Value(7), Value("text"), Value(List{1})}) {
      const Value list = List(count, element);
      TupleBuilder builder;
      builder.begin_list();
      for (std::size_t i = 0; i < count; ++i) builder.add(element);
      builder.end_list();
      builder.add(list);
      const Tuple tuple = builder.build();
      EXPECT_EQ(tuple[0], list) << count;
      EXPECT_EQ(tuple[1], list) << count;
      EXPECT_TRUE(Tuple::decode(tuple.head(), {})) << count;
    }
  }
}

// P38: whatever is wrong is said, and nothing is taken on trust.
TEST(TupleDecode, RefusesEveryKindOfWrongBytes) {
  using namespace std::string_view_literals;
  const std::pair<std::string_view, const char*> cases[] = {
      {""sv, "end in the middle"},
      {"\x41"sv, "more than 64 fields"},
      {"\x01"sv, "end in the middle"},
      {"\x01\x00\x00"sv, "behind the last field"},
      {"\x01\x0a"sv, "unknown type"},
      {"\x01\x20"sv, "unknown type"},
      {"\x01\x03\x01\x02"sv, "longer than the bytes"},
      {"\x01\x05\x05hi"sv, "longer than the bytes"},
      {"\x01\x05\x82\x00hi"sv, "shortest form"},
      {"\x01\x05\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"sv, "shortest form"},
      {"\x01\x05\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"sv, "shortest form"},
      {"\x01\x05\xff\xff\xff\xff\xff\xff\xff\xff\x7f"sv, "longer than the bytes"},
      {"\x01\x05\x01\xff"sv, "not UTF-8"},
      {"\x01\x06\x80\x20"sv, "must be an attachment"},
      {"\x01\x07\x05"sv, "must lie in the head"},
      {"\x01\x07\x80\x20"sv, "attachment is missing"},
      {"\x01\x08\x05\x01\x00"sv, "list is longer"},
      {"\x01\x08\x02\x01\x00\x00"sv, "behind the last field"},
      {"\x01\x08\x02\x05\x00"sv, "fewer elements"},
      {"\x01\x08\x03\x01\x00\x00"sv, "longer than its elements"},
      {"\x01\x08\x02\x01\x05\x01"sv, "cut off"},
      {"\x01\x09\x01p\x01\x00"sv, "must be bytes"},
      {"\x01\x09\x01p\x7f"sv, "end in the middle"},
  };
  for (const auto& [head, wrong] : cases) {
    const Failure failure = failure_of(head);
    EXPECT_EQ(failure.code, ErrorCode::kMalformed) << failure.message;
    EXPECT_NE(failure.message.find(wrong), std::string::npos) << failure.message;
  }
}

TEST(TupleDecode, WantsTheAttachmentsUsedUpExactly) {
  const std::string_view head("\x01\x07\x80\x20", 4);
  EXPECT_EQ(failure_of(head, {bytes_of_size(4096)}).code, ErrorCode::kOk);
  EXPECT_NE(failure_of(head, {bytes_of_size(4097)}).message.find("as long as stated"),
            std::string::npos);
  EXPECT_NE(failure_of(head, {bytes_of_size(4096), bytes_of_size(4096)}).message.find("no field"),
            std::string::npos);
}

TEST(TupleDecode, RefusesListsNestedTooDeeply) {
  std::string head;
  for (std::size_t i = 0; i <= kListDepthMax; ++i) {
    std::string inner = head.empty() ? std::string("\0", 1) : "\x01" + head;
    std::string length;
    for (std::size_t n = inner.size();; n >>= 7) {
      length += static_cast<char>(n < 0x80 ? n : n | 0x80);
      if (n < 0x80) break;
    }
    head.assign("\x08").append(length).append(inner);
  }
  EXPECT_NE(failure_of("\x01" + head).message.find("nested too deeply"), std::string::npos);
}

TEST(TupleDecode, NeverReadsBeyondATruncatedOrChangedHead) {
  const Tuple tuple = sample();
  const std::string head(tuple.head());
  for (std::size_t size = 0; size < head.size(); ++size) {
    // An allocation of its own, so that a sanitizer sees a read behind it.
    const std::vector<char> cut(head.begin(), head.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(Tuple::decode({cut.data(), cut.size()}, attachments_of(tuple)));
  }
  for (std::size_t at = 0; at < head.size(); ++at)
    for (int change = 1; change < 256; ++change) {
      std::string changed = head;
      changed[at] = static_cast<char>(changed[at] ^ change);
      // What is accepted must be canonical: its values make the same bytes again.
      if (const auto decoded = Tuple::decode(changed, attachments_of(tuple))) {
        const List values = decoded->values();
        EXPECT_EQ(Tuple(std::span<const Value>(values)).head(), changed);
      }
    }
}

// Engines' threads share tuples with the connection's thread.
TEST(Tuple, MayBeSharedBetweenThreads) {
  const Tuple tuple = sample();
  const auto copy_often = [](Tuple mine) {
    for (int i = 0; i < 10'000; ++i) {
      const Tuple copy = mine;
      mine = copy;
    }
  };
  std::thread first(copy_often, tuple);
  std::thread second(copy_often, tuple);
  first.join();
  second.join();
  EXPECT_EQ(tuple, sample());
}

}  // namespace
}  // namespace linden

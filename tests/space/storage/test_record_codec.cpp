#include "space/storage/record_codec.h"

#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace linden::storage {
namespace {

using ::testing::HasSubstr;

std::string hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const char byte : bytes) {
    text += kDigits[static_cast<std::uint8_t>(byte) >> 4];
    text += kDigits[static_cast<std::uint8_t>(byte) & 15];
  }
  return text;
}

std::string bytes_of(const core::Mutation& mutation) {
  std::string bytes;
  append_mutation(bytes, mutation);
  return bytes;
}

std::string record_of(const core::Mutation& mutation) {
  std::string record;
  begin_record(record, Time(Duration(7)));
  append_mutation(record, mutation);
  return record;
}

std::string problem_of(std::string_view record) {
  const Result<Time> read = read_record(record, [](core::Mutation&&) {});
  if (read) return "";
  EXPECT_EQ(read.error().code, ErrorCode::kStorageFailed);
  return read.error().message;
}

const core::Origin kOrigin{SessionId{0x0102030405060708, 0x1112131415161718}, RequestId{300}};
constexpr const char* kOriginHex = "08070605040302011817161514131211ac02";

core::TupleAdded full_tuple() {
  core::TupleAdded added{TupleId{300}, Tuple{"a", Bytes::adopt(std::string(4096, 'b'))}, {}};
  added.attributes = {-2, Duration(10), 3, Tuple{7}, SessionId{1, 2}, {}};
  added.expires_at = Time(Duration(64));
  return added;
}

struct Golden {
  core::Mutation mutation;
  std::string bytes;  // hexadecimal
};

// One of each kind, in order of their tags.
std::vector<Golden> golden() {
  const std::string origin = kOriginHex;
  return {
      {core::TupleAdded{TupleId{5}, Tuple{"a", true}, {}},
       "0105"
       "05"
       "0205016102"
       "00"
       "00"},
      {core::TupleReserved{TupleId{5}, 2, kOrigin, Duration(100), true, 1},
       "0205"
       "02" +
           origin +
           "c801"
           "01"
           "01"},
      {core::TupleStarted{TupleId{5}}, "0305"},
      {core::TupleReleased{TupleId{5}, 2}, "040502"},
      {core::TupleTaken{TupleId{5}, kOrigin, 1, true}, "0505" + origin + "0101"},
      {core::TupleRemoved{TupleId{300}}, "06ac02"},
      {core::TupleDied{TupleId{5}, 3}, "070503"},
      {core::SessionOpened{kOrigin.session, "me", Duration(5), kForever},
       "08" + origin.substr(0, 32) +
           "026d65"
           "0a"
           "feffffffffffffffff01"},
      {core::SessionEnded{kOrigin.session}, "09" + origin.substr(0, 32)},
      {core::RequestAnswered{kOrigin, PutDone{TupleId{5}, 2}}, "0a" + origin +
                                                                   "01"
                                                                   "05"
                                                                   "02"},
      {core::NextTupleId{TupleId{128}}, "0b8001"},
      {core::TupleDelayed{TupleId{5}, 2, Time(Duration(64))}, "0c05028001"},
      {core::TupleRenewed{TupleId{5}, kNever}, "0d05feffffffffffffffff01"},
      {core::KeyRemembered{TupleId{5}, "k", 0x0102030405060708, Time(Duration(64))},
       "0e05"
       "016b"
       "0807060504030201"
       "8001"},
      {core::KeyForgotten{TupleId{300}}, "0fac02"},
      {core::GuardMet{TupleId{5}, 1, Tuple{"a"}}, "100501040105016100"},
      {core::PauseSet{PauseKind::kDrain, Template{"a", kAny}, "me", Time(Duration(64))},
       "18"
       "01"
       "01"
       "0502050161"
       "2000"
       "026d65"
       "8001"},
      {core::PauseEnded{PauseKind::kPause, {}}, "190000"},
  };
}

// These bytes lie in people's directories.  If this fails, do not change the expected bytes: give
// the new layout a new tag (record_codec.h).
TEST(RecordCodec, BytesOfEachKindStayWhatTheyAre) {
  const std::vector<Golden> all = golden();
  ASSERT_EQ(all.size(), std::variant_size_v<core::Mutation>);
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i].mutation.index(), i);
    EXPECT_EQ(hex(bytes_of(all[i].mutation)), all[i].bytes);
    EXPECT_EQ(static_cast<MutationTag>(bytes_of(all[i].mutation)[0]), kMutationNames[i].first);
  }
  EXPECT_EQ(hex(bytes_of(core::RequestAnswered{
                kOrigin, FinishDone{{ErrorCode::kOk, ErrorCode::kStaleLease}}})),
            "0a" + std::string(kOriginHex) +
                "02"
                "02"
                "0005");
  EXPECT_EQ(hex(bytes_of(core::RequestAnswered{kOrigin, KeyedPutDone{{TupleId{5}, TupleId{300}}}})),
            "0a" + std::string(kOriginHex) +
                "03"
                "02"
                "05ac02");
}

TEST(RecordCodec, BytesOfAGroupStayWhatTheyAre) {
  core::TupleAdded added{TupleId{5}, Tuple{"a", true}, {}};
  added.attributes.rare = RareAttributes{.group = "g"};
  EXPECT_EQ(hex(bytes_of(added)),
            "0105"
            "05"
            "0205016102"
            "00"
            "40"
            "0167");
}

TEST(RecordCodec, BytesOfAttributesAndAttachmentsStayWhatTheyAre) {
  const std::string bytes = bytes_of(full_tuple());
  const std::size_t body = bytes.find(std::string(4096, 'b'));
  ASSERT_NE(body, std::string::npos);
  EXPECT_EQ(hex(bytes.substr(0, body)),
            "01ac02"
            "07"
            "02050161078020"
            "01"
            "8020");
  EXPECT_EQ(hex(bytes.substr(body + 4096)),
            "3f"
            "03"
            "14"
            "03"
            "0a01030700000000000000"
            "00"
            "0100000000000000"
            "0200000000000000"
            "8001");
}

TEST(RecordCodec, BytesOfGuardsStayWhatTheyAre) {
  core::TupleAdded added{TupleId{5}, Tuple{"a", true}, {}};
  RareAttributes rare;
  rare.when = {{Template{"r", kAny}, {{1, 0}}}, {Template{}, {}}};
  added.attributes.rare = rare;
  EXPECT_EQ(hex(bytes_of(added)),
            "0105"
            "05"
            "0205016102"
            "00"
            "80"
            "02"
            "0502050172"
            "20"
            "00"
            "01"
            "0100"
            "0100"
            "00"
            "00");
}

TEST(RecordCodec, ARecordBeginsWithItsVersionAndTime) {
  std::string record = "old";
  begin_record(record, Time(Duration(300)));
  EXPECT_EQ(hex(record), "01d804");
  const Result<Time> time = read_record(record, [](core::Mutation&&) { FAIL(); });
  ASSERT_TRUE(time);
  EXPECT_EQ(*time, Time(Duration(300)));
}

TEST(RecordCodec, ReadsBackWhatItWrote) {
  std::vector<Golden> all = golden();
  all.push_back({full_tuple(), ""});
  std::string record;
  begin_record(record, Time{});
  for (const Golden& each : all) append_mutation(record, each.mutation);
  std::size_t at = 0;
  const Result<Time> read = read_record(record, [&](core::Mutation&& mutation) {
    ASSERT_LT(at, all.size());
    EXPECT_EQ(hex(bytes_of(mutation)), hex(bytes_of(all[at].mutation)));
    EXPECT_EQ(tuple_of(mutation), tuple_of(all[at].mutation));
    ++at;
  });
  EXPECT_TRUE(read);
  EXPECT_EQ(at, all.size());
}

TEST(RecordCodec, RefusesAnotherVersionAndUnknownKinds) {
  EXPECT_THAT(problem_of(std::string("\x02\x00", 2)), HasSubstr("version 2"));
  EXPECT_THAT(problem_of(std::string("\x01\x00\x63", 3)), HasSubstr("unknown kind 99"));
  EXPECT_THAT(problem_of(""), HasSubstr("empty"));
}

// However a record is cut, it is refused and not half believed; and no byte of it can make reading
// go astray.
TEST(RecordCodec, SurvivesEveryCutAndEveryFlippedByte) {
  std::vector<Golden> all = golden();
  core::TupleAdded small = full_tuple();
  small.tuple = Tuple{List{1, 2.5, nullptr}, "text"};
  all.push_back({small, ""});
  for (const Golden& each : all) {
    const std::string record = record_of(each.mutation);
    for (std::size_t size = 3; size < record.size(); ++size) {
      EXPECT_NE(problem_of(record.substr(0, size)), "") << hex(record) << " cut to " << size;
    }
    for (std::size_t i = 0; i < record.size(); ++i) {
      std::string flipped = record;
      flipped[i] = static_cast<char>(flipped[i] ^ 0xFF);
      (void)problem_of(flipped);
    }
  }
}

TEST(RecordCodec, NamesTheTupleOfAMutation) {
  EXPECT_EQ(tuple_of(core::TupleDied{TupleId{4}, 1}), TupleId{4});
  EXPECT_EQ(tuple_of(core::NextTupleId{TupleId{4}}), TupleId{});
  EXPECT_EQ(tuple_of(core::SessionEnded{SessionId{4, 4}}), TupleId{});
}

// The page that people read and the code that writes must not drift apart.
TEST(RecordCodec, TheFormatPageHasTheSameTags) {
  std::ifstream file(LINDEN_SOURCE_ROOT "/docs/design/storage-format.md");
  std::stringstream page;
  page << file.rdbuf();
  ASSERT_FALSE(page.str().empty());
  std::size_t rows = 0;
  for (std::string line; std::getline(page, line);) {
    int tag = 0;
    char name[64];
    if (std::sscanf(line.c_str(), "| %d | `%63[A-Za-z]`", &tag, name) != 2) continue;
    ASSERT_LT(rows, kMutationNames.size());
    EXPECT_EQ(tag, static_cast<int>(kMutationNames[rows].first));
    EXPECT_EQ(name, kMutationNames[rows].second);
    ++rows;
  }
  EXPECT_EQ(rows, kMutationNames.size());
}

}  // namespace
}  // namespace linden::storage

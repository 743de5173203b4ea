// tests/api/data/test_payload.cpp: the table of an object some parts of which lie elsewhere.
#include "api/data/payload.h"

#include <gtest/gtest.h>

namespace linden::data {
namespace {

using Kind = TableLine::Kind;

TEST(Payload, ReadsWhatItWrites) {
  const Table table{"f00d",
                    {{}, {Kind::kElsewhere, "name-1", "boot:1:2"}, {Kind::kNamed, "n", ""}}};
  EXPECT_EQ(table_text(table), "f00d\n-\n= name-1 boot:1:2\n+ n \n");
  EXPECT_EQ(*parse_table(table_text(table)), table);
}

TEST(Payload, SaysWhatIsNoTable) {
  for (const char* text : {"", "f00d", "f00d\n=", "f00d\n= \n", "f00d\n=  store\n", "f00d\n? a b\n",
                           "f00d\n= name\n", "f00d\n- \n", "f00d\n-\n\n"}) {
    const auto parsed = parse_table(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_EQ(parsed.error().code, ErrorCode::kMalformed);
  }
}

}  // namespace
}  // namespace linden::data

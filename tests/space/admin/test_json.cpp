// Scripts rely on these shapes (docs/reference/space-admin.1.md).
#include "space/admin/json.h"

#include <gtest/gtest.h>

#include <limits>
#include <boost/json/serialize.hpp>

namespace linden::admin {
namespace {

std::string json(const Tuple& tuple) {
  return boost::json::serialize(json_of(tuple));
}

TEST(Json, ShowsEveryKindOfField) {
  EXPECT_EQ(json(Tuple{Value(), true, 17, 0.5, "te\"xt", List{1, "a"}}),
            R"([null,true,17,5E-1,"te\"xt",[1,"a"]])");
}

TEST(Json, ShowsBytesInBase64) {
  EXPECT_EQ(json(Tuple{Bytes::copy_of(""), Bytes::copy_of("a"), Bytes::copy_of("ab"),
                       Bytes::copy_of("abc"), Bytes::copy_of("\xff\xfe\xfd\xfc")}),
            R"([{"base64":""},{"base64":"YQ=="},{"base64":"YWI="},)"
            R"({"base64":"YWJj"},{"base64":"//79/A=="}])");
}

// An admin's tool never unpickles: what lies inside an object may be hostile.
TEST(Json, ShowsObjectsByCodecAndSizeOnly) {
  EXPECT_EQ(json(Tuple{Object{"pickle", {Bytes::copy_of("12345"), Bytes::copy_of("678")}}}),
            R"([{"object":"pickle","bytes":8}])");
}

TEST(Json, ShowsFloatsThatJsonLacksAsText) {
  EXPECT_EQ(json(Tuple{std::numeric_limits<double>::infinity()}), R"(["inf"])");
}

// U+009B begins a command of a terminal like ESC [, and U+202E turns the writing round.
TEST(Json, NamesCharactersThatCommandATerminalByTheirNumbers) {
  EXPECT_EQ(without_hidden("[\"a\u009b31m\u202e\U000E0001\x7f\"]"),
            R"(["a\u009b31m\u202e\udb40\udc01\u007f"])");
  EXPECT_EQ(without_hidden("[\"é 漢 🙂\", 1]"), "[\"é 漢 🙂\", 1]");
}

}  // namespace
}  // namespace linden::admin

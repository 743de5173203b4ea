// tests/api/wire/test_document.cpp: the hex example of docs/design/wire-protocol.md is what we
// send.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "api/wire/codec.h"
#include "pump.h"

namespace linden::wire {
namespace {

// The bytes of the block that follows `heading`: hexadecimal pairs at the start of each line, up to
// two spaces and the explanation.
std::string example_under(const std::string& heading) {
  std::ifstream file(LINDEN_SOURCE_ROOT "/docs/design/wire-protocol.md");
  std::string line;
  while (std::getline(file, line) && line != heading) {
  }
  while (std::getline(file, line) && line != "```text") {
  }
  std::string bytes;
  while (std::getline(file, line) && line != "```") {
    std::istringstream pairs(line.substr(0, line.find("  ")));
    for (std::string pair; pairs >> pair;) bytes += static_cast<char>(std::stoi(pair, nullptr, 16));
  }
  return bytes;
}

TEST(Document, ShowsAPutAsItIsSent) {
  Encoder encoder;
  WriteBuffer out;
  NewTuple task{Tuple{"task", 17}, {}};
  task.attributes.priority = 5;
  encoder.encode_request({2}, {1}, {1}, PutOp{{task}}, false, out);
  EXPECT_EQ(example_under("### A put"), drain(out));
}

TEST(Document, ShowsItsAnswerAsItIsSent) {
  Encoder encoder;
  WriteBuffer out;
  encoder.encode_reply({2}, PutDone{{1}, 1}, out);
  EXPECT_EQ(example_under("### Its answer"), drain(out));
}

}  // namespace
}  // namespace linden::wire

// tests/api/wire/test_shortcut.cpp
#include "api/wire/shortcut.h"

#include <gtest/gtest.h>

#include "api/wire/codec.h"
#include "describe.h"
#include "pump.h"
#include "random_messages.h"

namespace linden::wire {
namespace {

void append_u32(std::string& out, std::size_t number) {
  for (int i = 0; i < 4; ++i) out += static_cast<char>(number >> (8 * i));
}

// A frame taken apart, so that parts of it can be changed.
struct Parts {
  std::string message;
  std::vector<std::string> attachments;

  explicit Parts(const ClientMessage& from) {
    Encoder encoder;
    WriteBuffer out;
    encoder.encode(from, out);
    FrameReader reader(kFrameBytesMaxDefault);
    feed(reader, drain(out));
    const auto frame = reader.next();
    message = (*frame)->message;
    attachments.assign((*frame)->attachments.begin(), (*frame)->attachments.end());
  }

  [[nodiscard]] std::string frame() const {
    std::string body;
    for (const std::string& attachment : attachments) append_u32(body, attachment.size());
    body += message;
    for (const std::string& attachment : attachments) body += attachment;
    std::string out;
    append_u32(out, body.size() + 8);
    append_u32(out, message.size());
    append_u32(out, attachments.size());
    return out + body;
  }
};

// What a decoder makes of the frame: the message, or why it is none.
std::string outcome(const std::string& frame) {
  FrameReader reader(kFrameBytesMaxDefault);
  Decoder decoder;
  feed(reader, frame);
  const auto next = reader.next();
  const auto read = decoder.decode_client(**next, reader);
  return read ? described(*read) : "refused: " + read.error().message;
}

// The same by the long way: protobuf skips a field that nobody knows, the shortcut does not.
std::string outcome_by_the_long_way(Parts parts) {
  parts.message += "\xc0\x3e\x01";
  return outcome(parts.frame());
}

Request request_of(Operation operation) {
  return Request{{7}, {5}, {1}, std::move(operation), false};
}

bool takes_the_shortcut(const ClientMessage& message) {
  FrameReader reader(kFrameBytesMaxDefault);
  feed(reader, Parts(message).frame());
  const auto frame = reader.next();
  TemplateMemory templates;
  Request out;
  return read_common_request(**frame, templates, out);
}

// As a farm puts its tasks; with two priorities, so that they have a column of their own.
PutOp put_of_tasks() {
  PutOp put;
  for (int number = 0; number < 3; ++number) {
    NewTuple& task = put.tuples.emplace_back(NewTuple{Tuple{"task", number}, {}});
    task.attributes.priority = number == 1 ? -70 : 300;
    task.attributes.max_attempts = 3;
    task.attributes.will = Tuple{"result", number, "engine_died"};
  }
  return put;
}

// As an engine reports them: one is done, others have begun.
FinishOp finish_with_news() {
  FinishOp finish;
  finish.items.push_back({Token{{9}, 1}, {{Tuple{"result", 1}, {}}}});
  finish.started = {Token{{400}, 1}, Token{{12}, 300}};
  return finish;
}

TEST(Shortcut, IsTakenByPlainPutsTakesAndFinishes) {
  TakeOp take;
  take.mode = TakeMode::kReserve;
  take.templates = {Template{"job", kInt}};
  FinishOp finish;
  finish.items.push_back({Token{{9}, 1}, {{Tuple{"result", 1}, {}}}});
  finish.items.push_back({Token{{12}, 3}, {}});
  EXPECT_TRUE(takes_the_shortcut(request_of(PutOp{{{Tuple{"job", 1}, {}}}})));
  EXPECT_TRUE(takes_the_shortcut(request_of(take)));
  EXPECT_TRUE(takes_the_shortcut(request_of(finish)));
}

TEST(Shortcut, IsTakenByTasksAndTheirResults) {
  EXPECT_TRUE(takes_the_shortcut(request_of(put_of_tasks())));
  EXPECT_TRUE(takes_the_shortcut(request_of(finish_with_news())));
  PutOp some_have_a_will = put_of_tasks();
  some_have_a_will.tuples[1].attributes.will.reset();
  EXPECT_TRUE(takes_the_shortcut(request_of(some_have_a_will)));
  PutOp with_a_time_to_live = put_of_tasks();
  with_a_time_to_live.tuples[1].attributes.ttl = std::chrono::seconds(1);
  EXPECT_FALSE(takes_the_shortcut(request_of(with_a_time_to_live)));
}

TEST(Shortcut, ReadsAndRefusesWhatTheLongWayDoes) {
  RandomMessages random(11);
  for (int i = 0; i < 19 * 60; ++i) {
    const Parts parts(random.client());
    EXPECT_EQ(outcome(parts.frame()), outcome_by_the_long_way(parts));
  }
}

// P38: no changed byte is read in one way by the shortcut and in another by protobuf.
TEST(Shortcut, ReadsChangedBytesAsTheLongWayDoes) {
  RandomMessages random(12);
  FinishOp finish;
  for (std::uint64_t i = 1; i < 5; ++i) {
    finish.items.push_back({Token{{i * 900}, static_cast<std::uint32_t>(i % 2 * 200)}, {}});
    if (i != 3) finish.items.back().puts.push_back({Tuple{"r", static_cast<int>(i)}, {}});
  }
  TakeOp take;
  take.mode = TakeMode::kReserve;
  take.templates = {Template{"job", kInt}, Template{kAny}};
  take.timeout = kForever;
  const PutOp put{{{Tuple{"job", 1}, {}}, {Tuple{"job", 2.5}, {}}}};
  for (const Operation& operation : {Operation(put), Operation(take), Operation(finish),
                                     Operation(put_of_tasks()), Operation(finish_with_news())}) {
    const Parts parts(request_of(operation));
    for (std::size_t at = 0; at < parts.message.size(); ++at) {
      for (int bit = 0; bit < 8; ++bit) {
        Parts changed = parts;
        changed.message[at] = static_cast<char>(changed.message[at] ^ (1 << bit));
        // With its end cut off by a wrong length it may swallow the unknown field.
        const std::string long_way = outcome_by_the_long_way(changed);
        const std::string either_way = outcome(changed.frame());
        EXPECT_EQ(either_way.starts_with("refused"), long_way.starts_with("refused"));
        if (!either_way.starts_with("refused")) {
          EXPECT_EQ(either_way, long_way);
        }
      }
    }
  }
}

// What is said twice counts as protobuf counts it: the last number, all rows together.
TEST(Shortcut, LeavesWhatIsSaidTwiceToTheLongWay) {
  Parts parts(request_of(PutOp{{{Tuple{"job", 1}, {}}}}));
  parts.message += parts.message;
  EXPECT_EQ(outcome(parts.frame()), outcome_by_the_long_way(parts));
}

TEST(TemplateMemory, GivesEachItsOwn) {
  TemplateMemory memory;
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 300; ++i) {
      const Template wanted{"job", i, kInt};
      Template read;
      ASSERT_TRUE(memory.read(wanted.head(), read));
      EXPECT_EQ(read.head(), wanted.head());
      EXPECT_EQ(read.actual_mask(), wanted.actual_mask());
    }
  }
  Template read;
  EXPECT_FALSE(memory.read("\x01\xff", read));
  EXPECT_TRUE(memory.read(Template().head(), read));
  EXPECT_EQ(read.size(), 0U);
}

}  // namespace
}  // namespace linden::wire

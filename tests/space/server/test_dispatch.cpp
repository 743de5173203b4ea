// What messages mean, without a server.
#include <gtest/gtest.h>

#include "space/server/dispatch.h"

namespace linden::server {
namespace {

wire::Hello good_hello() {
  wire::Hello hello;
  hello.session = SessionId{1, 2};
  return hello;
}

TEST(DispatchHello, AcceptsTheUsualOne) {
  EXPECT_FALSE(check_hello(good_hello()));
}

// A user who meets this needs to know which side is the old one.
TEST(DispatchHello, NamesBothProtocolVersionsAndWhatToUpdate) {
  wire::Hello hello = good_hello();
  hello.protocol = wire::kProtocolVersion + 7;
  const auto refused = check_hello(hello);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->code, ErrorCode::kProtocolMismatch);
  EXPECT_NE(refused->message.find(std::to_string(wire::kProtocolVersion)), std::string::npos);
  EXPECT_NE(refused->message.find(std::to_string(wire::kProtocolVersion + 7)), std::string::npos);
  EXPECT_NE(refused->message.find("update the server"), std::string::npos);
  hello.protocol = 0;
  EXPECT_NE(check_hello(hello)->message.find("update the client"), std::string::npos);
}

TEST(DispatchHello, RefusesASessionWithoutAnIdAndNegativeDurations) {
  wire::Hello hello = good_hello();
  hello.session = SessionId{};
  EXPECT_EQ(check_hello(hello)->code, ErrorCode::kInvalidArgument);
  hello = good_hello();
  hello.hold = Duration{-1};
  EXPECT_EQ(check_hello(hello)->code, ErrorCode::kInvalidArgument);
}

TEST(DispatchSpaceName, AcceptsWhatPeopleWrite) {
  EXPECT_FALSE(check_space_name("jobs"));
  EXPECT_FALSE(check_space_name("Größe / 東京 🙂"));
  EXPECT_FALSE(check_space_name(std::string(200, 'x')));
}

TEST(DispatchSpaceName, RefusesEmptyLongBrokenAndControl) {
  for (const std::string& name :
       {std::string(), std::string(201, 'x'), std::string("a\nb"), std::string("a\0b", 3),
        std::string("\xC2\x80"), std::string("\xFF"), std::string("\xC3"), std::string("\xC0\xAF"),
        std::string("\xED\xA0\x80"), std::string("\xF4\x90\x80\x80")}) {
    const auto refused = check_space_name(name);
    ASSERT_TRUE(refused) << "size " << name.size();
    EXPECT_EQ(refused->code, ErrorCode::kInvalidArgument);
  }
}

TEST(DispatchDurability, TakesTheServersWhenNoneIsNamed) {
  EXPECT_EQ(*durability_of(std::nullopt, storage::Durability::kSync), storage::Durability::kSync);
  EXPECT_EQ(*durability_of(0, storage::Durability::kSync), storage::Durability::kMemory);
  EXPECT_FALSE(durability_of(3, storage::Durability::kSync));
}

TEST(DispatchRequest, KeepsSessionIdAndOperation) {
  const core::Command command = to_command(
      SessionId{3, 4},
      wire::Request{RequestId{9}, RequestId{2}, SpaceNumber{1}, PutOp{{NewTuple{Tuple{"a"}, {}}}}});
  const auto& perform = std::get<core::Perform>(command);
  EXPECT_EQ(perform.from, (core::Origin{SessionId{3, 4}, RequestId{9}}));
  EXPECT_EQ(std::get<PutOp>(perform.operation).tuples.size(), 1u);
}

// Only what waits must be woken when a space is dropped (P40).
TEST(DispatchWaits, OnlyTakesWithATimeout) {
  TakeOp take;
  EXPECT_FALSE(waits(take));
  take.timeout = kForever;
  EXPECT_TRUE(waits(take));
  EXPECT_FALSE(waits(PutOp{}));
  EXPECT_FALSE(waits(StreamOp{}));
}

TEST(DispatchRows, FollowTheOrderOfTheVariant) {
  EXPECT_EQ(row_of(PutOp{}).name, "put");
  EXPECT_EQ(row_of(StreamOp{}).name, "stream");
  EXPECT_TRUE(row_of(StreamOp{}).is_stream);
  EXPECT_EQ(row_of(FinishOp{}).name, "finish");
  EXPECT_EQ(row_of(ListSessionsOp{}).name, "sessions");
  EXPECT_EQ(row_of(CommitOp{}).name, "commit");
  EXPECT_EQ(row_of(BeginOp{}).name, "begin");
  EXPECT_EQ(row_of(EndOp{}).name, "end");
}

// P40: late finishes of a dropped space are stale; nothing else has an effect there.
TEST(DispatchDroppedSpace, LateFinishesAreStaleAndTheRestIsGone) {
  FinishOp finish;
  finish.items.push_back(FinishItem{Token{TupleId{1}, 1}, {}});
  EXPECT_EQ(std::get<FinishDone>(answer_of_dropped_space("jobs", finish)),
            FinishDone{{ErrorCode::kStaleLease}});
  finish.items.push_back(FinishItem{std::nullopt, {NewTuple{Tuple{"result"}, {}}}});
  EXPECT_EQ(std::get<Refused>(answer_of_dropped_space("jobs", finish)).code, ErrorCode::kSpaceGone);
  for (const Operation& operation :
       {Operation(PutOp{}), Operation(CommitOp{}), Operation(EndOp{})}) {
    EXPECT_EQ(std::get<Refused>(answer_of_dropped_space("jobs", operation)).code,
              ErrorCode::kSpaceGone);
  }
  EXPECT_EQ(
      std::get<Refused>(answer_of_dropped_space("jobs", CommitOp{{}, {{TupleId{1}, 1}}, {}})).code,
      ErrorCode::kStaleLease);
}

}  // namespace
}  // namespace linden::server

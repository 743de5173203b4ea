// tests/api/client/test_stream_state.cpp: a standing request as the client sees it.
#include "api/client/stream_state.h"

#include <gtest/gtest.h>

namespace linden::client {
namespace {

StreamState reserving(std::uint32_t credit = 4) {
  StreamState stream;
  stream.id = {7};
  stream.form.mode = TakeMode::kReserve;
  stream.form.credit = credit;
  return stream;
}

Handout handout(std::uint64_t id, bool started = false, std::uint32_t attempt = 1) {
  Handout one;
  one.id = {id};
  one.attempt = attempt;
  one.started = started;
  one.tuple = Tuple{"task", static_cast<std::int64_t>(id)};
  return one;
}

Token token(std::uint64_t id, std::uint32_t attempt = 1) {
  return {TupleId{id}, attempt};
}

// P19 counts only hand-outs that began: what next() gives out is reported, unless the space knew
// that it would begin at once.
TEST(StreamState, ReportsWhatHasBegunUnlessTheSpaceKnows) {
  auto stream = reserving();
  stream.deliver({handout(1, true), handout(2)});
  stream.pop();
  EXPECT_FALSE(stream.gather());
  stream.pop();
  const auto gathered = stream.gather();
  ASSERT_TRUE(gathered);
  EXPECT_EQ(gathered->started, std::vector{token(2)});
  EXPECT_TRUE(gathered->items.empty());
}

// A task that began and ended before anything was sent is one finish, not two pieces of news.
TEST(StreamState, DoesNotReportTheBeginningOfWhatHasEnded) {
  auto stream = reserving();
  stream.deliver({handout(1), handout(2)});
  stream.pop();
  stream.add_finish(token(1), {}, {});
  stream.pop();
  const auto gathered = stream.gather();
  ASSERT_TRUE(gathered);
  ASSERT_EQ(gathered->items.size(), 1U);
  EXPECT_EQ(gathered->items[0].token, token(1));
  EXPECT_EQ(gathered->started, std::vector{token(2)});
}

// Short tasks: some ends go together.
TEST(StreamState, GathersWhileTheNextCallWillBeInTime) {
  using std::chrono::milliseconds;
  auto stream = reserving(8);
  SteadyTime now{std::chrono::hours(1)};
  const auto end_one = [&](std::uint64_t id) {
    now += milliseconds(1);
    stream.add_finish(token(id), {}, now);
    stream.ask(now);
  };
  stream.ask(now);
  for (std::uint64_t id = 1; id <= 3; ++id) {
    end_one(id);
    EXPECT_FALSE(stream.is_last_call()) << id;
  }
  end_one(4);
  EXPECT_TRUE(stream.is_last_call());
  EXPECT_EQ(stream.due(), now + milliseconds(1));
  EXPECT_EQ(stream.gather()->items.size(), 4U);
  EXPECT_FALSE(stream.is_last_call());
}

// Long tasks: nothing is gained by waiting for the next end.
TEST(StreamState, DoesNotGatherWhatWouldBeAlone) {
  auto stream = reserving();
  SteadyTime now{std::chrono::hours(1)};
  stream.ask(now);
  now += kGatherFor;
  stream.add_finish(token(1), {}, now);
  stream.ask(now);
  EXPECT_TRUE(stream.is_last_call());
}

// F4: what waits in the local queue goes back un-started when the space asks for it.
TEST(StreamState, GivesBackARecalledHandoutThatHasNotBegun) {
  auto stream = reserving();
  stream.deliver({handout(1, true), handout(2)});
  stream.pop();
  const auto answer = stream.recall(token(2));
  ASSERT_TRUE(answer);
  const auto& release = std::get<ReleaseOp>(*answer);
  ASSERT_EQ(release.items.size(), 1U);
  EXPECT_EQ(release.items[0].token, token(2));
  EXPECT_FALSE(release.items[0].started);
  EXPECT_TRUE(stream.queue.empty());
  EXPECT_FALSE(stream.held.contains({2}));
}

TEST(StreamState, AnswersARecallOfARunningHandoutWithItsBeginning) {
  auto stream = reserving();
  stream.deliver({handout(1, true)});
  stream.pop();
  const auto answer = stream.recall(token(1));
  ASSERT_TRUE(answer);
  EXPECT_EQ(std::get<FinishOp>(*answer).started, std::vector{token(1)});
}

TEST(StreamState, IgnoresARecallOfWhatItNoLongerHolds) {
  auto stream = reserving();
  stream.deliver({handout(1, true, 3)});
  EXPECT_FALSE(stream.recall(token(9)));
  EXPECT_FALSE(stream.recall(token(1, 2)));  // an earlier hand-out of the same tuple
  stream.pop();
  stream.add_finish(token(1, 3), {}, {});
  EXPECT_FALSE(stream.recall(token(1, 3)));
}

// After a reconnect the space delivers again what we do not name, so everything that is not
// finished is named.
TEST(StreamState, ReopensWithAllThatItHolds) {
  auto stream = reserving();
  stream.deliver({handout(3, true), handout(1), handout(2)});
  stream.pop();
  stream.add_finish(token(3), {}, {});
  EXPECT_EQ(stream.reopened().held, (std::vector{TupleId{1}, TupleId{2}}));
}

TEST(StreamState, AReadingStreamGoesOnAfterTheLastTupleItSaw) {
  StreamState stream;
  stream.form.mode = TakeMode::kRead;
  stream.form.credit = 100;
  stream.form.after = {5};
  EXPECT_EQ(stream.reopened().after, TupleId{5});
  stream.deliver({handout(8), handout(11)});
  EXPECT_EQ(stream.reopened().after, TupleId{11});
}

// One acknowledgement per quarter of the credit keeps the stream flowing at little cost.
TEST(StreamState, AcknowledgesReadsInBulk) {
  StreamState stream;
  stream.id = {3};
  stream.form.mode = TakeMode::kRead;
  stream.form.credit = 8;
  stream.deliver({handout(1), handout(2), handout(3)});
  stream.pop();
  EXPECT_FALSE(stream.acknowledgement());
  stream.pop();
  const auto acknowledgement = stream.acknowledgement();
  ASSERT_TRUE(acknowledgement);
  EXPECT_EQ(acknowledgement->stream, RequestId{3});
  EXPECT_EQ(acknowledgement->delivered, 2U);
  EXPECT_FALSE(stream.acknowledgement());
}

StreamState taking() {
  StreamState stream;
  stream.id = {7};
  stream.form.mode = TakeMode::kTake;
  stream.form.credit = 8;
  return stream;
}

// What the space does not know to have arrived is named when the stream is opened again, so that it
// does not come twice; and it is counted as delivered, as the space counts it.
TEST(StreamState, ATakingStreamNamesWhatIsNotConfirmed) {
  auto stream = taking();
  stream.deliver({handout(1), handout(2), handout(3)});
  stream.pop();
  stream.pop();
  const auto ack = stream.acknowledgement();
  ASSERT_TRUE(ack);
  stream.acknowledging({20});
  EXPECT_EQ(stream.reopened().held, (std::vector{TupleId{1}, TupleId{2}, TupleId{3}}));
  stream.confirm({20});  // of the connection before
  EXPECT_EQ(stream.reopened().held.size(), 3U);
  const auto again = stream.acknowledgement();
  ASSERT_TRUE(again);
  EXPECT_EQ(again->delivered, 2U);
}

TEST(StreamState, ATakingStreamForgetsWhatIsConfirmed) {
  auto stream = taking();
  stream.deliver({handout(1), handout(2), handout(3)});
  stream.pop();
  stream.pop();
  ASSERT_TRUE(stream.acknowledgement());
  stream.acknowledging({20});
  stream.pop();
  ASSERT_TRUE(stream.acknowledgement());
  stream.acknowledging({21});
  stream.confirm({20});
  EXPECT_EQ(stream.reopened().held, (std::vector{TupleId{3}}));
}

// What its caller has is named when it is closed, until the space has confirmed it; the rest goes
// back.
TEST(StreamState, ATakingStreamIsCancelledButForWhatItGaveOut) {
  auto stream = taking();
  stream.deliver({handout(1), handout(2), handout(3), handout(4)});
  stream.pop();
  ASSERT_TRUE((stream.pop(), stream.acknowledgement()));
  stream.acknowledging({20});
  stream.pop();
  EXPECT_EQ(stream.cancel().target, RequestId{7});
  EXPECT_EQ(stream.cancel().kept, (std::vector{TupleId{1}, TupleId{2}, TupleId{3}}));
  stream.confirm({20});
  EXPECT_EQ(stream.cancel().kept, std::vector{TupleId{3}});
  EXPECT_FALSE(stream.give_back_queue());
  EXPECT_TRUE(stream.queue.empty());
}

// After a reconnect the space counts from nothing: reading what came before acknowledges nothing
// new.
TEST(StreamState, AReadingStreamCountsAnewAfterAReconnect) {
  StreamState stream;
  stream.id = {3};
  stream.form.mode = TakeMode::kRead;
  stream.form.credit = 4;
  stream.deliver({handout(1), handout(2)});
  (void)stream.reopened();
  stream.deliver({handout(3)});
  stream.pop();
  stream.pop();
  EXPECT_FALSE(stream.acknowledgement());
  stream.pop();
  const auto ack = stream.acknowledgement();
  ASSERT_TRUE(ack);
  EXPECT_EQ(ack->delivered, 1U);
}

TEST(StreamState, ClosingGivesBackTheQueueButNotWhatRuns) {
  auto stream = reserving();
  stream.deliver({handout(1, true), handout(2), handout(3)});
  stream.pop();
  const auto back = stream.give_back_queue();
  ASSERT_TRUE(back);
  const auto& items = back->items;
  ASSERT_EQ(items.size(), 2U);
  EXPECT_FALSE(items[0].started);
  EXPECT_TRUE(stream.held.contains({1}));
}

}  // namespace
}  // namespace linden::client

// tests/chaos/test_checker.cpp: histories told by hand, good and bad: the judge must be just.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/chaos/checker.h"

namespace linden::chaos {
namespace {

using Sort = Violation::Sort;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr ProcessNumber kAlice = 1;
constexpr ProcessNumber kBob = 2;

Item put_of(Serial serial, Word word = 'a') {
  Item item;
  item.serial = serial;
  item.word = word;
  return item;
}

// Its id is ten times its serial.
Item given(Serial serial, std::uint32_t attempt = 0) {
  Item item;
  item.part = Item::Part::kGiven;
  item.serial = serial;
  item.id = static_cast<std::uint64_t>(serial) * 10;
  item.attempt = attempt;
  return item;
}

Item ended(Serial serial, std::uint32_t attempt = 0) {
  Item item = given(serial, attempt);
  item.part = Item::Part::kEnded;
  return item;
}

struct Tale {
  History history;

  Call& call(ProcessNumber process, Kind kind, Moment asked, Moment answered,
             std::vector<Item> items = {}) {
    Call call;
    call.process = process;
    call.kind = kind;
    call.asked = asked;
    call.answered = answered;
    call.outcome = answered == kNotYet ? Outcome::kUnknown : Outcome::kDone;
    call.items = std::move(items);
    if (call.outcome == Outcome::kDone) {
      for (Item& item : call.items) {
        if (item.part == Item::Part::kPut) item.id = static_cast<std::uint64_t>(item.serial) * 10;
      }
    }
    history.calls.push_back(std::move(call));
    return history.calls.back();
  }

  Call& search(ProcessNumber process, Kind kind, Moment asked, Moment answered,
               std::vector<Item> items = {}, std::string words = "a") {
    Call& made = call(process, kind, asked, answered, std::move(items));
    made.words = std::move(words);
    if (made.items.empty() && answered != kNotYet) made.outcome = Outcome::kNone;
    return made;
  }

  void refused(Call& call) { call.outcome = Outcome::kRefused; }

  [[nodiscard]] std::vector<Sort> violations() const {
    std::vector<Sort> sorts;
    for (const Violation& violation : check(history).violations) sorts.push_back(violation.sort);
    return sorts;
  }
};

// ---- P31, P32, P36: nothing lost, nothing doubled -----------------------------------------------

TEST(HistoryChecker, IsContentWithPutAndTake) {
  Tale tale;
  tale.call(kAlice, Kind::kPut, 1, 2, {put_of(1)});
  tale.search(kBob, Kind::kTake, 3, 4, {given(1)});
  EXPECT_THAT(tale.violations(), IsEmpty());
  const Verdict verdict = check(tale.history);
  EXPECT_EQ(verdict.tuples, 1U);
  EXPECT_EQ(verdict.ended, 1U);
}

TEST(HistoryChecker, NoticesThatAnAcknowledgedTupleIsGone) {
  Tale tale;
  tale.call(kAlice, Kind::kPut, 1, 2, {put_of(1), put_of(2)});
  tale.search(kBob, Kind::kTake, 3, 4, {given(1)});
  EXPECT_THAT(tale.violations(), ElementsAre(Sort::kLost));
}

TEST(HistoryChecker, KnowsThatAPutWithoutAnAnswerMayNotHaveHappened) {
  Tale tale;
  tale.call(kAlice, Kind::kPut, 1, kNotYet, {put_of(1), put_of(2)});
  EXPECT_THAT(tale.violations(), IsEmpty());
}

TEST(HistoryChecker, LetsAKilledTakerHaveHadATuple) {
  Tale tale;
  tale.call(kAlice, Kind::kPut, 1, 2, {put_of(1), put_of(2, 'b')});
  tale.search(kBob, Kind::kTake, 3, kNotYet);
  tale.history.gone[kBob] = 10;
  EXPECT_THAT(tale.violations(), ElementsAre(Sort::kLost)) << "2 is of another word";
}

TEST(HistoryChecker, LetsAKilledTakerHaveHadNoMoreThanItAskedFor) {
  Tale tale;
  tale.call(kAlice, Kind::kPut, 1, 2, {put_of(1), put_of(2), put_of(3)});
  tale.search(kBob, Kind::kTake, 3, kNotYet).count = 2;
  EXPECT_THAT(tale.violations(), ElementsAre(Sort::kLost));
  tale.search(kBob, Kind::kTake, 3, kNotYet);
  EXPECT_THAT(tale.violations(), IsEmpty());
}

TEST(HistoryChecker, FindsWhichKilledTakerHasHadWhat) {
  Tale tale;
  tale.call(kAlice, Kind::kPut, 1, 2, {put_of(1), put_of(2, 'b')});
  tale.search(kBob, Kind::kTake, 3, kNotYet, {}, "ab");
  tale.search(kBob, Kind::kTake, 3, kNotYet, {}, "a");
  EXPECT_THAT(tale.violations(), IsEmpty());
}

// A commit without an answer has removed 1 or a killed taker has had it; 2 leaves the taker no
// choice.
TEST(HistoryChecker, FindsWhichCallsWithoutAnAnswerHaveHappened) {
  Tale tale;
  tale.call(kAlice, Kind::kPut, 1, 2, {put_of(1), put_of(2)});
  tale.call(kAlice, Kind::kCommit, 3, kNotYet, {put_of(3, 'b'), ended(1)});
  tale.search(kBob, Kind::kTake, 3, kNotYet);
  EXPECT_THAT(tale.violations(), ElementsAre(Sort::kLost));
  tale.search(kBob, Kind::kTake, 5, kNotYet, {}, "b");
  EXPECT_THAT(tale.violations(), IsEmpty());
}

TEST(HistoryChecker, KnowsWhenAKilledTakerWasGone) {
  Tale tale;
  tale.search(kBob, Kind::kTake, 1, kNotYet);
  tale.history.gone[kBob] = 10;
  tale.call(kAlice, Kind::kPut, 11, 12, {put_of(1)});
  EXPECT_THAT(tale.violations(), ElementsAre(Sort::kLost));
}

TEST(HistoryChecker, NoticesATupleThatIsTakenTwice) {
  Tale tale;
  tale.call(kAlice, Kind::kPut, 1, 2, {put_of(1)});
  tale.search(kAlice, Kind::kTake, 3, 6, {given(1)});
  tale.search(kBob, Kind::kTake, 4, 5, {given(1)});
  EXPECT_THAT(tale.violations(), ElementsAre(Sort::kDoubled));
}

TEST(HistoryChecker, NoticesATupleThatIsSeenAfterItWasTaken) {
  Tale tale;
  tale.call(kAlice, Kind::kPut, 1, 2, {put_of(1)});
  tale.search(kAlice, Kind::kTake, 3, 4, {given(1)});
  tale.search(kBob, Kind::kRead, 5, 6, {given(1)});
  EXPECT_THAT(tale.violations(), ElementsAre(Sort::kDoubled));
}

TEST(HistoryChecker, NoticesATupleThatIsBackAtTheEnd) {
  Tale tale;
  tale.call(kAlice, Kind::kPut, 1, 2, {put_of(1)});
  tale.search(kAlice, Kind::kTake, 3, 4, {given(1)});
  tale.call(0, Kind::kLeft, 5, 6, {given(1)});
  EXPECT_THAT(tale.violations(), ElementsAre(Sort::kDoubled, Sort::kDoubled));
}

TEST(HistoryChecker, NoticesAPutThatWasDoneTwice) {
  Tale tale;
  tale.call(kAlice, Kind::kPut, 1, kNotYet, {put_of(1)});
  tale.search(kBob, Kind::kTake, 3, 4, {given(1)});
  Item second = given(1);
  second.id = 11;
  tale.search(kBob, Kind::kTake, 5, 6, {second});
  EXPECT_THAT(tale.violations(), ElementsAre(Sort::kDoubled, Sort::kDoubled));
}

TEST(HistoryChecker, CountsADeadTupleAsThere) {
  Tale tale;
  tale.call(kAlice, Kind::kPut, 1, 2, {put_of(1)});
  tale.call(0, Kind::kLeft, 5, 6, {given(1)});
  EXPECT_THAT(tale.violations(), IsEmpty());
}

// ---- P17, P26, P27, P38: all or nothing ---------------------------------------------------------

TEST(HistoryChecker, IsContentWithAFinish) {
  Tale tale;
  tale.call(kAlice, Kind::kPut, 1, 2, {put_of(1)});
  tale.search(kBob, Kind::kReserve, 3, 4, {given(1, 1)});
  tale.call(kBob, Kind::kFinish, 5, 6, {put_of(2, 'r'), ended(1, 1)});
  tale.search(kAlice, Kind::kTake, 7, 8, {given(2)}, "r");
  EXPECT_THAT(tale.violations(), IsEmpty());
}

TEST(HistoryChecker, NoticesAResultThatIsGone) {
  Tale tale;
  tale.call(kAlice, Kind::kPut, 1, 2, {put_of(1)});
  tale.search(kBob, Kind::kReserve, 3, 4, {given(1, 1)});
  tale.call(kBob, Kind::kFinish, 5, 6, {put_of(2, 'r'), ended(1, 1)});
  EXPECT_THAT(tale.violations(), ElementsAre(Sort::kLost));
}

// The task must be gone or the result not be there, whether or not it was answered.
TEST(HistoryChecker, NoticesTaskAndResultOfAFinishWithoutAnAnswer) {
  Tale tale;
  tale.call(kAlice, Kind::kPut, 1, 2, {put_of(1)});
  tale.search(kBob, Kind::kReserve, 3, 4, {given(1, 1)});
  tale.call(kBob, Kind::kFinish, 5, kNotYet, {put_of(2, 'r'), ended(1, 1)});
  tale.search(kAlice, Kind::kTake, 7, 8, {given(2)}, "r");
  EXPECT_THAT(tale.violations(), IsEmpty());
  tale.search(kAlice, Kind::kTake, 9, 10, {given(1)});
  EXPECT_THAT(tale.violations(), ElementsAre(Sort::kDoubled));
}

TEST(HistoryChecker, NoticesThatAFinishWithoutAnAnswerLeftNeitherTaskNorResult) {
  Tale tale;
  tale.call(kAlice, Kind::kPut, 1, 2, {put_of(1)});
  tale.search(kBob, Kind::kReserve, 3, 4, {given(1, 1)});
  tale.call(kBob, Kind::kFinish, 5, kNotYet, {put_of(2, 'r'), ended(1, 1)});
  EXPECT_THAT(tale.violations(), ElementsAre(Sort::kLost));
  // Unless somebody may have taken the result.
  tale.search(kAlice, Kind::kTake, 7, kNotYet, {}, "r");
  EXPECT_THAT(tale.violations(), IsEmpty());
}

TEST(HistoryChecker, LetsAFinishWithoutResultsHaveHappened) {
  Tale tale;
  tale.call(kAlice, Kind::kPut, 1, 2, {put_of(1)});
  tale.search(kBob, Kind::kReserve, 3, 4, {given(1, 1)});
  tale.call(kBob, Kind::kFinish, 5, kNotYet, {ended(1, 1)});
  EXPECT_THAT(tale.violations(), IsEmpty());
}

TEST(HistoryChecker, NoticesAHalfOfWhatIsPutAsOne) {
  Tale tale;
  tale.call(kAlice, Kind::kPut, 1, kNotYet, {put_of(1), put_of(2)});
  tale.search(kBob, Kind::kTake, 3, 4, {given(1)});
  EXPECT_THAT(tale.violations(), ElementsAre(Sort::kHalf));
}

TEST(HistoryChecker, NoticesTheEffectOfWhatWasRefused) {
  Tale tale;
  tale.refused(tale.call(kAlice, Kind::kPut, 1, 2, {put_of(1)}));
  tale.search(kBob, Kind::kTake, 3, 4, {given(1)});
  EXPECT_THAT(tale.violations(), ElementsAre(Sort::kHalf));
}

TEST(HistoryChecker, LetsARefusedCommitLeaveEverythingAsItWas) {
  Tale tale;
  tale.call(kAlice, Kind::kPut, 1, 2, {put_of(1)});
  tale.refused(tale.call(kBob, Kind::kCommit, 3, 4, {put_of(2), ended(1)}));
  tale.search(kAlice, Kind::kTake, 5, 6, {given(1)});
  EXPECT_THAT(tale.violations(), IsEmpty());
}

TEST(HistoryChecker, NoticesWhatATransactionPutsBeforeItEnds) {
  Tale tale;
  tale.call(kAlice, Kind::kEnd, 5, 6, {put_of(1)});
  tale.search(kBob, Kind::kRead, 3, 4, {given(1)});
  tale.search(kBob, Kind::kTake, 7, 8, {given(1)});
  EXPECT_THAT(tale.violations(), ElementsAre(Sort::kHalf));
}

TEST(HistoryChecker, NoticesWhatNobodyHasPut) {
  Tale tale;
  tale.search(kBob, Kind::kTake, 3, 4, {given(1)});
  EXPECT_THAT(tale.violations(), ElementsAre(Sort::kHalf));
}

TEST(HistoryChecker, WantsAWillIfItsTupleIsGone) {
  Tale tale;
  tale.call(kAlice, Kind::kPut, 1, 2, {put_of(1)});
  tale.call(kAlice, Kind::kWill, 1, kNotYet, {put_of(2, 'w'), ended(1)});
  EXPECT_THAT(tale.violations(), ElementsAre(Sort::kLost));
  tale.search(kBob, Kind::kTake, 9, 10, {given(2)}, "w");
  EXPECT_THAT(tale.violations(), IsEmpty());
  tale.search(kBob, Kind::kTake, 11, 12, {given(1)});
  EXPECT_THAT(tale.violations(), ElementsAre(Sort::kDoubled));
}

// ---- P8, P5: what a search must find ------------------------------------------------------------

TEST(HistoryChecker, NoticesAWrongNone) {
  Tale tale;
  tale.call(kAlice, Kind::kPut, 1, 2, {put_of(1)});
  tale.search(kBob, Kind::kRead, 3, 4);
  tale.search(kBob, Kind::kTake, 5, 6, {given(1)});
  EXPECT_THAT(tale.violations(), ElementsAre(Sort::kNone));
}

TEST(HistoryChecker, AllowsANoneWhileATupleComesOrGoes) {
  Tale tale;
  tale.call(kAlice, Kind::kPut, 2, 4, {put_of(1)});
  tale.search(kBob, Kind::kRead, 1, 3);   // not yet there
  tale.search(kBob, Kind::kRead, 8, 12);  // being taken
  tale.search(kAlice, Kind::kTake, 10, 14, {given(1)});
  tale.search(kBob, Kind::kTake, 13, 15);         // taken
  tale.search(kBob, Kind::kTake, 5, 6, {}, "b");  // of another word
  EXPECT_THAT(tale.violations(), IsEmpty());
}

TEST(HistoryChecker, AllowsANoneWhileAKilledTakerMayHaveHadIt) {
  Tale tale;
  tale.call(kAlice, Kind::kPut, 1, 2, {put_of(1), put_of(2)});
  tale.search(kBob, Kind::kReserve, 3, kNotYet);
  tale.history.gone[kBob] = 10;
  tale.search(kAlice, Kind::kTake, 4, 5);
  tale.search(kAlice, Kind::kTake, 12, 13);  // the lease may not have ended
  tale.call(kAlice, Kind::kPut, 20, 21, {put_of(3)});
  tale.search(0, Kind::kTake, 30, 31, {given(1), given(2), given(3)}).count = 10;
  EXPECT_THAT(tale.violations(), IsEmpty());
  tale.search(kAlice, Kind::kTake, 22, 23);
  EXPECT_THAT(tale.violations(), ElementsAre(Sort::kNone)) << "3 came when the taker was gone";
}

TEST(HistoryChecker, AllowsANoneWhileAReservationThatWasAskedAgainMayHaveHadIt) {
  for (const bool disturbed : {true, false}) {
    Tale tale;
    if (disturbed) tale.history.disturbed.emplace_back(5, 7);
    tale.call(kAlice, Kind::kPut, 1, 2, {put_of(2)});
    tale.search(kBob, Kind::kReserve, 3, 20, {given(2)});
    tale.call(kAlice, Kind::kPut, 8, 9, {put_of(1)});
    tale.search(kAlice, Kind::kTake, 10, 11);
    tale.search(0, Kind::kTake, 30, 31, {given(1), given(2)}).count = 10;
    if (disturbed) {
      EXPECT_THAT(tale.violations(), IsEmpty());
    } else {
      EXPECT_THAT(tale.violations(), ElementsAre(Sort::kNone));
    }
  }
}

TEST(HistoryChecker, AllowsANoneAfterTheTimeToLive) {
  Tale tale;
  tale.call(kAlice, Kind::kPut, 10, 12, {put_of(1)}).items[0].ttl = 20;
  tale.search(kBob, Kind::kRead, 25, 31);
  EXPECT_THAT(tale.violations(), IsEmpty());
  tale.search(kBob, Kind::kRead, 25, 29);
  EXPECT_THAT(tale.violations(), ElementsAre(Sort::kNone));
}

TEST(HistoryChecker, NoticesThatAnOlderTupleWasPassedOver) {
  Tale tale;
  tale.call(kAlice, Kind::kPut, 1, 2, {put_of(1)});
  tale.call(kAlice, Kind::kPut, 3, 4, {put_of(2)});
  tale.search(kBob, Kind::kTake, 5, 6, {given(2)});
  tale.search(kBob, Kind::kTake, 7, 8, {given(1)});
  EXPECT_THAT(tale.violations(), ElementsAre(Sort::kOrder));
}

TEST(HistoryChecker, KnowsThatATransactionThatWasTooLateHasKeptWhatItFound) {
  Tale tale;
  tale.call(kAlice, Kind::kPut, 1, 2, {put_of(1)});
  tale.call(kAlice, Kind::kPut, 3, 4, {put_of(2)});
  tale.refused(tale.search(kAlice, Kind::kLook, 5, 9));
  tale.search(kBob, Kind::kTake, 6, 7, {given(2)});
  tale.search(kBob, Kind::kTake, 10, 11, {given(1)});
  EXPECT_THAT(tale.violations(), IsEmpty());
}

TEST(HistoryChecker, NoticesThatAMoreUrgentTupleWasPassedOver) {
  Tale tale;
  tale.call(kAlice, Kind::kPut, 1, 2, {put_of(1)});
  tale.call(kAlice, Kind::kPut, 3, 4, {put_of(2)}).items[0].priority = 1;
  tale.search(kBob, Kind::kRead, 5, 6, {given(2)});
  EXPECT_THAT(tale.violations(), ElementsAre(Sort::kLost, Sort::kLost));
  tale.search(kBob, Kind::kTake, 7, 8, {given(1)});
  tale.search(kBob, Kind::kTake, 9, 10, {given(2)});
  EXPECT_THAT(tale.violations(), ElementsAre(Sort::kOrder));
}

TEST(HistoryChecker, AllowsAYoungerTupleIfTheOlderMayBeAway) {
  Tale tale;
  tale.call(kAlice, Kind::kPut, 1, 2, {put_of(1)});
  tale.call(kAlice, Kind::kPut, 3, 4, {put_of(2)});
  tale.search(kBob, Kind::kTake, 5, 8, {given(2)});
  tale.search(kAlice, Kind::kTake, 6, 9, {given(1)});
  EXPECT_THAT(tale.violations(), IsEmpty());
}

TEST(HistoryChecker, WantsABulkTakeToGiveTheFirstOfAll) {
  Tale tale;
  tale.call(kAlice, Kind::kPut, 1, 2, {put_of(1), put_of(2), put_of(3)});
  tale.search(kBob, Kind::kTake, 5, 6, {given(1), given(2)}).count = 2;
  tale.search(kBob, Kind::kTake, 7, 8, {given(3)});
  EXPECT_THAT(tale.violations(), IsEmpty());
  tale.history.calls[1].count = 3;
  EXPECT_THAT(tale.violations(), ElementsAre(Sort::kOrder)) << "3 was wanted too";
}

// ---- P16, P19: tokens ---------------------------------------------------------------------------

TEST(HistoryChecker, NoticesATokenThatIsGivenOutTwice) {
  Tale tale;
  tale.call(kAlice, Kind::kPut, 1, 2, {put_of(1)});
  tale.search(kAlice, Kind::kReserve, 3, 4, {given(1, 1)});
  tale.search(kBob, Kind::kReserve, 5, 6, {given(1, 1)});
  tale.call(kBob, Kind::kFinish, 7, 8, {ended(1, 1)});
  EXPECT_THAT(tale.violations(), ElementsAre(Sort::kFencing));
}

TEST(HistoryChecker, NoticesAnAttemptThatFalls) {
  Tale tale;
  tale.call(kAlice, Kind::kPut, 1, 2, {put_of(1)});
  tale.search(kAlice, Kind::kReserve, 3, 4, {given(1, 2)});
  tale.search(kBob, Kind::kReserve, 5, 6, {given(1, 1)});
  tale.call(kBob, Kind::kFinish, 7, 8, {ended(1, 2)});
  EXPECT_THAT(tale.violations(), ElementsAre(Sort::kFencing));
}

TEST(HistoryChecker, NoticesAFinishWithATokenThatIsNotTheLatest) {
  Tale tale;
  tale.call(kAlice, Kind::kPut, 1, 2, {put_of(1)});
  tale.search(kAlice, Kind::kReserve, 3, 4, {given(1, 1)});
  tale.search(kBob, Kind::kReserve, 5, 6, {given(1, 2)});
  tale.call(kAlice, Kind::kFinish, 7, 8, {ended(1, 1)});
  EXPECT_THAT(tale.violations(), ElementsAre(Sort::kFencing));
  tale.refused(tale.history.calls.back());
  tale.call(kBob, Kind::kFinish, 9, 10, {ended(1, 2)});
  EXPECT_THAT(tale.violations(), IsEmpty());
}

TEST(HistoryChecker, NoticesAFinishAfterARelease) {
  Tale tale;
  tale.call(kAlice, Kind::kPut, 1, 2, {put_of(1)});
  tale.search(kAlice, Kind::kReserve, 3, 4, {given(1, 1)});
  tale.call(kAlice, Kind::kRelease, 5, 6, {ended(1, 1)});
  tale.call(kAlice, Kind::kFinish, 7, 8, {ended(1, 1)});
  EXPECT_THAT(tale.violations(), ElementsAre(Sort::kFencing));
}

TEST(HistoryChecker, NoticesMoreHandoutsThanAllowed) {
  Tale tale;
  tale.call(kAlice, Kind::kPut, 1, 2, {put_of(1)}).items[0].max_attempts = 1;
  tale.search(kAlice, Kind::kReserve, 3, 4, {given(1, 1)});
  tale.search(kBob, Kind::kReserve, 5, 6, {given(1, 2)});
  tale.call(kBob, Kind::kFinish, 7, 8, {ended(1, 2)});
  EXPECT_THAT(tale.violations(), ElementsAre(Sort::kFencing));
  // What was given back un-started does not count.
  Item unstarted = ended(1, 1);
  unstarted.started = false;
  tale.call(kAlice, Kind::kRelease, 4, 5, {unstarted});
  EXPECT_THAT(tale.violations(), IsEmpty());
}

// ---- P22, P23, P24: what is hidden, and keys
// -----------------------------------------------------

TEST(HistoryChecker, NoticesATupleThatIsSeenBeforeItsDelayIsOver) {
  Tale tale;
  tale.call(kAlice, Kind::kPut, 10, 12, {put_of(1)}).items[0].delay = 20;
  tale.search(kBob, Kind::kRead, 13, 14);
  tale.search(kBob, Kind::kTake, 15, 31, {given(1)});
  EXPECT_THAT(tale.violations(), IsEmpty());
  tale.search(kAlice, Kind::kRead, 13, 14, {given(1)});
  EXPECT_THAT(tale.violations(), ElementsAre(Sort::kEarly));
}

TEST(HistoryChecker, NoticesATupleThatIsSeenBeforeItsGuardIsMet) {
  Tale tale;
  tale.call(kAlice, Kind::kPut, 1, 2, {put_of(1)}).items[0].waits_for = 2;
  tale.search(kBob, Kind::kRead, 3, 4);
  tale.search(kBob, Kind::kTake, 9, 10, {given(1)});
  EXPECT_THAT(tale.violations(), ElementsAre(Sort::kEarly));
  tale.call(kAlice, Kind::kPut, 5, 6, {put_of(2, 'b')});
  tale.search(kBob, Kind::kTake, 7, 8, {given(2)}, "b");
  EXPECT_THAT(tale.violations(), IsEmpty());
}

TEST(HistoryChecker, LetsAGuardedTupleStayHiddenToTheEnd) {
  Tale tale;
  tale.call(kAlice, Kind::kPut, 1, 2, {put_of(1)}).items[0].waits_for = 2;
  tale.call(0, Kind::kLeft, 5, 6, {given(1)});
  EXPECT_THAT(tale.violations(), IsEmpty());
}

TEST(HistoryChecker, NoticesATupleThatIsSeenBeforeItsTurnInItsGroup) {
  Tale tale;
  Call& put = tale.call(kAlice, Kind::kPut, 1, 2, {put_of(1), put_of(2)});
  for (Item& item : put.items) item.group = 1;
  tale.search(kBob, Kind::kReserve, 3, 4, {given(1, 1)});
  tale.call(kBob, Kind::kFinish, 7, 8, {ended(1, 1)});
  tale.search(kAlice, Kind::kTake, 6, 9, {given(2)});
  EXPECT_THAT(tale.violations(), IsEmpty());
  tale.search(kAlice, Kind::kRead, 5, 6, {given(2)});
  EXPECT_THAT(tale.violations(), ElementsAre(Sort::kEarly));
}

TEST(HistoryChecker, KnowsThatAStreamHasATupleBeforeItsClientAsks) {
  Tale tale;
  Call& put = tale.call(kAlice, Kind::kPut, 1, 2, {put_of(1), put_of(2)});
  for (Item& item : put.items) item.group = 1;
  tale.search(kBob, Kind::kTake, 7, 8, {given(1)}).streamed = true;
  tale.search(kAlice, Kind::kTake, 5, 6, {given(2)});
  EXPECT_THAT(tale.violations(), IsEmpty());
}

TEST(HistoryChecker, KnowsThatAKilledStreamGivesBackWhatItHad) {
  Tale tale;
  Call& put = tale.call(kAlice, Kind::kPut, 1, 2, {put_of(1), put_of(2)});
  for (Item& item : put.items) item.group = 1;
  Call& taken = tale.search(kBob, Kind::kTake, 3, 4, {});
  taken.streamed = true;
  taken.outcome = Outcome::kUnknown;
  tale.search(kAlice, Kind::kReserve, 5, 6, {given(2, 1)});
  tale.search(kAlice, Kind::kTake, 8, 9, {given(1)});
  tale.call(kAlice, Kind::kFinish, 10, 11, {ended(2, 1)});
  EXPECT_THAT(tale.violations(), IsEmpty());
}

TEST(HistoryChecker, NoticesAKeyThatStoresTwice) {
  Tale tale;
  tale.call(kAlice, Kind::kPut, 1, 2, {put_of(1)});
  tale.call(kAlice, Kind::kPut, 3, 4, {put_of(1)});
  tale.search(kBob, Kind::kTake, 5, 6, {given(1)});
  EXPECT_THAT(tale.violations(), IsEmpty());
  tale.history.calls[1].items[0].id = 11;
  EXPECT_THAT(tale.violations(), ElementsAre(Sort::kDoubled));
}

// ---- P21, P25: what vanishes --------------------------------------------------------------------

TEST(HistoryChecker, LetsATupleWithATimeToLiveVanish) {
  Tale tale;
  tale.call(kAlice, Kind::kPut, 1, 2, {put_of(1)}).items[0].ttl = 20;
  EXPECT_THAT(tale.violations(), IsEmpty());
}

TEST(HistoryChecker, NoticesATupleThatIsSeenAfterItsTimeToLive) {
  Tale tale;
  tale.call(kAlice, Kind::kPut, 10, 12, {put_of(1)}).items[0].ttl = 20;
  tale.search(kBob, Kind::kTake, 33, 34, {given(1)});
  EXPECT_THAT(tale.violations(), ElementsAre(Sort::kExpired));
  // The server's time stands still while it is away.
  tale.history.disturbed.emplace_back(15, 25);
  EXPECT_THAT(tale.violations(), IsEmpty());
}

TEST(HistoryChecker, NoticesATupleThatOutlivesItsSession) {
  Tale tale;
  tale.call(kAlice, Kind::kPut, 1, 2, {put_of(1)}).items[0].lives_with = true;
  tale.call(kAlice, Kind::kGoodbye, 3, 4);
  EXPECT_THAT(tale.violations(), IsEmpty());
  tale.search(kBob, Kind::kTake, 5, 6, {given(1)});
  EXPECT_THAT(tale.violations(), ElementsAre(Sort::kExpired));
}

TEST(HistoryChecker, TellsTheTaleOfATuple) {
  Tale tale;
  tale.search(kBob, Kind::kTake, 3, 4, {given(1)});
  tale.call(kAlice, Kind::kPut, 1, 2, {put_of(1)});
  tale.call(kAlice, Kind::kPut, 1, 2, {put_of(2)});
  EXPECT_THAT(excerpt(tale.history, 1),
              ElementsAre("1 to 2 process 1 put: done puts 1 'a' (id 10)",
                          "3 to 4 process 2 take any of 'a', at most 1: done given 1 (id 10)"));
}

}  // namespace
}  // namespace linden::chaos

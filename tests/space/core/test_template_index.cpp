// The indexes: P6, and that learning, forgetting and sweeping them changes no result.
#include <algorithm>
#include <random>

#include "space/core/template_index.h"
#include "tests/space/core/scenario.h"

namespace linden::core {
namespace {

// P6: an equality match looks at one tuple, whichever field is given and however many there are.
TEST(TemplateIndex, LooksAtNoMoreTuplesInALargerSpace) {
  for (const std::int64_t count : {10, 20'000}) {
    Scenario s;
    std::vector<NewTuple> tuples;
    for (std::int64_t i = 0; i < count; ++i) {
      tuples.push_back({Tuple{Value("x"), Value(i % 7), Value(count - i)}, {}});
    }
    s.put_all(kAlice, tuples);
    const std::uint64_t before = s.state().counters().candidates_looked_at;
    s.take(kBob, Template{kAny, kAny, 5}, 0s);
    s.take(kBob, Template{kAny, 3, kAny}, 0s);
    s.take(kBob, Template{"x", kInt, kInt}, 0s);
    EXPECT_EQ(s.state().counters().candidates_looked_at - before, 3u);
    EXPECT_EQ(s.state().counters().indexes, 3u);
  }
}

// P6: a range or a prefix looks only at what the actuals beside it leave over.
TEST(TemplateIndex, LooksForARangeAmongWhatTheActualsLeaveOver) {
  for (const std::int64_t others : {10, 20'000}) {
    Scenario s;
    std::vector<NewTuple> tuples;
    for (std::int64_t i = 0; i < 5; ++i) tuples.push_back({Tuple{"few", i, "text"}, {}});
    for (std::int64_t i = 0; i < others; ++i) tuples.push_back({Tuple{"many", i, "text"}, {}});
    s.put_all(kAlice, tuples);
    const std::uint64_t before = s.state().counters().candidates_looked_at;
    s.take(kBob, Template{"few", Between{-9, -1}, kAny}, 0s);
    s.take(kBob, Template{"few", kAny, Prefix{"other"}}, 0s);
    EXPECT_EQ(s.state().counters().candidates_looked_at - before, 10u);
  }
}

// P6 for waiters: a put looks at those only who ask for its values.
TEST(TemplateIndex, LooksAtNoMoreWaitersWhenManyWait) {
  Scenario s;
  for (int i = 0; i < 10'000; ++i) s.take(kBob, Template{"task", i});
  const std::uint64_t before = s.state().counters().candidates_looked_at;
  s.put(kAlice, task(5'000));
  EXPECT_EQ(s.state().counters().candidates_looked_at - before, 1u);
  EXPECT_EQ(s.state().counters().waiters, 9'999u);
}

// Indexes are bounded in number; what has none is found all the same.
TEST(TemplateIndex, FindsWithoutAnIndexOfItsOwn) {
  Limits limits;
  limits.indexes_per_arity_max = 2;
  Scenario s(limits);
  for (int i = 0; i < 100; ++i) s.put(kAlice, Tuple{Value(i % 2), Value(i % 3), Value(i % 5)});
  for (int round = 0; round < 5; ++round) {
    EXPECT_EQ(s.count(Template{1, kAny, kAny}), 50u);
    EXPECT_EQ(s.count(Template{kAny, 1, kAny}), 33u);
    EXPECT_EQ(s.count(Template{kAny, kAny, 1}), 20u);
    EXPECT_EQ(s.count(Template{1, 1, 1}), 4u);
  }
  EXPECT_LE(s.state().counters().indexes, 2u);
}

// An index that only costs is dropped, and learned again when it is wanted.
TEST(TemplateIndex, DropsAnIndexThatNobodyUses) {
  Scenario s;
  EXPECT_EQ(s.count(Template{kAny, 1}), 0u);
  s.put(kAlice, task(1), {.priority = -1});
  EXPECT_EQ(s.count(Template{kAny, 1}), 1u);
  EXPECT_EQ(s.state().counters().indexes, 1u);
  for (int i = 0; i < 100'020; ++i) {
    s.put(kAlice, result(i));
    const RequestId take = s.take(kAlice, Template{kAny, kAny}, 0s);
    s.ask(kAlice, AckOp{{}, 0, {take}});
    s.forget();
  }
  EXPECT_EQ(s.state().counters().indexes, 0u);
  EXPECT_EQ(s.count(Template{kAny, 1}), 1u);
}

// What explain says of a template is what a look-up then does; asking changes nothing.
TEST(TemplateIndex, ExplainsWhatALookUpCosts) {
  Limits limits;
  limits.indexes_per_arity_max = 2;
  Scenario s(limits);
  const auto explain = [&](Template form) {
    return s.answer_as<Explained>(kBob, s.ask(kBob, ExplainOp{std::move(form)}));
  };
  EXPECT_EQ(explain(Template{1, kAny}), (Explained{2, 0b01, false, 0, 0, 0, 0}));
  for (int i = 0; i < 100; ++i) s.put(kAlice, Tuple{Value(i % 2), Value(i % 3), Value(i % 5)});
  s.take(kAlice, Template{1, 1, 1}, 0s);
  const Template fifth{kInt, kAny, 1};
  EXPECT_EQ(explain(fifth), (Explained{3, 0b100, false, 99, 19, 19, 0}));
  EXPECT_EQ(s.state().counters().indexes, 1u);  // of the take
  EXPECT_EQ(s.count(fifth), 19u);
  EXPECT_EQ(explain(fifth), (Explained{3, 0b100, true, 99, 19, 19, 0}));
  // The formals choose among what the index leaves over.
  EXPECT_EQ(explain(Template{kAny, Between{1, 1}, 1}), (Explained{3, 0b100, true, 99, 19, 6, 0}));
  EXPECT_EQ(explain(Template{kAny, kAny, Between{3, 9}}), (Explained{3, 0, true, 99, 99, 40, 0}));
  // There is no room for a third index: the one that knows most of the actuals has to do.
  EXPECT_EQ(explain(Template{kAny, 0, 1}), (Explained{3, 0b100, true, 99, 19, 7, 0}));
  for (const Template& form : {fifth, Template{kAny, 0, 1}, Template{kAny, kAny, Between{3, 9}}}) {
    const std::uint64_t before = s.state().counters().candidates_looked_at;
    const std::uint64_t matches = s.count(form);
    EXPECT_EQ(explain(form).matches, matches);
    EXPECT_EQ(explain(form).candidates, s.state().counters().candidates_looked_at - before);
  }
}

// A template whose formals have to look at many tuples in vain is noticed.
TEST(TemplateIndex, CountsScans) {
  Scenario s;
  for (int i = 0; i < 200; ++i) s.put(kAlice, task(i));
  s.take(kAlice, Template{"task", 150}, 0s);
  s.take(kAlice, Template{"task", Between{60, 70}}, 0s);
  EXPECT_EQ(s.count(Template{kAny, OneOf{{1, 2}}}), 2u);
  EXPECT_EQ(s.state().counters().scans, 1u);
  s.take(kAlice, Template{"task", Between{190, 199}}, 0s);
  EXPECT_EQ(s.state().counters().scans, 2u);
}

// Whatever was taken, reserved and given back through whichever index, each index shows the same
// tuples in the same order as a plain list.
TEST(TemplateIndex, AgreesWithAPlainList) {
  Limits limits;
  std::mt19937 random(7);
  TupleTable tuples;
  TemplateIndex index(tuples, limits);
  encoding::FieldTable fields;
  std::vector<Slot> ready;
  std::vector<Slot> out;
  std::uint64_t next = 1;
  const std::vector<Template> forms{Template{kAny, kAny}, Template{1, kAny}, Template{kAny, 2},
                                    Template{1, 2}, Template{kInt, OneOf{{0, 1}}}};
  const auto before = [&](Slot a, Slot b) {
    if (tuples[a].priority != tuples[b].priority) return tuples[a].priority > tuples[b].priority;
    return tuples[a].id < tuples[b].id;
  };
  const auto add = [&](Slot slot) {
    tuples[slot].state = EntryState::kReady;
    encoding::split(tuples[slot].tuple, fields);
    index.add(slot, fields);
    ready.push_back(slot);
  };
  for (int step = 0; step < 5'000; ++step) {
    const auto chance = random() % 100;
    if (chance < 42) {
      Attributes attributes;
      attributes.priority = random() % 10 == 0 ? 1 : 0;
      attributes.max_attempts = random() % 5 == 0 ? 1 : 0;
      add(tuples.add(
          TupleId{next++},
          Tuple{Value(static_cast<int>(random() % 3)), Value(static_cast<int>(random() % 4))},
          std::move(attributes), kNever));
    } else if (chance < 75 && !ready.empty()) {
      const auto at = ready.begin() + static_cast<std::ptrdiff_t>(random() % ready.size());
      tuples[*at].state = EntryState::kReserved;
      index.remove(*at);
      out.push_back(*at);
      ready.erase(at);
    } else if (chance < 90 && !out.empty()) {
      std::swap(out[random() % out.size()], out.back());
      add(out.back());
      out.pop_back();
    } else if (!out.empty()) {
      tuples.remove(out.back());
      out.pop_back();
    }
    const Template& form = forms[random() % forms.size()];
    const bool skip = random() % 2 == 0;
    std::vector<Slot> expected;
    for (const Slot slot : ready) {
      if (form.matches(tuples[slot].tuple) && !(skip && tuples[slot].exclusive)) {
        expected.push_back(slot);
      }
    }
    std::sort(expected.begin(), expected.end(), before);
    std::vector<Slot> found;
    const std::size_t most = 1 + random() % 50;
    if (expected.size() > most) expected.resize(most);
    index.visit_best(form,
                     skip ? TemplateIndex::Exclusive::kSkip : TemplateIndex::Exclusive::kOffer,
                     [&](Slot slot) {
                       found.push_back(slot);
                       return found.size() < most;
                     });
    ASSERT_EQ(found, expected) << "step " << step;

    const TupleId after{random() % next};
    expected.clear();
    for (const Slot slot : ready) {
      if (form.matches(tuples[slot].tuple) && tuples[slot].id > after) expected.push_back(slot);
    }
    std::sort(expected.begin(), expected.end(),
              [&](Slot a, Slot b) { return tuples[a].id < tuples[b].id; });
    found.clear();
    index.visit_by_id(form, after, [&](Slot slot) {
      found.push_back(slot);
      return true;
    });
    ASSERT_EQ(found, expected) << "step " << step;
  }
}

// Ids are found by page; the walk goes in order, over gaps.
TEST(TupleTable, WalksInOrderOfPut) {
  TupleTable tuples;
  std::vector<TupleId> expected;
  for (const std::uint64_t id : {1, 63, 64, 65, 1'000, 5'000}) {
    tuples.add(TupleId{id}, Tuple{}, {}, kNever);
    if (id != 64) expected.push_back(TupleId{id});
  }
  tuples.remove(tuples.find(TupleId{64}));
  std::vector<TupleId> walked;
  for (Slot slot = tuples.next_after({}); slot != kNoSlot;
       slot = tuples.next_after(tuples[slot].id)) {
    walked.push_back(tuples[slot].id);
  }
  EXPECT_EQ(walked, expected);
  EXPECT_EQ(tuples.find(TupleId{64}), kNoSlot);
  EXPECT_EQ(tuples.find(TupleId{999'999}), kNoSlot);
  for (const TupleId id : expected) tuples.remove(tuples.find(id));
  EXPECT_EQ(tuples.next_after({}), kNoSlot);
}

}  // namespace
}  // namespace linden::core

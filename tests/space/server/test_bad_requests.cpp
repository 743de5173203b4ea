// Requests that no client of ours sends, in bytes or in what they say: each is refused by name,
// has no effect, and the next one of the same connection is served (P38).
#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <utility>

#include "tests/space/server/conversation.h"

namespace linden::server {
namespace {

class BadRequests : public ::testing::Test {
 protected:
  BadRequests() {
    peer_.hello(session(1));
    peer_.open("jobs");
    as<PutDone>(peer_.ask(PutOp{{NewTuple{Tuple{"kept", std::int64_t{1}}, {}}}}));
  }

  // The bytes of a frame that asks for `operation`.
  std::string frame_of(RequestId id, const Operation& operation) {
    wire::Encoder encoder;
    wire::WriteBuffer buffer;
    encoder.encode_request(id, RequestId{0}, peer_.space(), operation, false, buffer);
    std::string bytes;
    while (!buffer.empty()) {
      iovec piece{};
      buffer.gather(&piece, 1);
      bytes.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
      buffer.consume(piece.iov_len);
    }
    return bytes;
  }

  // Sends `operation` with `spoilt` in place of the bytes `good`, which it has once.
  Refused ask_spoilt(const Operation& operation, std::string_view good, std::string_view spoilt) {
    const RequestId id{next_spoilt_};
    std::string bytes = frame_of(id, operation);
    const std::size_t at = bytes.find(good);
    EXPECT_NE(at, std::string::npos);
    EXPECT_EQ(good.size(), spoilt.size());
    bytes.replace(at, good.size(), spoilt);
    peer_.send_bytes(bytes);
    peer_.set_next_request(next_spoilt_ + 1);
    next_spoilt_ += 100;
    return as<Refused>(peer_.reply_to(id).answer);
  }

  Refused ask_refused(Operation operation) { return as<Refused>(peer_.ask(std::move(operation))); }

  // The space is as it was, and serves.
  void expect_untouched(std::uint64_t tuples = 1) {
    const Summary summary = as<Summary>(peer_.ask(SummarizeOp{}));
    EXPECT_EQ(summary.tuples, tuples);
    EXPECT_EQ(summary.waiters, 0u);
    EXPECT_EQ(summary.streams, 0u);
    EXPECT_EQ(as<Counted>(peer_.ask(CountOp{Template{"kept", kInt}, {}})).count, 1u);
  }

  RunningServer server_;
  Peer peer_{server_.unix_path()};
  std::uint64_t next_spoilt_ = 1000;
};

Attributes rare(RareAttributes attributes) {
  Attributes with;
  with.rare = Rare(std::move(attributes));
  return with;
}
NewTuple plain(std::string text) {
  return NewTuple{Tuple{std::move(text)}, {}};
}
TakeOp take_of(Template form) {
  TakeOp op;
  op.templates = {std::move(form)};
  return op;
}

// ---- Bytes that are no text -------------------------------------------------------------------

// P38.
TEST_F(BadRequests, TextThatIsNotUtf8IsRefusedWhereverItStands) {
  NewTuple with_will = plain("x");
  with_will.attributes.will = Tuple{"spoil"};
  RareAttributes guarded;
  guarded.when = {Guard{Template{"spoil"}, {}}};
  RareAttributes keyed;
  keyed.key = "spoil";
  RareAttributes grouped;
  grouped.group = "spoil";
  CommitOp commit;
  commit.puts = {plain("spoil")};
  FinishOp finish;
  finish.items = {FinishItem{std::nullopt, {plain("spoil")}}};
  StreamOp stream;
  stream.templates = {Template{"spoil"}};
  SubscribeOp subscribe;
  subscribe.templates = {Template{"spoil"}};
  const std::vector<Operation> operations{
      PutOp{{plain("spoil")}},
      PutOp{{with_will}},
      PutOp{{NewTuple{Tuple{"x"}, rare(guarded)}}},
      PutOp{{NewTuple{Tuple{"x"}, rare(keyed)}}},
      PutOp{{NewTuple{Tuple{"x"}, rare(grouped)}}},
      take_of(Template{"spoil"}),
      take_of(Template{Prefix{"spoil"}}),
      take_of(Template{OneOf{{Value("spoil"), Value("x")}}}),
      commit,
      finish,
      stream,
      subscribe,
      CountOp{Template{"spoil"}, {}},
      ExplainOp{Template{"spoil"}},
      ListOp{Template{"spoil"}, {}, 100, true},
  };
  for (std::size_t i = 0; i < operations.size(); ++i) {
    const Refused refused = ask_spoilt(operations[i], "spoil", "sp\xff\xfel");
    EXPECT_EQ(refused.code, ErrorCode::kMalformed) << i;
    EXPECT_FALSE(refused.message.empty()) << i;
    expect_untouched();
  }
}

// ---- Bytes that are no tuple ------------------------------------------------------------------

std::string varint(std::uint64_t number) {
  std::string bytes;
  for (; number > 0x7F; number >>= 7) bytes += static_cast<char>((number & 0x7F) | 0x80);
  return bytes + static_cast<char>(number);
}

// A text whose place another field of the same size can take: its own bytes, tag included.
struct Room {
  explicit Room(std::size_t size) {
    std::size_t length = size - 1;
    while (1 + varint(length).size() + length > size) --length;
    text.assign(length, 'r');
    bytes = '\x05' + varint(length) + text;
  }
  std::string text;
  std::string bytes;
};

std::string nested_lists(int levels) {
  std::string inner("\x00", 1);  // nil
  for (int i = 0; i < levels; ++i) {
    const std::string counted = varint(1) + inner;
    inner = '\x08' + varint(counted.size()) + counted;
  }
  return inner;
}
std::string nested_forms(int levels) {
  std::string bytes;
  for (int i = 0; i < levels; ++i) bytes += "\x25\x01";
  return bytes + '\x20';
}

// P38: the depth is looked at before anybody follows it down.
TEST_F(BadRequests, ListsThatAreNestedTenThousandDeepAreRefused) {
  const std::string lists = nested_lists(10'000);
  const Room for_lists(lists.size());
  ASSERT_EQ(for_lists.bytes.size(), lists.size());
  const Refused put = ask_spoilt(PutOp{{plain(for_lists.text)}}, for_lists.bytes, lists);
  EXPECT_EQ(put.code, ErrorCode::kMalformed) << put.message;
  const Refused take = ask_spoilt(take_of(Template{for_lists.text}), for_lists.bytes, lists);
  EXPECT_EQ(take.code, ErrorCode::kMalformed) << take.message;
  const std::string forms = nested_forms(10'000);
  const Room for_forms(forms.size());
  ASSERT_EQ(for_forms.bytes.size(), forms.size());
  const Refused count = ask_spoilt(CountOp{Template{for_forms.text}, {}}, for_forms.bytes, forms);
  EXPECT_EQ(count.code, ErrorCode::kMalformed) << count.message;
  expect_untouched();
}

// P38: numbers that promise more than there is, or that are written in more bytes than they need.
TEST_F(BadRequests, LengthsThatLieAreRefused) {
  const std::string text(200, 'r');  // behind a length of two bytes
  const std::string good = '\x05' + varint(200) + "rrrrrrrrrr";
  const std::array<std::string, 4> lies{
      std::string("\x05\xff\xff\xff\xff\x0f", 6),                           // 4 GiB
      std::string("\x05\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11),      // 2^64 - 1
      std::string("\x05\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12),  // without an end
      std::string("\x05\xc8\x81\x00", 4),                                   // 200 in three bytes
  };
  for (const std::string& lie : lies) {
    const std::string spoilt = lie + good.substr(lie.size());
    EXPECT_EQ(ask_spoilt(PutOp{{plain(text)}}, good, spoilt).code, ErrorCode::kMalformed);
    EXPECT_EQ(ask_spoilt(take_of(Template{text}), good, spoilt).code, ErrorCode::kMalformed);
    expect_untouched();
  }
}

// P38: a thousand fields do not fit into the byte that counts them; as many as it can say are more
// than there are.
TEST_F(BadRequests, MoreFieldsThanATupleMayHaveAreRefused) {
  const std::string good("\x01\x05\x05spoil", 8);
  for (const char fields : {'\x02', '\x41', '\xff'}) {
    const std::string spoilt = fields + good.substr(1);
    EXPECT_EQ(ask_spoilt(PutOp{{plain("spoil")}}, good, spoilt).code, ErrorCode::kMalformed);
    EXPECT_EQ(ask_spoilt(take_of(Template{"spoil"}), good, spoilt).code, ErrorCode::kMalformed);
  }
  expect_untouched();
}

// P38: a tag that is no field's, and a formal where a tuple is put.
TEST_F(BadRequests, WhatIsNoFieldIsRefused) {
  for (const char* spoilt : {"\x7e\x05spoil", "\x20\x05spoil", "\x23\x05spoil"}) {
    EXPECT_EQ(ask_spoilt(PutOp{{plain("spoil")}}, "\x05\x05spoil", spoilt).code,
              ErrorCode::kMalformed);
  }
  EXPECT_EQ(ask_spoilt(take_of(Template{"spoil"}), "\x05\x05spoil", "\x7e\x05spoil").code,
            ErrorCode::kMalformed);
  expect_untouched();
}

// ---- Numbers that are none of ours ------------------------------------------------------------

// P12, P38.
TEST_F(BadRequests, NegativeDurationsAreRefused) {
  for (const Duration wrong : {Duration{-5}, Duration{std::numeric_limits<std::int64_t>::min()}}) {
    TakeOp waits = take(wrong);
    EXPECT_EQ(ask_refused(waits).code, ErrorCode::kInvalidArgument);
    TakeOp reserves = take(Duration{0}, TakeMode::kReserve);
    reserves.lease = wrong;
    EXPECT_EQ(ask_refused(reserves).code, ErrorCode::kInvalidArgument);
    StreamOp stream;
    stream.templates = {any_task()};
    stream.lease = wrong;
    EXPECT_EQ(ask_refused(stream).code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(ask_refused(BeginOp{wrong}).code, ErrorCode::kInvalidArgument);
  }
  expect_untouched();
}

// P38: each limit that one request can pass is named with what was found.
TEST_F(BadRequests, MoreThanALimitIsRefusedAndTheLimitNamed) {
  TakeOp many = take();
  many.count_max = std::numeric_limits<std::uint32_t>::max();
  TakeOp none = take();
  none.count_max = 0;
  TakeOp templates = take();
  templates.templates.assign(65, any_task());
  StreamOp credit;
  credit.templates = {any_task()};
  credit.credit = std::numeric_limits<std::uint32_t>::max();
  SubscribeOp backlog;
  backlog.templates = {any_task()};
  backlog.credit = std::numeric_limits<std::uint32_t>::max();
  const std::vector<std::pair<Operation, std::string>> cases{
      {many, "a count of 4294967295, possible are 1 to 100000"},
      {none, "a count of 0, possible are 1 to 100000"},
      {templates, "65 templates, the limit is 64"},
      {credit, "a credit of 4294967295, the limit is 1000000"},
      {backlog, "a credit of 4294967295, the limit is 100000"},
  };
  for (const auto& [operation, words] : cases) {
    const Refused refused = ask_refused(operation);
    EXPECT_NE(refused.message.find(words), std::string::npos) << refused.message;
    expect_untouched();
  }
}

// ---- Things that are not there ----------------------------------------------------------------

template <std::size_t... kIndexes>
std::vector<Operation> one_of_each(std::index_sequence<kIndexes...> /*all*/) {
  return {Operation(std::in_place_index<kIndexes>)...};
}
std::vector<Operation> one_of_each() {
  return one_of_each(std::make_index_sequence<std::variant_size_v<Operation>>());
}

// P38: whatever is asked of it.
TEST_F(BadRequests, EveryOperationOnASpaceThatIsNotThere) {
  for (const Operation& operation : one_of_each()) {
    const RequestId id = peer_.request_to(SpaceNumber{99}, operation);
    const Refused refused = as<Refused>(peer_.reply_to(id).answer);
    EXPECT_EQ(refused.code, ErrorCode::kNoSuchSpace) << operation.index();
    EXPECT_NE(refused.message.find("99"), std::string::npos) << refused.message;
    expect_untouched();
  }
}

// P40: and once it was dropped, though it had that number.
TEST_F(BadRequests, EveryOperationOnASpaceThatWasDropped) {
  Peer other(server_.unix_path());
  other.hello(session(2));
  const SpaceNumber gone = other.open("gone");
  as<Done>(other.ask_server(wire::DropSpaceOp{"gone"}));
  for (const Operation& operation : one_of_each()) {
    const RequestId id = other.request_to(gone, operation);
    EXPECT_EQ(as<Refused>(other.reply_to(id).answer).code, ErrorCode::kNoSuchSpace)
        << operation.index();
  }
  expect_untouched();
}

// P38: requests that say nothing, such as a take without a template.
TEST_F(BadRequests, EveryOperationWithNothingInItIsAnswered) {
  for (const Operation& operation : one_of_each()) {
    const RequestId id = peer_.request(operation);
    (void)peer_.reply_to(id);
    expect_untouched();
    if (std::holds_alternative<BeginOp>(operation)) as<Done>(peer_.ask(EndOp{id, false}));
  }
}

// P27: a transaction that was never begun, or has ended.
TEST_F(BadRequests, OperationsOfATransactionThatHasEnded) {
  const RequestId ended = peer_.request(BeginOp{});
  as<Done>(peer_.reply_to(ended).answer);
  as<Done>(peer_.ask(EndOp{ended, false}));
  for (const RequestId transaction : {ended, RequestId{987'654}}) {
    PutOp put{{task(1)}};
    put.transaction = transaction;
    TakeOp take = server::take();
    take.transaction = transaction;
    const CountOp count{any_task(), transaction};
    for (const Operation& operation :
         std::vector<Operation>{put, take, count, EndOp{transaction}}) {
      const Refused refused = ask_refused(operation);
      EXPECT_EQ(refused.code, ErrorCode::kStaleLease);
      EXPECT_NE(refused.message.find("has ended"), std::string::npos) << refused.message;
    }
    as<Done>(peer_.ask(EndOp{transaction, false}));  // an abort says nothing
  }
  expect_untouched();
}

// P16, P17: a token is good for the session that it was given to, and for that hand-out only.
TEST_F(BadRequests, TokensOfSomebodyElseAreStale) {
  as<PutDone>(peer_.ask(put(7)));
  const Found found = as<Found>(peer_.ask(take(Duration{0}, TakeMode::kReserve)));
  const Token token{found.tuples[0].id, found.tuples[0].attempt};
  Peer thief(server_.unix_path());
  thief.hello(session(2));
  thief.open("jobs");
  const Token older{token.tuple, token.attempt - 1};
  const Token newer{token.tuple, token.attempt + 1};
  for (auto* who : {&thief, &peer_}) {
    for (const Token& wrong : {who == &thief ? token : older, newer, Token{TupleId{~0ull}, 1}}) {
      const auto finished = as<FinishDone>(who->ask(FinishOp{{{wrong, {task(8)}}}, {wrong}}));
      EXPECT_EQ(finished.codes, std::vector{ErrorCode::kStaleLease});
      const auto released = as<FinishDone>(who->ask(ReleaseOp{{{wrong, true, Duration{0}}}}));
      EXPECT_EQ(released.codes, std::vector{ErrorCode::kStaleLease});
      const auto refused = as<Refused>(who->ask(CommitOp{{task(8)}, {wrong}, {}}));
      EXPECT_EQ(refused.code, ErrorCode::kStaleLease);
      EXPECT_NE(refused.message.find("not this session's"), std::string::npos) << refused.message;
    }
  }
  EXPECT_EQ(as<FinishDone>(peer_.ask(FinishOp{{{token, {}}}, {}})).codes,
            std::vector{ErrorCode::kOk});
  expect_untouched();
}

// P30: a subscription that the space does not know any more is told so, in its place, and goes on.
TEST_F(BadRequests, ACursorThatIsTooOldIsToldOfTheGap) {
  SubscribeOp resumed;
  resumed.templates = {any_task()};
  resumed.credit = 10;
  resumed.resume = true;
  resumed.received = 41;
  const RequestId id = peer_.request(resumed);
  EXPECT_EQ(as<Counted>(peer_.reply_to(id).answer).count, 0u);
  const auto told = peer_.expect<wire::StreamEvent>();
  EXPECT_EQ(told.stream, id);
  EXPECT_EQ(std::get<Gap>(told.event), (Gap{42, 0}));
  as<PutDone>(peer_.ask(put(1)));
  const auto next = peer_.expect<wire::StreamEvent>();
  EXPECT_EQ(std::get<Delivered>(next.event).tuples.size(), 1u);
}

// Acknowledging what was never told moves nothing (P30).
TEST_F(BadRequests, AcknowledgingAheadOfWhatWasToldLosesNothing) {
  SubscribeOp subscribe;
  subscribe.templates = {any_task()};
  subscribe.credit = 1;
  const RequestId id = peer_.request(subscribe);
  as<Counted>(peer_.reply_to(id).answer);
  as<Done>(peer_.ask(AckOp{id, std::numeric_limits<std::uint64_t>::max(), {RequestId{~0ull}}}));
  for (std::int64_t number = 0; number < 3; ++number) {
    as<PutDone>(peer_.ask(put(number)));
    const auto told = peer_.expect<wire::StreamEvent>();
    EXPECT_EQ(std::get<Delivered>(told.event).tuples.size(), 1u);
    as<Done>(peer_.ask(AckOp{id, static_cast<std::uint64_t>(number) + 1, {}}));
  }
}

// P33, P36: the key of somebody else's tuple is refused whatever brings it, and names the key.
TEST_F(BadRequests, AKeyThatWasUsedForSomethingElse) {
  RareAttributes keyed;
  keyed.key = "k";
  as<KeyedPutDone>(peer_.ask(PutOp{{NewTuple{Tuple{"first"}, rare(keyed)}}}));
  const NewTuple other{Tuple{"second"}, rare(keyed)};
  for (const Operation& operation :
       std::vector<Operation>{PutOp{{task(1), other}}, CommitOp{{task(1), other}, {}, {}}}) {
    const Refused refused = ask_refused(operation);
    EXPECT_EQ(refused.code, ErrorCode::kKeyConflict);
    EXPECT_NE(refused.message.find("'k'"), std::string::npos) << refused.message;
    expect_untouched(2);
  }
  FinishOp finish;
  finish.items = {FinishItem{std::nullopt, {other}}};
  EXPECT_EQ(as<FinishDone>(peer_.ask(finish)).codes, std::vector{ErrorCode::kKeyConflict});
  expect_untouched(2);
}

}  // namespace
}  // namespace linden::server

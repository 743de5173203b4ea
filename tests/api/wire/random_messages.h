// tests/api/wire/random_messages.h: messages of every kind with random content, from a seed.
#pragma once

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "api/wire/messages.h"

namespace linden::wire {

class RandomMessages {
 public:
  explicit RandomMessages(std::uint64_t seed) : random_(seed) {}

  // Kinds come in turn, so that none is missed.
  ClientMessage client() {
    switch (turn_++ % 30) {
      case 0:
        return Hello{1, session(), flip(), duration(), text(), duration(), duration(), {id()}};
      case 1:
        return ServerRequest{{id()}, {id()}, open_space()};
      case 2:
        return ServerRequest{{id()}, {id()}, DropSpaceOp{text()}};
      case 3:
        return ServerRequest{{id()}, {id()}, ListSpacesOp{}};
      case 4:
        if (flip()) return ServerRequest{{id()}, {id()}, BackupOp{text()}};
        return ServerRequest{{id()}, {id()}, ServerStatusOp{}};
      case 5:
        return Heartbeat{{id()}};
      case 6:
        return Goodbye{};
      case 7:
        return request(PutOp{new_tuples(8), {id()}});
      case 8:
        return request(take());
      case 9:
        return request(stream());
      case 10:
        return request(AckOp{{id()}, id(), {{id()}, {id()}}});
      case 11:
        return request(CreditOp{{id()}, number()});
      case 12:
        return request(CancelOp{{id()}, ids()});
      case 13:
        return request(finish());
      case 14:
        return request(release());
      case 15:
        return request(CountOp{form(), {id()}});
      case 16:
        return request(list());
      case 17:
        return request(SummarizeOp{number(), number(), maybe_form()});
      case 18:
        return request(commit());
      case 19:
        return request(BeginOp{duration()});
      case 20:
        return request(EndOp{{id()}, flip()});
      case 21:
        return request(SubscribeOp{forms(), number(), flip(), flip(), flip(), id()});
      case 22:
        return request(ExplainOp{form()});
      case 23:
        return request(renew());
      case 24:
        return request(CollectOp{form(), {number()}, flip()});
      case 26:
        return request(ReviveOp{{{id()}, {id()}}, flip(), maybe_form(), number()});
      case 27:
        return request(PauseOp{flip() ? PauseKind::kPause : PauseKind::kDrain, maybe_form()});
      case 28:
        return request(ResumeOp{maybe_form(), flip()});
      case 29:
        return request(ListPausesOp{});
      default:
        return request(ListSessionsOp{});
    }
  }

  ServerMessage server() {
    switch (turn_++ % 22) {
      case 0:
        return Welcome{1, text(), session(), flip(), duration(), number(), number()};
      case 1:
        return Rejected{refused()};
      case 2:
        return HeartbeatBack{};
      case 3:
        return StreamEvent{{id()}, Delivered{handouts()}};
      case 4:
        return StreamEvent{{id()}, Recalled{token()}};
      case 5:
        return StreamEvent{{id()}, StreamEnded{refused()}};
      case 6:
        return reply(Done{});
      case 7:
        return reply(refused());
      case 8:
        return reply(PutDone{{id()}, number()});
      case 9:
        return reply(Found{handouts()});
      case 10:
        return reply(finish_done());
      case 11:
        return reply(Counted{id()});
      case 12:
        return reply(listed());
      case 13:
        return reply(summary());
      case 14:
        return reply(sessions());
      case 15:
        return Reply{{id()}, ServerAnswer(SpaceOpened{{number()}, 2, flip()})};
      case 16:
        return Reply{{id()}, ServerAnswer(spaces())};
      case 18:
        return reply(Explained{number(), id(), flip(), id(), id(), id(), id()});
      case 17:
        return StreamEvent{{id()}, Gap{id(), id()}};
      case 19:
        return reply(KeyedPutDone{{{id()}, {id()}}});
      case 21:
        return reply(pauses());
      default:
        return Reply{{id()},
                     ServerAnswer(ServerStatus{text(), number(), duration(), text(), text(), id(),
                                               id(), id(), id()})};
    }
  }

  Tuple tuple() {
    List fields;
    for (std::size_t count = below(5); count > 0; --count) fields.push_back(value(0));
    return Tuple(std::span<const Value>(fields));
  }

  Template form() {
    std::vector<TemplateField> fields;
    for (std::size_t count = below(5); count > 0; --count) fields.push_back(template_field());
    return Template(std::span<const TemplateField>(fields));
  }

  std::size_t below(std::size_t bound) { return random_() % bound; }

 private:
  bool flip() { return below(2) == 0; }
  // Small and large ones alike, so that every length of a varint occurs.
  std::uint64_t id() { return random_() >> below(64); }
  std::uint32_t number() { return static_cast<std::uint32_t>(id()); }
  SessionId session() { return {random_(), random_()}; }
  Duration duration() { return Duration(static_cast<std::int64_t>(id() >> 1)); }
  Token token() { return {{id()}, number()}; }

  std::string text() {
    std::string text;
    for (std::size_t count = below(20); count > 0; --count)
      text += flip() ? std::string(1, static_cast<char>('a' + below(26))) : "\xc3\xa4";
    return text;
  }

  Bytes bytes() {
    const std::size_t size = below(10) == 0 ? 4000 + below(2000) : below(30);
    return Bytes::adopt(std::string(size, static_cast<char>(below(256))));
  }

  Value value(std::size_t depth, bool objects = true) {
    switch (below(depth < 3 ? (objects ? 8 : 7) : 6)) {
      case 0:
        return nullptr;
      case 1:
        return flip();
      case 2:
        return static_cast<std::int64_t>(id());
      case 3:
        return static_cast<double>(id()) / 3;
      case 4:
        return text();
      case 5:
        return bytes();
      case 6: {
        List list;
        for (std::size_t count = below(4); count > 0; --count)
          list.push_back(value(depth + 1, objects));
        return list;
      }
      default:
        return Object{text(), {bytes(), bytes()}};
    }
  }

  TemplateField template_field() {
    switch (below(7)) {
      case 5: {
        ListOf list;
        for (std::size_t count = below(3); count > 0; --count)
          list.elements.push_back(template_field());
        return list;
      }
      case 0:
        return kAny;
      case 1:
        return Typed{static_cast<FieldType>(below(8))};
      case 2:
        return Between{bytes(), bytes()};
      case 3:
        return Prefix{text()};
      case 4:
        return OneOf{{value(1, false), value(1, false), value(1, false)}};
      default:
        return value(0, false);
    }
  }

  std::optional<Template> maybe_form() { return flip() ? std::optional(form()) : std::nullopt; }

  std::vector<Template> forms() {
    std::vector<Template> forms;
    for (std::size_t count = 1 + below(3); count > 0; --count) forms.push_back(form());
    return forms;
  }

  // Sometimes all the same, sometimes each its own: both shapes of a column.
  std::vector<NewTuple> new_tuples(std::size_t bound) {
    std::vector<NewTuple> tuples;
    const Attributes same = attributes();
    const bool all_same = flip();
    for (std::size_t count = below(bound); count > 0; --count)
      tuples.push_back({tuple(), all_same ? same : attributes()});
    return tuples;
  }

  Attributes attributes() {
    Attributes attributes;
    if (flip()) attributes.priority = static_cast<std::int32_t>(number());
    if (flip()) attributes.ttl = Duration(static_cast<std::int64_t>((id() >> 1) | 1));
    if (flip()) attributes.max_attempts = number();
    if (flip()) attributes.will = tuple();
    if (flip()) attributes.lives_with = session();
    if (flip()) attributes.rare = rare();
    return attributes;
  }

  // At least a delay: what says nothing is nothing on the wire.
  RareAttributes rare() {
    RareAttributes rare;
    if (flip()) rare.key = "k" + text();
    if (!rare.key.empty() && flip())
      rare.key_window = Duration(static_cast<std::int64_t>((id() >> 1) | 1));
    rare.delay = Duration(static_cast<std::int64_t>((id() >> 1) | 1));
    if (flip()) rare.group = text();
    for (std::size_t count = below(3); count > 0; --count) {
      rare.when.push_back({form(), {}});
      for (std::size_t fills = below(3); fills > 0; --fills)
        rare.when.back().fills.push_back({number(), number()});
    }
    return rare;
  }

  OpenSpaceOp open_space() {
    OpenSpaceOp open{text(), flip(), std::nullopt, new_tuples(3)};
    if (flip()) open.durability = static_cast<std::uint8_t>(below(3));
    return open;
  }

  TakeOp take() {
    TakeOp take{static_cast<TakeMode>(below(3)), forms(), number(), duration()};
    if (take.mode == TakeMode::kReserve) take.lease = duration();
    take.transaction = {id()};
    return take;
  }

  std::vector<TupleId> ids() {
    std::vector<TupleId> ids;
    for (std::size_t count = below(4); count > 0; --count) ids.push_back({id()});
    return ids;
  }

  StreamOp stream() {
    StreamOp stream;
    stream.mode = static_cast<TakeMode>(below(3));
    stream.templates = forms();
    stream.credit = number();
    if (stream.mode == TakeMode::kReserve) stream.lease = duration();
    stream.after = {id()};
    stream.held = ids();
    return stream;
  }

  FinishOp finish() {
    FinishOp finish;
    for (std::size_t count = below(5); count > 0; --count) {
      FinishItem item{std::nullopt, new_tuples(3)};
      if (flip() || item.puts.empty()) item.token = token();
      finish.items.push_back(std::move(item));
    }
    for (std::size_t count = below(3); count > 0; --count) finish.started.push_back(token());
    return finish;
  }

  ReleaseOp release() {
    ReleaseOp release;
    const bool all = flip();
    for (std::size_t count = below(5); count > 0; --count)
      release.items.push_back({token(), all || flip(), all ? Duration{0} : duration()});
    return release;
  }

  CommitOp commit() {
    CommitOp commit{new_tuples(4), {}, {}};
    for (std::size_t count = below(4); count > 0; --count) commit.finishes.push_back(token());
    for (std::size_t count = below(4); count > 0; --count) commit.takes.push_back({id()});
    return commit;
  }

  RenewOp renew() {
    RenewOp renew;
    for (std::size_t count = below(5); count > 0; --count) {
      renew.items.push_back({{id()}, std::nullopt});
      if (flip()) renew.items.back().ttl = Duration(static_cast<std::int64_t>((id() >> 1) | 1));
    }
    return renew;
  }

  ListOp list() {
    ListOp list{maybe_form(), {id()}, number(), flip()};
    if (flip()) list.state = static_cast<TupleState>(below(8));
    return list;
  }

  Request request(Operation operation) {
    return {{id()}, {id()}, {number()}, std::move(operation), flip()};
  }
  Reply reply(Answer answer) { return {{id()}, std::move(answer)}; }

  Refused refused() { return {static_cast<ErrorCode>(below(22)), text()}; }

  std::vector<Handout> handouts() {
    std::vector<Handout> handouts;
    for (std::size_t count = below(6); count > 0; --count) {
      Handout handout;
      handout.id = {id()};
      handout.attempt = number();
      handout.template_index = static_cast<std::uint32_t>(below(3));
      handout.started = flip();
      handout.tuple = tuple();
      handouts.push_back(std::move(handout));
    }
    return handouts;
  }

  FinishDone finish_done() {
    FinishDone done;
    const bool fine = flip();
    for (std::size_t count = below(6); count > 0; --count)
      done.codes.push_back(fine || flip() ? ErrorCode::kOk : ErrorCode::kStaleLease);
    return done;
  }

  Listed listed() {
    Listed listed;
    for (std::size_t count = below(4); count > 0; --count) {
      ListedTuple row;
      row.id = {id()};
      row.state = static_cast<TupleState>(below(8));
      row.attempt = number();
      row.priority = static_cast<std::int32_t>(number());
      row.holder = session();
      if (flip()) row.expires_in = duration();
      if (flip()) row.lease_left = duration();
      if (flip()) row.held_for = duration();
      if (flip()) row.visible_in = duration();
      row.open_guards = number();
      row.max_attempts = number();
      row.has_will = flip();
      row.lives_with = session();
      row.key = text();
      row.group = text();
      row.tuple = tuple();
      listed.tuples.push_back(std::move(row));
    }
    listed.more = flip();
    return listed;
  }

  Summary summary() {
    Summary summary;
    for (std::size_t count = below(3); count > 0; --count)
      summary.groups.push_back(
          {number(), tuple().values(), id(), id(), id(), id(), id(), id(), id(), id(), id()});
    summary.tuples = id();
    summary.waiters = id();
    summary.streams = id();
    summary.more = flip();
    summary.pauses = id();
    return summary;
  }

  SessionsListed sessions() {
    SessionsListed listed;
    for (std::size_t count = below(3); count > 0; --count)
      listed.sessions.push_back({session(), text(), flip(), duration(), id(), id(),
                                 flip() ? std::optional(duration()) : std::nullopt});
    return listed;
  }

  PausesListed pauses() {
    PausesListed listed;
    for (std::size_t count = below(3); count > 0; --count)
      listed.pauses.push_back(
          {flip() ? PauseKind::kPause : PauseKind::kDrain, maybe_form(), text(), duration(), id()});
    return listed;
  }

  SpacesListed spaces() {
    SpacesListed listed;
    for (std::size_t count = below(3); count > 0; --count)
      listed.spaces.push_back({{number()}, text(), 1,    id(), id(), id(), id(), id(), id(), id(),
                               id(),       id(),   id(), id(), id(), id(), id(), id(), id(), id()});
    return listed;
  }

  std::mt19937_64 random_;
  std::uint64_t turn_ = 0;
};

}  // namespace linden::wire

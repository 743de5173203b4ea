// api/wire/encoder.cpp: messages into frames.
#include <google/protobuf/arena.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <limits>
#include <utility>

#include <linden/error.h>
#include <linden/wire/v1/message.pb.h>

#include "api/model/utf8.h"
#include "api/wire/codec.h"
#include "api/wire/shortcut.h"

namespace linden::wire {
namespace {

using google::protobuf::Arena;
using google::protobuf::RepeatedField;
using google::protobuf::RepeatedPtrField;

// The attachments of the frame that is being made, where they lie.
class Attachments {
 public:
  struct Part {
    std::string_view bytes;
    const Bytes* shared;  // null: copied into the frame
  };

  // What one message with very many attachments took is not kept for ever.
  void clear() {
    if (parts_.capacity() > 64 * 1024) parts_ = {};
    parts_.clear();
    kept_.clear();
  }
  // Adds a tuple or template, which outlives the frame's making; returns how many it takes.
  template <class Row>
  std::uint32_t add(const Row& row) {
    parts_.push_back({row.head(), nullptr});
    for (const Bytes& attachment : row.attachments())
      parts_.push_back({attachment.view(), &attachment});
    return count_of(row);
  }
  std::uint32_t add_kept(Tuple tuple) { return add(kept_.emplace_back(std::move(tuple))); }

  template <class Row>
  static std::uint32_t count_of(const Row& row) {
    return static_cast<std::uint32_t>(1 + row.attachments().size());
  }
  [[nodiscard]] const std::vector<Part>& parts() const { return parts_; }

 private:
  std::vector<Part> parts_;
  std::deque<Tuple> kept_;
};

// Fills a column (operation.proto) from `get(index)`.
template <class T, class Get>
void fill_column(RepeatedField<T>* out, std::size_t count, T standard, const Get& get) {
  if (count == 0) return;
  const T first = get(0);
  std::size_t same = 1;
  while (same < count && get(same) == first) ++same;
  if (same == count) {
    if (first != standard) out->Add(first);
    return;
  }
  out->Reserve(static_cast<int>(count));
  for (std::size_t i = 0; i < count; ++i) out->AddAlreadyReserved(get(i));
}

// The same for texts, whose usual value is the empty one.
template <class Get>
void fill_texts(RepeatedPtrField<std::string>* out, std::size_t count, const char* what,
                const Get& get) {
  if (count == 0) return;
  for (std::size_t i = 0; i < count; ++i) {
    if (is_utf8(get(i))) continue;
    throw Error(ErrorCode::kInvalidArgument,
                std::string("put: the ") + what + " is no UTF-8; choose one that is text");
  }
  std::size_t same = 1;
  while (same < count && get(same) == get(0)) ++same;
  if (same == count && get(0).empty()) return;
  for (std::size_t i = 0; i < (same == count ? 1 : count); ++i) *out->Add() = get(i);
}

// Where 0 says "none", one of no length is as much too short as one of a microsecond.
std::uint64_t given(Duration duration) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(1, duration.count()));
}

template <class Get>
void fill_deltas(RepeatedField<std::int64_t>* out, std::size_t count, const Get& get) {
  out->Reserve(static_cast<int>(count));
  std::uint64_t before = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t id = get(i).value;
    out->AddAlreadyReserved(static_cast<std::int64_t>(id - before));
    before = id;
  }
}

// What people wrote or what a file system calls its files need not be UTF-8; a message must be.
std::string text_for(std::string_view text) {
  if (is_utf8(text)) return std::string(text);
  std::string escaped;
  append_escaped(escaped, text, text.size());
  return escaped;
}

// Fills protobuf messages; overloaded by what it fills them from.
class Writer {
 public:
  explicit Writer(Attachments& attachments) : attachments_(attachments) {}

  // ---- Rows ----

  // `get(i)` is the i-th NewTuple.
  template <class Get>
  void tuples(std::size_t count, const Get& get, v1::NewTuples* out) {
    out->set_count(static_cast<std::uint32_t>(count));
    bool plain = true;
    for (std::size_t i = 0; i < count; ++i) {
      const NewTuple& tuple = get(i);
      attachments_.add(tuple.tuple);
      if (tuple.attributes.will) attachments_.add(*tuple.attributes.will);
      if (tuple.attributes.rare) {
        for (const Guard& guard : tuple.attributes.rare->when) attachments_.add(guard.form);
      }
      plain = plain && tuple.attributes.is_plain();
    }
    fill_column<std::uint32_t>(out->mutable_attachments(), count, 1,
                               [&](std::size_t i) { return Attachments::count_of(get(i).tuple); });
    fill_column<std::int32_t>(out->mutable_priority(), count, 0,
                              [&](std::size_t i) { return get(i).attributes.priority; });
    if (!plain) attributes(count, get, out);
  }

  void tuples(const std::vector<NewTuple>& from, v1::NewTuples* out) {
    tuples(
        from.size(), [&](std::size_t i) -> const NewTuple& { return from[i]; }, out);
  }

  void tuples(std::span<const Handout> from, v1::Handouts* out) {
    for (const Handout& handout : from) attachments_.add(handout.tuple);
    const std::size_t count = from.size();
    fill_deltas(out->mutable_tuple_delta(), count, [&](std::size_t i) { return from[i].id; });
    fill_column<std::uint32_t>(out->mutable_attempt(), count, 0,
                               [&](std::size_t i) { return from[i].attempt; });
    fill_column<std::uint32_t>(out->mutable_template_index(), count, 0,
                               [&](std::size_t i) { return from[i].template_index; });
    fill_column<bool>(out->mutable_started(), count, false,
                      [&](std::size_t i) { return from[i].started; });
    fill_column<std::uint32_t>(out->mutable_attachments(), count, 1,
                               [&](std::size_t i) { return Attachments::count_of(from[i].tuple); });
  }

  void templates(const std::vector<Template>& from, v1::Templates* out) {
    for (const Template& form : from) attachments_.add(form);
    out->set_count(static_cast<std::uint32_t>(from.size()));
    fill_column<std::uint32_t>(out->mutable_attachments(), from.size(), 1,
                               [&](std::size_t i) { return Attachments::count_of(from[i]); });
  }

  // `get(i)` is the i-th Token.
  template <class Get>
  void tokens(std::size_t count, const Get& get, v1::Tokens* out) {
    fill_deltas(out->mutable_tuple_delta(), count, [&](std::size_t i) { return get(i).tuple; });
    fill_column<std::uint32_t>(out->mutable_attempt(), count, 0,
                               [&](std::size_t i) { return get(i).attempt; });
  }

  // ---- Operations ----

  void operator()(const PutOp& from, v1::Request* out) {
    tuples(from.tuples, out->mutable_put()->mutable_tuples());
    out->mutable_put()->set_transaction(from.transaction.value);
  }
  void operator()(const TakeOp& from, v1::Request* out) {
    v1::TakeOp* take = out->mutable_take();
    take->set_mode(static_cast<v1::TakeMode>(from.mode));
    templates(from.templates, take->mutable_templates());
    take->set_count_max(from.count_max);
    take->set_timeout_us(from.timeout.count());
    if (from.mode == TakeMode::kReserve) take->set_lease_us(from.lease.count());
    take->set_transaction(from.transaction.value);
  }
  void operator()(const StreamOp& from, v1::Request* out) {
    v1::StreamOp* stream = out->mutable_stream();
    stream->set_mode(static_cast<v1::TakeMode>(from.mode));
    templates(from.templates, stream->mutable_templates());
    stream->set_credit(from.credit);
    if (from.mode == TakeMode::kReserve) stream->set_lease_us(from.lease.count());
    stream->set_after(from.after.value);
    fill_deltas(stream->mutable_held_delta(), from.held.size(),
                [&](std::size_t i) { return from.held[i]; });
  }
  void operator()(const SubscribeOp& from, v1::Request* out) {
    v1::SubscribeOp* subscribe = out->mutable_subscribe();
    templates(from.templates, subscribe->mutable_templates());
    subscribe->set_credit(from.credit);
    subscribe->set_initial(from.initial);
    subscribe->set_no_puts(!from.follow);
    subscribe->set_resume(from.resume);
    subscribe->set_received(from.received);
  }
  void operator()(const AckOp& from, v1::Request* out) {
    out->mutable_ack()->set_stream(from.stream.value);
    out->mutable_ack()->set_delivered(from.delivered);
    for (const RequestId take : from.takes) out->mutable_ack()->add_takes(take.value);
  }
  void operator()(const CreditOp& from, v1::Request* out) {
    out->mutable_credit()->set_stream(from.stream.value);
    out->mutable_credit()->set_credit(from.credit);
  }
  void operator()(const CancelOp& from, v1::Request* out) {
    out->mutable_cancel()->set_target(from.target.value);
    fill_deltas(out->mutable_cancel()->mutable_kept_delta(), from.kept.size(),
                [&](std::size_t i) { return from.kept[i]; });
  }
  void operator()(const FinishOp& from, v1::Request* out) { finish(from, out->mutable_finish()); }
  void operator()(const ReleaseOp& from, v1::Request* out) {
    v1::ReleaseOp* release = out->mutable_release();
    tokens(
        from.items.size(), [&](std::size_t i) { return from.items[i].token; },
        release->mutable_tokens());
    fill_column<bool>(release->mutable_not_started(), from.items.size(), false,
                      [&](std::size_t i) { return !from.items[i].started; });
    fill_column<std::uint64_t>(release->mutable_delay_us(), from.items.size(), 0,
                               [&](std::size_t i) { return delay_of(from.items[i].delay); });
  }
  void operator()(const RenewOp& from, v1::Request* out) {
    v1::RenewOp* renew = out->mutable_renew();
    fill_deltas(renew->mutable_tuple_delta(), from.items.size(),
                [&](std::size_t i) { return from.items[i].tuple; });
    fill_column<std::uint64_t>(renew->mutable_ttl_us(), from.items.size(), 0,
                               [&](std::size_t i) -> std::uint64_t {
                                 const auto& ttl = from.items[i].ttl;
                                 return ttl ? given(*ttl) : 0;
                               });
  }
  void operator()(const ReviveOp& from, v1::Request* out) {
    v1::ReviveOp* revive = out->mutable_revive();
    fill_deltas(revive->mutable_tuple_delta(), from.ids.size(),
                [&](std::size_t i) { return from.ids[i]; });
    revive->set_all(from.all);
    if (from.form) revive->set_attachments(attachments_.add(*from.form));
    revive->set_limit(from.limit);
  }
  void operator()(const PauseOp& from, v1::Request* out) {
    out->mutable_pause()->set_kind(static_cast<v1::PauseKind>(from.kind));
    if (from.form) out->mutable_pause()->set_attachments(attachments_.add(*from.form));
  }
  void operator()(const ResumeOp& from, v1::Request* out) {
    out->mutable_resume()->set_all(from.all);
    if (from.form) out->mutable_resume()->set_attachments(attachments_.add(*from.form));
  }
  void operator()(const ListPausesOp&, v1::Request* out) { out->mutable_list_pauses(); }
  void operator()(const CountOp& from, v1::Request* out) {
    out->mutable_count()->set_attachments(attachments_.add(from.form));
    out->mutable_count()->set_transaction(from.transaction.value);
  }
  void operator()(const CollectOp& from, v1::Request* out) {
    v1::CollectOp* collect = out->mutable_collect();
    collect->set_attachments(attachments_.add(from.form));
    collect->set_to(from.to.value);
    collect->set_copy(from.copy);
  }
  void operator()(const CommitOp& from, v1::Request* out) {
    v1::CommitOp* commit = out->mutable_commit();
    if (!from.puts.empty()) tuples(from.puts, commit->mutable_puts());
    if (!from.finishes.empty())
      tokens(
          from.finishes.size(), [&](std::size_t i) { return from.finishes[i]; },
          commit->mutable_finishes());
    fill_deltas(commit->mutable_take_delta(), from.takes.size(),
                [&](std::size_t i) { return from.takes[i]; });
  }
  void operator()(const BeginOp& from, v1::Request* out) {
    out->mutable_begin()->set_lease_us(from.lease.count());
  }
  void operator()(const EndOp& from, v1::Request* out) {
    out->mutable_end()->set_transaction(from.transaction.value);
    out->mutable_end()->set_commit(from.commit);
  }
  void operator()(const ExplainOp& from, v1::Request* out) {
    out->mutable_explain()->set_attachments(attachments_.add(from.form));
  }
  void operator()(const ListOp& from, v1::Request* out) {
    v1::ListOp* list = out->mutable_list();
    if (from.form) list->set_attachments(attachments_.add(*from.form));
    list->set_after(from.after.value);
    list->set_limit(from.limit);
    list->set_all_states(from.all_states);
    if (from.state) list->set_state_plus_one(1U + static_cast<std::uint32_t>(*from.state));
  }
  void operator()(const SummarizeOp& from, v1::Request* out) {
    out->mutable_summarize()->set_first_fields(from.first_fields);
    out->mutable_summarize()->set_groups_max(from.groups_max);
    if (from.form) out->mutable_summarize()->set_attachments(attachments_.add(*from.form));
  }
  void operator()(const ListSessionsOp&, v1::Request* out) { out->mutable_list_sessions(); }

  void operator()(const OpenSpaceOp& from, v1::ServerRequest* out) {
    v1::OpenSpaceOp* open = out->mutable_open_space();
    open->set_name(text_for(from.name));
    open->set_create(from.create);
    if (from.durability) open->set_durability_plus_one(1U + *from.durability);
    if (!from.initial.empty()) tuples(from.initial, open->mutable_initial());
  }
  void operator()(const DropSpaceOp& from, v1::ServerRequest* out) {
    out->mutable_drop_space()->set_name(text_for(from.name));
  }
  void operator()(const ListSpacesOp&, v1::ServerRequest* out) { out->mutable_list_spaces(); }
  void operator()(const ServerStatusOp&, v1::ServerRequest* out) { out->mutable_server_status(); }
  void operator()(const BackupOp& from, v1::ServerRequest* out) {
    out->mutable_backup()->set_directory(text_for(from.directory));
  }

  // ---- Answers ----

  static void refused(const Refused& from, v1::Refused* out) {
    out->set_code(static_cast<v1::ErrorCode>(from.code));
    out->set_message(text_for(from.message));
  }

  void operator()(const Done&, v1::Reply* out) { out->mutable_done(); }
  void operator()(const Refused& from, v1::Reply* out) { refused(from, out->mutable_refused()); }
  void operator()(const PutDone& from, v1::Reply* out) {
    out->mutable_put_done()->set_first(from.first.value);
    out->mutable_put_done()->set_count(from.count);
  }
  void operator()(const KeyedPutDone& from, v1::Reply* out) {
    fill_deltas(out->mutable_keyed_put_done()->mutable_tuple_delta(), from.ids.size(),
                [&](std::size_t i) { return from.ids[i]; });
  }
  void operator()(const Found& from, v1::Reply* out) {
    tuples(from.tuples, out->mutable_found()->mutable_tuples());
  }
  void operator()(const FinishDone& from, v1::Reply* out) {
    v1::FinishDone* done = out->mutable_finish_done();
    done->set_count(static_cast<std::uint32_t>(from.codes.size()));
    fill_column<std::uint32_t>(done->mutable_code(), from.codes.size(), 0, [&](std::size_t i) {
      return static_cast<std::uint32_t>(from.codes[i]);
    });
  }
  void operator()(const Counted& from, v1::Reply* out) {
    out->mutable_counted()->set_count(from.count);
  }
  void operator()(const Explained& from, v1::Reply* out) {
    v1::Explained* explained = out->mutable_explained();
    explained->set_arity(from.arity);
    explained->set_index(from.index);
    explained->set_learned(from.learned);
    explained->set_tuples(from.tuples);
    explained->set_candidates(from.candidates);
    explained->set_matches(from.matches);
    explained->set_scans(from.scans);
  }
  void operator()(const Listed& from, v1::Reply* out) {
    v1::Listed* listed = out->mutable_listed();
    for (const ListedTuple& tuple : from.tuples) listed_tuple(tuple, listed->add_tuples());
    listed->set_more(from.more);
  }
  void operator()(const Summary& from, v1::Reply* out) {
    v1::Summary* summary = out->mutable_summary();
    for (const SummaryGroup& group : from.groups) summary_group(group, summary->add_groups());
    summary->set_tuples(from.tuples);
    summary->set_waiters(from.waiters);
    summary->set_streams(from.streams);
    summary->set_more(from.more);
    summary->set_pauses(from.pauses);
  }
  void operator()(const PausesListed& from, v1::Reply* out) {
    v1::PausesListed* listed = out->mutable_pauses_listed();
    for (const PauseInfo& info : from.pauses) pause_info(info, listed->add_pauses());
  }
  void operator()(const SessionsListed& from, v1::Reply* out) {
    v1::SessionsListed* listed = out->mutable_sessions_listed();
    for (const SessionInfo& info : from.sessions) session_info(info, listed->add_sessions());
  }
  void operator()(const SpaceOpened& from, v1::Reply* out) {
    v1::SpaceOpened* opened = out->mutable_space_opened();
    opened->set_number(from.number.value);
    opened->set_durability(from.durability);
    opened->set_created(from.created);
  }
  void operator()(const SpacesListed& from, v1::Reply* out) {
    v1::SpacesListed* listed = out->mutable_spaces_listed();
    for (const SpaceListed& space : from.spaces) space_listed(space, listed->add_spaces());
  }
  void operator()(const ServerStatus& from, v1::Reply* out) {
    v1::ServerStatus* status = out->mutable_server_status();
    status->set_version(text_for(from.version));
    status->set_pid(from.pid);
    status->set_up_us(from.up.count());
    status->set_directory(text_for(from.directory));
    status->set_durability(text_for(from.durability));
    status->set_connections(from.connections);
    status->set_sessions(from.sessions);
    status->set_requests(from.requests);
    status->set_commits(from.commits);
  }

  // ---- Events ----

  void operator()(const Delivered& from, v1::StreamEvent* out) {
    tuples(from.tuples, out->mutable_delivered()->mutable_tuples());
  }
  void operator()(const Gap& from, v1::StreamEvent* out) {
    out->mutable_gap()->set_first(from.first);
    out->mutable_gap()->set_count(from.count);
  }
  void operator()(const Recalled& from, v1::StreamEvent* out) {
    out->mutable_recalled()->set_tuple(from.token.tuple.value);
    out->mutable_recalled()->set_attempt(from.token.attempt);
  }
  void operator()(const StreamEnded& from, v1::StreamEvent* out) {
    refused(from.why, out->mutable_ended()->mutable_why());
  }

  // ---- Messages ----

  void operator()(const Hello& from, v1::ClientMessage* out) {
    v1::Hello* hello = out->mutable_hello();
    hello->set_protocol(from.protocol);
    hello->set_session_high(from.session.high);
    hello->set_session_low(from.session.low);
    hello->set_resume(from.resume);
    hello->set_absent_us(from.absent.count());
    hello->set_name(text_for(from.name));
    hello->set_hold_us(from.hold.count());
    hello->set_memory_us(from.memory.count());
    hello->set_acknowledged(from.acknowledged.value);
  }
  void operator()(const Request& from, v1::ClientMessage* out) {
    request(from.id, from.acknowledged, from.space, from.operation, from.patient, out);
  }
  void request(RequestId id, RequestId acknowledged, SpaceNumber space, const Operation& operation,
               bool patient, v1::ClientMessage* out) {
    v1::Request* request = out->mutable_request();
    request->set_id(id.value);
    request->set_acknowledged(acknowledged.value);
    request->set_space(space.value);
    request->set_patient(patient);
    std::visit([&](const auto& op) { (*this)(op, request); }, operation);
  }
  void operator()(const ServerRequest& from, v1::ClientMessage* out) {
    v1::ServerRequest* request = out->mutable_server_request();
    request->set_id(from.id.value);
    request->set_acknowledged(from.acknowledged.value);
    std::visit([&](const auto& op) { (*this)(op, request); }, from.operation);
  }
  void operator()(const Heartbeat& from, v1::ClientMessage* out) {
    out->mutable_heartbeat()->set_acknowledged(from.acknowledged.value);
  }
  void operator()(const Goodbye&, v1::ClientMessage* out) { out->mutable_goodbye(); }

  void operator()(const Welcome& from, v1::ServerMessage* out) {
    v1::Welcome* welcome = out->mutable_welcome();
    welcome->set_protocol(from.protocol);
    welcome->set_version(text_for(from.version));
    welcome->set_server_high(from.server.high);
    welcome->set_server_low(from.server.low);
    welcome->set_resumed(from.resumed);
    welcome->set_heartbeat_us(from.heartbeat.count());
    welcome->set_frame_bytes_max(from.frame_bytes_max);
    welcome->set_server_pid(from.server_pid);
  }
  void operator()(const Rejected& from, v1::ServerMessage* out) {
    refused(from.why, out->mutable_rejected()->mutable_why());
  }
  void operator()(const Reply& from, v1::ServerMessage* out) {
    out->mutable_reply()->set_to(from.to.value);
    const auto write = [&](const auto& answer) { (*this)(answer, out->mutable_reply()); };
    std::visit([&](const auto& answer) { std::visit(write, answer); }, from.answer);
  }
  void operator()(const StreamEvent& from, v1::ServerMessage* out) {
    out->mutable_stream_event()->set_stream(from.stream.value);
    std::visit([&](const auto& event) { (*this)(event, out->mutable_stream_event()); }, from.event);
  }
  void operator()(const HeartbeatBack&, v1::ServerMessage* out) { out->mutable_heartbeat_back(); }

 private:
  template <class Get>
  void attributes(std::size_t count, const Get& get, v1::NewTuples* out) {
    fill_column<std::uint64_t>(out->mutable_ttl_us(), count, 0,
                               [&](std::size_t i) -> std::uint64_t {
                                 const auto& ttl = get(i).attributes.ttl;
                                 return ttl ? given(*ttl) : 0;
                               });
    fill_column<std::uint32_t>(out->mutable_max_attempts(), count, 0,
                               [&](std::size_t i) { return get(i).attributes.max_attempts; });
    fill_column<std::uint32_t>(out->mutable_will_attachments(), count, 0,
                               [&](std::size_t i) -> std::uint32_t {
                                 const auto& will = get(i).attributes.will;
                                 return will ? Attachments::count_of(*will) : 0;
                               });
    lives_with(count, get, out);
    bool rare = false;
    for (std::size_t i = 0; i < count; ++i) rare = rare || get(i).attributes.rare;
    if (rare) rare_attributes(count, get, out);
  }

  static std::uint64_t delay_of(Duration delay) {
    return delay == Duration::zero() ? 0 : given(delay);
  }

  template <class Get>
  void rare_attributes(std::size_t count, const Get& get, v1::NewTuples* out) {
    static const RareAttributes kNone;
    const auto of = [&](std::size_t i) -> const RareAttributes& {
      const Rare& rare = get(i).attributes.rare;
      return rare ? *rare : kNone;
    };
    fill_texts(out->mutable_key(), count, "key",
               [&](std::size_t i) -> const std::string& { return of(i).key; });
    fill_column<std::uint64_t>(
        out->mutable_key_window_us(), count, 0, [&](std::size_t i) -> std::uint64_t {
          const bool usual = of(i).key.empty() || of(i).key_window == kNone.key_window;
          return usual ? 0 : given(of(i).key_window);
        });
    fill_column<std::uint64_t>(out->mutable_delay_us(), count, 0,
                               [&](std::size_t i) { return delay_of(of(i).delay); });
    fill_texts(out->mutable_group(), count, "group",
               [&](std::size_t i) -> const std::string& { return of(i).group; });
    fill_column<std::uint32_t>(out->mutable_guards(), count, 0, [&](std::size_t i) {
      return static_cast<std::uint32_t>(of(i).when.size());
    });
    for (std::size_t i = 0; i < count; ++i) guards(of(i).when, out);
  }

  static void guards(const std::vector<Guard>& from, v1::NewTuples* out) {
    for (const Guard& guard : from) {
      out->add_guard_attachments(Attachments::count_of(guard.form));
      out->add_guard_fills(static_cast<std::uint32_t>(guard.fills.size()));
      for (const Guard::Fill& fill : guard.fills) {
        out->add_fills(fill.from);
        out->add_fills(fill.to);
      }
    }
  }

  template <class Get>
  void lives_with(std::size_t count, const Get& get, v1::NewTuples* out) {
    const auto owner = [&](std::size_t i) {
      return get(i).attributes.lives_with.value_or(SessionId{});
    };
    std::size_t same = 0;
    while (same < count && owner(same) == owner(0)) ++same;
    if (same == count && owner(0).is_none()) return;
    for (std::size_t i = 0; i < (same == count ? 1 : count); ++i) {
      out->add_lives_with(owner(i).high);
      out->add_lives_with(owner(i).low);
    }
  }

  void finish(const FinishOp& from, v1::FinishOp* out) {
    std::vector<Token> tokens_of_items;
    std::vector<const NewTuple*> puts;
    for (const FinishItem& item : from.items) {
      if (item.token) tokens_of_items.push_back(*item.token);
      for (const NewTuple& put : item.puts) puts.push_back(&put);
    }
    const std::size_t count = from.items.size();
    out->set_count(static_cast<std::uint32_t>(count));
    tokens(
        tokens_of_items.size(), [&](std::size_t i) { return tokens_of_items[i]; },
        out->mutable_tokens());
    fill_column<bool>(out->mutable_without_token(), count, false,
                      [&](std::size_t i) { return !from.items[i].token; });
    fill_column<std::uint32_t>(out->mutable_put_count(), count, 0, [&](std::size_t i) {
      return static_cast<std::uint32_t>(from.items[i].puts.size());
    });
    if (!puts.empty())
      tuples(
          puts.size(), [&](std::size_t i) -> const NewTuple& { return *puts[i]; },
          out->mutable_puts());
    if (!from.started.empty())
      tokens(
          from.started.size(), [&](std::size_t i) { return from.started[i]; },
          out->mutable_started());
  }

  void listed_tuple(const ListedTuple& from, v1::ListedTuple* out) {
    out->set_id(from.id.value);
    out->set_state(static_cast<v1::TupleState>(from.state));
    out->set_attempt(from.attempt);
    out->set_priority(from.priority);
    out->set_holder_high(from.holder.high);
    out->set_holder_low(from.holder.low);
    if (from.expires_in) out->set_expires_in_us(from.expires_in->count());
    out->set_attachments(attachments_.add(from.tuple));
    if (from.lease_left) out->set_lease_left_us(from.lease_left->count());
    if (from.held_for) out->set_held_for_us(from.held_for->count());
    if (from.visible_in) out->set_visible_in_us(from.visible_in->count());
    out->set_open_guards(from.open_guards);
    out->set_max_attempts(from.max_attempts);
    out->set_has_will(from.has_will);
    out->set_lives_with_high(from.lives_with.high);
    out->set_lives_with_low(from.lives_with.low);
    if (!from.key.empty()) out->set_key(text_for(from.key));
    if (!from.group.empty()) out->set_group(text_for(from.group));
  }

  void summary_group(const SummaryGroup& from, v1::SummaryGroup* out) {
    out->set_arity(from.arity);
    out->set_attachments(attachments_.add_kept(Tuple(std::span<const Value>(from.first_fields))));
    out->set_ready(from.ready);
    out->set_reserved(from.reserved);
    out->set_started(from.started);
    out->set_dead(from.dead);
    out->set_bytes(from.bytes);
    out->set_delayed(from.delayed);
    out->set_behind(from.behind);
    out->set_guarded(from.guarded);
    out->set_paused(from.paused);
  }

  static void session_info(const SessionInfo& from, v1::SessionInfo* out) {
    out->set_id_high(from.id.high);
    out->set_id_low(from.id.low);
    out->set_name(text_for(from.name));
    out->set_connected(from.connected);
    out->set_silent_for_us(from.silent_for.count());
    out->set_held(from.held);
    out->set_waiting(from.waiting);
    if (from.lease_left) out->set_lease_left_us(from.lease_left->count());
  }

  void pause_info(const PauseInfo& from, v1::PauseInfo* out) {
    out->set_kind(static_cast<v1::PauseKind>(from.kind));
    if (from.form) out->set_attachments(attachments_.add(*from.form));
    out->set_set_by(text_for(from.set_by));
    out->set_set_for_us(from.set_for.count());
    out->set_tuples(from.tuples);
  }

  static void space_listed(const SpaceListed& from, v1::SpaceListed* out) {
    out->set_number(from.number.value);
    out->set_name(text_for(from.name));
    out->set_durability(from.durability);
    out->set_tuples(from.tuples);
    out->set_ready(from.ready);
    out->set_reserved(from.reserved);
    out->set_dead(from.dead);
    out->set_waiters(from.waiters);
    out->set_bytes(from.bytes);
    out->set_scans(from.scans);
    out->set_paused(from.paused);
    out->set_pauses(from.pauses);
    out->set_delayed(from.delayed);
    out->set_behind(from.behind);
    out->set_guarded(from.guarded);
    out->set_subscriptions(from.subscriptions);
    out->set_puts(from.puts);
    out->set_takes(from.takes);
    out->set_finishes(from.finishes);
    out->set_expired(from.expired);
  }

  Attachments& attachments_;
};

void check_size(std::uint64_t frame_bytes, std::size_t attachments, std::uint32_t bytes_max) {
  if (frame_bytes <= bytes_max && attachments <= kFrameAttachmentsMax) return;
  throw Error(ErrorCode::kLimitExceeded,
              "a message of " + std::to_string(frame_bytes) + " bytes in " +
                  std::to_string(attachments) + " parts is too large; the limit is " +
                  std::to_string(bytes_max) + " bytes in " + std::to_string(kFrameAttachmentsMax) +
                  " parts; send less at once");
}

char* put_u32(char* at, std::uint64_t number) {
  const auto word = static_cast<std::uint32_t>(number);
  std::memcpy(at, &word, sizeof(word));
  return at + sizeof(word);
}

bool is_copied(const Attachments::Part& part) {
  return part.shared == nullptr || part.bytes.size() < WriteBuffer::kShareBytesMin;
}

// Copies the parts from `index` on that are to be copied in one go.
std::size_t append_copied(const std::vector<Attachments::Part>& parts, std::size_t index,
                          WriteBuffer& out) {
  std::size_t end = index;
  std::size_t bytes = 0;
  for (; end < parts.size() && is_copied(parts[end]); ++end) bytes += parts[end].bytes.size();
  char* at = out.extend(bytes);
  for (; index < end; ++index) {
    std::memcpy(at, parts[index].bytes.data(), parts[index].bytes.size());
    at += parts[index].bytes.size();
  }
  return end;
}

template <class Message>
void append_frame(const Message& message, const Attachments& attachments, std::uint32_t bytes_max,
                  WriteBuffer& out) {
  const auto& parts = attachments.parts();
  const std::size_t message_bytes = message.ByteSizeLong();
  const std::size_t fixed_bytes = kFrameHeaderBytes + 4 * parts.size() + message_bytes;
  std::uint64_t frame_bytes = fixed_bytes - kFrameLengthBytes;
  for (const Attachments::Part& part : parts) frame_bytes += part.bytes.size();
  check_size(frame_bytes, parts.size(), bytes_max);

  char* at = out.extend(fixed_bytes);
  at = put_u32(at, frame_bytes);
  at = put_u32(at, message_bytes);
  at = put_u32(at, parts.size());
  for (const Attachments::Part& part : parts) at = put_u32(at, part.bytes.size());
  message.SerializeWithCachedSizesToArray(reinterpret_cast<std::uint8_t*>(at));
  for (std::size_t i = 0; i < parts.size();) {
    if (is_copied(parts[i])) {
      i = append_copied(parts, i, out);
    } else {
      out.append(*parts[i].shared);
      ++i;
    }
  }
}

google::protobuf::ArenaOptions arena_in(std::span<char> block) {
  google::protobuf::ArenaOptions options;
  options.initial_block = block.data();
  options.initial_block_size = block.size();
  return options;
}

}  // namespace

// The arena's first block stays from message to message, so that small messages allocate nothing.
struct Encoder::Memory {
  alignas(8) char block[8 * 1024];
  Arena arena{arena_in(block)};
  Attachments attachments;
  std::uint32_t frame_bytes_max = std::numeric_limits<std::uint32_t>::max();

  // `fill(writer, message)` fills a fresh message.
  template <class Message, class Fill>
  void append(WriteBuffer& out, const Fill& fill) {
    attachments.clear();
    arena.Reset();
    auto* message = Arena::CreateMessage<Message>(&arena);
    Writer writer(attachments);
    fill(writer, message);
    append_frame(*message, attachments, frame_bytes_max, out);
    attachments.clear();
    arena.Reset();
  }
};

Encoder::Encoder() : memory_(std::make_unique<Memory>()) {}
Encoder::~Encoder() = default;

void Encoder::set_frame_bytes_max(std::uint32_t bytes) {
  memory_->frame_bytes_max = bytes;
}

void Encoder::encode(const ClientMessage& message, WriteBuffer& out) {
  memory_->append<v1::ClientMessage>(out, [&](Writer& writer, v1::ClientMessage* filled) {
    std::visit([&](const auto& kind) { writer(kind, filled); }, message);
  });
}

void Encoder::encode(const ServerMessage& message, WriteBuffer& out) {
  memory_->append<v1::ServerMessage>(out, [&](Writer& writer, v1::ServerMessage* filled) {
    std::visit([&](const auto& kind) { writer(kind, filled); }, message);
  });
}

void Encoder::encode_reply(RequestId to, const Answer& answer, WriteBuffer& out) {
  if (append_common_reply(to, answer, memory_->frame_bytes_max, out)) return;
  memory_->append<v1::ServerMessage>(out, [&](Writer& writer, v1::ServerMessage* filled) {
    v1::Reply* reply = filled->mutable_reply();
    reply->set_to(to.value);
    std::visit([&](const auto& kind) { writer(kind, reply); }, answer);
  });
}

void Encoder::encode_delivery(RequestId stream, std::span<const Handout> tuples, WriteBuffer& out) {
  memory_->append<v1::ServerMessage>(out, [&](Writer& writer, v1::ServerMessage* filled) {
    v1::StreamEvent* event = filled->mutable_stream_event();
    event->set_stream(stream.value);
    writer.tuples(tuples, event->mutable_delivered()->mutable_tuples());
  });
}

void Encoder::encode_request(RequestId id, RequestId acknowledged, SpaceNumber space,
                             const Operation& operation, bool patient, WriteBuffer& out) {
  memory_->append<v1::ClientMessage>(out, [&](Writer& writer, v1::ClientMessage* filled) {
    writer.request(id, acknowledged, space, operation, patient, filled);
  });
}

}  // namespace linden::wire

// tests/fuzz/fuzz_requests.cpp: whatever clients ask of a space in whatever order, it does not
// fail, answers each request once, refuses without effect, and comes back from what it made durable
// as it was (P35, P36, P38).
#include "fuzz_main.h"

#include <boost/pfr.hpp>

#include <algorithm>
#include <optional>
#include <set>
#include <variant>

#include "api/wire/codec.h"
#include "space/core/space_state.h"
#include "space/server/dispatch.h"
#include "space/storage/record_codec.h"
#include "tests/api/wire/pump.h"
#include "tests/api/wire/random_messages.h"

namespace linden {
namespace {

// Random ids hardly ever meet.  These are made few, whatever the message, so that requests speak of
// the same tuples, requests and sessions; all other numbers stay as wild as they come.
template <class T>
void make_few(T& value);
template <class T>
void make_few(std::vector<T>& values);
template <class T>
void make_few(std::optional<T>& value);
template <class... T>
void make_few(std::variant<T...>& value);

void make_few(TupleId& id) {
  id.value %= 64;
}
void make_few(RequestId& id) {
  id.value %= 32;
}
void make_few(SessionId& id) {
  id = {1, id.low % 4};
}
void make_few(Token& token) {
  make_few(token.tuple);
  token.attempt %= 4;
}
template <class T>
void make_few(std::vector<T>& values) {
  for (T& value : values) make_few(value);
}
template <class T>
void make_few(std::optional<T>& value) {
  if (value) make_few(*value);
}
template <class... T>
void make_few(std::variant<T...>& value) {
  std::visit([](auto& one) { make_few(one); }, value);
}
template <class T>
void make_few(T& value) {
  if constexpr (std::is_aggregate_v<T> && !std::is_same_v<T, Duration>) {
    boost::pfr::for_each_field(value, [](auto& field) { make_few(field); });
  }
}

core::Limits small_limits() {
  core::Limits limits;
  limits.put_tuples_max = 6;
  limits.bytes_max = 4'000;
  limits.waiters_per_session_max = 8;
  limits.remembered_per_session_max = 16;
  limits.transactions_per_session_max = 3;
  limits.transaction_items_max = 8;
  limits.indexes_per_arity_max = 3;
  return limits;
}

// The tuples and their states as bytes.
std::string described(const core::SpaceState& state) {
  std::vector<core::Mutation> mutations;
  state.visit_ids([&](TupleId id) { FUZZ_CHECK(state.describe(id, mutations)); });
  std::string bytes;
  for (const core::Mutation& mutation : mutations) storage::append_mutation(bytes, mutation);
  return bytes;
}

class Space {
 public:
  void take_in(wire::ClientMessage&& message) {
    std::visit([this](auto& what) { on(what); }, message);
  }

 private:
  void on(wire::Hello& hello) {
    make_few(hello);
    if (server::check_hello(hello)) return;
    speaker_ = hello.session;
    connected_.insert(speaker_);
    apply(server::to_attached(hello, hello.acknowledged));
  }
  void on(wire::Request& request) {
    make_few(request);
    attach();
    apply(server::to_command(speaker_, std::move(request)));
  }
  void on(wire::Heartbeat& beat) {
    now_ += Duration(static_cast<std::int64_t>(beat.acknowledged.value % 20'000'000));
    apply(core::TimePassed{});
    FUZZ_CHECK(state_.next_deadline() > now_);
    make_few(beat);
    apply(core::SessionHeard{speaker_, beat.acknowledged});
  }
  void on(const wire::Goodbye&) {
    connected_.erase(speaker_);
    apply(core::SessionClosed{speaker_});
  }
  // What a server is asked stands for what happens to a server.
  void on(const wire::ServerRequest& request) {
    if (request.id.value % 3 == 0) return restart();
    if (request.id.value % 3 == 1) {
      connected_.erase(speaker_);
      return apply(core::SessionLost{speaker_});
    }
    apply(core::DiskSpace{request.acknowledged.value % 2 == 0});
  }

  // As the server does before the first request that a connection brings.
  void attach() {
    if (!connected_.insert(speaker_).second) return;
    wire::Hello hello;
    hello.session = speaker_;
    apply(server::to_attached(hello, {}));
  }

  void apply(core::Command&& command) {
    std::optional<core::Origin> asked;
    if (const auto* perform = std::get_if<core::Perform>(&command)) asked = perform->from;
    core::Effects effects;
    const bool was_due = state_.next_deadline() <= now_;
    state_.apply(std::move(command), now_, effects);
    if (asked) check_answers(*asked, effects, was_due);
    durable_.insert(durable_.end(), effects.mutations.begin(), effects.mutations.end());
  }

  static void check_answers(const core::Origin& asked, const core::Effects& effects, bool was_due) {
    const auto answers_it = [&](const core::Message& message) {
      const auto* reply = std::get_if<core::Reply>(&message);
      return reply != nullptr && reply->to == asked;
    };
    const auto& messages = effects.messages;
    FUZZ_CHECK(std::count_if(messages.begin(), messages.end(), answers_it) <= 1);
    if (was_due || messages.size() != 1 || !answers_it(messages[0])) return;
    const auto* refused = std::get_if<Refused>(&std::get<core::Reply>(messages[0]).answer);
    const bool refused_for_good =
        refused != nullptr &&
        (refused->code == ErrorCode::kInvalidArgument || refused->code == ErrorCode::kStaleLease);
    FUZZ_CHECK(!refused_for_good || effects.mutations.empty());
  }

  // From what was made durable step by step, and from a description of all of it: both are the
  // same.
  void restart() {
    std::vector<core::Mutation> table;
    state_.describe_rest(table);
    state_.visit_ids([&](TupleId id) { FUZZ_CHECK(state_.describe(id, table)); });
    core::SpaceState from_table(small_limits());
    for (core::Mutation& mutation : table) from_table.restore(std::move(mutation));
    from_table.restored(now_);
    core::SpaceState from_journal(small_limits());
    for (const core::Mutation& mutation : durable_) from_journal.restore(core::Mutation(mutation));
    from_journal.restored(now_);
    FUZZ_CHECK(described(from_table) == described(from_journal));
    const auto found = from_journal.counters();
    const auto expected = state_.counters();
    FUZZ_CHECK(found.tuples == expected.tuples && found.bytes == expected.bytes &&
               found.dead == expected.dead);
    state_ = std::move(from_journal);
    connected_.clear();
  }

  core::SpaceState state_{small_limits()};
  std::vector<core::Mutation> durable_;
  Time now_{};
  SessionId speaker_{1, 1};
  std::set<SessionId> connected_;
};

}  // namespace
}  // namespace linden

// A sample is what some clients say one after the other.
std::vector<std::string> fuzz_samples(std::uint64_t seed) {
  using namespace linden::wire;
  RandomMessages random(seed);
  Encoder encoder;
  WriteBuffer out;
  std::vector<std::string> samples;
  for (int i = 0; i < 100; ++i) {
    std::string conversation;
    for (std::size_t count = 20 + random.below(60); count > 0; --count) {
      encoder.encode(random.client(), out);
      conversation += drain(out);
      // In any order.
      for (std::size_t skipped = random.below(22); skipped > 0; --skipped) (void)random.client();
    }
    samples.push_back(std::move(conversation));
  }
  return samples;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace linden;
  wire::FrameReader reader(1 << 20);
  wire::Decoder decoder;
  wire::feed(reader, {reinterpret_cast<const char*>(data), size});
  Space space;
  for (auto frame = reader.next(); frame && *frame; frame = reader.next()) {
    auto message = decoder.decode_client(**frame, reader);
    if (message) space.take_in(std::move(*message));
  }
  return 0;
}

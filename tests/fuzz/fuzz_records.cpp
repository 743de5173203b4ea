// tests/fuzz/fuzz_records.cpp: any bytes are a record of mutations, or refused (P34); what was read
// means something, since written and read again it is the same.
#include "fuzz_main.h"

#include <boost/pfr.hpp>

#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "space/core/mutation.h"
#include "space/storage/record_codec.h"
#include "tests/api/wire/random_messages.h"

namespace linden::storage {
namespace {

std::string written(Time time, const std::vector<core::Mutation>& mutations) {
  std::string record;
  begin_record(record, time);
  for (const core::Mutation& mutation : mutations) append_mutation(record, mutation);
  return record;
}

// Every field of whatever kind of mutation there is, from chance.
class Filler {
 public:
  explicit Filler(wire::RandomMessages& random) : random_(random) {}

  core::Mutation mutation() {
    constexpr std::size_t kKinds = std::variant_size_v<core::Mutation>;
    core::Mutation made;
    set_kind(made, random_.below(kKinds), std::make_index_sequence<kKinds>());
    fill(made);
    return made;
  }

 private:
  template <class... T, std::size_t... I>
  void set_kind(std::variant<T...>& value, std::size_t kind, std::index_sequence<I...> /*all*/) {
    ((I == kind ? static_cast<void>(value.template emplace<I>()) : void()), ...);
  }

  void fill(bool& value) { value = random_.below(2) == 0; }
  void fill(std::string& text) { text.assign(random_.below(20), 'k'); }
  void fill(Tuple& tuple) { tuple = random_.tuple(); }
  void fill(Template& form) { form = random_.form(); }
  void fill(PauseKind& kind) { kind = static_cast<PauseKind>(random_.below(2)); }
  void fill(ErrorCode& code) { code = ErrorCode::kStaleLease; }
  void fill(Duration& duration) { duration = Duration(random_.below(1 << 20)); }
  void fill(Time& time) { time = Time(Duration(random_.below(1 << 20))); }
  void fill(Rare& rare) {
    RareAttributes attributes;
    fill(attributes.group);
    if (random_.below(3) == 0) attributes.delay = std::chrono::milliseconds(20);
    if (random_.below(3) == 0) attributes.when = {{random_.form(), {{0, 0}}}};
    if (random_.below(2) == 0) rare = attributes;
  }
  template <class T>
  void fill(std::optional<T>& value) {
    if (random_.below(2) == 0) fill(value.emplace());
  }
  template <class T>
  void fill(std::vector<T>& values) {
    values.resize(random_.below(4));
    for (T& value : values) fill(value);
  }
  template <class... T>
  void fill(std::variant<T...>& value) {
    if (!std::is_same_v<std::variant<T...>, core::Mutation>) {
      set_kind(value, random_.below(sizeof...(T)), std::index_sequence_for<T...>());
    }
    std::visit([this](auto& what) { fill(what); }, value);
  }
  template <class T>
  void fill(T& value) {
    if constexpr (std::is_integral_v<T>) {
      value = static_cast<T>(random_.below(std::size_t{1} << (8 * sizeof(T) - 2)));
    } else {
      boost::pfr::for_each_field(value, [this](auto& field) { fill(field); });
    }
  }

  wire::RandomMessages& random_;
};

}  // namespace
}  // namespace linden::storage

std::vector<std::string> fuzz_samples(std::uint64_t seed) {
  using namespace linden;
  wire::RandomMessages random(seed);
  std::vector<std::string> samples;
  storage::Filler filler(random);
  for (int i = 0; i < 300; ++i) {
    std::vector<core::Mutation> mutations(1 + random.below(12));
    for (core::Mutation& mutation : mutations) mutation = filler.mutation();
    samples.push_back(storage::written(Time(Duration(random.below(1 << 20))), mutations));
  }
  return samples;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace linden;
  const std::string_view record(reinterpret_cast<const char*>(data), size);
  std::vector<core::Mutation> mutations;
  const auto time = storage::read_record(
      record, [&](core::Mutation&& mutation) { mutations.push_back(std::move(mutation)); });
  if (!time) {
    FUZZ_CHECK(time.error().code == ErrorCode::kStorageFailed);
    return 0;
  }
  const std::string again = storage::written(*time, mutations);
  std::vector<core::Mutation> read_again;
  const auto time_again = storage::read_record(
      again, [&](core::Mutation&& mutation) { read_again.push_back(std::move(mutation)); });
  FUZZ_CHECK(time_again && *time_again == *time);
  FUZZ_CHECK(storage::written(*time, read_again) == again);
  return 0;
}

// tests/fuzz/fuzz_value_codec.cpp: any bytes are a tuple or template in its one canonical form, or
// refused (P38).
#include "fuzz_main.h"

#include <span>

#include <linden/template.h>
#include <linden/tuple.h>

#include "api/model/encoding.h"
#include "tests/api/wire/random_messages.h"

namespace linden {
namespace {

// The input is a head; its attachments are as long as it says, as far as that is small.
std::vector<Bytes> some_attachments(std::size_t seed) {
  std::vector<Bytes> attachments;
  for (std::size_t count = seed % 4; count > 0; --count)
    attachments.push_back(Bytes::adopt(std::string(kAttachmentBytesMin + count, 'x')));
  return attachments;
}

void check_tuple(const Tuple& tuple) {
  const List values = tuple.values();
  const Tuple again{std::span<const Value>(values)};
  FUZZ_CHECK(again.head() == tuple.head());
  encoding::FieldTable table;
  encoding::split(tuple, table);
  FUZZ_CHECK(table.count == values.size());
  for (std::size_t i = 0; i < table.count; ++i)
    FUZZ_CHECK(encoding::hash(table.fields[i]) == encoding::hash(table, std::uint64_t{1} << i) ||
               table.fields[i].bytes.empty());
  (void)to_string(tuple);
}

void check_template(const Template& form) {
  const auto again =
      Template::decode(form.head(), {form.attachments().begin(), form.attachments().end()});
  FUZZ_CHECK(again);
  FUZZ_CHECK(again->actual_mask() == form.actual_mask());
  (void)form.matches(Tuple{"task", 1});
  (void)to_string(form);
}

}  // namespace
}  // namespace linden

std::vector<std::string> fuzz_samples(std::uint64_t seed) {
  linden::wire::RandomMessages random(seed);
  std::vector<std::string> samples;
  for (int i = 0; i < 300; ++i) {
    samples.emplace_back(random.tuple().head());
    samples.emplace_back(random.form().head());
  }
  return samples;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace linden;
  const std::string_view head(reinterpret_cast<const char*>(data), size);
  for (std::size_t seed : {std::size_t{0}, size}) {
    if (const auto tuple = Tuple::decode(head, some_attachments(seed))) check_tuple(*tuple);
    if (const auto form = Template::decode(head, some_attachments(seed))) check_template(*form);
  }
  return 0;
}

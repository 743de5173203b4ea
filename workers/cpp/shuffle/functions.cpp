// workers/cpp/shuffle/functions.cpp
#include "workers/cpp/shuffle/functions.h"

#include <dlfcn.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <bit>
#include <exception>
#include <span>
#include <utility>

namespace linden::shuffle {

using mapreduce::Block;
using mapreduce::Datum;
using mapreduce::Emitter;
using mapreduce::Functions;
using mapreduce::PairEmitter;
using mapreduce::Values;

namespace {

// As str.split does for ASCII.
constexpr bool is_space(char byte) {
  return (byte > 8 && byte < 14) || (byte > 27 && byte < 33);
}

// Calls `found` with each word: what lies between white space and `delimiter`, which are looked for
// 64 bytes at a time.
template <class Found>
void for_each_word(std::string_view text, char delimiter, Found found) {
  const char* begin = text.data();
  const char* const end = begin + text.size();
  const char* at = begin;
  const auto end_of_word = [&](const char* border) {
    if (border != begin) found(std::string_view(begin, static_cast<std::size_t>(border - begin)));
    begin = border + 1;
  };
#if defined(__SSE2__)
  const __m128i delimiters = _mm_set1_epi8(delimiter);
  // A bit for each of 16 bytes.
  const auto borders_in = [delimiters](const char* from) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    const auto five_from = [bytes](char low) {
      const __m128i above = _mm_sub_epi8(bytes, _mm_set1_epi8(low));
      return _mm_cmpeq_epi8(_mm_min_epu8(above, _mm_set1_epi8(4)), above);
    };
    const __m128i spaces = _mm_or_si128(five_from(9), five_from(28));
    const __m128i borders = _mm_or_si128(spaces, _mm_cmpeq_epi8(bytes, delimiters));
    return static_cast<std::uint64_t>(_mm_movemask_epi8(borders));
  };
  for (; end - at >= 64; at += 64) {
    const std::uint64_t low = borders_in(at) | borders_in(at + 16) << 16U;
    const std::uint64_t high = borders_in(at + 32) | borders_in(at + 48) << 16U;
    for (std::uint64_t bits = low | high << 32U; bits != 0; bits &= bits - 1) {
      end_of_word(at + std::countr_zero(bits));
    }
  }
#endif
  for (; at != end; ++at) {
    if (is_space(*at) || *at == delimiter) end_of_word(at);
  }
  end_of_word(end);
}

void words(const Block& block, PairEmitter& emit) {
  for_each_word(block.text(), block.delimiter(), [&](std::string_view word) { emit(word, 1); });
}

// The last one may have no delimiter.
std::uint64_t records_in(std::string_view text, char delimiter) {
  std::uint64_t count = 0;
  while (!text.empty()) {
    const std::size_t length = text.find(delimiter);
    text.remove_prefix(length == std::string_view::npos ? text.size() : length + 1);
    ++count;
  }
  return count;
}

// From mappers of blocks into the shuffle.
class PairFeed : public PairEmitter {
 public:
  explicit PairFeed(MapOutput& output) : output_(output) {}

 protected:
  void take(const Pair* pairs, std::size_t size) override { output_.add_texts({pairs, size}); }

 private:
  MapOutput& output_;
};

// Runs foreign code: whatever it throws becomes an error that says whose it was.
template <class What, class Call>
void guarded(What what, Call call) {
  try {
    call();
  } catch (const std::exception& error) {
    throw ShuffleError(what() + ": " + error.what());
  } catch (...) {  // The border to functions that are not ours.
    throw ShuffleError(what() + " threw something that is no std::exception");
  }
}

}  // namespace

void add_our_functions(Functions& functions) {
  functions.add_block_mapper("words", words);
  functions.add_reducer("pairs", [](const Datum& key, Values& values, Emitter& emit) {
    Datum value;
    while (values.next(value)) emit(key, value);
  });
}

void load_library(const std::string& path, Functions& functions) {
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw ShuffleError("cannot load " + path + ": " + ::dlerror());
  using Register = void (*)(Functions&);
  const auto add = reinterpret_cast<Register>(::dlsym(library, "linden_register_mapreduce"));
  if (add == nullptr) {
    ::dlclose(library);
    throw ShuffleError(path + " exports no linden_register_mapreduce; see linden/mapreduce.h");
  }
  guarded([&] { return "linden_register_mapreduce of " + path; }, [&] { add(functions); });
}

NativeMapper::NativeMapper(const Functions& functions, std::string name)
    : name_(std::move(name)),
      block_mapper_(functions.block_mapper(name_)),
      mapper_(functions.mapper(name_)) {
  if (block_mapper_ != nullptr || mapper_ != nullptr) return;
  std::string known;
  for (const std::string& one : functions.mapper_names())
    known += (known.empty() ? "" : ", ") + one;
  throw ShuffleError("there is no mapper " + name_ + "; there are " + known);
}

bool NativeMapper::map_some(TextSplit& split, std::uint64_t bytes, MapOutput& output,
                            std::uint64_t& records) const {
  return block_mapper_ != nullptr ? map_blocks(split, bytes, output, records)
                                  : map_records(split, bytes, output, records);
}

bool NativeMapper::map_blocks(TextSplit& split, std::uint64_t bytes, MapOutput& output,
                              std::uint64_t& records) const {
  const auto where = [&] {
    return "mapper " + name_ + " in the records from byte " + std::to_string(split.offset()) +
           " of " + split.path();
  };
  PairFeed feed(output);
  std::string_view text;
  for (std::uint64_t read = 0; read < bytes && !output.is_full(); read += text.size()) {
    if (!split.next_block(text)) return false;
    records += records_in(text, split.delimiter());
    guarded(where, [&] {
      (*block_mapper_)(Block(text, split.delimiter()), feed);
      feed.flush();
    });
  }
  return true;
}

bool NativeMapper::map_records(TextSplit& split, std::uint64_t bytes, MapOutput& output,
                               std::uint64_t& records) const {
  const auto where = [&] {
    return "mapper " + name_ + " at byte " + std::to_string(split.offset()) + " of " + split.path();
  };
  std::string_view record;
  for (std::uint64_t read = 0; read < bytes && !output.is_full(); read += record.size() + 1) {
    if (!split.next(record)) return false;
    ++records;
    guarded(where, [&] { (*mapper_)(record, output); });
  }
  return true;
}

class NativeReduce::KeyValues : public Values {
 public:
  explicit KeyValues(NativeReduce& reduce) : reduce_(reduce) {}

  bool next(Datum& value) override {
    if (given_) advance();
    if (!here_) return false;
    value = value_of(reduce_.ahead_.value);
    given_ = true;
    return true;
  }

  // Past what the reducer did not look at.
  void skip() {
    while (here_) advance();
  }

 private:
  void advance() {
    given_ = false;
    ++reduce_.pairs_;
    reduce_.more_ = reduce_.source_->next(reduce_.ahead_);
    here_ = reduce_.more_ && reduce_.ahead_.key == reduce_.key_;
  }

  NativeReduce& reduce_;
  bool here_ = true;
  bool given_ = false;
};

NativeReduce::NativeReduce(SourcePtr source, std::string name, const mapreduce::Reducer& reducer)
    : source_(std::move(source)), name_(std::move(name)), reducer_(reducer) {}

bool NativeReduce::reduce_some(std::uint64_t pairs, Emitter& output) {
  if (!begun_) {
    begun_ = true;
    more_ = source_->next(ahead_);
  }
  const std::uint64_t stop = pairs_ + pairs;
  while (more_ && pairs_ < stop) {
    key_.assign(ahead_.key);
    ++keys_;
    KeyValues values(*this);
    guarded([&] { return "reducer " + name_ + " at key " + shown_key(key_); },
            [&] { reducer_(key_of(key_), values, output); });
    values.skip();
  }
  return more_;
}

}  // namespace linden::shuffle

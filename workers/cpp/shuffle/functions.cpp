// workers/cpp/shuffle/functions.cpp
#include "workers/cpp/shuffle/functions.h"

#include <dlfcn.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <bit>
#include <exception>
#include <utility>

namespace linden::shuffle {

using mapreduce::Datum;
using mapreduce::Emitter;
using mapreduce::Functions;
using mapreduce::Values;

namespace {

// As str.split does for ASCII.
constexpr bool is_space(char byte) {
  return (byte > 8 && byte < 14) || (byte > 27 && byte < 33);
}

#if defined(__SSE2__)
// A bit for each of 16 bytes that is white space.
std::uint32_t spaces_in(const char* from) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  const auto between = [bytes](char low, char high) {
    return _mm_and_si128(_mm_cmpgt_epi8(bytes, _mm_set1_epi8(low)),
                         _mm_cmpgt_epi8(_mm_set1_epi8(high), bytes));
  };
  return static_cast<std::uint32_t>(
      _mm_movemask_epi8(_mm_or_si128(between(8, 14), between(27, 33))));
}
#else
std::uint32_t spaces_in(const char* from) {
  std::uint32_t bits = 0;
  for (unsigned i = 0; i < 16; ++i) bits |= (is_space(from[i]) ? 1U : 0U) << i;
  return bits;
}
#endif

// Calls `found` with each word.  White space is looked for 16 bytes at a time.
template <class Found>
void for_each_word(std::string_view text, Found found) {
  const char* begin = text.data();
  const char* const end = begin + text.size();
  const char* at = begin;
  const auto end_of_word = [&](const char* space) {
    if (space != begin) found(std::string_view(begin, static_cast<std::size_t>(space - begin)));
    begin = space + 1;
  };
  for (; end - at >= 16; at += 16) {
    for (std::uint32_t bits = spaces_in(at); bits != 0; bits &= bits - 1) {
      end_of_word(at + std::countr_zero(bits));
    }
  }
  for (; at != end; ++at) {
    if (is_space(*at)) end_of_word(at);
  }
  end_of_word(end);
}

void words(std::string_view line, Emitter& emit) {
  for_each_word(line, [&](std::string_view word) { emit(word, 1); });
}

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
  functions.add_mapper("words", words);
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

bool map_some(TextSplit& split, const std::string& name, const mapreduce::Mapper& mapper,
              std::uint64_t bytes, MapOutput& output, std::uint64_t& records) {
  const auto where = [&] {
    return "mapper " + name + " at byte " + std::to_string(split.offset()) + " of " + split.path();
  };
  std::string_view record;
  for (std::uint64_t read = 0; read < bytes && !output.is_full(); read += record.size() + 1) {
    if (!split.next(record)) return false;
    ++records;
    guarded(where, [&] { mapper(record, output); });
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

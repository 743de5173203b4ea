// linden/mapreduce.h: mappers and reducers in C++, for MapReduce jobs that Python starts.
//
// A shared library exports one function, and engines load it when a job names it:
//
//   #include <linden/mapreduce.h>
//   extern "C" void linden_register_mapreduce(linden::mapreduce::Functions& functions) {
//     functions.add_mapper("lengths", [](std::string_view line, linden::mapreduce::Emitter& emit) {
//       emit(line.size(), 1);
//     });
//     functions.add_block_mapper("firsts", [](const linden::mapreduce::Block& block,
//                                             linden::mapreduce::PairEmitter& emit) {
//       for (std::string_view line : block) emit(line.substr(0, 1), 1);
//     });
//   }
//
// This header is all that such a library needs; it links to nothing of ours.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace linden::mapreduce {

// A key or a value: a view, which is valid during the call that gives it.
class Datum {
 public:
  enum class Type : std::uint8_t {
    kNil,
    kBool,
    kInt,
    kFloat,
    kText,
    kBytes,
    kOther,  // a row or an object of Python: may be handed on, not looked into
  };

  Datum() = default;
  Datum(std::nullptr_t) {}
  Datum(std::same_as<bool> auto value) : type_(Type::kBool), integer(value ? 1 : 0) {}
  template <std::integral T>
  requires(!std::same_as<T, bool> && !std::same_as<T, char>) Datum(T value)
      : type_(Type::kInt), integer(static_cast<std::int64_t>(value)) {}
  // A character is neither a number nor, yet, a text: say which, as in std::string_view(&c, 1).
  Datum(std::same_as<char> auto) = delete;
  Datum(double value) : type_(Type::kFloat), real(value) {}
  Datum(std::string_view text) : type_(Type::kText), text_(text) {}
  Datum(const char* text) : Datum(std::string_view(text)) {}
  Datum(const std::string& text) : Datum(std::string_view(text)) {}

  [[nodiscard]] static Datum bytes(std::string_view bytes) { return {Type::kBytes, bytes}; }
  // For Linden itself: `encoded` is in its own encoding.
  [[nodiscard]] static Datum other(std::string_view encoded) { return {Type::kOther, encoded}; }

  [[nodiscard]] Type type() const noexcept { return type_; }

  // Throw std::invalid_argument if it is of another type.
  [[nodiscard]] bool as_bool() const { return wanted(Type::kBool).integer != 0; }
  [[nodiscard]] std::int64_t as_int() const { return wanted(Type::kInt).integer; }
  [[nodiscard]] double as_float() const { return wanted(Type::kFloat).real; }
  [[nodiscard]] std::string_view as_text() const { return wanted(Type::kText).text_; }
  [[nodiscard]] std::string_view as_bytes() const { return wanted(Type::kBytes).text_; }
  // An int or a float.
  [[nodiscard]] double as_number() const {
    return type_ == Type::kInt ? static_cast<double>(integer) : as_float();
  }

  // For Linden itself: text, bytes or what `other` was given.
  [[nodiscard]] std::string_view raw() const noexcept { return text_; }
  [[nodiscard]] std::int64_t raw_int() const noexcept { return integer; }
  [[nodiscard]] double raw_float() const noexcept { return real; }

  [[nodiscard]] static const char* name_of(Type type) noexcept {
    constexpr const char* kNames[] = {"nil", "bool", "int", "float", "text", "bytes", "object"};
    return kNames[static_cast<std::size_t>(type)];
  }

 private:
  Datum(Type type, std::string_view text) : type_(type), text_(text) {}

  const Datum& wanted(Type type) const {
    if (type_ != type) {
      throw std::invalid_argument(std::string("wanted ") + name_of(type) + ", found " +
                                  name_of(type_));
    }
    return *this;
  }

  Type type_ = Type::kNil;
  union {
    std::int64_t integer = 0;
    double real;
  };
  std::string_view text_;
};

// Takes what a mapper or a reducer has to say.  One thread.
class Emitter {
 public:
  Emitter() = default;
  Emitter(const Emitter&) = delete;
  Emitter& operator=(const Emitter&) = delete;
  virtual ~Emitter() = default;

  // Keys are of any type but kOther, unless they were given to the reducer.  What is given is
  // copied.
  void operator()(const Datum& key, const Datum& value) { emit(key, value); }

 protected:
  virtual void emit(const Datum& key, const Datum& value) = 0;
};

// Records that lie beside each other in memory, to be looked at in one go.
//
//   for (std::string_view record : block) ...
class Block {
 public:
  Block(std::string_view text, char delimiter) : text_(text), delimiter_(delimiter) {}

  // All of them, each with the delimiter behind it; the last one of a file may have none.
  [[nodiscard]] std::string_view text() const noexcept { return text_; }
  // The byte that ends a record: a newline, unless the job says otherwise.
  [[nodiscard]] char delimiter() const noexcept { return delimiter_; }

  // Without delimiters; before a newline a carriage return goes, too.
  class Iterator {
   public:
    Iterator(std::string_view left, char delimiter) : left_(left), delimiter_(delimiter) { cut(); }
    std::string_view operator*() const {
      const bool has_return = delimiter_ == '\n' && size_ > 0 && left_[size_ - 1] == '\r';
      return left_.substr(0, size_ - (has_return ? 1 : 0));
    }
    Iterator& operator++() {
      left_.remove_prefix(size_ + (size_ < left_.size() ? 1 : 0));
      cut();
      return *this;
    }
    bool operator==(const Iterator& other) const { return left_.size() == other.left_.size(); }

   private:
    void cut() { size_ = std::min(left_.find(delimiter_), left_.size()); }

    std::string_view left_;
    char delimiter_;
    std::size_t size_ = 0;
  };
  [[nodiscard]] Iterator begin() const { return {text_, delimiter_}; }
  [[nodiscard]] Iterator end() const { return {text_.substr(text_.size()), delimiter_}; }

 private:
  std::string_view text_;
  char delimiter_;
};

// Takes pairs of a text and a number, many at a time.  Where an Emitter costs a call for each pair,
// this costs three stores.  One thread.
class PairEmitter {
 public:
  struct Pair {
    const char* text;
    std::size_t size;
    std::int64_t number;
  };

  PairEmitter() = default;
  PairEmitter(const PairEmitter&) = delete;
  PairEmitter& operator=(const PairEmitter&) = delete;
  virtual ~PairEmitter() = default;

  // `key` is not copied yet: its bytes stay where they are until the mapper returns, as those of
  // the block do.  A key is of the kind that records are: bytes if the job reads bytes, else text.
  void operator()(std::string_view key, std::int64_t number) {
    pairs_[size_] = {key.data(), key.size(), number};
    if (++size_ == kPairsMax) flush();
  }
  // For Linden itself: hands on what is there.
  void flush() {
    const std::size_t size = std::exchange(size_, 0);
    take(pairs_, size);
  }

 protected:
  virtual void take(const Pair* pairs, std::size_t size) = 0;

 private:
  static constexpr std::size_t kPairsMax = 256;

  Pair pairs_[kPairsMax];
  std::size_t size_ = 0;
};

// The values of one key, one after the other.
class Values {
 public:
  Values() = default;
  Values(const Values&) = delete;
  Values& operator=(const Values&) = delete;
  virtual ~Values() = default;

  // False at the end.  `value` is valid until the next call.
  virtual bool next(Datum& value) = 0;
};

// Exceptions end the task with an error that has their text.
using Mapper = std::function<void(std::string_view record, Emitter& emit)>;
using BlockMapper = std::function<void(const Block& block, PairEmitter& emit)>;
using Reducer = std::function<void(const Datum& key, Values& values, Emitter& emit)>;

// Functions by name.  An object that is passed in, never a global.
class Functions {
 public:
  // A name that was given before is given anew: a library that is loaded again brings the same.
  void add_mapper(std::string name, Mapper mapper) {
    block_mappers_.erase(name);
    mappers_.insert_or_assign(std::move(name), std::move(mapper));
  }
  // One that gets many records at once, and emits numbers: the quick way to count.
  void add_block_mapper(std::string name, BlockMapper mapper) {
    mappers_.erase(name);
    block_mappers_.insert_or_assign(std::move(name), std::move(mapper));
  }
  void add_reducer(std::string name, Reducer reducer) {
    reducers_.insert_or_assign(std::move(name), std::move(reducer));
  }

  // Null if there is none.
  [[nodiscard]] const Mapper* mapper(std::string_view name) const { return find(mappers_, name); }
  [[nodiscard]] const BlockMapper* block_mapper(std::string_view name) const {
    return find(block_mappers_, name);
  }
  [[nodiscard]] const Reducer* reducer(std::string_view name) const {
    return find(reducers_, name);
  }
  [[nodiscard]] std::vector<std::string> mapper_names() const {
    std::vector<std::string> found = names(mappers_);
    for (const auto& [name, mapper] : block_mappers_) found.push_back(name);
    return found;
  }
  [[nodiscard]] std::vector<std::string> reducer_names() const { return names(reducers_); }

 private:
  template <class Function>
  using Table = std::map<std::string, Function, std::less<>>;

  template <class Function>
  static const Function* find(const Table<Function>& table, std::string_view name) {
    const auto found = table.find(name);
    return found == table.end() ? nullptr : &found->second;
  }
  template <class Function>
  static std::vector<std::string> names(const Table<Function>& table) {
    std::vector<std::string> found;
    for (const auto& [name, function] : table) found.push_back(name);
    return found;
  }

  Table<Mapper> mappers_;
  Table<BlockMapper> block_mappers_;
  Table<Reducer> reducers_;
};

}  // namespace linden::mapreduce

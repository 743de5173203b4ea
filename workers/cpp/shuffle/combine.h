// workers/cpp/shuffle/combine.h: sum, min and max of numbers, as Python means them.  Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "workers/cpp/shuffle/encoding.h"

namespace linden::shuffle {

enum class Combine : std::uint8_t { kNone, kSum, kMin, kMax };

// An int of 64 bits or a float.
struct Number {
  union {
    std::int64_t integer = 0;
    double real;
  };
  bool is_float = false;

  static Number of(std::int64_t value) {
    Number number;
    number.integer = value;
    return number;
  }
  static Number of(double value) {
    Number number;
    number.real = value;
    number.is_float = true;
    return number;
  }
  [[nodiscard]] double as_float() const { return is_float ? real : static_cast<double>(integer); }
};

// `into` and `value` as one.  False if the sum is beyond 64 bits.
inline bool combine(Combine how, Number& into, const Number& value) {
  if (how == Combine::kSum) {
    if (!into.is_float && !value.is_float) {
      return !__builtin_add_overflow(into.integer, value.integer, &into.integer);
    }
    into = Number::of(into.as_float() + value.as_float());
    return true;
  }
  // The first of equal ones stays, as in Python.
  const bool both_int = !into.is_float && !value.is_float;
  const bool less = both_int ? value.integer < into.integer : value.as_float() < into.as_float();
  const bool more = both_int ? value.integer > into.integer : value.as_float() > into.as_float();
  if (how == Combine::kMin ? less : more) into = value;
  return true;
}

// Throws ShuffleError that names the key.
[[noreturn]] void fail_beyond_64_bits(std::string_view key);

// The number that an encoded value is.  Throws ShuffleError if it is none.
[[nodiscard]] Number number_of(std::string_view encoded);
[[nodiscard]] inline Datum datum_of(const Number& number) {
  return number.is_float ? Datum(number.real) : Datum(number.integer);
}

// A key in words, for messages.
[[nodiscard]] std::string shown_key(std::string_view key);

}  // namespace linden::shuffle

// workers/cpp/shuffle/combine.cpp
#include "workers/cpp/shuffle/combine.h"

namespace linden::shuffle {

void fail_beyond_64_bits(std::string_view key) {
  throw ShuffleError("the sum of key " + shown_key(key) +
                     " is beyond 64 bits; give a reducer and a combiner of your own, such as "
                     "lambda key, values: sum(values)");
}

Number number_of(std::string_view encoded) {
  const Datum value = value_of(encoded);
  if (value.type() == Datum::Type::kInt) return Number::of(value.raw_int());
  if (value.type() == Datum::Type::kFloat) return Number::of(value.raw_float());
  throw ShuffleError(std::string("wanted a number to combine, found ") +
                     Datum::name_of(value.type()));
}

std::string shown_key(std::string_view key) {
  constexpr std::size_t kShownMax = 80;
  const Datum datum = key_of(key);
  switch (datum.type()) {
    case Datum::Type::kNil:
      return "None";
    case Datum::Type::kBool:
      return datum.as_bool() ? "True" : "False";
    case Datum::Type::kInt:
      return std::to_string(datum.as_int());
    case Datum::Type::kFloat:
      return std::to_string(datum.as_float());
    case Datum::Type::kText:
      return "'" + std::string(datum.raw().substr(0, kShownMax)) + "'";
    default:
      return std::string("of type ") + (datum.type() == Datum::Type::kOther ? "tuple" : "bytes");
  }
}

}  // namespace linden::shuffle

// workers/cpp/shuffle/encoding.cpp
#include "workers/cpp/shuffle/encoding.h"

#include <cmath>

#include "api/model/utf8.h"

namespace linden::shuffle {

namespace {

using Type = Datum::Type;

void append_bits(std::string& to, char tag, std::uint64_t bits) {
  char buffer[9];
  buffer[0] = tag;
  store_big_endian(bits, buffer + 1);
  to.append(buffer, sizeof buffer);
}

void append_with_end(std::string& to, char tag, std::string_view bytes) {
  to.push_back(tag);
  for (const char byte : bytes) {
    to.push_back(byte);
    if (byte == 0) to.push_back('\xff');
  }
  to.append(2, '\0');
}

[[noreturn]] void damaged(const char* what) {
  throw ShuffleError(std::string("a run holds a ") + what + " that is damaged");
}

std::uint64_t bits_of(std::string_view encoded) {
  if (encoded.size() != 9) damaged("key");
  return load_big_endian(encoded.data() + 1);
}

}  // namespace

std::uint64_t read_varint(const char*& from, const char* end) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; from != end && shift < 64; shift += 7) {
    const auto byte = static_cast<unsigned char>(*from++);
    value |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
    if (byte < 0x80) return value;
  }
  damaged("number");
}

void check_utf8(std::string_view text) {
  if (is_utf8(text)) return;
  constexpr std::size_t kShownMax = 80;
  std::string shown;
  append_escaped(shown, text, kShownMax);
  throw ShuffleError("'" + shown +
                     "' is no UTF-8, as texts are; emit bytes, or read the files as " +
                     "bytes (encoding=None)");
}

void append_key(std::string& to, const Datum& key) {
  switch (key.type()) {
    case Type::kText:
      to.push_back(kKeyText);
      to.append(key.raw());
      break;
    case Type::kBytes:
      to.push_back(kKeyBytes);
      to.append(key.raw());
      break;
    default:
      append_key_item(to, key);
  }
}

void append_key_item(std::string& to, const Datum& key) {
  switch (key.type()) {
    case Type::kNil:
      to.push_back(kKeyNil);
      break;
    case Type::kBool:
      to.push_back(key.raw_int() != 0 ? kKeyTrue : kKeyFalse);
      break;
    case Type::kInt:
      append_bits(to, kKeyInt, sortable(key.raw_int()));
      break;
    case Type::kFloat:
      if (std::isnan(key.raw_float())) {
        throw ShuffleError("NaN is no key: it equals nothing, not even itself");
      }
      append_bits(to, kKeyFloat, sortable(key.raw_float()));
      break;
    case Type::kText:
      append_with_end(to, kKeyText, key.raw());
      break;
    case Type::kBytes:
      append_with_end(to, kKeyBytes, key.raw());
      break;
    case Type::kOther:
      to.append(key.raw());
      break;
  }
}

Datum key_of(std::string_view encoded) {
  if (encoded.empty()) damaged("key");
  switch (encoded.front()) {
    case kKeyNil:
      return {};
    case kKeyFalse:
      return false;
    case kKeyTrue:
      return true;
    case kKeyInt:
      return int_of_sortable(bits_of(encoded));
    case kKeyFloat:
      return float_of_sortable(bits_of(encoded));
    case kKeyText:
      return encoded.substr(1);
    case kKeyBytes:
      return Datum::bytes(encoded.substr(1));
    case kKeyRow:
      return Datum::other(encoded);
    default:
      damaged("key");
  }
}

void append_value(std::string& to, const Datum& value) {
  switch (value.type()) {
    case Type::kNil:
      to.push_back(kValueNil);
      break;
    case Type::kBool:
      to.push_back(value.raw_int() != 0 ? kValueTrue : kValueFalse);
      break;
    case Type::kInt:
      to.push_back(kValueInt);
      append_varint(to, zigzag(value.raw_int()));
      break;
    case Type::kFloat: {
      char buffer[9] = {kValueFloat};
      const double number = value.raw_float();
      std::memcpy(buffer + 1, &number, sizeof number);
      to.append(buffer, sizeof buffer);
      break;
    }
    case Type::kText:
      to.push_back(kValueText);
      to.append(value.raw());
      break;
    case Type::kBytes:
      to.push_back(kValueBytes);
      to.append(value.raw());
      break;
    case Type::kOther:
      to.append(value.raw());
      break;
  }
}

Datum value_of(std::string_view encoded) {
  if (encoded.empty()) damaged("value");
  const char* from = encoded.data() + 1;
  const char* end = encoded.data() + encoded.size();
  switch (encoded.front()) {
    case kValueNil:
      return {};
    case kValueFalse:
      return false;
    case kValueTrue:
      return true;
    case kValueInt:
      return unzigzag(read_varint(from, end));
    case kValueFloat: {
      double number = 0;
      if (encoded.size() != 1 + sizeof number) damaged("value");
      std::memcpy(&number, from, sizeof number);
      return number;
    }
    case kValueText:
      return encoded.substr(1);
    case kValueBytes:
      return Datum::bytes(encoded.substr(1));
    case kValueRow:
    case kValueList:
    case kValuePickle:
      return Datum::other(encoded);
    default:
      damaged("value");
  }
}

}  // namespace linden::shuffle

// api/model/array.cpp
#include <linden/array.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include <linden/error.h>

namespace linden {
namespace {

constexpr std::size_t kAlignmentMax = 8;  // of all elements that there are

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorCode::kInvalidArgument, what);
}

// The number that `text` is as a whole.
bool read_number(std::string_view text, std::size_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

// As numpy writes them: a byte order, a letter for the kind, a number of bytes ("<f8"); texts count
// characters of four bytes ("<U3"), and times have a unit behind it ("<M8[ns]").
std::size_t bytes_per_element(const std::string& dtype) {
  constexpr std::string_view kOrders = "<|";
  constexpr std::string_view kKinds = "biufcSUmM";
  std::size_t count = 0;
  const std::string_view number = std::string_view(dtype).substr(
      std::min<std::size_t>(2, dtype.size()),
      dtype.find('[') == std::string::npos ? std::string::npos : dtype.find('[') - 2);
  if (dtype.size() < 3 || kOrders.find(dtype[0]) == std::string_view::npos ||
      kKinds.find(dtype[1]) == std::string_view::npos || !read_number(number, count)) {
    refuse("an array of dtype '" + dtype +
           "'; wanted little-endian elements of a fixed size, such as <f8");
  }
  return dtype[1] == 'U' ? 4 * count : count;
}

std::size_t product(const std::vector<std::size_t>& shape) {
  std::size_t size = 1;
  for (const std::size_t extent : shape) {
    if (__builtin_mul_overflow(size, extent, &size)) refuse("an array of too many elements");
  }
  return size;
}

Bytes aligned(const Bytes& bytes, std::size_t element_bytes) {
  const std::size_t alignment = std::min(element_bytes, kAlignmentMax);
  if (alignment == 0 || reinterpret_cast<std::uintptr_t>(bytes.data()) % alignment == 0)
    return bytes;
  // operator new[] aligns for every element type that there is.
  const auto copy = std::make_shared_for_overwrite<char[]>(bytes.size());
  std::memcpy(copy.get(), bytes.data(), bytes.size());
  return Bytes::share(copy, {copy.get(), bytes.size()});
}

}  // namespace

Array::Array(std::string dtype, std::vector<std::size_t> shape, Bytes elements)
    : dtype_(std::move(dtype)),
      shape_(std::move(shape)),
      size_(product(shape_)),
      elements_(std::move(elements)) {
  const std::size_t element_bytes = bytes_per_element(dtype_);
  std::size_t wanted = 0;
  if (__builtin_mul_overflow(size_, element_bytes, &wanted) || wanted != elements_.size()) {
    refuse("an array of " + std::to_string(size_) + " elements of dtype " + dtype_ + " has " +
           std::to_string(elements_.size()) + " bytes");
  }
  if (!elements_.empty()) elements_ = aligned(elements_, element_bytes);
}

Array::Array(const Value& field) {
  if (field.type() != FieldType::kObject || field.as_object().codec != kArrayCodec) {
    refuse("wanted an array, found " + to_string(field));
  }
  const auto& parts = field.as_object().parts;
  if (parts.size() != 2) refuse("a malformed array: wanted two parts");
  std::string_view head = parts[0].view();
  const auto next_word = [&head] {
    const auto word = head.substr(0, head.find(' '));
    head.remove_prefix(std::min(word.size() + 1, head.size()));
    return word;
  };
  std::string dtype(next_word());
  std::vector<std::size_t> shape;
  while (!head.empty()) {
    if (!read_number(next_word(), shape.emplace_back())) {
      refuse("a malformed array: its shape is '" + std::string(parts[0].view()) + "'");
    }
  }
  *this = Array(std::move(dtype), std::move(shape), parts[1]);
}

Array::operator Value() const {
  std::string head = dtype_;
  for (const std::size_t extent : shape_) head += " " + std::to_string(extent);
  return Object{std::string(kArrayCodec), {Bytes::adopt(std::move(head)), elements_}};
}

void Array::check_dtype(std::string_view wanted) const {
  if (dtype_ != wanted) {
    refuse("wanted an array of dtype " + std::string(wanted) + ", found one of " + dtype_ +
           "; nothing is converted");
  }
}

}  // namespace linden

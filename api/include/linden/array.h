// linden/array.h: an array of numbers as a field of a tuple; in Python it is a numpy array.
#pragma once

#include <complex>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <linden/bytes.h>
#include <linden/value.h>

namespace linden {

// The codec of objects that are arrays: parts[0] is the dtype and the shape as text ("<f8 2 3"),
// parts[1] the elements in C order, the last index running fastest.
inline constexpr std::string_view kArrayCodec = "ndarray";

namespace detail {
template <class T>
struct DtypeOf;  // for whatever is no element of an array
template <>
struct DtypeOf<bool> {
  static constexpr std::string_view kName = "|b1";
};
template <>
struct DtypeOf<std::int8_t> {
  static constexpr std::string_view kName = "|i1";
};
template <>
struct DtypeOf<std::uint8_t> {
  static constexpr std::string_view kName = "|u1";
};
template <>
struct DtypeOf<std::int16_t> {
  static constexpr std::string_view kName = "<i2";
};
template <>
struct DtypeOf<std::uint16_t> {
  static constexpr std::string_view kName = "<u2";
};
template <>
struct DtypeOf<std::int32_t> {
  static constexpr std::string_view kName = "<i4";
};
template <>
struct DtypeOf<std::uint32_t> {
  static constexpr std::string_view kName = "<u4";
};
template <>
struct DtypeOf<std::int64_t> {
  static constexpr std::string_view kName = "<i8";
};
template <>
struct DtypeOf<std::uint64_t> {
  static constexpr std::string_view kName = "<u8";
};
template <>
struct DtypeOf<float> {
  static constexpr std::string_view kName = "<f4";
};
template <>
struct DtypeOf<double> {
  static constexpr std::string_view kName = "<f8";
};
template <>
struct DtypeOf<std::complex<float>> {
  static constexpr std::string_view kName = "<c8";
};
template <>
struct DtypeOf<std::complex<double>> {
  static constexpr std::string_view kName = "<c16";
};
}  // namespace detail

template <class T>
concept ArrayElement = requires {
  detail::DtypeOf<T>::kName;
};

// numpy's name of an element type: "<f8" for double.
template <ArrayElement T>
inline constexpr std::string_view kDtype = detail::DtypeOf<T>::kName;

// Elements in C order with a dtype and a shape.  A value: copying shares the elements, which never
// change.  Safe to share between threads.
class Array {
 public:
  Array() : Array(std::string(kDtype<double>), {0}, {}) {}  // no doubles in one dimension

  // Reads an object field of codec "ndarray", and shares its elements; what came over the network
  // on an odd address is copied to a good one.  Throws Error kInvalidArgument: it is no array, or
  // a malformed one.
  explicit Array(const Value& field);

  // `elements` has the bytes of all elements in C order.  Throws Error kInvalidArgument if there
  // are more or fewer than the shape says, or if the dtype is none of a fixed size.
  Array(std::string dtype, std::vector<std::size_t> shape, Bytes elements);

  // Takes over the elements.  Without a shape it has one dimension.
  template <ArrayElement T>
  requires(!std::same_as<T, bool>) [[nodiscard]] static Array
      adopt(std::vector<T>&& elements, std::vector<std::size_t> shape) {
    auto owner = std::make_shared<const std::vector<T>>(std::move(elements));
    const std::string_view bytes(reinterpret_cast<const char*>(owner->data()),
                                 owner->size() * sizeof(T));
    return {std::string(kDtype<T>), std::move(shape), Bytes::share(std::move(owner), bytes)};
  }
  template <ArrayElement T>
  requires(!std::same_as<T, bool>) [[nodiscard]] static Array adopt(std::vector<T>&& elements) {
    const std::size_t count = elements.size();
    return adopt(std::move(elements), {count});
  }

  // Copies the elements.
  template <ArrayElement T>
  [[nodiscard]] static Array copy_of(std::span<const T> elements, std::vector<std::size_t> shape) {
    const std::string_view bytes(reinterpret_cast<const char*>(elements.data()),
                                 elements.size_bytes());
    return {std::string(kDtype<T>), std::move(shape), Bytes::copy_of(bytes)};
  }
  template <ArrayElement T>
  [[nodiscard]] static Array copy_of(std::span<const T> elements) {
    return copy_of(elements, {elements.size()});
  }

  [[nodiscard]] const std::string& dtype() const noexcept { return dtype_; }  // numpy's
  [[nodiscard]] const std::vector<std::size_t>& shape() const noexcept { return shape_; }  // sizes
  [[nodiscard]] std::size_t size() const noexcept { return size_; }        // elements
  [[nodiscard]] const Bytes& bytes() const noexcept { return elements_; }  // all

  // All elements in C order, without copying.  Throws Error kInvalidArgument that says wanted and
  // found if the dtype is not that of T: nothing is converted (P2).
  template <ArrayElement T>
  [[nodiscard]] std::span<const T> as() const {
    check_dtype(kDtype<T>);
    return {reinterpret_cast<const T*>(elements_.data()), size_};
  }

  // As a field of a tuple, or an argument.
  operator Value() const;  // NOLINT(google-explicit-constructor)

  // Equal in dtype, shape and bytes.
  friend bool operator==(const Array&, const Array&) = default;

 private:
  void check_dtype(std::string_view wanted) const;

  std::string dtype_;
  std::vector<std::size_t> shape_;
  std::size_t size_ = 0;
  Bytes elements_;
};

}  // namespace linden

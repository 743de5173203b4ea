// linden/result.h: a value or the reason why there is none (the words of std::expected, which GCC
// 12 lacks in C++20 mode).
#pragma once

#include <cassert>
#include <string>
#include <utility>
#include <variant>

#include <linden/error.h>

namespace linden {

// Why something failed outside of us: disk, network, bytes.
struct Failure {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;

  friend bool operator==(const Failure&, const Failure&) = default;
};

template <class T>
class [[nodiscard]] Result {  // a value, or why there is none
 public:
  Result(T value) : value_(std::move(value)) {}            // NOLINT(google-explicit-constructor)
  Result(Failure failure) : value_(std::move(failure)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool has_value() const noexcept { return value_.index() == 0; }  // or error()
  explicit operator bool() const noexcept { return has_value(); }                // has_value()

  // Each asserts that there is one.
  [[nodiscard]] T& value() & {
    assert(has_value());
    return *std::get_if<0>(&value_);
  }
  [[nodiscard]] const T& value() const& {
    assert(has_value());
    return *std::get_if<0>(&value_);
  }
  [[nodiscard]] T&& value() && {
    assert(has_value());
    return std::move(*std::get_if<0>(&value_));
  }
  [[nodiscard]] T& operator*() & { return value(); }
  [[nodiscard]] const T& operator*() const& { return value(); }
  [[nodiscard]] T&& operator*() && { return std::move(*this).value(); }
  [[nodiscard]] T* operator->() { return &value(); }
  [[nodiscard]] const T* operator->() const { return &value(); }
  [[nodiscard]] const Failure& error() const {  // why
    assert(!has_value());
    return *std::get_if<1>(&value_);
  }

  // The value, or throws Error with the failure's code and message.
  T value_or_throw() && {
    if (!has_value()) throw Error(error().code, error().message);
    return std::move(*this).value();
  }

 private:
  std::variant<T, Failure> value_;
};

template <>
class [[nodiscard]] Result<void> {  // nothing, or why it failed
 public:
  Result() = default;
  Result(Failure failure)
      : failure_(std::move(failure)), ok_(false) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool has_value() const noexcept { return ok_; }  // it did not fail
  explicit operator bool() const noexcept { return ok_; }        // has_value()
  [[nodiscard]] const Failure& error() const {                   // why
    assert(!ok_);
    return failure_;
  }

  void value_or_throw() const {  // throws Error if it failed
    if (!ok_) throw Error(failure_.code, failure_.message);
  }

 private:
  Failure failure_;
  bool ok_ = true;
};

}  // namespace linden

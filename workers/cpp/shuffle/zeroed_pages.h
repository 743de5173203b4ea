// workers/cpp/shuffle/zeroed_pages.h: memory for a large table, all zeros at first.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <utility>

namespace linden::shuffle {

// `count` objects, for which all bits zero is a value.  Comes from the kernel, in huge pages where
// it has them: a table that is hit at random places costs less address translation then, and what
// is not used costs nothing.
template <class T>
class ZeroedPages {
 public:
  ZeroedPages() = default;
  // Throws std::bad_alloc.
  explicit ZeroedPages(std::size_t count) : size_(count) {
    // Huge pages begin where addresses are multiples of their size, so what is around such a piece
    // is asked for, too, and given back.
    const std::size_t around = bytes() >= kHugePage ? kHugePage : 0;
    void* data = ::mmap(nullptr, bytes() + around, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) throw std::bad_alloc();
    auto* begin = static_cast<char*>(data);
    if (around > 0) {
      const std::size_t before = -reinterpret_cast<std::uintptr_t>(begin) % kHugePage;
      if (before > 0) ::munmap(begin, before);
      begin += before;
      ::munmap(begin + bytes(), around - before);
      ::madvise(begin, bytes(), MADV_HUGEPAGE);  // advice: it may not be taken
    }
    data_ = reinterpret_cast<T*>(begin);
  }
  ZeroedPages(ZeroedPages&& other) noexcept { swap(other); }
  ZeroedPages& operator=(ZeroedPages&& other) noexcept {
    ZeroedPages(std::move(other)).swap(*this);
    return *this;
  }
  ~ZeroedPages() {
    if (data_ != nullptr) ::munmap(data_, bytes());
  }

  T& operator[](std::size_t i) noexcept { return data_[i]; }
  const T& operator[](std::size_t i) const noexcept { return data_[i]; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return size_ * sizeof(T); }
  [[nodiscard]] std::span<T> first(std::size_t count) noexcept { return {data_, count}; }
  [[nodiscard]] std::span<const T> first(std::size_t count) const noexcept {
    return {data_, count};
  }

 private:
  static constexpr std::size_t kHugePage = std::size_t{2} << 20U;

  void swap(ZeroedPages& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }

  T* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace linden::shuffle

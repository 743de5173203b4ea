// linden/bytes.h: an immutable run of bytes that is shared, never copied.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace linden {

// A view of bytes together with a share in whatever keeps them alive: a frame that came from the
// network, a string, a Python buffer.  Copying a Bytes copies the share, not the bytes.  The bytes
// never change while any share lives. Safe to copy and destroy from several threads, like a
// std::shared_ptr.
class Bytes {
 public:
  Bytes() = default;

  // Copies `bytes` into an allocation of its own.
  [[nodiscard]] static Bytes copy_of(std::string_view bytes);

  // Takes over the string; no copy for strings beyond the small-string size.
  [[nodiscard]] static Bytes adopt(std::string&& bytes);

  // Shares bytes that `owner` keeps alive and unchanged.
  [[nodiscard]] static Bytes share(std::shared_ptr<const void> owner, std::string_view bytes) {
    Bytes result;
    result.owner_ = std::move(owner);
    result.view_ = bytes;
    return result;
  }
  // Where they are.
  [[nodiscard]] const char* data() const noexcept { return view_.data(); }
  [[nodiscard]] std::size_t size() const noexcept { return view_.size(); }
  [[nodiscard]] bool empty() const noexcept { return view_.empty(); }
  [[nodiscard]] std::string_view view() const noexcept { return view_; }

  // Shares a part; `offset + count` must lie within size().
  [[nodiscard]] Bytes slice(std::size_t offset, std::size_t count) const {
    return share(owner_, view_.substr(offset, count));
  }

  // By content.
  friend bool operator==(const Bytes& a, const Bytes& b) noexcept { return a.view_ == b.view_; }

 private:
  std::shared_ptr<const void> owner_;
  std::string_view view_;
};

}  // namespace linden

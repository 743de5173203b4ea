// api/model/bytes.cpp
#include <linden/bytes.h>

#include <cstring>

namespace linden {

Bytes Bytes::copy_of(std::string_view bytes) {
  if (bytes.empty()) return {};
  // One allocation holds the count of shares and the bytes.
  std::shared_ptr<char[]> memory = std::make_shared_for_overwrite<char[]>(bytes.size());
  std::memcpy(memory.get(), bytes.data(), bytes.size());
  const std::string_view view(memory.get(), bytes.size());
  return share(std::shared_ptr<const void>(std::move(memory)), view);
}

Bytes Bytes::adopt(std::string&& bytes) {
  auto owner = std::make_shared<const std::string>(std::move(bytes));
  const std::string_view view = *owner;
  return share(std::move(owner), view);
}

}  // namespace linden

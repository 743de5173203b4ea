// space/admin/whole_text.cpp
#include "space/admin/whole_text.h"

#include <string_view>

namespace linden::admin {
namespace {

// So much of a text or of bytes is printed whole, whatever is in it.
constexpr std::size_t kPieceBytes = 32;

bool starts_character(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
}

std::size_t piece_end(std::string_view text, std::size_t start, bool is_text) {
  if (text.size() - start <= kPieceBytes) return text.size();
  std::size_t end = start + kPieceBytes;
  while (is_text && end > start + 1 && !starts_character(text[end])) --end;
  return end;
}

// Piece by piece, since what prints a value cuts it; the quotes of the pieces are left out.
std::string whole(std::string_view content, bool is_text) {
  const std::size_t opening = is_text ? 1 : 2;  // " or b"
  std::string text = is_text ? "\"" : "b\"";
  for (std::size_t at = 0; at < content.size();) {
    const std::size_t end = piece_end(content, at, is_text);
    const std::string_view piece = content.substr(at, end - at);
    const std::string shown =
        is_text ? to_string(Value(piece)) : to_string(Value(Bytes::copy_of(piece)));
    text += shown.substr(opening, shown.size() - opening - 1);
    at = end;
  }
  return text + '"';
}

}  // namespace

std::string whole_text(const Value& value) {
  if (value.type() == FieldType::kText) return whole(value.as_text(), true);
  if (value.type() == FieldType::kBytes) return whole(value.as_bytes().view(), false);
  if (value.type() != FieldType::kList) return to_string(value);
  std::string text = "[";
  for (const Value& element : value.as_list())
    text += (text.size() > 1 ? ", " : "") + whole_text(element);
  return text + "]";
}

}  // namespace linden::admin

// api/model/append.cpp
#include "api/model/append.h"

#include <linden/error.h>
#include <linden/tuple.h>

#include "api/model/utf8.h"
#include "api/model/varint.h"

namespace linden::encoding {
namespace {

void append_tag(std::string& head, Tag tag) {
  head += static_cast<char>(tag);
}

// Codecs and texts: a length and UTF-8.
void append_utf8(std::string& head, std::string_view utf8) {
  if (!is_utf8(utf8)) {
    std::string message = "text must be UTF-8, found \"";
    append_escaped(message, utf8, 40);
    throw Error(ErrorCode::kInvalidArgument, message + "\"; pass bytes for what is not text");
  }
  append_varint(head, utf8.size());
  head += utf8;
}

}  // namespace

void append_int(std::string& head, std::int64_t value) {
  append_tag(head, kTagInt);
  append_word(head, value);
}

void append_float(std::string& head, double value) {
  append_tag(head, kTagFloat);
  append_word(head, value);
}

void append_text(std::string& head, std::string_view utf8, Tag tag) {
  append_tag(head, tag);
  append_utf8(head, utf8);
}

void append_bytes(std::string& head, std::vector<Bytes>& attachments, std::string_view bytes,
                  const Bytes* shared) {
  const bool attach = bytes.size() >= kAttachmentBytesMin;
  append_tag(head, attach ? kTagAttachment : kTagBytes);
  append_varint(head, bytes.size());
  if (attach) {
    attachments.push_back(shared != nullptr ? *shared : Bytes::copy_of(bytes));
  } else {
    head += bytes;
  }
}

void append_object(std::string& head, std::vector<Bytes>& attachments, std::string_view codec,
                   std::span<const Bytes> parts) {
  append_text(head, codec, kTagObject);
  append_varint(head, parts.size());
  for (const Bytes& part : parts) append_bytes(head, attachments, part.view(), &part);
}

void check_depth(std::size_t depth) {
  if (depth < kListDepthMax) return;
  throw Error(ErrorCode::kLimitExceeded, "lists may be nested " + std::to_string(kListDepthMax) +
                                             " deep, found a deeper one; flatten it, or store it "
                                             "as an object");
}

void check_depth(std::size_t depth, const FieldView& field) {
  if (field.type() != FieldType::kList) return;
  check_depth(depth);
  ListWalk walk(field);
  for (FieldView element; walk.next(element);) check_depth(depth + 1, element);
}

std::size_t open_list(std::string& head) {
  constexpr char kUnknown = '\0';
  head.append({static_cast<char>(kTagList), kUnknown, kUnknown});
  return head.size();
}

// Most lists are so short that both numbers fit where room was left for them.
void close_list(std::string& head, std::size_t start, std::size_t count) {
  constexpr std::size_t kByteEnd = 0x80;
  const std::size_t bytes = head.size() - start;
  if (count < kByteEnd && bytes + 1 < kByteEnd) {
    head[start - 2] = static_cast<char>(bytes + 1);
    head[start - 1] = static_cast<char>(count);
    return;
  }
  std::string counted;
  append_varint(counted, count);
  std::string prefix;
  append_varint(prefix, counted.size() + bytes);
  head.replace(start - 2, 2, prefix + counted);
}

void append_field(std::string& head, std::vector<Bytes>& attachments, const FieldView& field) {
  head += field.bytes;
  attachments.insert(attachments.end(), field.attachments.begin(), field.attachments.end());
}

void append_value(std::string& head, std::vector<Bytes>& attachments, const Value& value,
                  std::size_t depth) {
  switch (value.type()) {
    case FieldType::kNil:
      return append_tag(head, kTagNil);
    case FieldType::kBool:
      return append_tag(head, value.as_bool() ? kTagTrue : kTagFalse);
    case FieldType::kInt:
      return append_int(head, value.as_int());
    case FieldType::kFloat:
      return append_float(head, value.as_float());
    case FieldType::kText:
      return append_text(head, value.as_text());
    case FieldType::kBytes: {
      const Bytes& bytes = value.as_bytes();
      return append_bytes(head, attachments, bytes.view(), &bytes);
    }
    case FieldType::kList: {
      check_depth(depth);
      const std::size_t start = open_list(head);
      for (const Value& element : value.as_list())
        append_value(head, attachments, element, depth + 1);
      return close_list(head, start, value.as_list().size());
    }
    case FieldType::kObject: {
      const Object& object = value.as_object();
      return append_object(head, attachments, object.codec, object.parts);
    }
  }
}

}  // namespace linden::encoding

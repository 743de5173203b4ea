// api/model/append.h: fields into their canonical bytes (encoding.h tells the format).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <linden/bytes.h>
#include <linden/field_view.h>
#include <linden/value.h>

namespace linden::encoding {

// First bytes of fields and formals.
enum Tag : unsigned char {
  kTagNil = 0x00,
  kTagFalse = 0x01,
  kTagTrue = 0x02,
  kTagInt = 0x03,
  kTagFloat = 0x04,
  kTagText = 0x05,
  kTagBytes = 0x06,
  kTagAttachment = 0x07,
  kTagList = 0x08,
  kTagObject = 0x09,
  kTagAny = 0x20,
  kTagTyped = 0x21,
  kTagBetween = 0x22,
  kTagPrefix = 0x23,
  kTagOneOf = 0x24,
  kTagListOf = 0x25,
};

// Each appends one field.  Throws Error: kInvalidArgument for text that is not UTF-8,
// kLimitExceeded for lists that are nested beyond kListDepthMax.
void append_int(std::string& head, std::int64_t value);
void append_float(std::string& head, double value);
void append_text(std::string& head, std::string_view utf8, Tag tag = kTagText);
// Large bytes go to `attachments`: shared if `shared` is given (it holds the same bytes), else
// copied.
void append_bytes(std::string& head, std::vector<Bytes>& attachments, std::string_view bytes,
                  const Bytes* shared);
void append_object(std::string& head, std::vector<Bytes>& attachments, std::string_view codec,
                   std::span<const Bytes> parts);
// `depth` is the number of lists around the value.
void append_value(std::string& head, std::vector<Bytes>& attachments, const Value& value,
                  std::size_t depth = 0);

// A list whose elements are appended between the two; the first gives what the second wants as
// `start`, the `count` is of the elements.
[[nodiscard]] std::size_t open_list(std::string& head);
void close_list(std::string& head, std::size_t start, std::size_t count);

// A field of another row as it lies.
void append_field(std::string& head, std::vector<Bytes>& attachments, const FieldView& field);

// Throws Error kLimitExceeded if a list at this depth is nested too deeply.
void check_depth(std::size_t depth);
// The same for the lists of a field that has `depth` lists around it.
void check_depth(std::size_t depth, const FieldView& field);

}  // namespace linden::encoding

// api/wire/shortcut.h: the commonest messages, read and written without protobuf's classes.
//
// A put, take or finish and its answer are a few numbers around tuples, which is so for tasks and
// their results, too: they have a will, a bound of attempts, a priority.  To parse them into
// messages on an arena and copy them out again took longer than all that the space did with them.
// What a shortcut does not know it leaves to the long way: other attributes, attachments,
// transactions, fields that are said twice or by a newer peer, and everything that is wrong, so
// that there is one place that says how.  The same bytes mean the same on both ways
// (tests/api/wire).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "api/wire/frame.h"
#include "api/wire/messages.h"
#include "api/wire/write_buffer.h"

namespace linden::wire {

// Clients ask for the same again and again, so a template that was read is kept with its bytes.
class TemplateMemory {
 public:
  // The template with that head and no attachments; false: it is malformed.
  [[nodiscard]] bool read(std::string_view head, Template& out);

 private:
  static constexpr std::size_t kKept = 16;
  // What very long templates took is not kept.
  static constexpr std::size_t kHeadBytesMax = 1024;
  std::array<Template, kKept> kept_;  // each where its bytes say
};

// Fills `out` with the request in `frame`.  False: it is none that the shortcut knows, `out` is of
// no meaning.
[[nodiscard]] bool read_common_request(const Frame& frame, TemplateMemory& templates, Request& out);

// Appends the frame of a reply.  False: it is none that the shortcut knows, nothing was appended.
[[nodiscard]] bool append_common_reply(RequestId to, const Answer& answer,
                                       std::uint32_t frame_bytes_max, WriteBuffer& out);

}  // namespace linden::wire

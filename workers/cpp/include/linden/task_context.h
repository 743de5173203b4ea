// linden/task_context.h: what a function may ask of the task that runs it.
#pragma once

#include <iosfwd>
#include <stop_token>

namespace linden {

// All three are for the thread that runs the function.  In other threads, such as those of a
// parallel loop inside it, and outside of tasks, nothing stops and what is written is dropped: take
// token or stream before the loop and hand them on.

// For functions that take long: whether their task was cancelled (F6).  A function that returns
// soon then, with whatever it likes, makes room for others; its result is "cancelled" anyway.
[[nodiscard]] std::stop_token this_task();

// What the task prints, as print() in Python: it goes to whoever submitted the task, in order, and
// all of it is there when the result is (F5).  A flush (std::flush, std::endl) sends what is there
// at once, or within 50 ms if the last one was just now.  Bytes that are no UTF-8 are replaced.
// The stream is valid until the function returns; one thread at a time may write.
[[nodiscard]] std::ostream& task_output();
// The same, for what the task complains of: stderr.
[[nodiscard]] std::ostream& task_errors();

}  // namespace linden

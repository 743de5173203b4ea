// python/bindings/interpreter.h: how C++ and the interpreter meet: references, the GIL, objects
// that native threads let go of, and exceptions at the border.
//
// C++ never calls Python from a thread of its own.  What may wait runs in without_gil(); what a
// native thread lets go of waits in a list until a call that holds the GIL drops it.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>
#include <utility>

#include <linden/client.h>

namespace linden::python {

namespace py = pybind11;

// A new reference, or the Python error that is set.
inline py::object checked(PyObject* made) {
  if (made == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(made);
}

// Throws what was set as the Python error.
template <class... Args>
[[noreturn]] void raise(PyObject* type, const char* format, Args... args) {
  PyErr_Format(type, format, args...);
  throw py::error_already_set();
}

// Sets the Python error that belongs to the exception in flight; call it in a catch (...) block at
// the end of a function that Python calls directly.
void set_error_in_flight() noexcept;

// Runs `body` and returns what it returns, or `failed` with the Python error set.
template <class Failed, class Body>
Failed guarded(Failed failed, Body&& body) noexcept {
  try {
    return body();
  } catch (...) {
    set_error_in_flight();
    return failed;
  }
}

// Shares an object with native threads.  The last share may be dropped anywhere and without the
// GIL: the reference then waits for drop_released().  Needs the GIL.
std::shared_ptr<const void> share_object(PyObject* object);

// Drops what native threads have let go of.  Needs the GIL.  One load if there is nothing.
void drop_released() noexcept;

// How many times this process was forked since the module was loaded: whoever was made before a
// fork must not be used after it, because its threads are gone and its socket is the parent's.
[[nodiscard]] unsigned fork_count() noexcept;
void count_forks();

// Runs `call(interrupt)` without the GIL.  `interrupt` takes it to run Python's signal handlers; if
// one raises, so does this.
template <class Call>
auto without_gil(Call&& call) {
  bool raised = false;
  const Interrupt interrupt = [&raised] {
    const PyGILState_STATE state = PyGILState_Ensure();
    raised = raised || PyErr_CheckSignals() != 0;
    PyGILState_Release(state);
    return raised;
  };
  try {
    auto result = [&] {
      py::gil_scoped_release released;
      return call(interrupt);
    }();
    drop_released();
    if (!raised) return result;
  } catch (...) {
    if (!raised) throw;
  }
  throw py::error_already_set();
}

// The same for calls that return nothing and are soon over.
template <class Call>
void briefly_without_gil(Call&& call) {
  {
    py::gil_scoped_release released;
    call();
  }
  drop_released();
}

// Seconds as Python says them.  None is for ever.  Raises ValueError for what is negative or NaN;
// `what` is the argument's name.
[[nodiscard]] Duration duration_of(PyObject* seconds, const char* what);
[[nodiscard]] double seconds_of(Duration duration) noexcept;

}  // namespace linden::python

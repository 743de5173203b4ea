// python/shuffle/convert.h: Python's keys and values as bytes, and back.
#pragma once

#include <pybind11/pybind11.h>

#include <string>
#include <string_view>

#include "workers/cpp/shuffle/combine.h"
#include "workers/cpp/shuffle/encoding.h"

namespace linden::python {

namespace py = pybind11;

// Exceptions of linden._shuffle: what a mapper or a reducer gave is no pair, or its key is none.
extern PyObject* bad_pair_error;

template <class... Args>
[[noreturn]] void raise(PyObject* type, const char* format, Args... args) {
  PyErr_Format(type, format, args...);
  throw py::error_already_set();
}

// A new reference, or the Python error that is set.
inline py::object checked(PyObject* made) {
  if (made == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(made);
}

// UTF-8 of a str, valid as long as that.  Raises BadPair: it holds what UTF-8 cannot say.
std::string_view utf8_of(PyObject* text);

// Exact types only: a subclass would come back as something else.  Raises BadPair that shows the
// key.
void append_python_key(std::string& to, PyObject* key);
[[nodiscard]] py::object python_key(std::string_view encoded);

// Anything; what is none of the plain types goes through pickle.
void append_python_value(std::string& to, PyObject* value);
[[nodiscard]] py::object python_value(std::string_view encoded);

// A value for sum, min or max.  Raises BadPair that shows key and value.
[[nodiscard]] shuffle::Number python_number(PyObject* key, PyObject* value);

}  // namespace linden::python

// python/bindings/errors.h: error codes as Python exceptions.  linden.errors registers one class
// per code; until then each is a RuntimeError.
#pragma once

#include <pybind11/pybind11.h>

#include <string>

#include <linden/error.h>

namespace linden::python {

// Each needs the GIL.
// The exception that belongs to the code, not raised.  Throws error_already_set if its class
// cannot be called with a message.
[[nodiscard]] pybind11::object make_exception(ErrorCode code, const std::string& message);
// Raises it in Python's way: sets it and leaves the return to the caller.
void set_error(ErrorCode code, const std::string& message) noexcept;

// NotEncodable(message, index of the top-level field).
void set_not_encodable(PyObject* value, Py_ssize_t field) noexcept;

void bind_errors(pybind11::module_& module);

}  // namespace linden::python

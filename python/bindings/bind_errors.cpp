// python/bindings/bind_errors.cpp: linden::Error as the exception class of its code.
#include <array>
#include <cstdint>

#include "errors.h"
#include "interpreter.h"

namespace linden::python {
namespace {

constexpr std::size_t kCodes = 256;  // every std::uint8_t

// Strong references that live as long as the process, as the module does.
struct Classes {
  std::array<PyObject*, kCodes> by_code{};
  PyObject* fallback = nullptr;
  PyObject* not_encodable = nullptr;
};
Classes classes;  // under the GIL

PyObject* class_of(ErrorCode code) {
  if (PyObject* registered = classes.by_code[static_cast<std::uint8_t>(code)]) return registered;
  return classes.fallback != nullptr ? classes.fallback : PyExc_RuntimeError;
}

void replace(PyObject*& place, py::handle value) {
  PyObject* old = place;
  place = value.inc_ref().ptr();
  Py_XDECREF(old);
}

void require_exception_class(py::handle value) {
  if (!PyExceptionClass_Check(value.ptr()))
    raise(PyExc_TypeError, "set_error_classes: wanted exception classes, found %R", value.ptr());
}

void set_error_classes(const py::dict& by_code, const py::object& fallback) {
  require_exception_class(fallback);
  for (const auto& [code, type] : by_code) {
    require_exception_class(type);
    replace(classes.by_code[code.cast<std::uint8_t>()], type);
  }
  replace(classes.fallback, fallback);
}

constexpr const char* kNotEncodableDoc =
    "A field is of no type that the space knows.\n\n"
    "args[0] is a message, args[1] the index of the top-level field.";

}  // namespace

py::object make_exception(ErrorCode code, const std::string& message) {
  // Not as C strings: a message may quote what a peer sent.
  py::object text = checked(PyUnicode_DecodeUTF8(
      message.data(), static_cast<Py_ssize_t>(message.size()), "backslashreplace"));
  return checked(PyObject_CallOneArg(class_of(code), text.ptr()));
}

void set_error(ErrorCode code, const std::string& message) noexcept {
  try {
    const py::object exception = make_exception(code, message);
    PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(exception.ptr())), exception.ptr());
  } catch (py::error_already_set& error) {
    error.restore();
  }
}

void set_not_encodable(PyObject* value, Py_ssize_t field) noexcept {
  PyObject* args =
      Py_BuildValue("(Nn)",
                    PyUnicode_FromFormat("field %zd is a %s, which the space does not carry as it "
                                         "is; put it as an object, or convert it",
                                         field, Py_TYPE(value)->tp_name),
                    field);
  if (args == nullptr) return;
  PyErr_SetObject(classes.not_encodable, args);
  Py_DECREF(args);
}

void bind_errors(py::module_& module) {
  classes.not_encodable = PyErr_NewExceptionWithDoc("linden._native.NotEncodable", kNotEncodableDoc,
                                                    PyExc_TypeError, nullptr);
  if (classes.not_encodable == nullptr) throw py::error_already_set();
  module.add_object("NotEncodable", classes.not_encodable);
  module.def("set_error_classes", &set_error_classes, py::arg("classes"), py::arg("fallback"),
             "Classes to raise per error code; each is called with (message).");
  py::register_local_exception_translator([](std::exception_ptr error) {
    try {
      if (error) std::rethrow_exception(error);
    } catch (const Error& failed) {
      set_error(failed.code(), failed.what());
    }
  });
}

}  // namespace linden::python

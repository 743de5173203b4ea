// python/bindings/bind_value.cpp: the formals of templates.
#include <array>
#include <string>
#include <string_view>

#include <linden/template.h>

#include "convert.h"
#include "interpreter.h"

namespace linden::python {
namespace {

constexpr std::array<FieldType, 8> kTypes{FieldType::kNil,   FieldType::kBool,  FieldType::kInt,
                                          FieldType::kFloat, FieldType::kText,  FieldType::kBytes,
                                          FieldType::kList,  FieldType::kObject};

Typed typed_of(std::string_view name) {
  std::string known;
  for (const FieldType type : kTypes) {
    if (name_of(type) == name) return {type};
    known += known.empty() ? "" : ", ";
    known += name_of(type);
  }
  throw py::value_error("Typed: wanted one of " + known + ", found '" + std::string(name) + "'");
}

// A value inside a formal.  There is nobody behind it to pack what is no field into an object,
// which would match nothing anyway.
Value value_in(const char* formal, const py::handle& value) {
  try {
    return value_of(value.ptr());
  } catch (py::error_already_set& error) {
    if (!error.matches(PyExc_TypeError)) throw;
  }
  raise(PyExc_TypeError,
        "%s: wanted None, a bool, int, float, str, bytes or a list of these, found the %s %R; a "
        "space cannot match it by value",
        formal, Py_TYPE(value.ptr())->tp_name, value.ptr());
}

OneOf one_of(const py::object& values) {
  if (!PySequence_Check(values.ptr()) || py::isinstance<py::str>(values) ||
      py::isinstance<py::bytes>(values))
    raise(PyExc_TypeError,
          "OneOf: wanted a list of fields, found the %s %R; a single one is written [field]",
          Py_TYPE(values.ptr())->tp_name, values.ptr());
  OneOf formal;
  for (const py::handle& value : py::reinterpret_borrow<py::sequence>(values))
    formal.values.push_back(value_in("OneOf", value));
  return formal;
}

Prefix prefix_of(const py::object& text) {
  if (!py::isinstance<py::str>(text))
    raise(PyExc_TypeError, "Prefix: wanted a str, found the %s %R", Py_TYPE(text.ptr())->tp_name,
          text.ptr());
  return Prefix{std::string(value_of(text.ptr()).as_text())};
}

// As in Python's source.
std::string repr_of(const Value& value) {
  return py::repr(py::reinterpret_steal<py::object>(new_field(value))).cast<std::string>();
}

std::string repr_of(const std::vector<Value>& values) {
  std::string text;
  for (const Value& value : values) text += (text.empty() ? "" : ", ") + repr_of(value);
  return "OneOf([" + text + "])";
}

}  // namespace

void bind_value(py::module_& module) {
  py::class_<Any>(module, "AnyField", "Matches every field, None too.")
      .def(py::init<>())
      .def("__repr__", [](const Any&) { return "ANY"; });
  py::class_<Typed>(module, "Typed", "Matches every field of a type.")
      .def(py::init(&typed_of), py::arg("type"))
      .def("__repr__", [](const Typed& formal) {
        return "Typed('" + std::string(name_of(formal.type)) + "')";
      });
  py::class_<Between>(module, "Between", "Matches low <= field <= high, all of one type.")
      .def(py::init([](const py::object& low, const py::object& high) {
             return Between{value_in("Between", low), value_in("Between", high)};
           }),
           py::arg("low"), py::arg("high"))
      .def("__repr__", [](const Between& formal) {
        return "Between(" + repr_of(formal.low) + ", " + repr_of(formal.high) + ")";
      });
  py::class_<Prefix>(module, "Prefix", "Matches text that begins so.")
      .def(py::init(&prefix_of), py::arg("text"))
      .def("__repr__",
           [](const Prefix& formal) { return "Prefix(" + repr_of(Value(formal.text)) + ")"; });
  py::class_<OneOf>(module, "OneOf", "Matches a field that equals one of these.")
      .def(py::init(&one_of), py::arg("values"))
      .def("__repr__", [](const OneOf& formal) { return repr_of(formal.values); });
}

}  // namespace linden::python

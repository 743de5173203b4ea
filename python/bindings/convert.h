// python/bindings/convert.h: fields between Python and the space, without coercion (P2): a field is
// exactly None, bool, int, float, str, bytes, list or Object, and comes back as what it was.
#pragma once

#include <pybind11/pybind11.h>

#include <vector>

#include <linden/operation.h>
#include <linden/template.h>
#include <linden/tuple.h>

namespace linden::python {

// All need the GIL and throw error_already_set or linden::Error.

// A tuple or list of fields.  Raises NotEncodable with the index of the first field that is of
// another type, OverflowError for an int beyond 64 bits, UnicodeEncodeError for lone surrogates.
// About 0.2 us for six small fields.
[[nodiscard]] Tuple tuple_of(PyObject* fields);
// `top` is the index that errors name.
[[nodiscard]] Value value_of(PyObject* field, Py_ssize_t top = 0);
// A row of actual fields and formals.
[[nodiscard]] Template template_of(PyObject* form);
[[nodiscard]] std::vector<Template> templates_of(PyObject* forms);

// New references.
[[nodiscard]] PyObject* new_fields(const Tuple& tuple);
[[nodiscard]] PyObject* new_field(const Value& value);

void bind_value(pybind11::module_& module);

}  // namespace linden::python

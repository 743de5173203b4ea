// python/bindings/native_tuple.h: Put and Handout, the tuples that go out and come in.
//
// Types of the plain C API, like Object: one of each is made per task.
#pragma once

#include <pybind11/pybind11.h>

#include <vector>

#include <linden/operation.h>

namespace linden::python {

// The tuples of a sequence of Put.  Raises TypeError for anything else.
[[nodiscard]] std::vector<NewTuple> new_tuples_of(PyObject* puts);

// New references.
[[nodiscard]] PyObject* new_handout(Handout&& handout);
[[nodiscard]] pybind11::list new_handouts(std::vector<Handout>&& handouts);

void bind_put(pybind11::module_& module);
void bind_handout(pybind11::module_& module);

}  // namespace linden::python

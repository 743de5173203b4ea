// python/bindings/native_object.h: Object, a value that the space carries but does not look into.
//
// Object and the exporter of its parts are types of the plain C API: they are made and read once
// per task, where pybind11's instances would cost as much as all the rest.
#pragma once

#include <pybind11/pybind11.h>

#include <linden/value.h>

namespace linden::python {

// Whether this is exactly an Object.
[[nodiscard]] bool is_object(PyObject* value) noexcept;
// The value inside; `object` must be one.
[[nodiscard]] const Object& object_in(PyObject* object) noexcept;
// A new reference, or null with the Python error set.
[[nodiscard]] PyObject* new_object(Object&& value) noexcept;

// The bytes of any object that supports the buffer protocol.  Shares what cannot change (bytes and
// what was received) and copies the rest (P3).
[[nodiscard]] Bytes bytes_of_buffer(PyObject* buffer);

// A read-only memoryview of bytes that are shared; a new reference, or null with the Python error
// set.
[[nodiscard]] PyObject* new_memoryview(const Bytes& bytes) noexcept;

void bind_object(pybind11::module_& module);

}  // namespace linden::python

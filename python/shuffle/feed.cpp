// python/shuffle/feed.cpp
#include "feed.h"

#include "convert.h"

namespace linden::python {

using shuffle::Number;

void Feed::take(PyObject* yielded) {
  if (PyList_CheckExact(yielded)) {
    // By index: what runs below may change the list.
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(yielded); ++i)
      take_item(PyList_GET_ITEM(yielded, i));
    return;
  }
  if (PyUnicode_Check(yielded) || PyBytes_Check(yielded)) {
    raise(bad_pair_error, "it returned a %s, %.200R; wanted is an iterable of %s",
          Py_TYPE(yielded)->tp_name, yielded, counts_ ? "keys" : "(key, value) pairs");
  }
  PyObject* made = PyObject_GetIter(yielded);
  if (made == nullptr) {
    if (!PyErr_ExceptionMatches(PyExc_TypeError)) throw py::error_already_set();
    PyErr_Clear();
    raise(bad_pair_error, "it returned %.200R of type %s; wanted is an iterable of %s", yielded,
          Py_TYPE(yielded)->tp_name, counts_ ? "keys" : "(key, value) pairs");
  }
  const py::object iterator = checked(made);
  const iternextfunc next = Py_TYPE(made)->tp_iternext;
  while (PyObject* item = next(made)) {
    const py::object owned = py::reinterpret_steal<py::object>(item);
    take_item(item);
  }
  if (PyErr_Occurred() != nullptr) {
    if (!PyErr_ExceptionMatches(PyExc_StopIteration)) throw py::error_already_set();
    PyErr_Clear();
  }
}

void Feed::take_item(PyObject* item) {
  if (counts_) {
    count(item);
    return;
  }
  if (!PyTuple_Check(item) || PyTuple_GET_SIZE(item) != 2) {
    raise(bad_pair_error, "it yielded %.200R of type %s; wanted is a (key, value) tuple", item,
          Py_TYPE(item)->tp_name);
  }
  add(PyTuple_GET_ITEM(item, 0), PyTuple_GET_ITEM(item, 1));
}

void Feed::count(PyObject* key) {
  if (output_.combines()) {
    add_number(key, Number::of(std::int64_t{1}));
    return;
  }
  key_.clear();
  append_python_key(key_, key);
  value_.clear();
  shuffle::append_value(value_, std::int64_t{1});
  output_.add(key_, value_);
}

void Feed::add_number(PyObject* key, const Number& number) {
  if (PyUnicode_CheckExact(key)) {
    output_.add_number(shuffle::kKeyText, utf8_of(key), number);
    return;
  }
  key_.clear();
  append_python_key(key_, key);
  output_.add_number(key_.front(), std::string_view(key_).substr(1), number);
}

void Feed::add(PyObject* key, PyObject* value) {
  if (output_.combines()) {
    add_number(key, python_number(key, value));
    return;
  }
  key_.clear();
  append_python_key(key_, key);
  value_.clear();
  append_python_value(value_, value);
  output_.add(key_, value_);
}

}  // namespace linden::python

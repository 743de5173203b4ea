// python/shuffle/convert.cpp
#include "convert.h"

namespace linden::python {

using shuffle::Datum;
using shuffle::ShuffleError;

PyObject* bad_pair_error = nullptr;

namespace {

constexpr int kDepthMax = 100;

[[noreturn]] void raise_no_key(PyObject* key) {
  raise(bad_pair_error,
        "%.200R of type %s cannot be a key: keys are None, bool, int (64 bits), float, str, bytes "
        "and "
        "tuples of these; make one of these of it, for example with str() or tuple()",
        key, Py_TYPE(key)->tp_name);
}

std::string_view bytes_in(PyObject* bytes) {
  return {PyBytes_AS_STRING(bytes), static_cast<std::size_t>(PyBytes_GET_SIZE(bytes))};
}

// What a key of a plain type is; false if it is of none.
bool to_datum(PyObject* key, Datum& datum) {
  PyTypeObject* type = Py_TYPE(key);
  if (type == &PyUnicode_Type) {
    datum = utf8_of(key);
  } else if (type == &PyLong_Type) {
    int overflow = 0;
    const long long number = PyLong_AsLongLongAndOverflow(key, &overflow);
    if (overflow != 0) return false;
    datum = number;
  } else if (type == &PyBytes_Type) {
    datum = Datum::bytes(bytes_in(key));
  } else if (type == &PyFloat_Type) {
    datum = PyFloat_AS_DOUBLE(key);
  } else if (type == &PyBool_Type) {
    datum = key == Py_True;
  } else if (key == Py_None) {
    datum = nullptr;
  } else {
    return false;
  }
  return true;
}

void append_item(std::string& to, PyObject* item, PyObject* key, int depth) {
  Datum datum;
  if (to_datum(item, datum)) {
    shuffle::append_key_item(to, datum);
    return;
  }
  if (!PyTuple_CheckExact(item) || depth > kDepthMax) raise_no_key(key);
  to.push_back(shuffle::kKeyRow);
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(item); ++i) {
    append_item(to, PyTuple_GET_ITEM(item, i), key, depth + 1);
  }
  to.push_back(shuffle::kKeyEnd);
}

py::object python_of(const Datum& datum) {
  switch (datum.type()) {
    case Datum::Type::kNil:
      return py::none();
    case Datum::Type::kBool:
      return py::bool_(datum.as_bool());
    case Datum::Type::kInt:
      return checked(PyLong_FromLongLong(datum.raw_int()));
    case Datum::Type::kFloat:
      return checked(PyFloat_FromDouble(datum.raw_float()));
    case Datum::Type::kText:
      return checked(PyUnicode_DecodeUTF8(datum.raw().data(),
                                          static_cast<Py_ssize_t>(datum.raw().size()), nullptr));
    default:
      return checked(PyBytes_FromStringAndSize(datum.raw().data(),
                                               static_cast<Py_ssize_t>(datum.raw().size())));
  }
}

[[noreturn]] void damaged() {
  throw ShuffleError("a run holds a row that is damaged");
}

// An item of a row, from `at`, which moves behind it.
py::object key_item(const char*& at, const char* end) {
  if (at == end) damaged();
  const char tag = *at;
  if (tag == shuffle::kKeyRow) {
    py::list items;
    for (++at; at != end && *at != shuffle::kKeyEnd;) items.append(key_item(at, end));
    if (at == end) damaged();
    ++at;
    return py::tuple(items);
  }
  if (tag == shuffle::kKeyText || tag == shuffle::kKeyBytes) {
    std::string plain(1, tag);
    for (++at; end - at >= 2; ++at) {
      if (*at == 0 && at[1] == 0) {
        at += 2;
        return python_of(shuffle::key_of(plain));
      }
      plain.push_back(*at);
      if (*at == 0) ++at;
    }
    damaged();
  }
  const std::ptrdiff_t size = tag == shuffle::kKeyInt || tag == shuffle::kKeyFloat ? 9 : 1;
  if (end - at < size) damaged();
  const std::string_view encoded(at, static_cast<std::size_t>(size));
  at += size;
  return python_of(shuffle::key_of(encoded));
}

// Kept for the life of the process: modules outlive whoever would let go of them.
const py::object& pickle_loads() {
  static const py::object& loads = *new py::object(py::module_::import("pickle").attr("loads"));
  return loads;
}

// As arguments and results are pickled: what is defined in __main__ goes by value.
void append_pickle(std::string& to, PyObject* value) {
  static const py::object& dumps =
      *new py::object(py::module_::import("linden.serialize").attr("dumps_whole"));
  const py::object data = dumps(py::handle(value));
  to.push_back(shuffle::kValuePickle);
  to.append(bytes_in(data.ptr()));
}

bool append_plain_value(std::string& to, PyObject* value, int depth) {
  Datum datum;
  if (PyUnicode_CheckExact(value) && PyUnicode_AsUTF8AndSize(value, nullptr) == nullptr) {
    PyErr_Clear();  // lone surrogates; pickle can say them
    return false;
  }
  if (to_datum(value, datum)) {
    shuffle::append_value(to, datum);
    return true;
  }
  const bool is_list = PyList_CheckExact(value);
  if ((!is_list && !PyTuple_CheckExact(value)) || depth > kDepthMax) return false;
  to.push_back(is_list ? shuffle::kValueList : shuffle::kValueRow);
  const Py_ssize_t size = is_list ? PyList_GET_SIZE(value) : PyTuple_GET_SIZE(value);
  shuffle::append_varint(to, static_cast<std::uint64_t>(size));
  std::string item;
  for (Py_ssize_t i = 0; i < size; ++i) {
    item.clear();
    PyObject* object = is_list ? PyList_GET_ITEM(value, i) : PyTuple_GET_ITEM(value, i);
    if (!append_plain_value(item, object, depth + 1)) return false;
    shuffle::append_varint(to, item.size());
    to.append(item);
  }
  return true;
}

}  // namespace

std::string_view utf8_of(PyObject* text) {
  if (PyUnicode_IS_COMPACT_ASCII(text)) {
    return {static_cast<const char*>(PyUnicode_DATA(text)),
            static_cast<std::size_t>(PyUnicode_GET_LENGTH(text))};
  }
  Py_ssize_t size = 0;
  const char* utf8 = PyUnicode_AsUTF8AndSize(text, &size);
  if (utf8 == nullptr) {
    PyErr_Clear();
    raise(bad_pair_error,
          "%.200R cannot be a key: it holds surrogates, which UTF-8 cannot say; read the text with "
          "another `errors`, or use bytes",
          text);
  }
  return {utf8, static_cast<std::size_t>(size)};
}

void append_python_key(std::string& to, PyObject* key) {
  Datum datum;
  if (to_datum(key, datum)) {
    if (datum.type() == Datum::Type::kFloat && datum.raw_float() != datum.raw_float()) {
      raise(bad_pair_error, "NaN cannot be a key: it equals nothing, not even itself");
    }
    shuffle::append_key(to, datum);
  } else {
    append_item(to, key, key, 0);
  }
}

py::object python_key(std::string_view encoded) {
  if (encoded.empty() || encoded.front() != shuffle::kKeyRow) {
    return python_of(shuffle::key_of(encoded));
  }
  const char* at = encoded.data();
  return key_item(at, at + encoded.size());
}

void append_python_value(std::string& to, PyObject* value) {
  const std::size_t before = to.size();
  if (!append_plain_value(to, value, 0)) {
    to.resize(before);
    append_pickle(to, value);
  }
}

py::object python_value(std::string_view encoded) {
  const Datum datum = shuffle::value_of(encoded);
  if (datum.type() != Datum::Type::kOther) return python_of(datum);
  const char* at = encoded.data() + 1;
  const char* end = encoded.data() + encoded.size();
  if (encoded.front() == shuffle::kValuePickle) {
    const auto view = py::memoryview::from_memory(at, end - at);
    return pickle_loads()(view);
  }
  const std::uint64_t count = shuffle::read_varint(at, end);
  py::list items;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t size = shuffle::read_varint(at, end);
    if (size > static_cast<std::uint64_t>(end - at)) damaged();
    items.append(python_value({at, size}));
    at += size;
  }
  if (encoded.front() == shuffle::kValueList) return items;
  return py::tuple(items);
}

shuffle::Number python_number(PyObject* key, PyObject* value) {
  if (PyLong_CheckExact(value) || PyBool_Check(value)) {
    int overflow = 0;
    const long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (overflow == 0) return shuffle::Number::of(std::int64_t{number});
  } else if (PyFloat_CheckExact(value)) {
    return shuffle::Number::of(PyFloat_AS_DOUBLE(value));
  }
  raise(bad_pair_error,
        "the value %.200R of type %s of key %.200R cannot be combined: sum, min and max take ints "
        "of 64 "
        "bits and floats here; give a reducer of your own, such as lambda key, values: sum(values)",
        value, Py_TYPE(value)->tp_name, key);
}

}  // namespace linden::python

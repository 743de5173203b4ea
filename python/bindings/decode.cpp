// python/bindings/decode.cpp: fields as Python objects.
#include <memory>

#include <linden/field_view.h>

#include "convert.h"
#include "interpreter.h"
#include "native_object.h"

namespace linden::python {
namespace {

using encoding::FieldView;

PyObject* new_text(std::string_view text) {
  return PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), nullptr);
}

PyObject* new_bytes(std::string_view bytes) {
  return PyBytes_FromStringAndSize(bytes.data(), static_cast<Py_ssize_t>(bytes.size()));
}

// Makes the objects of one tuple's fields.  All return a new reference or null with the Python
// error set.
class Decoder {
 public:
  explicit Decoder(const Tuple& tuple) : tuple_(tuple) {}

  PyObject* all() {
    PyObject* fields = PyTuple_New(static_cast<Py_ssize_t>(tuple_.size()));
    encoding::FieldWalk walk(tuple_);
    FieldView field;
    for (Py_ssize_t i = 0; fields != nullptr && walk.next(field); ++i) {
      PyObject* item = make(field);
      if (item == nullptr)
        Py_CLEAR(fields);
      else
        PyTuple_SET_ITEM(fields, i, item);
    }
    return fields;
  }

 private:
  PyObject* make(const FieldView& field) {
    switch (field.type()) {
      case FieldType::kNil:
        Py_RETURN_NONE;
      case FieldType::kBool:
        return PyBool_FromLong(encoding::bool_of(field));
      case FieldType::kInt:
        return PyLong_FromLongLong(encoding::int_of(field));
      case FieldType::kFloat:
        return PyFloat_FromDouble(encoding::float_of(field));
      case FieldType::kText:
        return new_text(encoding::text_of(field));
      case FieldType::kBytes:
        return new_bytes(encoding::bytes_of(field));
      case FieldType::kList:
        return make_list(field);
      case FieldType::kObject:
        return make_object(field);
    }
    PyErr_SetString(PyExc_SystemError, "a field of an unknown type");
    return nullptr;
  }

  PyObject* make_list(const FieldView& field) {
    encoding::ListWalk walk(field);
    PyObject* list = PyList_New(static_cast<Py_ssize_t>(walk.count()));
    FieldView element;
    for (Py_ssize_t i = 0; list != nullptr && walk.next(element); ++i) {
      PyObject* item = make(element);
      if (item == nullptr)
        Py_CLEAR(list);
      else
        PyList_SET_ITEM(list, i, item);
    }
    return list;
  }

  // Large parts share the frame that they came in, small ones the tuple's head.
  PyObject* make_object(const FieldView& field) {
    const encoding::ObjectView view = encoding::object_of(field);
    Object object{std::string(view.codec), {}};
    object.parts.reserve(view.parts.size());
    for (const auto& part : view.parts)
      object.parts.push_back(part.shared != nullptr ? *part.shared
                                                    : Bytes::share(keeper(), part.bytes));
    return new_object(std::move(object));
  }

  const std::shared_ptr<const void>& keeper() {
    if (keeper_ == nullptr) keeper_ = std::make_shared<const Tuple>(tuple_);
    return keeper_;
  }

  const Tuple& tuple_;
  std::shared_ptr<const void> keeper_;
};

}  // namespace

PyObject* new_fields(const Tuple& tuple) {
  return checked(Decoder(tuple).all()).release().ptr();
}

PyObject* new_field(const Value& value) {
  const py::object fields = checked(new_fields(Tuple{value}));
  return Py_NewRef(PyTuple_GET_ITEM(fields.ptr(), 0));
}

}  // namespace linden::python

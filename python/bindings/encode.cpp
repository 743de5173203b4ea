// python/bindings/encode.cpp: Python objects as fields.
#include <memory>
#include <string>

#include <linden/error.h>

#include "convert.h"
#include "errors.h"
#include "interpreter.h"
#include "native_object.h"

namespace linden::python {
namespace {

std::string_view bytes_in(PyObject* bytes) {
  return {PyBytes_AS_STRING(bytes), static_cast<std::size_t>(PyBytes_GET_SIZE(bytes))};
}

// Python names the character that stood in the way, a lone surrogate; this adds the remedy.
[[noreturn]] void raise_not_utf8() {
  py::error_already_set error;
  if (error.matches(PyExc_UnicodeEncodeError) &&
      PyUnicodeEncodeError_SetReason(
          error.value().ptr(),
          "surrogates not allowed; a text is UTF-8, use bytes for what is not text") != 0)
    throw py::error_already_set();
  throw error;
}

std::string_view utf8_in(PyObject* text) {
  Py_ssize_t size = 0;
  const char* utf8 = PyUnicode_AsUTF8AndSize(text, &size);
  if (utf8 == nullptr) raise_not_utf8();
  return {utf8, static_cast<std::size_t>(size)};
}

[[noreturn]] void raise_too_large(PyObject* number) {
  const py::object bits = checked(PyObject_CallMethod(number, "bit_length", nullptr));
  raise(PyExc_OverflowError,
        "an int of %S bits does not fit in 64 bits; put it as text or inside an object",
        bits.ptr());
}

std::int64_t int_in(PyObject* number) {
  int overflow = 0;
  const long long value = PyLong_AsLongLongAndOverflow(number, &overflow);
  if (overflow != 0) raise_too_large(number);
  return value;
}

// Stops lists that contain themselves, too.
void require_depth(Py_ssize_t top, std::size_t depth) {
  if (depth > kListDepthMax)
    throw Error(ErrorCode::kLimitExceeded,
                "field " + std::to_string(top) + " has lists nested deeper than " +
                    std::to_string(kListDepthMax) + "; put it as an object");
}

// Adds the fields of one tuple.  Exact types only: a subclass (an IntEnum, a numpy scalar) would
// come back as something else.
class Encoder {
 public:
  explicit Encoder(TupleBuilder& builder) : builder_(builder) {}

  // `top` is the index of the top-level field that `value` is or lies in.
  void add(PyObject* value, Py_ssize_t top, std::size_t depth = 0) {
    PyTypeObject* type = Py_TYPE(value);
    if (type == &PyUnicode_Type)
      builder_.add_text(utf8_in(value));
    else if (type == &PyLong_Type)
      builder_.add_int(int_in(value));
    else if (type == &PyBytes_Type)
      add_bytes(value);
    else if (value == Py_None)
      builder_.add_nil();
    else if (type == &PyFloat_Type)
      builder_.add_float(PyFloat_AS_DOUBLE(value));
    else if (type == &PyBool_Type)
      builder_.add_bool(value == Py_True);
    else if (is_object(value))
      builder_.add_object(object_in(value).codec, object_in(value).parts);
    else if (type == &PyList_Type)
      add_list(value, top, depth + 1);
    else
      raise_not_encodable(value, top);
  }

 private:
  void add_bytes(PyObject* value) {
    const std::string_view bytes = bytes_in(value);
    if (bytes.size() < kAttachmentBytesMin)
      builder_.add_bytes(bytes);
    else
      builder_.add_bytes(Bytes::share(share_object(value), bytes));
  }

  void add_list(PyObject* list, Py_ssize_t top, std::size_t depth) {
    require_depth(top, depth);
    builder_.begin_list();
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); ++i)
      add(PyList_GET_ITEM(list, i), top, depth);
    builder_.end_list();
  }

  [[noreturn]] static void raise_not_encodable(PyObject* value, Py_ssize_t top) {
    set_not_encodable(value, top);
    throw py::error_already_set();
  }

  TupleBuilder& builder_;
};

void require_row(PyObject* fields, const char* what) {
  if (PyTuple_Check(fields) || PyList_Check(fields)) return;
  raise(PyExc_TypeError, "wanted a tuple of %s, found %s; a single one is written (field,)", what,
        Py_TYPE(fields)->tp_name);
}

bool is_formal(PyObject* field) {
  const py::handle handle(field);
  return py::isinstance<Typed>(handle) || py::isinstance<Any>(handle) ||
         py::isinstance<Between>(handle) || py::isinstance<Prefix>(handle) ||
         py::isinstance<OneOf>(handle);
}

// Whether this is one of Python's types that pybind11 needs not be asked about.
bool is_plain(PyObject* field) {
  PyTypeObject* type = Py_TYPE(field);
  return type == &PyUnicode_Type || type == &PyLong_Type || type == &PyBytes_Type ||
         type == &PyBool_Type || type == &PyFloat_Type || field == Py_None;
}

// Whether a list has formals at any depth.  Lists that are nested too deeply, without end perhaps,
// are refused on the first way down.
bool holds_formal(PyObject* list, Py_ssize_t top, std::size_t depth) {
  require_depth(top, depth);
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); ++i) {
    PyObject* element = PyList_GET_ITEM(list, i);
    if (is_plain(element)) continue;
    if (PyList_CheckExact(element) ? holds_formal(element, top, depth + 1) : is_formal(element))
      return true;
  }
  return false;
}

TemplateField template_field_of(PyObject* field, Py_ssize_t top) {
  const py::handle handle(field);
  if (PyList_CheckExact(field) && holds_formal(field, top, 1)) {
    ListOf list;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(field); ++i)
      list.elements.push_back(template_field_of(PyList_GET_ITEM(field, i), top));
    return list;
  }
  if (py::isinstance<Typed>(handle)) return handle.cast<Typed>();
  if (py::isinstance<Any>(handle)) return Any{};
  if (py::isinstance<Between>(handle)) return handle.cast<Between>();
  if (py::isinstance<Prefix>(handle)) return handle.cast<Prefix>();
  if (py::isinstance<OneOf>(handle)) return handle.cast<OneOf>();
  return value_of(field, top);
}

}  // namespace

Tuple tuple_of(PyObject* fields) {
  require_row(fields, "fields");
  // One builder is used again and again for its memory.  It is away while it is in use, because an
  // exception that is being made may run the garbage collector and with it any Python code.
  static std::unique_ptr<TupleBuilder>& spare = *new std::unique_ptr<TupleBuilder>;
  std::unique_ptr<TupleBuilder> builder = std::move(spare);
  if (builder == nullptr) builder = std::make_unique<TupleBuilder>();
  Encoder encoder(*builder);
  const Py_ssize_t count = PySequence_Fast_GET_SIZE(fields);
  PyObject** items = PySequence_Fast_ITEMS(fields);
  for (Py_ssize_t i = 0; i < count; ++i) encoder.add(items[i], i);
  Tuple tuple = builder->build();
  spare = std::move(builder);
  return tuple;
}

Value value_of(PyObject* field, Py_ssize_t top) {
  TupleBuilder builder;
  Encoder(builder).add(field, top);
  return builder.build()[0];
}

Template template_of(PyObject* form) {
  require_row(form, "actual fields and formals");
  const Py_ssize_t count = PySequence_Fast_GET_SIZE(form);
  std::vector<TemplateField> fields;
  fields.reserve(static_cast<std::size_t>(count));
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* field = PySequence_Fast_GET_ITEM(form, i);
    fields.push_back(is_plain(field) ? TemplateField(value_of(field, i))
                                     : template_field_of(field, i));
  }
  return Template(std::span<const TemplateField>(fields));
}

std::vector<Template> templates_of(PyObject* forms) {
  if (!PyTuple_Check(forms) && !PyList_Check(forms))
    raise(PyExc_TypeError, "wanted a sequence of templates, found %s", Py_TYPE(forms)->tp_name);
  std::vector<Template> templates;
  const Py_ssize_t count = PySequence_Fast_GET_SIZE(forms);
  templates.reserve(static_cast<std::size_t>(count));
  for (Py_ssize_t i = 0; i < count; ++i)
    templates.push_back(template_of(PySequence_Fast_GET_ITEM(forms, i)));
  return templates;
}

}  // namespace linden::python

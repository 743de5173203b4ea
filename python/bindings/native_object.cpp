// python/bindings/native_object.cpp
#include "native_object.h"

#include <new>
#include <string>

#include <linden/tuple.h>

#include "interpreter.h"

namespace linden::python {
namespace {

// ---- Received bytes

struct ExporterInstance {
  PyObject_HEAD  //
      Bytes bytes;
};
PyTypeObject* exporter_type = nullptr;

ExporterInstance& exporter(PyObject* self) {
  return *reinterpret_cast<ExporterInstance*>(self);
}

void exporter_dealloc(PyObject* self) {
  exporter(self).bytes.~Bytes();
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

int exporter_getbuffer(PyObject* self, Py_buffer* view, int flags) {
  static char nothing = 0;
  const Bytes& bytes = exporter(self).bytes;
  void* data = bytes.empty() ? &nothing : const_cast<char*>(bytes.data());
  return PyBuffer_FillInfo(view, self, data, static_cast<Py_ssize_t>(bytes.size()), /*readonly=*/1,
                           flags);
}

PyType_Slot exporter_slots[] = {
    {Py_tp_doc, const_cast<char*>("Immutable bytes that are shared with the C++ client.")},
    {Py_tp_dealloc, reinterpret_cast<void*>(&exporter_dealloc)},
    {Py_bf_getbuffer, reinterpret_cast<void*>(&exporter_getbuffer)},
    {0, nullptr},
};
PyType_Spec exporter_spec{"linden._native.SharedBytes", sizeof(ExporterInstance), 0,
                          Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, exporter_slots};

// ---- Object

struct ObjectInstance {
  PyObject_HEAD  //
      Object value;
};
PyTypeObject* object_type = nullptr;

ObjectInstance& instance(PyObject* self) {
  return *reinterpret_cast<ObjectInstance*>(self);
}

PyObject* object_new(PyTypeObject* /*type*/, PyObject* args, PyObject* keywords) {
  static const char* names[] = {"codec", "parts", nullptr};
  PyObject* codec = nullptr;
  PyObject* parts = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, keywords, "UO:Object", const_cast<char**>(names), &codec,
                                   &parts))
    return nullptr;
  return guarded<PyObject*>(nullptr, [&] {
    Py_ssize_t codec_bytes = 0;
    const char* codec_utf8 = PyUnicode_AsUTF8AndSize(codec, &codec_bytes);
    if (codec_utf8 == nullptr) throw py::error_already_set();
    if (PyObject_CheckBuffer(parts))
      raise(PyExc_TypeError, "Object: wanted a sequence of buffers as parts, found one %s",
            Py_TYPE(parts)->tp_name);
    const py::object sequence =
        checked(PySequence_Fast(parts, "Object: wanted a sequence of buffers as parts"));
    Object value{std::string(codec_utf8, static_cast<std::size_t>(codec_bytes)), {}};
    const Py_ssize_t count = PySequence_Fast_GET_SIZE(sequence.ptr());
    value.parts.reserve(static_cast<std::size_t>(count));
    // An item's buffer may run Python that shortens the list, so the size is asked each time.
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(sequence.ptr()); ++i) {
      const auto part =
          py::reinterpret_borrow<py::object>(PySequence_Fast_GET_ITEM(sequence.ptr(), i));
      value.parts.push_back(bytes_of_buffer(part.ptr()));
    }
    return new_object(std::move(value));
  });
}

void object_dealloc(PyObject* self) {
  instance(self).value.~Object();
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* object_codec(PyObject* self, void*) {
  const std::string& codec = instance(self).value.codec;
  return PyUnicode_DecodeUTF8(codec.data(), static_cast<Py_ssize_t>(codec.size()), "replace");
}

PyObject* object_parts(PyObject* self, void*) {
  const std::vector<Bytes>& parts = instance(self).value.parts;
  PyObject* list = PyList_New(static_cast<Py_ssize_t>(parts.size()));
  for (std::size_t i = 0; list != nullptr && i < parts.size(); ++i) {
    PyObject* view = new_memoryview(parts[i]);
    if (view == nullptr) {
      Py_CLEAR(list);
      break;
    }
    PyList_SET_ITEM(list, static_cast<Py_ssize_t>(i), view);
  }
  return list;
}

std::size_t nbytes(const Object& value) {
  std::size_t bytes = 0;
  for (const Bytes& part : value.parts) bytes += part.size();
  return bytes;
}

PyObject* object_nbytes(PyObject* self, void*) {
  return PyLong_FromSize_t(nbytes(instance(self).value));
}

PyObject* object_repr(PyObject* self) {
  const Object& value = instance(self).value;
  PyObject* codec = object_codec(self, nullptr);
  if (codec == nullptr) return nullptr;
  PyObject* text = PyUnicode_FromFormat("<Object %R, %zu parts, %zu bytes>", codec,
                                        value.parts.size(), nbytes(value));
  Py_DECREF(codec);
  return text;
}

PyObject* object_compare(PyObject* self, PyObject* other, int operation) {
  if (!is_object(other) || (operation != Py_EQ && operation != Py_NE)) Py_RETURN_NOTIMPLEMENTED;
  const bool equal = instance(self).value == instance(other).value;
  return PyBool_FromLong(equal == (operation == Py_EQ));
}

constexpr const char* kObjectDoc =
    "Object(codec, parts)\n--\n\n"
    "A value that the space carries but does not look into.\n\n"
    "parts[0] is what the codec made of it; further parts are its out-of-band buffers.";

PyGetSetDef object_properties[] = {
    {"codec", &object_codec, nullptr, "What made the bytes, such as 'pickle'.", nullptr},
    {"parts", &object_parts, nullptr, "The parts as memoryviews, not copied.", nullptr},
    {"nbytes", &object_nbytes, nullptr, "Bytes of all parts together.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyType_Slot object_slots[] = {
    {Py_tp_doc, const_cast<char*>(kObjectDoc)},
    {Py_tp_new, reinterpret_cast<void*>(&object_new)},
    {Py_tp_dealloc, reinterpret_cast<void*>(&object_dealloc)},
    {Py_tp_repr, reinterpret_cast<void*>(&object_repr)},
    {Py_tp_richcompare, reinterpret_cast<void*>(&object_compare)},
    {Py_tp_hash, reinterpret_cast<void*>(&PyObject_HashNotImplemented)},
    {Py_tp_getset, object_properties},
    {0, nullptr},
};
PyType_Spec object_spec{"linden._native.Object", sizeof(ObjectInstance), 0, Py_TPFLAGS_DEFAULT,
                        object_slots};

// ---- Sent bytes

// Others run while more than this is copied; the exporter keeps the memory where it is.
constexpr std::size_t kCopiedUnderGilMax = std::size_t{1} << 20;

// A contiguous buffer, released at the end of the scope.
class Buffer {
 public:
  explicit Buffer(PyObject* object) {
    if (PyObject_GetBuffer(object, &view_, PyBUF_ANY_CONTIGUOUS) != 0)
      throw py::error_already_set();
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { PyBuffer_Release(&view_); }

  [[nodiscard]] std::string_view bytes() const {
    return {static_cast<const char*>(view_.buf), static_cast<std::size_t>(view_.len)};
  }
  // Who owns the memory: the object itself or, for a memoryview, what it looks into.
  [[nodiscard]] PyObject* owner() const {
    if (view_.obj != nullptr && PyMemoryView_Check(view_.obj))
      return PyMemoryView_GET_BASE(view_.obj);
    return view_.obj;
  }

 private:
  Py_buffer view_{};
};

}  // namespace

PyObject* new_memoryview(const Bytes& bytes) noexcept {
  auto* made = reinterpret_cast<ExporterInstance*>(exporter_type->tp_alloc(exporter_type, 0));
  if (made == nullptr) return nullptr;
  new (&made->bytes) Bytes(bytes);
  PyObject* view = PyMemoryView_FromObject(reinterpret_cast<PyObject*>(made));
  Py_DECREF(made);
  return view;
}

bool is_object(PyObject* value) noexcept {
  return Py_TYPE(value) == object_type;
}

const Object& object_in(PyObject* object) noexcept {
  return instance(object).value;
}

PyObject* new_object(Object&& value) noexcept {
  auto* made = reinterpret_cast<ObjectInstance*>(object_type->tp_alloc(object_type, 0));
  if (made == nullptr) return nullptr;
  new (&made->value) Object(std::move(value));
  return reinterpret_cast<PyObject*>(made);
}

Bytes bytes_of_buffer(PyObject* object) {
  const Buffer buffer(object);
  const std::string_view bytes = buffer.bytes();
  PyObject* owner = buffer.owner();
  if (owner != nullptr && Py_TYPE(owner) == exporter_type) {
    const Bytes& received = exporter(owner).bytes;
    if (bytes.empty()) return {};
    return received.slice(static_cast<std::size_t>(bytes.data() - received.data()), bytes.size());
  }
  // Below this size the bytes are copied into the tuple's head anyway.
  const bool worth_sharing = bytes.size() >= kAttachmentBytesMin;
  if (worth_sharing && owner != nullptr && PyBytes_CheckExact(owner))
    return Bytes::share(share_object(owner), bytes);
  if (bytes.size() < kCopiedUnderGilMax) return Bytes::copy_of(bytes);
  py::gil_scoped_release released;
  return Bytes::copy_of(bytes);
}

void bind_object(py::module_& module) {
  exporter_type =
      reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpec(&exporter_spec)).release().ptr());
  object_type =
      reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpec(&object_spec)).release().ptr());
  module.add_object("Object", reinterpret_cast<PyObject*>(object_type));
}

}  // namespace linden::python

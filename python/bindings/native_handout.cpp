// python/bindings/native_handout.cpp: Handout, a tuple that was handed over; decoded at first use.
#include <pybind11/pybind11.h>

#include <structmember.h>  // needs Python.h before it

#include <cstddef>
#include <new>

#include "convert.h"
#include "interpreter.h"
#include "native_tuple.h"

namespace linden::python {
namespace {

struct HandoutInstance {
  PyObject_HEAD  //
      unsigned long long id;
  unsigned int attempt;
  unsigned int index;
  PyObject* fields;  // null until first asked for; then `tuple` is empty
  Tuple tuple;
};
PyTypeObject* handout_type = nullptr;

HandoutInstance& instance(PyObject* self) {
  return *reinterpret_cast<HandoutInstance*>(self);
}

void handout_dealloc(PyObject* self) {
  Py_XDECREF(instance(self).fields);
  instance(self).tuple.~Tuple();
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* handout_fields(PyObject* self, void*) {
  HandoutInstance& handout = instance(self);
  if (handout.fields == nullptr) {
    PyObject* fields = guarded<PyObject*>(nullptr, [&] { return new_fields(handout.tuple); });
    if (fields == nullptr) return nullptr;
    // Making the fields may have run the garbage collector, and that this very getter.
    Py_XSETREF(handout.fields, fields);
    handout.tuple = Tuple();
  }
  return Py_NewRef(handout.fields);
}

PyObject* handout_repr(PyObject* self) {
  PyObject* fields = handout_fields(self, nullptr);
  if (fields == nullptr) return nullptr;
  PyObject* text = PyUnicode_FromFormat("<Handout %llu, attempt %u, %R>", instance(self).id,
                                        instance(self).attempt, fields);
  Py_DECREF(fields);
  return text;
}

PyMemberDef members[] = {
    {"id", T_ULONGLONG, offsetof(HandoutInstance, id), READONLY, "The tuple's id."},
    {"attempt", T_UINT, offsetof(HandoutInstance, attempt), READONLY,
     "Which hand-out of the tuple this is; with the id it is the fencing token."},
    {"index", T_UINT, offsetof(HandoutInstance, index), READONLY,
     "Which of the request's forms matched."},
    {nullptr, 0, 0, 0, nullptr},
};

PyGetSetDef properties[] = {
    {"fields", &handout_fields, nullptr, "The fields as a tuple.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char*>("A tuple that was handed over.")},
    {Py_tp_dealloc, reinterpret_cast<void*>(&handout_dealloc)},
    {Py_tp_repr, reinterpret_cast<void*>(&handout_repr)},
    {Py_tp_members, members},
    {Py_tp_getset, properties},
    {0, nullptr},
};
PyType_Spec spec{"linden._native.Handout", sizeof(HandoutInstance), 0,
                 Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};

}  // namespace

PyObject* new_handout(Handout&& handout) {
  PyObject* made = handout_type->tp_alloc(handout_type, 0);
  if (made == nullptr) throw py::error_already_set();
  HandoutInstance& self = instance(made);
  self.id = handout.id.value;
  self.attempt = handout.attempt;
  self.index = handout.template_index;
  new (&self.tuple) Tuple(std::move(handout.tuple));
  return made;
}

py::list new_handouts(std::vector<Handout>&& handouts) {
  py::list list(handouts.size());
  for (std::size_t i = 0; i < handouts.size(); ++i)
    PyList_SET_ITEM(list.ptr(), static_cast<Py_ssize_t>(i), new_handout(std::move(handouts[i])));
  return list;
}

void bind_handout(py::module_& module) {
  handout_type = reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpec(&spec)).release().ptr());
  module.add_object("Handout", reinterpret_cast<PyObject*>(handout_type));
}

}  // namespace linden::python

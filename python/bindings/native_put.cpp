// python/bindings/native_put.cpp: Put, a tuple that is encoded once and can be put many times.
#include <array>
#include <charconv>
#include <limits>
#include <new>
#include <string_view>

#include <pybind11/stl.h>

#include "convert.h"
#include "interpreter.h"
#include "native_tuple.h"

namespace linden::python {
namespace {

struct PutInstance {
  PyObject_HEAD  //
      NewTuple value;
};
PyTypeObject* put_type = nullptr;

PutInstance& instance(PyObject* self) {
  return *reinterpret_cast<PutInstance*>(self);
}

// ---- Arguments: Put(fields, *, priority, ttl, max_attempts, will, lives_with, key, key_window,
// delay, group, when)

enum Argument : std::size_t {
  kFields,
  kPriority,
  kTtl,
  kMaxAttempts,
  kWill,
  kLivesWith,
  kKey,
  kKeyWindow,
  kDelay,
  kGroup,
  kWhen,
  kCount
};
constexpr std::array<const char*, kCount> kNames{"fields", "priority",   "ttl", "max_attempts",
                                                 "will",   "lives_with", "key", "key_window",
                                                 "delay",  "group",      "when"};
std::array<PyObject*, kCount> names{};  // interned

using Arguments = std::array<PyObject*, kCount>;

std::size_t argument_named(PyObject* name) {
  // Keywords in source code are interned, so this nearly always finds them.
  for (std::size_t i = 0; i < kCount; ++i)
    if (names[i] == name) return i;
  for (std::size_t i = 0; i < kCount; ++i)
    if (PyUnicode_Compare(names[i], name) == 0) return i;
  raise(PyExc_TypeError, "Put() got an unexpected keyword argument %R", name);
}

Arguments parse(PyObject* const* values, std::size_t positional, PyObject* keywords) {
  Arguments arguments{};
  if (positional > 1)
    raise(PyExc_TypeError, "Put() takes 1 positional argument, found %zu", positional);
  if (positional == 1) arguments[kFields] = values[0];
  const Py_ssize_t count = keywords == nullptr ? 0 : PyTuple_GET_SIZE(keywords);
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* name = PyTuple_GET_ITEM(keywords, i);
    PyObject*& place = arguments[argument_named(name)];
    if (place != nullptr) raise(PyExc_TypeError, "Put() got multiple values for argument %R", name);
    place = values[positional + static_cast<std::size_t>(i)];
  }
  if (arguments[kFields] == nullptr)
    raise(PyExc_TypeError, "Put() missing 1 required argument: 'fields'");
  return arguments;
}

template <class Number>
Number number_of(PyObject* value, const char* what) {
  int overflow = 0;
  const long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
  if (number == -1 && PyErr_Occurred()) {
    if (!PyErr_ExceptionMatches(PyExc_TypeError)) throw py::error_already_set();
    PyErr_Clear();
    raise(PyExc_TypeError, "%s: wanted an int, found the %s %R", what, Py_TYPE(value)->tp_name,
          value);
  }
  constexpr long long low = std::numeric_limits<Number>::min();
  constexpr long long high = std::numeric_limits<Number>::max();
  if (overflow != 0) {
    const py::object bits = checked(PyObject_CallMethod(value, "bit_length", nullptr));
    raise(PyExc_ValueError, "%s: wanted an int from %lld to %lld, found one of %S bits", what, low,
          high, bits.ptr());
  }
  if (number < low || number > high)
    raise(PyExc_ValueError, "%s: wanted an int from %lld to %lld, found %R", what, low, high,
          value);
  return static_cast<Number>(number);
}

SessionId session_of(PyObject* text) {
  Py_ssize_t size = 0;
  const char* digits = PyUnicode_Check(text) ? PyUnicode_AsUTF8AndSize(text, &size) : nullptr;
  SessionId session;
  const auto read = [](const char* first, std::uint64_t& half) {
    const auto [end, error] = std::from_chars(first, first + 16, half, 16);
    return error == std::errc() && end == first + 16;
  };
  if (digits == nullptr || size != 32 || !read(digits, session.high) ||
      !read(digits + 16, session.low)) {
    PyErr_Clear();
    raise(PyExc_ValueError, "lives_with: wanted 32 hexadecimal digits, found %R", text);
  }
  return session;
}

bool is_given(PyObject* argument) {
  return argument != nullptr && argument != Py_None;
}

std::string name_given(PyObject* text, const char* what) {
  Py_ssize_t size = 0;
  const char* utf8 = PyUnicode_Check(text) ? PyUnicode_AsUTF8AndSize(text, &size) : nullptr;
  if (utf8 == nullptr || size == 0) {
    PyErr_Clear();
    raise(PyExc_ValueError,
          "%s: wanted text of at least one character that UTF-8 can carry, found %R", what, text);
  }
  return {utf8, static_cast<std::size_t>(size)};
}

// Pairs (form, fills), where fills are pairs (from, to).
std::vector<Guard> guards_of(PyObject* when) {
  std::vector<Guard> guards;
  for (const py::handle& item : py::reinterpret_borrow<py::iterable>(when)) {
    const auto [form, fills] =
        item.cast<std::pair<py::object, std::vector<std::pair<std::uint32_t, std::uint32_t>>>>();
    Guard& guard = guards.emplace_back();
    guard.form = template_of(form.ptr());
    for (const auto& [from, to] : fills) guard.fills.push_back({from, to});
  }
  return guards;
}

// None if nothing of it is given.
Rare rare_of(const Arguments& arguments) {
  if (!is_given(arguments[kKey]) && !is_given(arguments[kDelay]) && !is_given(arguments[kGroup]) &&
      !is_given(arguments[kWhen]))
    return {};
  RareAttributes rare;
  if (is_given(arguments[kKey])) rare.key = name_given(arguments[kKey], "key");
  if (is_given(arguments[kKeyWindow]))
    rare.key_window = duration_of(arguments[kKeyWindow], "key_window");
  if (is_given(arguments[kDelay])) rare.delay = duration_of(arguments[kDelay], "delay");
  if (is_given(arguments[kGroup])) rare.group = name_given(arguments[kGroup], "group");
  if (is_given(arguments[kWhen])) rare.when = guards_of(arguments[kWhen]);
  return rare;
}

NewTuple new_tuple_of(const Arguments& arguments) {
  NewTuple value{tuple_of(arguments[kFields]), {}};
  Attributes& attributes = value.attributes;
  if (arguments[kPriority] != nullptr)
    attributes.priority = number_of<std::int32_t>(arguments[kPriority], "priority");
  if (is_given(arguments[kTtl])) attributes.ttl = duration_of(arguments[kTtl], "ttl");
  if (arguments[kMaxAttempts] != nullptr)
    attributes.max_attempts = number_of<std::uint32_t>(arguments[kMaxAttempts], "max_attempts");
  if (is_given(arguments[kWill])) attributes.will = tuple_of(arguments[kWill]);
  if (is_given(arguments[kLivesWith])) attributes.lives_with = session_of(arguments[kLivesWith]);
  attributes.rare = rare_of(arguments);
  return value;
}

// ---- The type

// Called for Put(...) without a tuple of arguments in between.
PyObject* put_vectorcall(PyObject* /*type*/, PyObject* const* values, std::size_t flags,
                         PyObject* keywords) {
  return guarded<PyObject*>(nullptr, [&]() -> PyObject* {
    NewTuple value =
        new_tuple_of(parse(values, static_cast<std::size_t>(PyVectorcall_NARGS(flags)), keywords));
    drop_released();
    auto* made = reinterpret_cast<PutInstance*>(put_type->tp_alloc(put_type, 0));
    if (made == nullptr) return nullptr;
    new (&made->value) NewTuple(std::move(value));
    return reinterpret_cast<PyObject*>(made);
  });
}

void put_dealloc(PyObject* self) {
  instance(self).value.~NewTuple();
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* put_fields(PyObject* self, void*) {
  return guarded<PyObject*>(nullptr, [&] { return new_fields(instance(self).value.tuple); });
}

PyObject* put_nbytes(PyObject* self, void*) {
  return PyLong_FromSize_t(instance(self).value.tuple.byte_size());
}

PyObject* put_repr(PyObject* self) {
  return guarded<PyObject*>(nullptr, [&] {
    const std::string text = "<Put " + to_string(instance(self).value.tuple) + ">";
    return PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace");
  });
}

constexpr const char* kDoc =
    "Put(fields, *, priority=0, ttl=None, max_attempts=0, will=None, lives_with=None, key=None, "
    "key_window=None, delay=None, group=None, when=None)\n--\n\n"
    "A tuple to put, encoded at once: later changes to its parts are not seen.  Reusable.";

PyGetSetDef properties[] = {
    {"fields", &put_fields, nullptr, "The fields as whoever takes them will see them.", nullptr},
    {"nbytes", &put_nbytes, nullptr, "Bytes of the encoded tuple.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char*>(kDoc)},
    {Py_tp_dealloc, reinterpret_cast<void*>(&put_dealloc)},
    {Py_tp_repr, reinterpret_cast<void*>(&put_repr)},
    {Py_tp_getset, properties},
    {0, nullptr},
};
PyType_Spec spec{"linden._native.Put", sizeof(PutInstance), 0,
                 Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};

}  // namespace

std::vector<NewTuple> new_tuples_of(PyObject* puts) {
  const py::object sequence = checked(PySequence_Fast(puts, "wanted a sequence of Put"));
  const auto count = static_cast<std::size_t>(PySequence_Fast_GET_SIZE(sequence.ptr()));
  PyObject** items = PySequence_Fast_ITEMS(sequence.ptr());
  std::vector<NewTuple> tuples;
  tuples.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    if (Py_TYPE(items[i]) != put_type)
      raise(PyExc_TypeError, "wanted a sequence of Put, found %s in it",
            Py_TYPE(items[i])->tp_name);
    tuples.push_back(instance(items[i]).value);
  }
  return tuples;
}

void bind_put(py::module_& module) {
  for (std::size_t i = 0; i < kCount; ++i)
    names[i] = checked(PyUnicode_InternFromString(kNames[i])).release().ptr();
  put_type = reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpec(&spec)).release().ptr());
  // The type object is called through this instead of tp_new, which it therefore does not have.
  put_type->tp_vectorcall = &put_vectorcall;
  module.add_object("Put", reinterpret_cast<PyObject*>(put_type));
}

}  // namespace linden::python

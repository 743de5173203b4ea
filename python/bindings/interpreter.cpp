// python/bindings/interpreter.cpp
#include "interpreter.h"

#include <pthread.h>

#include <atomic>
#include <cmath>
#include <exception>
#include <new>

#include "errors.h"

namespace linden::python {
namespace {

// A reference that waits to be dropped.  Made when the object is shared, so that letting go takes
// no memory, and put on a stack without a lock, so that a fork at any moment leaves it whole.
struct Shared {
  PyObject* object;
  Shared* next = nullptr;
};

std::atomic<Shared*> released{nullptr};
std::atomic<unsigned> forks{0};

void release_later(Shared* shared) noexcept {
  shared->next = released.load(std::memory_order_relaxed);
  while (!released.compare_exchange_weak(shared->next, shared, std::memory_order_release,
                                         std::memory_order_relaxed)) {
  }
}

}  // namespace

void set_error_in_flight() noexcept {
  try {
    throw;
  } catch (py::error_already_set& error) {
    error.restore();
  } catch (const Error& error) {
    set_error(error.code(), error.what());
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
}

std::shared_ptr<const void> share_object(PyObject* object) {
  auto* shared = new Shared{object};
  Py_INCREF(object);
  // If this runs out of memory it lets go of `shared` by itself.
  return std::shared_ptr<const void>(shared, &release_later);
}

void drop_released() noexcept {
  if (released.load(std::memory_order_relaxed) == nullptr) return;
  Shared* shared = released.exchange(nullptr, std::memory_order_acquire);
  while (shared != nullptr) {
    Shared* next = shared->next;
    Py_DECREF(shared->object);
    delete shared;
    shared = next;
  }
}

unsigned fork_count() noexcept {
  return forks.load(std::memory_order_relaxed);
}

void count_forks() {
  pthread_atfork(nullptr, nullptr, [] { forks.fetch_add(1, std::memory_order_relaxed); });
}

Duration duration_of(PyObject* seconds, const char* what) {
  if (seconds == Py_None) return kForever;
  double number = PyFloat_AsDouble(seconds);
  if (number == -1.0 && PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_OverflowError)) {
    PyErr_Clear();
    number = py::handle(seconds) < py::int_(0) ? -1.0 : 9e12;
  } else if (number == -1.0 && PyErr_Occurred()) {
    if (!PyErr_ExceptionMatches(PyExc_TypeError)) throw py::error_already_set();
    PyErr_Clear();
    raise(PyExc_TypeError, "%s: wanted seconds as a number or None, found %s", what,
          Py_TYPE(seconds)->tp_name);
  }
  if (!(number >= 0))
    raise(PyExc_ValueError, "%s: wanted seconds of 0 or more, or None for ever, found %R", what,
          seconds);
  // Whoever waits for 290,000 years waits for ever.
  if (number >= 9e12) return kForever;
  return Duration(static_cast<std::int64_t>(std::llround(number * 1e6)));
}

double seconds_of(Duration duration) noexcept {
  return static_cast<double>(duration.count()) * 1e-6;
}

}  // namespace linden::python

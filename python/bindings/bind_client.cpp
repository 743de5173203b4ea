// python/bindings/bind_client.cpp: Client, one session with a server.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <string>

#include "answers.h"
#include "handles.h"
#include "interpreter.h"
#include "native_tuple.h"

namespace linden::python {
namespace {

using Handle = std::shared_ptr<ClientHandle>;

Handle connect(const std::string& address, std::string name, const py::object& timeout,
               const py::object& hold, const py::object& memory, const py::object& reconnect,
               const py::object& interrupt_check) {
  const ConnectOptions options{address,
                               std::move(name),
                               duration_of(timeout.ptr(), "timeout"),
                               duration_of(hold.ptr(), "hold"),
                               duration_of(memory.ptr(), "memory"),
                               duration_of(reconnect.ptr(), "reconnect"),
                               duration_of(interrupt_check.ptr(), "interrupt_check")};
  return std::make_shared<ClientHandle>(
      without_gil([&](const Interrupt& interrupt) { return Client::connect(options, interrupt); }));
}

SpaceHandle open_space(const Handle& self, const std::string& name, bool create,
                       const std::optional<std::string>& durability, const py::object& initial,
                       const py::object& timeout) {
  Client& client = self->get();
  const SpaceOptions options{create, durability, new_tuples_of(initial.ptr())};
  const Duration longest = duration_of(timeout.ptr(), "timeout");
  return {self, without_gil([&](const Interrupt& interrupt) {
            return client.open_space(name, options, longest, interrupt);
          })};
}

void drop_space(ClientHandle& self, const std::string& name, const py::object& timeout) {
  Client& client = self.get();
  const Duration longest = duration_of(timeout.ptr(), "timeout");
  without_gil([&](const Interrupt& interrupt) {
    client.drop_space(name, longest, interrupt);
    return true;
  });
}

py::list spaces(ClientHandle& self, const py::object& timeout) {
  Client& client = self.get();
  const Duration longest = duration_of(timeout.ptr(), "timeout");
  py::list list;
  for (const SpaceStatus& status :
       without_gil([&](const Interrupt& interrupt) { return client.spaces(longest, interrupt); }))
    list.append(dict_of(status));
  return list;
}

py::dict status(ClientHandle& self, const py::object& timeout) {
  Client& client = self.get();
  const Duration longest = duration_of(timeout.ptr(), "timeout");
  return dict_of(
      without_gil([&](const Interrupt& interrupt) { return client.server(longest, interrupt); }));
}

py::object wait(ClientHandle& self, std::uint64_t request, const py::object& timeout) {
  Client& client = self.get();
  const Duration longest = duration_of(timeout.ptr(), "timeout");
  auto answer = without_gil([&](const Interrupt& interrupt) {
    return client.wait(RequestId{request}, longest, interrupt);
  });
  if (!answer)
    throw Error(ErrorCode::kOutcomeUnknown,
                "no answer within " + py::str(timeout).cast<std::string>() +
                    " s; the request goes on, and can be waited for again or cancelled");
  return value_of_answer(std::move(*answer));
}

py::list completions(ClientHandle& self, const py::object& timeout) {
  Client& client = self.get();
  const Duration longest = duration_of(timeout.ptr(), "timeout");
  auto completed = without_gil(
      [&](const Interrupt& interrupt) { return client.completions(longest, interrupt); });
  py::list list(completed.size());
  for (std::size_t i = 0; i < completed.size(); ++i)
    PyList_SET_ITEM(list.ptr(), static_cast<Py_ssize_t>(i),
                    completion_of(std::move(completed[i])).release().ptr());
  return list;
}

std::optional<std::string> failure(ClientHandle& self) {
  if (auto failed = self.get().failure()) return failed->message;
  return std::nullopt;
}

void close(ClientHandle& self, bool goodbye) {
  if (self.is_of_parent()) return;  // it is not this process's to close
  Client& client = self.get();
  briefly_without_gil([&] { client.close(goodbye); });
}

}  // namespace

void bind_client(py::module_& module) {
  const auto ten_seconds = py::float_(10.0);
  py::class_<ClientHandle, Handle>(
      module, "Client",
      "One session with a space server; reconnects by itself and repeats what was not answered.")
      .def_static("connect", &connect, py::arg("address"), py::kw_only(), py::arg("name") = "",
                  py::arg("timeout") = ten_seconds, py::arg("hold") = py::float_(5.0),
                  py::arg("memory") = py::float_(60.0), py::arg("reconnect") = py::float_(60.0),
                  py::arg("interrupt_check") = py::float_(0.1))
      .def_property_readonly("session",
                             [](ClientHandle& self) { return to_string(self.get().session()); })
      .def_property_readonly("address", [](ClientHandle& self) { return self.get().address(); })
      .def_property_readonly("connected", [](ClientHandle& self) { return self.get().connected(); })
      .def_property_readonly("reconnects",
                             [](ClientHandle& self) { return self.get().reconnects(); })
      .def_property_readonly("failure", &failure)
      .def_property_readonly("server_pid",
                             [](ClientHandle& self) { return self.get().server_pid(); })
      .def("open_space", &open_space, py::arg("name"), py::kw_only(), py::arg("create") = false,
           py::arg("durability") = py::none(), py::arg("initial") = py::tuple(),
           py::arg("timeout") = ten_seconds)
      .def("drop_space", &drop_space, py::arg("name"), py::arg("timeout") = ten_seconds)
      .def("spaces", &spaces, py::arg("timeout") = ten_seconds)
      .def("status", &status, py::arg("timeout") = ten_seconds)
      .def("wait", &wait, py::arg("request"), py::arg("timeout") = py::none(),
           "The answer of a request that was sent with queue=False.")
      .def("completions", &completions, py::arg("timeout") = py::none(),
           "Answers of requests that were sent with queue=True: (request, ok, value or exception).")
      .def("close", &close, py::arg("goodbye") = true);
}

}  // namespace linden::python

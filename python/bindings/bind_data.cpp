// python/bindings/bind_data.cpp: DataNode and DataRef, large data by reference.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <optional>

#include <linden/data.h>

#include "handles.h"
#include "interpreter.h"
#include "native_object.h"

namespace linden::python {
namespace {

// Keeps its client's handle; its threads end before the session does.
class DataHandle {
 public:
  DataHandle(std::shared_ptr<ClientHandle> client, DataNode node)
      : client_(std::move(client)), node_(std::make_unique<DataNode>(std::move(node))) {}
  DataHandle(const DataHandle&) = delete;
  DataHandle& operator=(const DataHandle&) = delete;
  ~DataHandle() {
    // The threads of a parent process are not there to be joined in its child.
    if (client_->is_of_parent()) {
      static_cast<void>(node_.release());
      return;
    }
    py::gil_scoped_release released;
    node_.reset();
  }

  [[nodiscard]] DataNode& get() {
    static_cast<void>(client_->get());
    return *node_;
  }

 private:
  std::shared_ptr<ClientHandle> client_;  // goes last
  std::unique_ptr<DataNode> node_;
};

// The bytes of an object for as long as the scope; others may run meanwhile.
class BufferView {
 public:
  explicit BufferView(const py::object& object) {
    if (PyObject_GetBuffer(object.ptr(), &view_, PyBUF_ANY_CONTIGUOUS) != 0)
      throw py::error_already_set();
  }
  BufferView(const BufferView&) = delete;
  BufferView& operator=(const BufferView&) = delete;
  ~BufferView() { PyBuffer_Release(&view_); }
  [[nodiscard]] std::string_view bytes() const {
    return {static_cast<const char*>(view_.buf), static_cast<std::size_t>(view_.len)};
  }

 private:
  Py_buffer view_{};
};

// Memory that Python writes to through the buffer protocol.
struct Scratch {
  std::shared_ptr<char> bytes;
  std::size_t size;
};

std::optional<Scratch> scratch(DataHandle& self, std::size_t size) {
  DataNode& node = self.get();
  auto bytes = without_gil([&](const Interrupt&) { return node.scratch(size); });
  if (!bytes) return std::nullopt;
  return Scratch{std::move(bytes), size};
}

std::unique_ptr<DataHandle> join(SpaceHandle& farm, const std::string& listen, bool serve) {
  Space& space = farm.get();
  DataOptions options;
  options.listen = listen;
  options.serve = serve;
  return std::make_unique<DataHandle>(
      farm.client, without_gil([&](const Interrupt&) { return DataNode::join(space, options); }));
}

DataRef put(DataHandle& self, const py::object& buffer) {
  DataNode& node = self.get();
  const BufferView view(buffer);
  return without_gil([&](const Interrupt&) { return node.put(view.bytes()); });
}

DataRef upload(DataHandle& self, const py::object& buffer) {
  DataNode& node = self.get();
  const BufferView view(buffer);
  return without_gil(
      [&](const Interrupt& interrupt) { return node.upload(view.bytes(), interrupt); });
}

DataRef adopt(DataHandle& self, const std::string& path) {
  DataNode& node = self.get();
  return without_gil([&](const Interrupt&) { return node.adopt(path); });
}

py::object get(DataHandle& self, const std::string& name, const std::string& store,
               const py::object& timeout) {
  DataNode& node = self.get();
  const Duration longest = duration_of(timeout.ptr(), "timeout");
  const Bytes bytes = without_gil([&](const Interrupt& interrupt) {
    return node.get(DataRef{name, store, nullptr}, longest, interrupt);
  });
  return checked(new_memoryview(bytes));
}

py::dict usage(DataHandle& self) {
  const DataNode::Usage usage = self.get().usage();
  py::dict found;
  found["memory"] = usage.memory;
  found["disk"] = usage.disk;
  found["count"] = usage.count;
  return found;
}

}  // namespace

void bind_data(py::module_& module) {
  py::class_<DataRef>(module, "DataRef", "Names bytes of a farm, and keeps them while it lives.")
      .def_readonly("name", &DataRef::name, "Of the content.")
      .def_readonly("store", &DataRef::store, "Of the host that has them; '' for the space.")
      .def_property_readonly("size", &DataRef::size, "Bytes.")
      .def("__repr__", [](const DataRef& self) {
        return "<DataRef " + self.name + " at " + (self.store.empty() ? "the space" : self.store) +
               ">";
      });
  py::class_<Scratch>(module, "Scratch", py::buffer_protocol(), "Memory to be written to.")
      .def_buffer([](Scratch& self) {
        return py::buffer_info(reinterpret_cast<unsigned char*>(self.bytes.get()),
                               static_cast<py::ssize_t>(self.size), /*readonly=*/false);
      });
  py::enum_<DataNode::Remove>(module, "Remove", "When the store of a host is to be removed.")
      .value("IF_EMPTY", DataNode::Remove::kIfEmpty)
      .value("IF_LAST", DataNode::Remove::kIfLast)
      .value("ALWAYS", DataNode::Remove::kAlways);
  py::class_<DataHandle>(module, "DataNode",
                         "What this process has to do with the large data of a farm.")
      .def_static("join", &join, py::arg("farm"), py::arg("listen") = "", py::arg("serve") = false)
      .def_property_readonly("farm_id", [](DataHandle& self) { return self.get().farm_id(); })
      .def_property_readonly("store_id", [](DataHandle& self) { return self.get().store_id(); })
      .def("put", &put, py::arg("buffer"), "Copies bytes into this host's store.")
      .def("upload", &upload, py::arg("buffer"), "Puts bytes into the space.")
      .def("adopt", &adopt, py::arg("path"), "Moves a file into this host's store.")
      .def("scratch", &scratch, py::arg("size"),
           "Memory of this process alone, used before if possible; None if there is no room.")
      .def("get", &get, py::arg("name"), py::arg("store"), py::arg("timeout") = py::none(),
           "The bytes, as a read-only memoryview of shared memory.")
      .def(
          "is_here",
          [](DataHandle& self, const std::string& name) {
            return self.get().is_here(DataRef{name, "", nullptr});
          },
          py::arg("name"))
      .def(
          "drop_uploaded",
          [](DataHandle& self, const std::string& name) {
            DataNode& node = self.get();
            briefly_without_gil([&] { node.drop_uploaded(name); });
          },
          py::arg("name"), "Removes what was uploaded, unless a tuple names it.")
      .def(
          "sweep",
          [](DataHandle& self) {
            DataNode& node = self.get();
            return without_gil([&](const Interrupt&) { return node.sweep(); });
          },
          "Removes from this host what nobody uses and no tuple names; how many.")
      .def("usage", &usage,
           "Bytes in memory and on disk, and how many, of all processes of the host.")
      .def(
          "leave",
          [](DataHandle& self, DataNode::Remove remove) {
            DataNode& node = self.get();
            briefly_without_gil([&] { node.leave(remove); });
          },
          py::arg("remove") = DataNode::Remove::kIfEmpty, "Stops serving others.")
      .def("preserve", [](DataHandle& self) {
        DataNode& node = self.get();
        briefly_without_gil([&] { node.preserve(); });
      });
  module.def(
      "sweep_data_stores", [] { return sweep_data_stores(); },
      "Removes the stores of this user that no process has open; how many.");
  module.def(
      "remove_preserved_data", [](const std::string& farm_id) { remove_preserved_data(farm_id); },
      py::arg("farm_id"), "Removes what was preserved of a farm.");
}

}  // namespace linden::python

// python/shuffle/bind_output.cpp: text, what mappers make of it, runs, and functions in C++.
#include <pybind11/stl.h>

#include "convert.h"
#include "feed.h"
#include "objects.h"

namespace linden::python {

using shuffle::MapOutput;
using shuffle::RunWriter;
using shuffle::SpillFile;
using shuffle::TextSplit;

namespace {

py::object record_object(std::string_view record, const TextForm& form) {
  const auto size = static_cast<Py_ssize_t>(record.size());
  if (!form.encoding) return checked(PyBytes_FromStringAndSize(record.data(), size));
  if (form.encoding->empty()) {
    return checked(PyUnicode_DecodeUTF8(record.data(), size, form.errors.c_str()));
  }
  return checked(
      PyUnicode_Decode(record.data(), size, form.encoding->c_str(), form.errors.c_str()));
}

// A map output with the loops that feed it.
class Output {
 public:
  Output(std::uint32_t partitions, shuffle::Combine combine, bool counts, std::size_t memory_bytes,
         int threads, std::string directory, bool bytes)
      : output_({partitions, combine, memory_bytes, threads, std::move(directory),
                 bytes ? shuffle::kKeyBytes : shuffle::kKeyText}),
        feed_(output_, counts) {}

  bool map(const py::object& mapper, const py::object& records, std::uint64_t limit) {
    const iternextfunc next = Py_TYPE(records.ptr())->tp_iternext;
    if (next == nullptr) raise(PyExc_TypeError, "records must be an iterator");
    for (std::uint64_t i = 0; i < limit && !output_.is_full(); ++i) {
      PyObject* record = next(records.ptr());
      if (record == nullptr) {
        if (PyErr_Occurred() != nullptr && !PyErr_ExceptionMatches(PyExc_StopIteration)) {
          throw py::error_already_set();
        }
        PyErr_Clear();
        return false;
      }
      map_one(mapper, py::reinterpret_steal<py::object>(record));
    }
    return true;
  }

  bool map_text(const py::object& mapper, TextSplit& split, std::uint64_t bytes,
                std::optional<std::string> encoding, std::string errors) {
    const TextForm form{std::move(encoding), std::move(errors)};
    std::string_view record;
    for (std::uint64_t read = 0; read < bytes && !output_.is_full(); read += record.size() + 1) {
      if (!split.next(record)) return false;
      map_one(mapper, record_object(record, form));
    }
    return true;
  }

  bool map_native(const mapreduce::Functions& functions, const std::string& name, TextSplit& split,
                  std::uint64_t bytes) {
    const shuffle::NativeMapper mapper(functions, name);
    const py::gil_scoped_release no_gil;
    return mapper.map_some(split, bytes, output_, records_);
  }

  bool reduce_native(const mapreduce::Functions& functions, const std::string& name, Pairs& pairs,
                     std::uint64_t limit) {
    if (!reduce_) {
      const auto* reducer = functions.reducer(name);
      if (reducer == nullptr) raise(PyExc_LookupError, "there is no reducer %s", name.c_str());
      reduce_owner_ = pairs.owner();
      reduce_.emplace(pairs.take_source(), name, *reducer);
    }
    const py::gil_scoped_release no_gil;
    const bool more = reduce_->reduce_some(limit, output_);
    records_ = reduce_->keys();
    return more;
  }

  void add(py::handle key, py::handle value) { feed_.add(key.ptr(), value.ptr()); }

  std::uint64_t finish(int descriptor, const std::string& what) {
    const py::gil_scoped_release no_gil;
    return output_.finish(descriptor, what);
  }
  void spill() {
    const py::gil_scoped_release no_gil;
    output_.spill();
  }
  void sort() {
    const py::gil_scoped_release no_gil;
    output_.sort();
  }

  MapOutput& output() { return output_; }
  [[nodiscard]] std::uint64_t records() const { return records_; }

 private:
  void map_one(const py::object& mapper, const py::object& record) {
    ++records_;
    const py::object yielded = checked(PyObject_CallOneArg(mapper.ptr(), record.ptr()));
    feed_.take(yielded.ptr());
  }

  MapOutput output_;
  Feed feed_;
  std::uint64_t records_ = 0;
  py::object reduce_owner_;
  std::optional<shuffle::NativeReduce> reduce_;
};

// A run that is written pair by pair: to a file that is open, or without a name in a directory.
class Writer {
 public:
  Writer(std::uint32_t partitions, int descriptor, const std::string& directory)
      : writer_(descriptor >= 0 ? descriptor : file_.emplace(directory).descriptor(),
                descriptor >= 0 ? "a run" : "a spilled run in " + directory, partitions) {}

  void begin(std::uint32_t partition) { writer_.begin(partition); }
  void add(py::handle key, py::handle value) {
    key_.clear();
    append_python_key(key_, key.ptr());
    value_.clear();
    append_python_value(value_, value.ptr());
    writer_.add({key_, value_});
  }
  bool add_some(Pairs& pairs, std::uint64_t limit) {
    const py::gil_scoped_release no_gil;
    shuffle::Record record;
    for (std::uint64_t i = 0; i < limit; ++i) {
      if (!pairs.source().next(record)) return false;
      writer_.add(record);
    }
    return true;
  }
  std::uint64_t finish() { return writer_.finish(); }
  [[nodiscard]] std::uint64_t pairs() const { return writer_.pairs(); }
  SpillFile take_file() { return std::move(file_.value()); }

 private:
  std::optional<SpillFile> file_;
  RunWriter writer_;
  std::string key_;
  std::string value_;
};

std::unique_ptr<Pairs> pairs_of(const py::object& output, shuffle::SourcePtr source) {
  return std::make_unique<Pairs>(std::move(source), output);
}

void bind_functions(py::module_& module) {
  using mapreduce::Functions;
  py::class_<Functions>(module, "Functions")
      .def(py::init([] {
        auto functions = std::make_unique<Functions>();
        shuffle::add_our_functions(*functions);
        return functions;
      }))
      .def("load", [](Functions& functions, const std::string& path) {
        shuffle::load_library(path, functions);
      });
}

void bind_writer(py::module_& module) {
  py::class_<Writer>(module, "Writer")
      .def(py::init<std::uint32_t, int, const std::string&>(), py::arg("partitions"), py::kw_only(),
           py::arg("descriptor") = -1, py::arg("directory") = "")
      .def("begin", &Writer::begin)
      .def("add", &Writer::add)
      .def("add_some", &Writer::add_some, py::arg("pairs"), py::arg("limit"))
      .def("finish", &Writer::finish)
      .def_property_readonly("pairs", &Writer::pairs);
}

}  // namespace

void bind_output(py::module_& module) {
  bind_functions(module);
  bind_writer(module);
  py::class_<TextSplit>(module, "TextSplit")
      .def(py::init([](std::string path, std::uint64_t begin, std::uint64_t end,
                       const py::bytes& delimiter, std::uint64_t record_bytes_max) {
             const auto byte = std::string(delimiter);
             if (byte.size() != 1) raise(PyExc_ValueError, "delimiter must be one byte");
             return std::make_unique<TextSplit>(std::move(path), begin, end, byte.front(),
                                                record_bytes_max);
           }),
           py::arg("path"), py::arg("begin"), py::arg("end"), py::kw_only(),
           py::arg("delimiter") = py::bytes("\n"), py::arg("record_bytes_max"))
      .def_property_readonly("path", &TextSplit::path)
      .def_property_readonly("offset", &TextSplit::offset);
  py::class_<Output>(module, "Output")
      .def(py::init<std::uint32_t, shuffle::Combine, bool, std::size_t, int, std::string, bool>(),
           py::arg("partitions"), py::kw_only(), py::arg("combine") = shuffle::Combine::kNone,
           py::arg("counts") = false, py::arg("memory_bytes"), py::arg("threads") = 1,
           py::arg("directory"), py::arg("bytes") = false)
      .def("map", &Output::map, py::arg("mapper"), py::arg("records"), py::arg("limit"))
      .def("map_text", &Output::map_text, py::arg("mapper"), py::arg("split"), py::arg("limit"),
           py::arg("encoding"), py::arg("errors"))
      .def("map_native", &Output::map_native, py::arg("functions"), py::arg("name"),
           py::arg("split"), py::arg("limit"))
      .def("reduce_native", &Output::reduce_native, py::arg("functions"), py::arg("name"),
           py::arg("pairs"), py::arg("limit"))
      .def("add", &Output::add)
      .def("spill", &Output::spill)
      .def("sort", &Output::sort)
      .def("sorted",
           [](const py::object& self, std::uint32_t partition) {
             return pairs_of(self, self.cast<Output&>().output().sorted(partition));
           })
      .def("merged",
           [](const py::object& self, std::uint32_t partition) {
             return pairs_of(self, self.cast<Output&>().output().merged(partition));
           })
      .def("replace",
           [](Output& self, Writer& writer) { self.output().replace(writer.take_file()); })
      .def("finish", &Output::finish, py::arg("descriptor"), py::arg("what"))
      .def_property_readonly("is_full", [](Output& self) { return self.output().is_full(); })
      .def_property_readonly("records", &Output::records)
      .def_property_readonly("pairs", [](Output& self) { return self.output().pairs(); })
      .def_property_readonly("pairs_out", [](Output& self) { return self.output().pairs_out(); })
      .def_property_readonly("spills", [](Output& self) { return self.output().spills(); });
}

}  // namespace linden::python

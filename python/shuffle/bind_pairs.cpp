// python/shuffle/bind_pairs.cpp: Pairs, and runs that are merged.
#include <fcntl.h>
#include <unistd.h>
#include <pybind11/stl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>

#include "convert.h"
#include "objects.h"

namespace linden::python {

using shuffle::Record;

namespace {

// However many values are asked for, no more bytes than these are made into objects at once.
constexpr std::size_t kBytesAtOnce = 4U << 20U;

std::string_view bytes_of(const Py_buffer& buffer) {
  return {static_cast<const char*>(buffer.buf), static_cast<std::size_t>(buffer.len)};
}

// Keeps buffers of Python for as long as a merge reads them.
class Buffers {
 public:
  Buffers() = default;
  Buffers(const Buffers&) = delete;
  Buffers& operator=(const Buffers&) = delete;
  ~Buffers() {
    for (auto& buffer : buffers_) PyBuffer_Release(&buffer);
  }

  std::string_view add(py::handle object) {
    Py_buffer buffer{};
    if (PyObject_GetBuffer(object.ptr(), &buffer, PyBUF_SIMPLE) != 0) {
      throw py::error_already_set();
    }
    buffers_.push_back(buffer);
    return bytes_of(buffer);
  }

 private:
  std::vector<Py_buffer> buffers_;
};

// A file that is mapped, and not open any more: of those there may be more than of open ones.
class MappedFile {
 public:
  MappedFile(const std::string& path, std::size_t size) : size_(size) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat facts {};
    const bool is_there = descriptor >= 0 && ::fstat(descriptor, &facts) == 0;
    const bool is_whole = is_there && static_cast<std::size_t>(facts.st_size) == size;
    if (is_whole) data_ = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, descriptor, 0);
    const int error = errno;
    if (descriptor >= 0) ::close(descriptor);
    if (is_there && !is_whole) {
      raise(PyExc_EOFError, "%s has %lld bytes, and not the %zu that it had", path.c_str(),
            static_cast<long long>(facts.st_size), size);
    }
    if (data_ != MAP_FAILED) return;
    errno = error;
    PyErr_SetFromErrnoWithFilename(PyExc_OSError, path.c_str());
    throw py::error_already_set();
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile() { ::munmap(data_, size_); }

  py::buffer_info buffer() {
    return {static_cast<unsigned char*>(data_), static_cast<py::ssize_t>(size_), true};
  }

 private:
  void* data_ = MAP_FAILED;
  std::size_t size_;
};

py::tuple pair_of(const Record& record) {
  py::object key = python_key(record.key);
  py::object value = python_value(record.value);
  return py::reinterpret_steal<py::tuple>(PyTuple_Pack(2, key.ptr(), value.ptr()));
}

std::unique_ptr<Pairs> merge_runs(const std::vector<py::object>& runs, std::uint32_t partition,
                                  shuffle::Combine how) {
  auto buffers = std::make_unique<Buffers>();
  std::vector<shuffle::SourcePtr> sources;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const shuffle::RunView view(buffers->add(runs[i]), "run " + std::to_string(i));
    if (partition >= view.partitions()) {
      throw shuffle::ShuffleError("run " + std::to_string(i) + " has " +
                                  std::to_string(view.partitions()) + " partitions, wanted is " +
                                  std::to_string(partition));
    }
    sources.push_back(view.source(partition));
  }
  shuffle::SourcePtr all = std::make_unique<shuffle::Merge>(std::move(sources));
  if (how != shuffle::Combine::kNone) {
    all = std::make_unique<shuffle::Combined>(std::move(all), how);
  }
  py::capsule owner(buffers.release(), [](void* held) { delete static_cast<Buffers*>(held); });
  return std::make_unique<Pairs>(std::move(all), std::move(owner));
}

}  // namespace

bool Pairs::advance() {
  more_ = source_->next(ahead_);
  return more_;
}

py::object Pairs::next_group(std::size_t limit) {
  if (!begun_) {
    begun_ = true;
    advance();
  } else {
    while (more_ && ahead_.key == key_) advance();
  }
  if (!more_) return py::none();
  key_.assign(ahead_.key);
  py::object key = python_key(key_);
  py::list values = more_values(limit);
  const bool whole = !more_ || ahead_.key != key_;
  return py::make_tuple(std::move(key), std::move(values), whole);
}

py::list Pairs::more_values(std::size_t limit) {
  py::list values;
  std::size_t bytes = 0;
  while (more_ && ahead_.key == key_ && values.size() < limit && bytes < kBytesAtOnce) {
    bytes += ahead_.value.size();
    values.append(python_value(ahead_.value));
    advance();
  }
  return values;
}

py::list Pairs::next_pairs(std::size_t limit) {
  py::list pairs;
  Record record;
  std::size_t bytes = 0;
  while (pairs.size() < limit && bytes < kBytesAtOnce && source_->next(record)) {
    bytes += record.key.size() + record.value.size();
    pairs.append(pair_of(record));
  }
  return pairs;
}

void bind_pairs(py::module_& module) {
  py::class_<Pairs>(module, "Pairs")
      .def("next_group", &Pairs::next_group, py::arg("limit"))
      .def("more_values", &Pairs::more_values, py::arg("limit"))
      .def("next_pairs", &Pairs::next_pairs, py::arg("limit"));
  py::class_<MappedFile>(module, "MappedFile", py::buffer_protocol())
      .def(py::init<const std::string&, std::size_t>())
      .def_buffer(&MappedFile::buffer);
  module.def("merge", &merge_runs, py::arg("runs"), py::arg("partition"), py::kw_only(),
             py::arg("combine") = shuffle::Combine::kNone);
  module.def("encode_key", [](py::handle key) {
    std::string encoded;
    append_python_key(encoded, key.ptr());
    return py::bytes(encoded);
  });
}

}  // namespace linden::python

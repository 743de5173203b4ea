// python/bindings/handles.cpp
#include "handles.h"

#include "interpreter.h"

namespace linden::python {

ClientHandle::ClientHandle(Client client) : client_(std::move(client)), forks_(fork_count()) {}

ClientHandle::~ClientHandle() {
  if (is_of_parent()) {
    // Its destructor would wait for a thread that this process does not have.
    static_cast<void>(new Client(std::move(client_)));
    return;
  }
  py::gil_scoped_release released;
  Client last = std::move(client_);
  try {
    last.close();
  } catch (const Error&) {
    // It has ended already; nobody is left to tell.
  }
}

bool ClientHandle::is_of_parent() const noexcept {
  return forks_ != fork_count();
}

Client& ClientHandle::get() {
  if (is_of_parent())
    throw Error(ErrorCode::kClosed,
                "this client was connected before the process was forked, and serves the parent "
                "only; connect again in the child");
  return client_;
}

StreamHandle::~StreamHandle() {
  if (client_->is_of_parent()) return;
  try {
    stream_.close();
  } catch (const Error&) {
    // The session has ended, and the stream with it.
  }
}

SubscriptionHandle::~SubscriptionHandle() {
  if (client_->is_of_parent()) return;
  try {
    subscription_.close();
  } catch (const Error&) {
    // The session has ended, and the subscription with it.
  }
}

}  // namespace linden::python

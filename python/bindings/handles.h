// python/bindings/handles.h: what Python's Client, Space, Stream and Subscription hold.
//
// They keep their client's handle, so that the session ends when the last of them
// is gone.  After a fork the child must not touch what the parent's threads and socket serve: get()
// refuses, and what would join those threads is left in memory for good.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>

#include <linden/client.h>
#include <linden/space.h>
#include <linden/stream.h>

namespace linden::python {

class ClientHandle {
 public:
  explicit ClientHandle(Client client);
  ClientHandle(const ClientHandle&) = delete;
  ClientHandle& operator=(const ClientHandle&) = delete;
  // Closes without the GIL.
  ~ClientHandle();

  // Throws Error kClosed in a child of the process that connected.
  [[nodiscard]] Client& get();
  [[nodiscard]] bool is_of_parent() const noexcept;

 private:
  Client client_;
  const unsigned forks_;
};

struct SpaceHandle {
  std::shared_ptr<ClientHandle> client;  // goes last
  Space space;

  [[nodiscard]] Space& get() {
    static_cast<void>(client->get());
    return space;
  }
};

class StreamHandle {
 public:
  StreamHandle(std::shared_ptr<ClientHandle> client, Stream stream)
      : client_(std::move(client)), stream_(std::move(stream)) {}
  StreamHandle(const StreamHandle&) = delete;
  StreamHandle& operator=(const StreamHandle&) = delete;
  // Closes, so that what it was handed is not kept from others.
  ~StreamHandle();

  [[nodiscard]] Stream& get() {
    static_cast<void>(client_->get());
    return stream_;
  }

 private:
  std::shared_ptr<ClientHandle> client_;  // goes last
  Stream stream_;
};

class SubscriptionHandle {
 public:
  SubscriptionHandle(std::shared_ptr<ClientHandle> client, Subscription subscription)
      : client_(std::move(client)), subscription_(std::move(subscription)) {}
  SubscriptionHandle(const SubscriptionHandle&) = delete;
  SubscriptionHandle& operator=(const SubscriptionHandle&) = delete;
  // Closes, so that the space keeps nothing for it.
  ~SubscriptionHandle();

  [[nodiscard]] Subscription& get() {
    static_cast<void>(client_->get());
    return subscription_;
  }

 private:
  std::shared_ptr<ClientHandle> client_;  // goes last
  Subscription subscription_;
};

void bind_client(pybind11::module_& module);
void bind_space(pybind11::module_& module);
void bind_bell(pybind11::module_& module);
void bind_stream(pybind11::module_& module);
void bind_subscription(pybind11::module_& module);
void bind_data(pybind11::module_& module);

}  // namespace linden::python

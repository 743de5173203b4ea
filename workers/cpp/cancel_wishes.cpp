// workers/cpp/cancel_wishes.cpp
#include "workers/cpp/cancel_wishes.h"

#include <cstddef>

namespace linden {
namespace {

constexpr std::size_t kWishesMax = 1'024;

}  // namespace

void CancelWishes::add(const farm::TaskId& task) {
  const std::scoped_lock lock(mutex_);
  wishes_.push_back(task);
  if (wishes_.size() > kWishesMax) wishes_.pop_front();
  any_.store(true);
}

bool CancelWishes::take(std::string_view client, std::int64_t number) {
  if (!any_.load()) return false;
  const std::scoped_lock lock(mutex_);
  const bool found = std::erase_if(wishes_, [&](const farm::TaskId& wish) {
                       return wish.number == number && wish.client == client;
                     }) > 0;
  if (wishes_.empty()) any_.store(false);
  return found;
}

}  // namespace linden

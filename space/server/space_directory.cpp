#include "space/server/space_directory.h"

#include "space/server/space_host.h"

namespace linden::server {

void SpaceDirectory::add(const std::shared_ptr<SpaceHost>& host) {
  by_name_[host->info().name] = host;
}

std::shared_ptr<SpaceHost> SpaceDirectory::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second;
}

void SpaceDirectory::remove(std::string_view name) {
  const auto found = by_name_.find(name);
  if (found != by_name_.end()) by_name_.erase(found);
}

}  // namespace linden::server

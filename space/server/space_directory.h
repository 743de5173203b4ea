// space/server/space_directory.h: the spaces that are served, by name.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace linden::server {

class SpaceHost;

// Belongs to the home strand.  Every IoThread has a copy by number for its requests.
class SpaceDirectory {
 public:
  void add(const std::shared_ptr<SpaceHost>& host);
  // Null: there is none of that name.
  [[nodiscard]] std::shared_ptr<SpaceHost> find(std::string_view name) const;
  void remove(std::string_view name);
  // In order of name.
  [[nodiscard]] const auto& all() const { return by_name_; }

 private:
  std::map<std::string, std::shared_ptr<SpaceHost>, std::less<>> by_name_;
};

}  // namespace linden::server

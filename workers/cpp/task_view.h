// workers/cpp/task_view.h: the fields of a task tuple where they lie.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include <linden/field_view.h>
#include <linden/tuple.h>

namespace linden {

// Of a tuple that a template of the engine has matched: nine fields, of the types of the schema.
// Valid as long as the tuple.
class TaskView {
 public:
  explicit TaskView(const Tuple& task) noexcept : task_(task) {
    encoding::FieldWalk walk(task);
    for (auto& field : fields_) (void)walk.next(field);
  }
  [[nodiscard]] const Tuple& tuple() const noexcept { return task_; }
  [[nodiscard]] std::string_view client() const noexcept { return text(2); }
  [[nodiscard]] std::int64_t number() const noexcept { return encoding::int_of(fields_[3]); }
  [[nodiscard]] std::string_view kind() const noexcept { return text(5); }
  [[nodiscard]] std::string_view function() const noexcept { return text(6); }
  [[nodiscard]] const encoding::FieldView& payload() const noexcept { return fields_[8]; }

 private:
  [[nodiscard]] std::string_view text(std::size_t at) const noexcept {
    return encoding::text_of(fields_[at]);
  }

  const Tuple& task_;
  std::array<encoding::FieldView, 9> fields_;
};

}  // namespace linden

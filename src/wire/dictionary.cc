#include "wire/dictionary.h"

#include <fmt/format.h>

#include "model/columns.h"
#include "wire/clean_text.h"

namespace weir::wire {

uint32_t Dictionary::IndexOf(std::string_view name) {
  const auto [at, added] = indexes_.try_emplace(name, static_cast<uint32_t>(batch_.strings_size()));
  if (added) *batch_.add_strings() = CleanText(name, model::kMaxStringBytes);
  return at->second;
}

Status TakeName(std::string_view what, const v1::Batch& batch, uint32_t index, std::string& to) {
  if (index == 0) return Status::Ok();
  if (index >= static_cast<uint32_t>(batch.strings_size())) {
    return Status::Invalid(fmt::format("{} is string {} of {}", what, index, batch.strings_size()));
  }
  to.assign(batch.strings(static_cast<int>(index)));
  return Status::Ok();
}

}  // namespace weir::wire

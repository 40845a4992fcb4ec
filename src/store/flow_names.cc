#include "store/flow_names.h"

#include <algorithm>

namespace weir::store {

std::vector<uint64_t> FlowNames::Missing(const std::vector<uint64_t>& flows) const {
  std::vector<uint64_t> missing;
  std::copy_if(flows.begin(), flows.end(), std::back_inserter(missing),
               [&](uint64_t flow) { return !flows_.contains(flow); });
  return missing;
}

void FlowNames::Clear() {
  flows_.clear();
  text_numbers_.clear();
  texts_.clear();
  text_bytes_ = 0;
}

uint32_t FlowNames::TextNumber(const std::string& text) {
  const auto [found, fresh] = text_numbers_.try_emplace(text, static_cast<uint32_t>(texts_.size()));
  if (fresh) {
    texts_.push_back(text);
    text_bytes_ += 2 * text.size();
  }
  return found->second;
}

void FlowNames::Remember(const Names& names) {
  for (size_t i = 0; i < names.flows.size(); ++i) {
    Entry entry{};
    for (size_t d = 0; d < entry.size(); ++d) {
      const Cell& cell = names.rows[i][d];
      entry[d] = cell.is_text ? TextNumber(cell.text) : static_cast<uint32_t>(cell.exact);
    }
    flows_.insert_or_assign(names.flows[i], entry);
  }
}

Status FlowNames::Fill(const std::vector<uint64_t>& flows, const std::vector<const model::Column*>& group_by,
                       const Lookup& lookup, std::vector<std::vector<Cell>>& rows) {
  const std::lock_guard lock(mutex_);
  std::vector<uint64_t> missing = Missing(flows);
  if (flows_.size() + missing.size() > kMaxFlows || text_bytes_ > kMaxTextBytes) {
    Clear();
    missing = flows;
  }
  if (!missing.empty()) {
    WEIR_ASSIGN_OR_RETURN(const Names names, lookup(missing));
    Remember(names);
  }
  const auto& dimensions = DefaultGroup();
  std::vector<size_t> places;  // of the wanted dimensions in an entry
  for (const model::Column* column : group_by) {
    places.push_back(static_cast<size_t>(std::find(dimensions.begin(), dimensions.end(), column) - dimensions.begin()));
  }
  for (size_t i = 0; i < flows.size(); ++i) {
    const auto found = flows_.find(flows[i]);
    if (found == flows_.end()) continue;  // lost with a damaged part of the store: unknown, and shown so
    for (size_t d = 0; d < places.size(); ++d) {
      const uint32_t value = found->second[places[d]];
      Cell& cell = rows[i][d];
      if (cell.is_text) {
        cell.text = texts_[value];
      } else {
        cell.exact = value;
        cell.number = value;
      }
    }
  }
  return Status::Ok();
}

}  // namespace weir::store

// Surroundings: what a source asks about its machine besides the records the kernel hands over. SystemSurroundings()
// asks this machine; a recording keeps the answers and gives them again (agent/recording).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/identity/identities.h"
#include "agent/kernel/group_births.h"
#include "base/clock.h"
#include "model/address.h"

namespace weir::agent::source {

// Thread: the agent's loop, all calls.
struct Surroundings {
  std::unique_ptr<identity::Identities> identities;
  // Of the agent's own network namespace, in any order; empty when they cannot be read.
  std::function<std::vector<model::Address>()> interface_addresses;
  uint64_t jiffy_us = 4'000;  // of the kernel that counts in them; > 0
};

// What is known of control groups that are gone; null with the reason, or without one where nobody asked.
struct Births {
  std::shared_ptr<const kernel::GroupBirths> groups{};
  std::string lack{};
};

// `clock` outlives what is returned.
Surroundings SystemSurroundings(const Clock& clock, const Births& births = {});

}  // namespace weir::agent::source

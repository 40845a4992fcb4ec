// How long BPF programs ran, as the kernel counts while kernel.bpf_stats_enabled is set. It does not otherwise: then
// `runs` stands still.
#pragma once

#include <cstdint>

struct bpf_object;

namespace weir::agent::kernel {

struct ProgramTime {
  uint64_t runs = 0;
  uint64_t nanoseconds = 0;

  void Add(const ProgramTime& other) {
    runs += other.runs;
    nanoseconds += other.nanoseconds;
  }
};

// Of all loaded programs of the object, since each was loaded. One system call per program.
ProgramTime TimeOfPrograms(const bpf_object* object);

}  // namespace weir::agent::kernel

#include "agent/kernel/program_time.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

namespace weir::agent::kernel {

ProgramTime TimeOfPrograms(const bpf_object* object) {
  ProgramTime sum;
  for (bpf_program* program = bpf_object__next_program(object, nullptr); program != nullptr;
       program = bpf_object__next_program(object, program)) {
    const int fd = bpf_program__fd(program);
    bpf_prog_info info{};
    __u32 size = sizeof(info);
    if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) != 0) continue;
    sum.Add({info.run_cnt, info.run_time_ns});
  }
  return sum;
}

}  // namespace weir::agent::kernel

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a process is called. The kernel knows the name of its first thread, which usually is the program's. Some runtimes
 * call that thread by what it is: Node.js since 22.14 "MainThread". All their programs would be one, so then the name is
 * that of the file the process was started from. Names people gave a process are kept.
 */
#ifndef WEIR_BPF_PROCESS_NAME_H
#define WEIR_BPF_PROCESS_NAME_H

#include "abi.h"

/* "MainThread", "main-thread", "Main Thread" and the like. Pure; `comm` has WEIR_COMM_BYTES. */
static inline int weir_is_thread_name(const char *comm)
{
	int separated = comm[4] == ' ' || comm[4] == '-' || comm[4] == '_';

	if ((comm[0] | 32) != 'm' || (comm[1] | 32) != 'a' || (comm[2] | 32) != 'i' || (comm[3] | 32) != 'n')
		return 0;
	if (separated)
		return (comm[5] | 32) == 't' && (comm[6] | 32) == 'h' && (comm[7] | 32) == 'r' &&
		       (comm[8] | 32) == 'e' && (comm[9] | 32) == 'a' && (comm[10] | 32) == 'd' && !comm[11];
	return (comm[4] | 32) == 't' && (comm[5] | 32) == 'h' && (comm[6] | 32) == 'r' && (comm[7] | 32) == 'e' &&
	       (comm[8] | 32) == 'a' && (comm[9] | 32) == 'd' && !comm[10];
}

#ifdef __bpf__

/* For a thread's name; what cannot be read leaves it as it is. Needs kernel_types.h and the libbpf headers. */
static __always_inline void weir_program_name(char comm[WEIR_COMM_BYTES], struct task_struct *leader)
{
	const unsigned char *name = BPF_CORE_READ(leader, mm, exe_file, f_path.dentry, d_name.name);
	char program[WEIR_COMM_BYTES] = {};

	if (name && bpf_probe_read_kernel_str(program, sizeof(program), name) > 1)
		__builtin_memcpy(comm, program, sizeof(program));
}

/* From memory the verifier knows nothing of. `leader`: of the thread group. */
static __always_inline void weir_process_name(char comm[WEIR_COMM_BYTES], struct task_struct *leader)
{
	bpf_probe_read_kernel(comm, WEIR_COMM_BYTES, &leader->comm);
	if (weir_is_thread_name(comm))
		weir_program_name(comm, leader);
}

#endif /* __bpf__ */

#endif /* WEIR_BPF_PROCESS_NAME_H */

//! What work on one thread costs: CPU time and heap calls, and the name by which callgrind knows it.

#![allow(unsafe_code, reason = "the thread's CPU clock and its core are system calls")]

use crate::heap;

/// What was measured inside [`counted`].
#[derive(Clone, Copy, Default)]
pub(crate) struct Cost {
    /// CPU time in nanoseconds, without reading the clock.
    pub(crate) cpu_ns: f64,
    /// Allocations and reallocations.
    pub(crate) heap_calls: u64,
}

impl Cost {
    pub(crate) fn add(&mut self, work: impl FnOnce()) {
        let start = thread_cpu_ns();
        self.heap_calls += heap::calls(|| counted(work));
        self.cpu_ns += thread_cpu_ns() - start - clock_cost_ns();
    }
}

/// Everything in here is the media thread's work; the name is known to callgrind.
#[inline(never)]
pub(crate) fn counted(work: impl FnOnce()) {
    work();
}

/// CPU time of this thread in nanoseconds.
fn thread_cpu_ns() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for the result.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// What reading the clock adds to a figure; measured once.
fn clock_cost_ns() -> f64 {
    thread_local!(static COST: f64 = {
        let mut samples: Vec<f64> = (0..1_001).map(|_| -(thread_cpu_ns() - thread_cpu_ns())).collect();
        samples.sort_by(f64::total_cmp);
        samples[500]
    });
    COST.with(|cost| *cost)
}

/// Keeps the comparison on one core.
pub(crate) fn pin_to_one_core() {
    // SAFETY: an all-zero set is a valid empty set, and it outlives the calls.
    unsafe {
        let mut cores: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(0, &mut cores);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const cores);
    }
}

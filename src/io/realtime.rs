//! Real-time scheduling for the thread that calls, and the memory of the process, as far as the system permits.
#![allow(unsafe_code)]

use std::io;

/// Priority of the media thread within `SCHED_FIFO`, 1..=99: above everything of ours, below the kernel's interrupt
/// threads (50).
pub const MEDIA_PRIORITY: i32 = 40;

/// What the system did not permit; the caller goes on without it and logs the reason.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    /// The thread keeps its ordinary priority.
    #[error(
        "no real-time priority: sched_setscheduler: {0}; give the service LimitRTPRIO=40 or CAP_SYS_NICE"
    )]
    Priority(io::Error),
    /// Pages may be swapped out or faulted in late.
    #[error("memory not locked: mlockall: {0}; give the service LimitMEMLOCK=infinity or CAP_IPC_LOCK")]
    Memory(io::Error),
}

/// Gives the calling thread `SCHED_FIFO` at `priority` (1..=99). Threads it starts later do not inherit it.
///
/// # Errors
/// [`Denied::Priority`] if the system does not permit it; nothing has changed then.
pub fn prioritise(priority: i32) -> Result<(), Denied> {
    let parameters = libc::sched_param { sched_priority: priority };
    // SAFETY: thread 0 is the caller, and the structure outlives the call, which only reads it.
    let done = unsafe {
        libc::sched_setscheduler(0, libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, &raw const parameters)
    };
    if done == 0 { Ok(()) } else { Err(Denied::Priority(io::Error::last_os_error())) }
}

/// Keeps every page that the process has and will have in memory. Pages not touched yet are locked when they are
/// touched, so that thread stacks do not count in full.
///
/// # Errors
/// [`Denied::Memory`] if the system does not permit it; nothing has changed then.
pub fn lock_memory() -> Result<(), Denied> {
    // SAFETY: flags only; no memory of ours is handed over.
    let done = unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE | libc::MCL_ONFAULT) };
    if done == 0 { Ok(()) } else { Err(Denied::Memory(io::Error::last_os_error())) }
}

/// Lets all threads share one heap. glibc gives each thread one of its own, and what was freed there stays with it:
/// 10,000 records brought upstream cost 58 MB that way, 14 MB this way. The media thread allocates nothing.
pub fn share_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: two numbers; before the first thread, as mallopt(3) asks.
    let _ = unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_priority_out_of_range_is_denied_with_the_remedy() {
        let denied = std::thread::spawn(|| prioritise(1000)).join().unwrap().unwrap_err();
        assert!(denied.to_string().contains("LimitRTPRIO"), "{denied}");
    }

    #[test]
    fn a_permitted_priority_holds_for_the_calling_thread_alone() {
        let policy = || unsafe { libc::sched_getscheduler(0) } & !libc::SCHED_RESET_ON_FORK; // SAFETY: no memory involved.
        let inside =
            std::thread::spawn(move || prioritise(MEDIA_PRIORITY).map(|()| policy())).join().unwrap();
        if let Ok(inside) = inside {
            assert_eq!(inside, libc::SCHED_FIFO);
        }
        assert_eq!(policy(), libc::SCHED_OTHER);
    }
}

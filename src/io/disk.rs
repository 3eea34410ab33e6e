//! How much room is left on a disk.
#![allow(unsafe_code)]

use crate::doctor::Disk;
use std::{ffi::CString, mem::MaybeUninit, os::unix::ffi::OsStrExt, path::Path};

/// Room on the disk under `path`, for a user who is not root; `None` if the path is not there.
#[must_use]
pub fn room(path: &Path) -> Option<Disk> {
    let path = CString::new(path.as_os_str().as_bytes()).ok()?;
    let mut answer = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the path ends with a zero, and the kernel writes the whole structure when it returns 0.
    let answer = unsafe {
        if libc::statvfs(path.as_ptr(), answer.as_mut_ptr()) != 0 {
            return None;
        }
        answer.assume_init()
    };
    // The fields are as wide as a pointer, which is 32 bits on a small board.
    #[allow(clippy::useless_conversion, clippy::unnecessary_cast)]
    let (block, free, total) = (answer.f_frsize as u64, answer.f_bavail as u64, answer.f_blocks as u64);
    Some(Disk { free_bytes: free.saturating_mul(block), total_bytes: total.saturating_mul(block) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_has_no_more_room_than_it_is_large() {
        let Disk { free_bytes, total_bytes } = room(Path::new("/")).unwrap();
        assert!(total_bytes > 0 && free_bytes <= total_bytes);
        assert_eq!(room(Path::new("/nowhere/at/all")), None);
    }
}

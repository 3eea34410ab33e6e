//! A disk that logs what it is told: a FUSE file system with one file, made a block device by a loop.

use crate::{
    blocks::{BlockLog, Entry},
    disks::{Loop, unmount},
};
use fuser::{
    BackgroundSession, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo,
    LockOwner, OpenFlags, ReplyAttr, ReplyData, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyWrite, Request,
    WriteFlags,
};
use std::{
    ffi::OsStr,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, UNIX_EPOCH},
};

const DISK: INodeNo = INodeNo(2);
const DISK_NAME: &str = "disk";
/// How long the kernel may keep what it knows of the file: it never changes.
const FOR_LONG: Duration = Duration::from_secs(3_600);

/// What the file system and the test share.
struct Shared {
    contents: Vec<u8>,
    log: BlockLog,
}

/// The log of a disk, to be read and to be marked.
#[derive(Clone)]
pub(crate) struct Log(Arc<Mutex<Shared>>);

impl Log {
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what the writer has said.
    pub(crate) fn mark(&self, mark: &str) {
        self.lock().log.entries.push(Entry::Mark(mark.to_owned()));
    }

    /// From now on the power may fail.
    pub(crate) fn begin_cuts(&self) {
        let mut shared = self.lock();
        shared.log.first_cut = shared.log.entries.len();
    }

    /// What happened, taken away.
    pub(crate) fn take(&self) -> BlockLog {
        std::mem::take(&mut self.lock().log)
    }
}

/// The disk.
pub(crate) struct LoggedDisk {
    pub(crate) device: Loop,
    session: BackgroundSession,
    dir: tempfile::TempDir,
    pub(crate) log: Log,
}

impl LoggedDisk {
    pub(crate) fn new(bytes: u64) -> io::Result<Self> {
        let shared = Shared { contents: vec![0; bytes as usize], log: BlockLog::default() };
        let log = Log(Arc::new(Mutex::new(shared)));
        let dir = tempfile::tempdir()?;
        let session = fuser::spawn_mount(OneFile(log.clone()), dir.path(), &fuser::Config::default())?;
        let device = Loop::new(&dir.path().join(DISK_NAME))?;
        Ok(Self { device, session, dir, log })
    }

    /// Takes it apart and gives out the log.
    pub(crate) fn into_log(self) -> io::Result<BlockLog> {
        let Self { device, session, dir, log } = self;
        drop(device);
        unmount(dir.path())?;
        drop(session);
        Ok(log.take())
    }
}

struct OneFile(Log);

impl OneFile {
    fn attributes(&self, inode: INodeNo) -> FileAttr {
        let is_disk = inode == DISK;
        let size = if is_disk { self.0.lock().contents.len() as u64 } else { 0 };
        FileAttr {
            ino: inode,
            size,
            blocks: size / 512,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind: if is_disk { FileType::RegularFile } else { FileType::Directory },
            perm: 0o700,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4_096,
            flags: 0,
        }
    }
}

impl Filesystem for OneFile {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if parent == INodeNo::ROOT && name == DISK_NAME {
            reply.entry(&FOR_LONG, &self.attributes(DISK), Generation(0));
        } else {
            reply.error(Errno::ENOENT);
        }
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&FOR_LONG, &self.attributes(inode));
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        // Nothing may lie in the kernel's cache: what is written is seen here at once.
        reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let shared = self.0.lock();
        let from = (offset as usize).min(shared.contents.len());
        let to = (from + size as usize).min(shared.contents.len());
        reply.data(&shared.contents[from..to]);
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let mut shared = self.0.lock();
        let Some(place) = shared.contents.get_mut(offset as usize..offset as usize + data.len()) else {
            return reply.error(Errno::ENOSPC);
        };
        place.copy_from_slice(data);
        shared.log.entries.push(Entry::Write { at: offset, bytes: data.to_vec() });
        reply.written(data.len() as u32);
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.0.lock().log.entries.push(Entry::Flush);
        reply.ok();
    }

    fn fallocate(&self, _: &Request, _: INodeNo, _: FileHandle, _: u64, _: u64, _: i32, reply: ReplyEmpty) {
        // The loop then writes zeros itself.
        reply.error(Errno::EOPNOTSUPP);
    }
}
